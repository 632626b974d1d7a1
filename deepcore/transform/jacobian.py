r"""Whole matrices of derivatives, a row at a time."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from .._errors import GradientError
from .._sweep import op
from .._tensor import Tensor
from ..ops.data_type import result_type
from ..tree import leaves, tree_map
from .gradient import grad
from .product import vjp

if TYPE_CHECKING:
    from collections.abc import Callable


def jacobian(function: Callable[..., Any], argnum: int = 0) -> Callable[..., Any]:
    r"""Return a function that gives the Jacobian, $J_{ij} = \partial f_i / \partial x_j$.

    With respect to complex arguments a complex value is taken for a holomorphic function of them.

    Parameters
    ----------
    function
        A function whose value is a tensor.
    argnum
        The position of the argument to differentiate with respect to, a tree of tensors.

    Returns
    -------
    callable
        A function of the same arguments. For each tensor of the argument it gives a tensor whose shape is that of the
        value followed by that of the argument. It takes one pullback for each element of the value.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.jacobian(dc.square)(dc.asarray([1.0, 2.0])).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        def of_argument(x: Any) -> Any:
            return function(*args[:argnum], x, *args[argnum + 1 :], **kwargs)

        value, pullback = vjp(of_argument, args[argnum])
        if not isinstance(value, Tensor):
            msg = f"jacobian: the function must return a tensor, and it returned a {type(value).__name__}"
            raise GradientError(msg)
        basis = op.eye(value.size, dtype=value.dtype, device=value.device)
        rows = [_row(pullback, basis[i].reshape(*value.shape), args[argnum]) for i in range(value.size)]
        paths = iter(rows[0] if rows else dict(leaves(args[argnum])))

        def stacked(x: Any) -> Any:
            path = next(paths)
            if not isinstance(x, Tensor) or not x.dtype.is_inexact:
                return None
            shape = (*value.shape, *x.shape)
            if not rows:
                return op.zeros(shape, dtype=result_type(x.dtype, value.dtype), device=x.device)
            return op.stack([row[path] for row in rows]).reshape(*shape)

        return tree_map(stacked, args[argnum])

    return wrapped


def _row(pullback: Callable[[Any], tuple[Any, ...]], e: Tensor, argument: Any) -> dict[str, Any]:
    r"""Return one row of the Jacobian, by path.

    The pullback of $u$ is $J^H u$ for a complex argument and $\operatorname{Re}(J^H u)$ for a real one, so that a
    complex value needs its conjugate, or both parts.
    """
    row = dict(leaves(pullback(e)[0]))
    if not e.dtype.is_kind("complex floating"):
        return row
    turned = dict(leaves(pullback(e * 1j)[0]))
    for path, x in leaves(argument):
        if row[path] is not None:
            row[path] = op.conj(row[path]) if x.dtype.is_kind("complex floating") else row[path] + 1j * turned[path]
    return row


def hessian(function: Callable[..., Any]) -> Callable[..., Any]:
    r"""Return a function that gives the Hessian, $H_{ij} = \partial^2 f / \partial x_i \partial x_j$.

    Parameters
    ----------
    function
        A function of a tensor whose value is a tensor of one element.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.hessian(lambda x: x[0] * x[1] ** 2)(dc.asarray([2.0, 3.0])).tolist()
    [[0.0, 6.0], [6.0, 4.0]]
    """
    return jacobian(grad(function))
