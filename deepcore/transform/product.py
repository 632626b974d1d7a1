r"""Products of the Jacobian with vectors, from either side: $u^\top J$ (reverse), $J v$ (forward), and $H v$.

Nothing but reverse rules is needed. A pullback $u \mapsto J^\top u$ is linear, and its own pullback is $v \mapsto J v$:
transposing twice gives the forward product (the "double backward trick" of J. Townsend, 2017).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._errors import GradientError, ShapeError
from .._sweep import depends_on_others, sweep
from .._tape import Leaf, enable_grad, is_grad_enabled
from .._tensor import Tensor, lift, make
from ..tree import leaves, tree_map
from .gradient import grad
from .variable import closed, cotangents_of, nodes, opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._tape import Node


def vjp(function: Callable[..., Any], *args: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    r"""Return $f(x)$ and the pullback $u \mapsto J^\top u$.

    Parameters
    ----------
    function
        A function from trees of tensors to a tree of tensors.
    args
        Where to differentiate it.

    Returns
    -------
    value
        $f(x)$.
    pullback
        A function of a cotangent, which has the form and shapes of the value. It returns a tuple: the gradient with
        respect to each argument, in the form of the argument. It can be called any number of times.

    Raises
    ------
    ShapeError
        By the pullback, if the cotangent does not have the form and shapes of the value.

    Examples
    --------
    >>> import deepcore as dc
    >>> y, pullback = dc.vjp(dc.sin, dc.asarray([0.0, 1.0]))
    >>> pullback(dc.ones(2))[0].tolist() == dc.cos(dc.asarray([0.0, 1.0])).tolist()
    True
    """
    outer = is_grad_enabled()
    with enable_grad():
        variables = [opened(x) for x in args]
        value = function(*variables)
    targets = nodes(*variables)

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        roots = _roots(value, cotangent, "vjp: the cotangent")
        recorded = _is_recorded(roots, targets)
        with enable_grad():
            found = _swept(roots, targets, recorded=recorded)
        keep = outer and recorded
        return tuple(closed(cotangents_of(x, found, recorded=recorded), keep=keep) for x in variables)

    keep = outer and any(depends_on_others(node, targets) for node in nodes(value))
    return closed(value, keep=keep), pullback


def jvp(function: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    r"""Return $f(x)$ and the derivative along a direction, $J v$.

    Parameters
    ----------
    function
        A function from trees of tensors to a tree of tensors.
    primals
        The arguments $x$.
    tangents
        The direction $v$: for each argument a tree of its form and shapes.

    Raises
    ------
    ShapeError
        If the tangents do not have the form and shapes of the primals.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.jvp(dc.square, (dc.asarray([1.0, 2.0]),), (dc.asarray([1.0, 0.5]),))
    (Tensor([1., 4.], dtype=float32), Tensor([2., 2.], dtype=float32))
    """
    outer = is_grad_enabled()
    with enable_grad():
        variables = [opened(x) for x in primals]
        value = function(*variables)
        targets = nodes(*variables)
        # u is the variable of the pullback, whose value does not matter: the pullback is linear in it.
        u = tree_map(_cotangent_variable, value)
        found = sweep(_roots(value, u, "jvp: the value"), targets=targets, lift=lift, release=False)
        pulled = [cotangents_of(x, found, recorded=True) for x in variables]
        roots = _roots(pulled, list(tangents), "jvp: the tangents")
        recorded = any(depends_on_others(node, targets) for node in nodes(value)) or bool(nodes(*tangents))
        pushed = _swept(roots, nodes(u), recorded=recorded)
        tangent = cotangents_of(u, pushed, recorded=recorded)
    keep = outer and recorded
    return closed(value, keep=keep), closed(tangent, keep=keep)


def hvp(function: Callable[..., Any], primal: Any, vector: Any) -> Any:
    r"""Return the product of a Hessian with a vector, $H v = \nabla \langle \nabla f, v \rangle$, without forming $H$.

    Parameters
    ----------
    function
        A function of one argument, a tree of tensors, whose value is a tensor of one element.
    primal
        Where to differentiate it.
    vector
        A tree of the form and shapes of the argument.

    References
    ----------
    B. A. Pearlmutter, Fast exact multiplication by the Hessian, Neural Computation 6, 1994.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.hvp(lambda x: dc.sum(x**3), dc.asarray([1.0, 2.0]), dc.asarray([1.0, 0.0]))
    Tensor([6., 0.], dtype=float32)
    """
    _, pullback = vjp(grad(function), primal)
    (product,) = pullback(vector)
    return product


def _cotangent_variable(y: Any) -> Any:
    if not isinstance(y, Tensor):
        msg = f"jvp: the function must return tensors, and it returned a {type(y).__name__}"
        raise GradientError(msg)
    zeros = y._device.kernels.zeros_like(y._data)
    return make(zeros, y._device, Leaf(zeros, y._device))


def _roots(values: Any, cotangents: Any, what: str) -> dict[Node, Tensor]:
    """Return the cotangent of each node among the values; two values may be one node."""
    expected, given = dict(leaves(values)), dict(leaves(cotangents))
    if expected.keys() != given.keys():
        msg = f"{what} must have the parts {', '.join(map(repr, expected))}, not {', '.join(map(repr, given))}"
        raise ShapeError(msg)
    roots: dict[Node, Tensor] = {}
    for path, y in expected.items():
        dy = given[path]
        if not isinstance(y, Tensor):
            continue
        if not isinstance(dy, Tensor) or dy.shape != y.shape:
            got = f"shape {dy.shape}" if isinstance(dy, Tensor) else f"a {type(dy).__name__}"
            msg = f"{what} must have shape {y.shape}{f' at {path}' if path else ''}, not {got}"
            raise ShapeError(msg)
        if y._node is not None:
            so_far = roots.get(y._node)
            roots[y._node] = dy if so_far is None else so_far + dy
    return roots


def _is_recorded(roots: dict[Node, Tensor], targets: set[Node]) -> bool:
    return any(dy._node is not None or depends_on_others(node, targets) for node, dy in roots.items())


def _swept(roots: dict[Node, Tensor], targets: set[Node], *, recorded: bool) -> dict[Node, Any]:
    given: dict[Node, Any] = dict(roots) if recorded else {node: dy._data for node, dy in roots.items()}
    return sweep(given, targets=targets, lift=lift if recorded else None, release=False)
