"""The tape behind a tensor as a drawing or as text: how it was computed, with values and gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._sweep import sweep
from .._tape import Bundle, Leaf, Node, Output
from ._picture import Box, Picture

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._device import Device
    from .._tensor import Tensor
    from .._typing import Raw

SMALL: Final = 6
"""Arrays of up to so many elements are shown."""


def shown(array: Raw, device: Device) -> str:
    """Return the elements of a small array as text, and of others nothing."""
    if int(np.prod(array.shape)) > SMALL:
        return ""
    values = device.backend.to_host(array)
    return _number(values.item()) if values.ndim == 0 else _nested(values.tolist())


def _number(x: Any) -> str:
    return f"{x:.4g}" if isinstance(x, (float, complex)) else str(x)


def _nested(x: Any) -> str:
    return f"[{', '.join(map(_nested, x))}]" if isinstance(x, list) else _number(x)


class Tape:
    """What is known of the computation of a tensor.

    Attributes
    ----------
    nodes
        The nodes, in the order in which they were made.
    names
        What leaves are called.
    values
        The arrays of nodes, where somebody kept them.
    gradients
        The derivatives of the tensor, or of the sum of its elements, with respect to the nodes.
    """

    def __init__(self, tensor: Tensor, names: Mapping[str, Tensor]) -> None:
        self.root = tensor
        root = tensor._node
        self.nodes = [] if root is None else _reachable(root)
        named = {id(x._node): name for name, x in names.items() if x._node is not None}
        self.names = {node: named[id(node)] for node in self.nodes if id(node) in named}
        self.values = self._found(names)
        self.gradients: dict[Node, Any] = {} if root is None else self._gradients(root)

    def _found(self, names: Mapping[str, Tensor]) -> dict[Node, Any]:
        """Return the arrays that are known: of tensors at hand, and those that derivative rules need."""
        values: dict[Node, Any] = {}
        for node in self.nodes:
            owner: Any = node.owner() if isinstance(node, Leaf) and node.owner is not None else None
            if owner is not None and owner._node is node:
                values[node] = owner._data
            values.update(_kept(node))
        for x in (*names.values(), self.root):
            if x._node is not None:
                values[x._node] = x._data
        for node in self.nodes:
            if node not in values and (array := _again(node, values)) is not None:
                values[node] = array
        return values

    def _gradients(self, root: Node) -> dict[Node, Any]:
        if root.dtype not in root.device.backend.inexact_dtypes or _is_released(self.nodes):
            return {}
        kernels = root.device.kernels
        seed = kernels.ones(tuple(root.shape), dtype=root.dtype, device=root.device.raw)
        targets = [node for node in self.nodes if not isinstance(node, Bundle)]
        return sweep({root: seed}, targets=targets, through=True, release=False)

    def label(self, node: Node) -> list[tuple[str, str]]:
        """Return what there is to say about a node."""
        if isinstance(node, Bundle):
            return []  # what it computes are its outputs
        labels = [("kind", _kind(node, node.device))]
        for name, x in _saved(node):
            given = name in getattr(node.primitive, "operands", ()) and _operand(node, name) is None
            if given and hasattr(x, "shape") and (text := shown(x, node.device)):
                labels.append(("option", f"{name}={text}"))
        for what, word, arrays in (("value", "value", self.values), ("gradient", "grad", self.gradients)):
            text = shown(arrays[node], node.device) if node in arrays else ""
            if text:
                labels.append((what, f"{word} {text}"))
        return labels

    def title(self, node: Node) -> str:
        """Return what a node is called."""
        if node.primitive is None:
            return self.names.get(node, "leaf")
        name = f"{node.primitive.name}.{node.name}" if isinstance(node, Output) else node.primitive.name
        return f"{self.names[node]} = {name}" if node in self.names else name


def _reachable(root: Node) -> list[Node]:
    seen, stack = {root}, [root]
    while stack:
        for parent in stack.pop().parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=lambda node: node.order)


def _saved(node: Node) -> Sequence[tuple[str, Any]]:
    if node.primitive is None or node.saved is None or node.primitive.variadic or isinstance(node, Output):
        return ()
    return list(zip(node.primitive.saved, node.saved, strict=False))


def _kept(node: Node) -> dict[Node, Any]:
    """Return the arrays that a node keeps for its rules: of its own result, and of its operands."""
    found: dict[Node, Any] = {}
    for name, saved in _saved(node):
        if name == "y" and saved is not None:
            found[node] = saved
        parent = _operand(node, name)
        if parent is not None and tuple(getattr(saved, "shape", ("none",))) == tuple(parent.shape):
            found[parent] = saved
    return found


def _operand(node: Node, name: str) -> Node | None:
    names = node.primitive.operands if node.primitive is not None else ()
    return node.parents[names.index(name)] if name in names else None


def _is_released(nodes: list[Node]) -> bool:
    """Whether a sweep has run already, which drops what rules need."""
    return any(node.saved is None for node in nodes)


def _again(node: Node, values: Mapping[Node, Any]) -> Any:
    """Compute the value of a node from those of its operands, if all of them are known."""
    primitive, parents = node.primitive, node.parents
    if primitive is None or primitive.variadic or isinstance(node, (Bundle, Output)) or node.parameters:
        return None
    known = dict(_saved(node))
    operands: list[Any] = []
    for name, parent in zip(primitive.operands, parents, strict=False):
        x = values.get(parent) if parent is not None else known.get(name)
        if x is None:
            return None
        operands.append(x)
    if int(np.prod(tuple(node.shape))) > SMALL or len(operands) < len(primitive.operands):
        return None
    with node.device.current:
        return node.device.kernels[primitive.name](*operands)


def _constant(x: Tensor) -> list[tuple[str, str]]:
    text = shown(x._data, x._device)
    return [("kind", _kind(x._data, x._device)), *([("value", f"value {text}")] if text else [])]


def _kind(x: Any, device: Device) -> str:
    """Return the data type and the shape of an array, or of a node."""
    return f"{device.backend.dtypes[x.dtype]}[{','.join(map(str, x.shape))}]"


def tape_picture(tensor: Tensor, names: Mapping[str, Tensor]) -> Picture:
    """Return the picture of the tape behind a tensor."""
    tape, picture, of = Tape(tensor, names), Picture(), dict[Node, int]()
    if not tape.nodes:
        picture.add(Box("constant", "constant", _constant(tensor)))
    for node in tape.nodes:
        sources = [of[parent] for parent in node.parents if parent is not None]
        role = "input" if node.primitive is None else "output" if node is tensor._node else "call"
        of[node] = picture.add(Box(tape.title(node), role, tape.label(node)), sources)
    return picture


def tree(tensor: Tensor, /, **names: Tensor) -> str:
    """Return how a tensor was computed as a tree of text, with values and gradients: for small expressions.

    Parameters
    ----------
    tensor
        The tensor.
    names
        What tensors in it are to be called.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import graph
    >>> a, b = dc.asarray(2.0, requires_grad=True), dc.asarray(-3.0, requires_grad=True)
    >>> print(graph.tree(dc.tanh(a * b + a), a=a, b=b))
    tanh  float32[]  value -0.9993  grad 1
    └─ add  float32[]  value -4  grad 0.001341
       ├─ multiply  float32[]  value -6  grad 0.001341
       │  ├─ a  float32[]  value 2  grad -0.002682
       │  └─ b  float32[]  value -3  grad 0.002682
       └─ a  ↑
    """
    if tensor._node is None:
        return "  ".join(["constant", *(text for _, text in _constant(tensor))])
    tape = Tape(tensor, names)
    lines: list[str] = []
    seen: set[Node] = set()
    stack: list[tuple[Node, str, str]] = [(tensor._node, "", "")]
    while stack:
        node, lead, rest = stack.pop()
        if node in seen:
            lines.append(f"{lead}{tape.title(node)}  ↑")
            continue
        seen.add(node)
        lines.append(lead + "  ".join([tape.title(node), *(text for _, text in tape.label(node))]))
        parents = [parent for parent in node.parents if parent is not None]
        for i, parent in reversed(list(enumerate(parents))):
            last = i == len(parents) - 1
            stack.append((parent, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  ")))
    return "\n".join(lines)
