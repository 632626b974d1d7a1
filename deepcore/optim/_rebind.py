"""Giving a parameter a new value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._tape import Leaf

if TYPE_CHECKING:
    from .._tensor import Tensor
    from .._typing import Raw


def rebind(parameter: Tensor, value: Raw) -> None:
    """Make a tensor a handle on another array of the same shape, data type and device.

    A graph that was recorded with the old array keeps it, and a parameter stays one.
    """
    parameter._data = value
    if parameter._node is not None:
        parameter._node = Leaf(value, parameter._device, parameter)
