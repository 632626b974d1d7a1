r"""Functions of functions: gradients without ``backward()``.

``grad(f)`` is the mathematical $\nabla f$: it changes no tensor and accumulates nowhere, and it nests, because what it
computes is recorded whenever something it depends on is.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from ._errors import GradientError
from ._primitive import Sample
from ._record import composite
from ._sweep import depends_on_others, op, sweep
from ._tape import Leaf, enable_grad, is_grad_enabled
from ._tensor import Tensor, lift, make
from .tree import leaves, tree_map

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._tape import Node
    from ._typing import Array, Namespace


@composite(Sample())
def alias(xp: Namespace, x: Array, /) -> Any:
    r"""Identity, as a place of its own in the graph. $y = x$, $\bar x = \bar y$.

    Differentiating with respect to an alias keeps the inner variable of a nested gradient apart from the outer one, of
    which it is a copy.
    """
    return x


alias.vjp(x=lambda dy: dy)


def value_and_grad(
    function: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False
) -> Callable[..., tuple[Any, Any]]:
    r"""Return a function that gives $f(x)$ and $\nabla f(x)$.

    Parameters
    ----------
    function
        A function whose result is a tensor of one element (or, with ``has_aux``, a pair that begins with one).
    argnums
        The position of the argument to differentiate with respect to, or several. Arguments are trees of tensors, and
        their gradients have the same form; tensors that are not floating point have the gradient None.
    has_aux
        Whether the function returns ``(value, anything)``.

    Raises
    ------
    GradientError
        If the value is not a tensor of one element.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.value_and_grad(lambda x: dc.sum(x**3))(dc.asarray([1.0, 2.0]))
    (Tensor(9., dtype=float32), Tensor([ 3., 12.], dtype=float32))
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        outer = is_grad_enabled()
        positions = (argnums,) if isinstance(argnums, int) else argnums
        with enable_grad():
            opened = [tree_map(_opened, args[i]) for i in positions]
            given = list(args)
            for i, value in zip(positions, opened, strict=True):
                given[i] = value
            result = function(*given, **kwargs)
            value, aux = result if has_aux else (result, None)
            gradients, recorded = _gradients(value, opened)
        single = gradients[0] if isinstance(argnums, int) else tuple(gradients)
        value, single, aux = (tree_map(lambda x: _closed(x, keep=outer and recorded), t) for t in (value, single, aux))
        return ((value, aux) if has_aux else value), single

    return wrapped


def grad(
    function: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False
) -> Callable[..., Any]:
    r"""Return the gradient $\nabla f$ of a function, which has the form of the argument.

    Parameters
    ----------
    function, argnums, has_aux
        As in :func:`value_and_grad`; with ``has_aux`` the result is ``(gradient, aux)``.

    Examples
    --------
    The third derivative of $\sin$ is $-\cos$:

    >>> import deepcore as dc
    >>> dc.grad(dc.grad(dc.grad(dc.sin)))(dc.asarray(0.0))
    Tensor(-1., dtype=float32)
    """
    both = value_and_grad(function, argnums, has_aux=has_aux)

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapped


def _opened(x: Any) -> Any:
    """Return the variable to differentiate with respect to, which stands for a tensor."""
    if not isinstance(x, Tensor):
        return x
    if x._node is not None:
        return op.alias(x)
    if not x.dtype.is_inexact:
        return x
    return make(x._data, x._device, Leaf(x._data, x._device))


def _closed(x: Any, *, keep: bool) -> Any:
    return x if keep or not isinstance(x, Tensor) else x.detach()


def _gradients(value: Any, opened: list[Any]) -> tuple[list[Any], bool]:
    """Return the gradients, in the form of the arguments, and whether they are recorded."""
    if not isinstance(value, Tensor) or value.size != 1:
        what = f"a tensor of shape {value.shape}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        msg = f"grad: the function must return a tensor of one element, and it returned {what}"
        raise GradientError(msg)
    targets = {x._node for _, x in leaves(opened) if isinstance(x, Tensor) and x._node is not None}
    found: dict[Node, Any] = {}
    recorded = False
    if value._node is not None:
        recorded = depends_on_others(value._node, targets)
        seed = make(value._device.kernels.ones_like(value._data), value._device)
        roots = {value._node: seed if recorded else seed._data}
        found = sweep(roots, targets=targets, lift=lift if recorded else None, release=not recorded)

    def gradient(x: Any) -> Any:
        if not isinstance(x, Tensor) or x._node is None:
            return None
        dx = found.get(x._node)
        if dx is None:
            return make(x._device.kernels.zeros_like(x._data), x._device)
        return dx if recorded else make(dx, x._device)

    return [tree_map(gradient, tree) for tree in opened], recorded
