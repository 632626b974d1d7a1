"""What a module learns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._errors import DTypeError, GradientError
from .._tape import is_grad_enabled
from .._tensor import Tensor
from ..ops.creation import asarray

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


class Parameter(Tensor):
    """A tensor that a module learns. Unlike other tensors among a module's attributes, it is given to optimizers.

    Parameters
    ----------
    value
        The initial value.

    Raises
    ------
    DTypeError
        If the value is not floating point.
    GradientError
        When it is changed in place (``p += x``, ``p[i] = x``) while operations are recorded. A tensor that is not a
        parameter becomes a result of them; a parameter stays what it is. Change it under :func:`deepcore.no_grad`.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.Parameter(dc.zeros(2)).requires_grad
    True
    """

    __slots__ = ()

    def __init__(self, value: Tensor) -> None:
        if not value.dtype.is_inexact:
            msg = f"a parameter is floating point, and this value is {value.dtype}"
            raise DTypeError(msg)
        self._data, self._device, self._node = value._data, value._device, None
        self.requires_grad = True

    def _rebind(self, new: Tensor) -> None:
        if self._node is not None and is_grad_enabled():
            msg = (
                "a parameter that is changed in place becomes a result, and learns no more; "
                "change it in a `with deepcore.no_grad():` block"
            )
            raise GradientError(msg)
        super()._rebind(new)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return (_restore, (self.numpy(), str(self._device), self.requires_grad))


def _restore(values: np.ndarray[Any, Any], device: str, requires_grad: bool) -> Parameter:
    parameter = Parameter(asarray(values, device=device))
    parameter.requires_grad = requires_grad
    return parameter
