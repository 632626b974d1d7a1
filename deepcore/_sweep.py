r"""The reverse sweep: from the cotangent of a result to the cotangents of what it was computed from.

With $y = f_n(\cdots f_1(x))$, the chain rule read from the left gives

$$\bar x = \bar y\,\frac{\partial f_n}{\partial f_{n-1}} \cdots \frac{\partial f_1}{\partial x},$$

one vector-Jacobian product per node, latest first. Nodes are numbered as they are made, so "latest first" is a sort.

Reference: A. Griewank and A. Walther, *Evaluating Derivatives*, 2nd edition, SIAM 2008, section 3.2.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ._backend import EXTENSIONS, Extension
from ._errors import GradientError
from ._primitive import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ._primitive import Primitive
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


def sweep(
    roots: dict[Node, Any], *, targets: Iterable[Node] | None = None, lift: Lift | None = None, release: bool = True
) -> dict[Node, Any]:
    """Return the cotangent of every leaf below the roots, or of the targets alone.

    Parameters
    ----------
    roots
        The cotangent of each result.
    targets
        Nodes to stop at. Only what lies between them and the roots is computed.
    lift
        Makes a tensor of a saved raw array, its node and the node that saved it. When given, rules run on tensors and
        are recorded, so that the cotangents can be differentiated again; otherwise they run on raw arrays.
    release
        Whether to drop what each node saved once its rules have run.
    """
    nodes = _reachable(roots)
    wanted = None if targets is None else set(targets)
    active = set(nodes) if wanted is None else _leading_to(wanted, nodes)
    cotangents = dict(roots)
    found: dict[Node, Any] = {}
    for node in reversed(nodes):
        dy = cotangents.pop(node, None)
        if dy is None:
            continue
        if node.primitive is None if wanted is None else node in wanted:
            found[node] = dy
        if node.primitive is None or active.isdisjoint(node.parents):
            continue
        with node.device.current:
            for parent, dx in _operand_cotangents(node.primitive, node, dy, active, lift):
                cotangents[parent] = _added(cotangents.get(parent), dx, parent)
        if release:
            node.saved = None
    return found


def _added(so_far: Any, dx: Any, parent: Node) -> Any:
    if so_far is None:
        return dx
    with parent.device.current:  # another device than the node's, where that is a transfer
        return so_far + dx


def _reachable(roots: Iterable[Node]) -> list[Node]:
    """Return every node below the roots, earliest first."""
    seen = set(roots)
    stack = list(seen)
    while stack:
        for parent in stack.pop().parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=attrgetter("order"))


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


def _operand_cotangents(
    primitive: Primitive[...], node: Node, dy: Any, active: set[Node], lift: Lift | None
) -> list[tuple[Node, Any]]:
    if node.saved is None:
        msg = (
            f"the graph of {primitive.name} was released by an earlier backward(); "
            "call backward(retain_graph=True) the first time to go through it twice"
        )
        raise GradientError(msg)
    wanted = [(i, parent) for i, parent in enumerate(node.parents) if parent is not None and parent in active]
    recorded = lift is not None
    known: dict[str, Any] = {}
    if primitive.joint is not None:
        known = _known(primitive, node, lift)
        cotangents = primitive.joint.function(dy, *[known[name] for name in primitive.joint.needs])
        pairs = [(parent, cotangents[i]) for i, parent in wanted]
    else:
        pairs = []
        for i, parent in wanted:
            rule = primitive.rules[primitive.operands[i]]
            if rule.needs:
                known = known or _known(primitive, node, lift)
                known["shape"] = parent.shape
            pairs.append((parent, rule.function(dy, *[known[name] for name in rule.needs])))
    return [(parent, _fit(dx, parent, primitive, recorded=recorded)) for parent, dx in pairs if dx is not None]


def _known(primitive: Primitive[...], node: Node, lift: Lift | None) -> dict[str, Any]:
    """Return what rules may ask for, by name."""
    xp: Namespace = node.device.kernels if lift is None else op
    return {**primitive.defaults, **(node.parameters or {}), **_saved(primitive, node, lift), "xp": xp}


def _saved(primitive: Primitive[...], node: Node, lift: Lift | None) -> dict[str, Any]:
    saved: dict[str, Any] = dict(zip(primitive.saved, node.saved or (), strict=True))
    if lift is None:
        return saved
    sources = dict(zip(primitive.operands, node.parents, strict=False)) | {"y": node}
    for name, value in saved.items():
        if name == "shapes":
            continue
        if isinstance(value, list):
            saved[name] = [lift(raw, parent, node) for raw, parent in zip(value, node.parents, strict=True)]
        elif value is not None:
            saved[name] = lift(value, sources[name], node)
    return saved


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
