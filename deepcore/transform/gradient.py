"""Gradients of functions whose value is one number."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from .._errors import GradientError
from .._sweep import depends_on_others, sweep
from .._tape import enable_grad, is_grad_enabled
from .._tensor import Tensor, lift, make
from .variable import closed, cotangents_of, nodes, opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._tape import Node


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
        their gradients have the same form; tensors that are not floating point have the gradient None. An argument may
        be a model. Its gradient is a dictionary: that of each parameter by its path, as ``model.named_parameters()``
        names it, None for those that are frozen.
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

    Of a model:

    >>> line = dc.nn.Dense(2, 1)
    >>> value, gradient = dc.value_and_grad(lambda model, x: dc.sum(model(x)))(line, dc.asarray([[3.0, 4.0]]))
    >>> gradient["weight"].tolist(), gradient["bias"].tolist()
    ([[3.0], [4.0]], [1.0])
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        outer = is_grad_enabled()
        positions = (argnums,) if isinstance(argnums, int) else argnums
        with enable_grad():
            variables = [opened(args[i]) for i in positions]
            given = list(args)
            for i, variable in zip(positions, variables, strict=True):
                given[i] = variable
            result = function(*given, **kwargs)
            value, aux = result if has_aux else (result, None)
            gradients, recorded = _gradients(value, variables)
        single = gradients[0] if isinstance(argnums, int) else tuple(gradients)
        value, single, aux = (closed(tree, keep=outer and recorded) for tree in (value, single, aux))
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


def _gradients(value: Any, variables: list[Any]) -> tuple[list[Any], bool]:
    """Return the gradients, in the form of the arguments, and whether they are recorded."""
    if not isinstance(value, Tensor) or value.size != 1:
        what = f"a tensor of shape {value.shape}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        msg = f"grad: the function must return a tensor of one element, and it returned {what}"
        raise GradientError(msg)
    targets = nodes(*variables)
    found: dict[Node, Any] = {}
    recorded = False
    if value._node is not None:
        recorded = depends_on_others(value._node, targets)
        seed = make(value._device.kernels.ones_like(value._data), value._device)
        roots = {value._node: seed if recorded else seed._data}
        found = sweep(roots, targets=targets, lift=lift if recorded else None, release=not recorded)
    return [cotangents_of(tree, found, recorded=recorded) for tree in variables], recorded
