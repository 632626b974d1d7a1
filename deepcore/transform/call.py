"""A call of a function as one place in the graph, with a pullback of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._primitive import Primitive, Rule
from .._sweep import op
from .._tape import Bundle, Leaf, Output
from .._tensor import Tensor, make
from ..ops.complex_numbers import conjugate
from ..tree import itself, tree_map

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .._tape import Node
    from .._typing import Namespace, Raw

    Pullback = Callable[[dict[int, Tensor], list[Tensor], Any, bool], Sequence[Tensor | None]]


class Slot(int):
    """The place of a tensor in a tree, by its position among the tensors that were taken out."""

    __slots__ = ()


def taken_out(tree: Any, wanted: Callable[[Tensor], bool]) -> tuple[Any, list[Tensor]]:
    """Return a tree with slots for the wanted tensors, and these. The others are copied, as handles on their values."""
    found: list[Tensor] = []

    def leaf(x: Any) -> Any:
        if not isinstance(x, Tensor):
            return x
        if not wanted(x):
            return x.detach()
        found.append(x)
        return Slot(len(found) - 1)

    return tree_map(leaf, tree, model=itself), found


def put_in(tree: Any, values: Sequence[Any]) -> Any:
    """Return a tree with values in the place of its slots. Its other tensors are new handles, which may be rebound."""

    def leaf(x: Any) -> Any:
        return values[x] if isinstance(x, Slot) else x.detach() if isinstance(x, Tensor) else x

    return tree_map(leaf, tree, model=itself)


def has_node(x: Tensor) -> bool:
    """Whether gradients flow to a tensor."""
    return x._node is not None


def nodes_of(tensors: Sequence[Tensor]) -> set[Node]:
    """Return the nodes of tensors."""
    return {x._node for x in tensors if x._node is not None}


def stand_in(x: Tensor) -> Tensor:
    """Return a leaf of a graph of its own with the value of a tensor."""
    return make(x._data, x._device, Leaf(x._data, x._device))


def came_in(roots: set[Node], since: int, stand_ins: set[Node] | frozenset[Node] = frozenset()) -> list[Node]:
    """Return the nodes from before a moment that lead to the roots, other than through stand-ins, the oldest first."""
    seen, stack, found = set(roots), list(roots), list[Any]()
    while stack:
        node = stack.pop()
        if node in stand_ins:
            continue
        if node.order < since and not isinstance(node, Bundle):
            # An earlier bundle comes in by its results; where a rule lifts these anew, by what it was computed from.
            found.append(node)
            continue
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(found, key=lambda node: node.order)


class Saved(list[Any]):
    """What a call keeps: the raw arrays of its operands, one for each parent, and whatever else its pullback needs."""

    def __init__(self, operands: Sequence[Raw], further: Any) -> None:
        super().__init__(operands)
        self.further = further


class Pull(Rule):
    """The rule of one call, whose arguments are known without looking at it."""

    __slots__ = ()

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.needs = ("inputs", "xp")
        self.sources = ((0, None), ("xp", None))


class Call(Primitive[...]):
    """One call of a function. Unlike other primitives it is made for the call, and its rule belongs to it."""

    def __init__(self, name: str, rule: Rule) -> None:
        self.name = name
        self.operands = self.outputs = ()
        self.variadic = False
        self.defaults = {}
        self.rules = {}
        self.saved = ("inputs",)
        self.joint = rule

    def __repr__(self) -> str:
        return f"<call {self.name}>"


def record(
    name: str, parents: Sequence[Node], saved: Saved, values: Sequence[Tensor], pullback: Pullback
) -> list[Tensor]:
    """Return the values of a call with their place in the graph.

    Parameters
    ----------
    name
        What errors call the function.
    parents
        The nodes that it depends on.
    saved
        What to keep: for each parent the raw array, or None if the pullback does not need it.
    values
        Its results.
    pullback
        A function of the cotangents of those results that have one, by position; of the operands; of what else was
        saved, or None where it is recorded; and of whether it is recorded. It gives the cotangent of each parent, or
        None. Where it is recorded, the operands have their places in the graph.
    """
    devices = [value._device for value in values]

    def pull(dy: dict[str, Any], inputs: list[Any], xp: Namespace) -> list[Any]:
        recorded = xp is op
        if recorded:
            operands = [make(x._data, parent.device, parent) for x, parent in zip(inputs, parents, strict=True)]
            cotangents = {int(i): _conjugated(part) for i, part in dy.items()}
        else:
            operands = [make(x, parent.device) for x, parent in zip(inputs, parents, strict=True)]
            cotangents = {int(i): _conjugated(make(part, devices[int(i)])) for i, part in dy.items()}
        further = inputs.further if isinstance(inputs, Saved) else None
        found = [None if dx is None else _conjugated(dx) for dx in pullback(cotangents, operands, further, recorded)]
        return found if recorded else [None if dx is None else dx._data for dx in found]

    bundle = Bundle(Call(name, Pull(pull)), tuple(parents), (saved,), None, devices[0])
    return [_output(bundle, i, value) for i, value in enumerate(values)]


def _output(bundle: Bundle, i: int, value: Tensor) -> Tensor:
    node = Output(bundle, str(i), value._data)
    node.device = value._device
    return make(value._data, value._device, node)


def _conjugated(dx: Tensor) -> Tensor:
    """Return a cotangent in the other of the two conventions, that of rules and that of everybody else."""
    return conjugate(dx, op)


def name_of(function: object) -> str:
    """Return what errors call a function."""
    return getattr(function, "__name__", type(function).__name__)
