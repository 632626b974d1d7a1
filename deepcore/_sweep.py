r"""The reverse sweep: from the cotangent of a result to the cotangents of what it was computed from.

With $y = f_n(\cdots f_1(x))$, the chain rule read from the left gives

$$\bar x = \bar y\,\frac{\partial f_n}{\partial f_{n-1}} \cdots \frac{\partial f_1}{\partial x},$$

one vector-Jacobian product per node, latest first. Nodes are numbered as they are made, so "latest first" is a sort.

The cotangent of a complex $z = a + ib$ is $\bar z = \partial L/\partial a + i\,\partial L/\partial b$, the direction
of steepest ascent, as in PyTorch (JAX has its conjugate). Inside, rules have the plain form $\bar x = f'(x)\,\bar y$,
because complex cotangents are conjugated where they enter the sweep and where they leave it.

Reference: A. Griewank and A. Walther, *Evaluating Derivatives*, 2nd edition, SIAM 2008, section 3.2.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from ._backend import EXTENSIONS, NOTHING, Extension
from ._errors import GradientError
from ._primitive import registry
from ._tape import Bundle, Output, Parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ._primitive import Primitive, Rule
    from ._tape import Node
    from ._typing import Namespace, Raw, Shape

    Lift = Callable[[Raw, Node | None, Node], Any]


class Operations:
    """Every declared operation as an attribute: the namespace in which rules compute when they are recorded."""

    def __init__(self) -> None:
        for name in EXTENSIONS:
            setattr(self, name, Extension(name, self.__getattr__))

    def __getattr__(self, name: str) -> Any:
        try:
            found = registry[name]
        except KeyError:
            raise AttributeError(name) from None
        self.__dict__[name] = found
        return found

    def provide(self, name: str, function: object) -> None:
        """Add a function that is no primitive, such as ``zeros``."""
        self.__dict__[name] = function


op = Operations()

_order: Final = attrgetter("order")


def sweep(
    roots: dict[Node, Any],
    *,
    targets: Iterable[Node] | None = None,
    through: bool = False,
    lift: Lift | None = None,
    release: bool = True,
) -> dict[Node, Any]:
    """Return the cotangent of every leaf below the roots, or of the targets alone.

    Parameters
    ----------
    roots
        The cotangent of each result.
    targets
        Nodes to stop at. Only what lies between them and the roots is computed.
    through
        Whether to go on behind a target, to those that it was computed from.
    lift
        Makes a tensor of a saved raw array, its node and the node that saved it. When given, rules run on tensors and
        are recorded, so that the cotangents can be differentiated again; otherwise they run on raw arrays.
    release
        Whether to drop what each node saved once its rules have run.
    """
    nodes = _reachable(roots)
    wanted = None if targets is None else set(targets)
    active = None if wanted is None else _leading_to(wanted, nodes)
    recorded = lift is not None
    cotangents = {node: _conjugated(dy, node, recorded=recorded) for node, dy in roots.items()}
    found: dict[Node, Any] = {}
    for node in reversed(nodes):
        dy = cotangents.pop(node, None)
        if dy is None:
            continue
        if node.primitive is None if wanted is None else node in wanted:
            found[node] = _conjugated(dy, node, recorded=recorded)
            if not through:
                continue
        if node.primitive is None or (active is not None and active.isdisjoint(node.parents)):
            continue
        contributions = _operand_cotangents if node.device.current is NOTHING else _on_its_device
        for parent, dx in contributions(node.primitive, node, dy, active, lift):
            so_far = cotangents.get(parent)
            cotangents[parent] = dx if so_far is None else _added(so_far, dx, parent)
        if release:
            node.saved = None
    return found


def _on_its_device(
    primitive: Primitive[...], node: Node, dy: Any, active: set[Node] | None, lift: Lift | None
) -> list[tuple[Node, Any]]:
    """Do the same for a library that computes on a current device, wherever the operands are."""
    with node.device.current:
        return _operand_cotangents(primitive, node, dy, active, lift)


def _added(so_far: Any, dx: Any, parent: Node) -> Any:
    with parent.device.current:
        return so_far + dx


def _reachable(roots: Iterable[Node]) -> list[Node]:
    """Return every node below the roots, earliest first."""
    seen = set(roots)
    found = list(seen)
    for node in found:  # which grows
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                found.append(parent)
    found.sort(key=_order)
    return found


def depends_on_others(root: Node, targets: set[Node]) -> bool:
    """Return whether a result was computed from any leaf but the targets, and may be differentiated in it."""
    return any(node.primitive is None and node not in targets for node in _reachable([root]))


def _leading_to(targets: set[Node], nodes: list[Node]) -> set[Node]:
    """Return the targets and the nodes computed from them; the given nodes come earliest first."""
    active = set(targets)
    for node in nodes:
        if not active.isdisjoint(node.parents):
            active.add(node)
    return active


def _conjugated(dy: Any, node: Node, *, recorded: bool) -> Any:
    """Return a cotangent in the other of the two conventions: they differ for complex values alone."""
    if node.dtype not in node.device.backend.complex_dtypes:
        return dy
    return op.conj(dy) if recorded else node.device.kernels.conj(dy)


def _operand_cotangents(
    primitive: Primitive[...], node: Node, dy: Any, active: set[Node] | None, lift: Lift | None
) -> list[tuple[Node, Any]]:
    """Return what a node's cotangent contributes to those of its parents, of all or of the active ones."""
    if node.saved is None:
        msg = (
            f"the graph of {primitive.name} was released by an earlier backward(); "
            "call backward(retain_graph=True) the first time to go through it twice"
        )
        raise GradientError(msg)
    if isinstance(node, Output):
        return [(parent, Parts({node.name: dy})) for parent in node.parents if parent is not None]
    saved = node.saved if lift is None else _lifted(primitive, node, node.saved, lift)
    if primitive.joint is None and not primitive.outputs:
        return _by_operand(primitive, node, dy, active, saved, lift)
    if primitive.joint is not None:
        cotangents = primitive.joint.function(dy, *_arguments(primitive.joint, node, None, saved, lift))
        pairs = list(zip(node.parents, cotangents, strict=True))
    else:
        (parent,) = node.parents
        rules = [(primitive.rules[name], part) for name, part in dy.items()]
        pairs = [(parent, rule.function(part, *_arguments(rule, node, parent, saved, lift))) for rule, part in rules]
    return [
        (parent, _fit(dx, parent, primitive, recorded=lift is not None))
        for parent, dx in pairs
        if parent is not None and dx is not None and (active is None or parent in active)
    ]


def _by_operand(
    primitive: Primitive[...], node: Node, dy: Any, active: set[Node] | None, saved: Sequence[Any], lift: Lift | None
) -> list[tuple[Node, Any]]:
    """Return the contributions of a node that has a rule for each operand: nearly every one, so no time is lost."""
    xp = node.device.kernels if lift is None else op
    found: list[tuple[Node, Any]] = []
    for parent, rule in zip(node.parents, primitive.by_position, strict=True):
        if parent is None or rule is None or (active is not None and parent not in active):
            continue
        if rule.chosen is not None:
            dx = rule.function(dy, *rule.chosen((*saved, parent.shape, xp)))
        else:
            dx = rule.function(dy, *_arguments(rule, node, parent, saved, lift))
        if dx is None:
            continue
        if lift is not None or dx.shape != parent.shape or dx.dtype != parent.dtype:
            dx = _fit(dx, parent, primitive, recorded=lift is not None)
        found.append((parent, dx))
    return found


def _arguments(rule: Rule, node: Node, parent: Node | None, saved: Sequence[Any], lift: Lift | None) -> list[Any]:
    """Return what a rule asks for besides the cotangent."""
    arguments: list[Any] = []
    for source, default in rule.sources:
        if isinstance(source, int):
            arguments.append(saved[source])
        elif source == "xp":
            arguments.append(node.device.kernels if lift is None else op)
        elif source == "shape" and parent is not None:
            arguments.append(parent.shape)
        else:
            arguments.append((node.parameters or {}).get(source, default))
    return arguments


def _lifted(primitive: Primitive[...], node: Node, saved: Sequence[Any], lift: Lift) -> list[Any]:
    """Return what a node saved as tensors, with their places in the graph."""
    sources = dict(zip(primitive.operands, node.parents, strict=False)) | {"y": node}
    lifted: list[Any] = []
    for name, value in zip(primitive.saved, saved, strict=True):
        if name == "shapes" or value is None:
            lifted.append(value)
        elif isinstance(value, list):
            lifted.append([lift(raw, parent, node) for raw, parent in zip(value, node.parents, strict=True)])
        elif isinstance(node, Bundle) and name in primitive.outputs:
            lifted.append(lift(value, Output(node, name, value), node))
        else:
            lifted.append(lift(value, sources[name], node))
    return lifted


def _fit(dx: Any, parent: Node, primitive: Primitive[...], *, recorded: bool) -> Any:
    """Give a cotangent the shape and data type of the value it belongs to: the transpose of broadcasting and promotion.

    Broadcasting copies an element along an axis, so its transpose sums along that axis. This is the one place that
    knows.
    """
    xp: Namespace = op if recorded else parent.device.kernels
    if dx.shape != parent.shape:
        dx = _sum_to(dx, parent.shape, primitive, xp)
    raw = dx._data if recorded else dx
    if raw.dtype != parent.dtype:
        complex_dtypes = parent.device.backend.complex_dtypes
        if raw.dtype in complex_dtypes and parent.dtype not in complex_dtypes:
            dx = xp.real(dx)  # a real operand moves the result along the real axis of its cotangent alone
        dtype = parent.device.backend.dtypes[parent.dtype] if recorded else parent.dtype
        dx = xp.astype(dx, dtype)
    return dx


def _sum_to(dx: Any, shape: Shape, primitive: Primitive[...], xp: Namespace) -> Any:
    lead = len(dx.shape) - len(shape)
    stretched = [lead + i for i, n in enumerate(shape) if lead >= 0 and n == 1 and dx.shape[lead + i] != 1]
    if lead < 0 or any(n not in (1, dx.shape[lead + i]) for i, n in enumerate(shape)):
        msg = f"{primitive.name}: a rule gave a cotangent of shape {dx.shape} for an operand of shape {shape}"
        raise GradientError(msg)
    return xp.reshape(xp.sum(dx, axis=(*range(lead), *stretched)), shape)
