"""The types that signatures are written in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from types import EllipsisType

    from ._device import Device
    from ._tensor import Tensor

Scalar: TypeAlias = bool | int | float | complex
"""A Python number. It adopts the data type of the array it meets."""

Array: TypeAlias = "Tensor"
"""An array argument: a :class:`deepcore.Tensor`."""

Operand: TypeAlias = "Tensor | Scalar"
"""An argument of a function of two arrays: a tensor or a Python number."""

Raw: TypeAlias = Any
"""An array of the library underneath (``numpy.ndarray``, ``torch.Tensor``, ...). Untyped on purpose: the
engine serves any conforming library, known or not."""

Namespace: TypeAlias = Any
"""A namespace of array functions: raw ones in a first-order sweep, recording ones in a higher-order one."""

Axis: TypeAlias = int | tuple[int, ...] | None
Shape: TypeAlias = tuple[int, ...]
Index: TypeAlias = "_Part | tuple[_Part, ...]"
_Part: TypeAlias = "int | slice | EllipsisType | Tensor | None"
DeviceLike: TypeAlias = "Device | str | None"

Kernel: TypeAlias = Callable[..., Raw]
Kernels: TypeAlias = Mapping[str, Kernel]

Nested: TypeAlias = "Scalar | Sequence[Nested]"
"""Python numbers in (nested) sequences."""
