"""Data types: conversion, and questions about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._dtype import DTYPES, DType, as_dtype, bfloat16
from .._errors import ConfigError, DTypeError
from .._primitive import Sample
from .._record import composite, primitive
from .._tensor import Tensor

if TYPE_CHECKING:
    from .._device import Device
    from .._typing import Array, DeviceLike, Namespace, Scalar


@primitive(Sample(parameters={"dtype": DTYPES["float64"]}))
def astype_(x: Array, dtype: DType, /, *, copy: bool = True) -> Array:
    r"""The same values in another data type. $\bar x$ is $\bar y$ in the data type of $x$."""
    ...


astype_.vjp(x=lambda dy: dy)  # the engine gives a cotangent the data type of its operand


def astype(x: Tensor, dtype: DType, /, *, copy: bool = True, device: DeviceLike = None) -> Tensor:
    """Return the same values in another data type. Gradients flow back.

    Parameters
    ----------
    x
        An array.
    dtype
        The data type.
    copy
        Whether the values are copied also where ``x`` has that data type.
    device
        Where to put the result. It defaults to the device of ``x``.

    Raises
    ------
    DTypeError
        If complex numbers would become real ones.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.astype(dc.asarray([1.5, -2.5]), dc.int32)
    Tensor([ 1, -2], dtype=int32)
    """
    dtype = as_dtype(dtype)
    if x.dtype.is_kind("complex floating") and not dtype.is_kind("complex floating"):
        msg = f"astype: from {x.dtype} to {dtype} the imaginary parts would be lost; use real(x), or abs(x)"
        raise DTypeError(msg)
    y = x if device is None else x.to_device(device)
    return astype_(y, dtype, copy=copy)


@composite(Sample(parameters={"source": None, "target": None}))
def transfer(xp: Namespace, x: Array, /, *, source: Device, target: Device) -> Any:
    r"""The same values on another device. $\bar x$ is $\bar y$ on the device of $x$."""
    return target.backend.from_host(source.backend.to_host(x), target.name)


transfer.vjp(x=lambda dy, source, target, xp: xp.transfer(dy, source=target, target=source))


def isdtype(dtype: DType, kind: DType | str | tuple[DType | str, ...]) -> bool:
    """Return whether a data type is of a kind, or one of several.

    Parameters
    ----------
    dtype
        The data type.
    kind
        A data type, a kind (``"bool"``, ``"signed integer"``, ``"unsigned integer"``, ``"integral"``,
        ``"real floating"``, ``"complex floating"``, ``"numeric"``), or a tuple of these.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.isdtype(dc.float32, "real floating")
    True
    """
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    dtype = as_dtype(dtype)
    if isinstance(kind, DType):
        return dtype is kind
    if kind not in KINDS:
        msg = f"isdtype: unknown kind {kind!r}; the kinds are {', '.join(KINDS)}"
        raise ConfigError(msg)
    return dtype.is_kind(kind)


KINDS = ("bool", "signed integer", "unsigned integer", "integral", "real floating", "complex floating", "numeric")


@dataclass(frozen=True)
class FloatInfo:
    """The limits of a floating-point data type."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


@dataclass(frozen=True)
class IntegerInfo:
    """The limits of an integer data type."""

    bits: int
    max: int
    min: int
    dtype: DType


def _type_of(x: DType | Tensor) -> DType:
    return x.dtype if isinstance(x, Tensor) else as_dtype(x)


_BFLOAT16 = FloatInfo(16, 2.0**-7, (2 - 2.0**-7) * 2.0**127, -(2 - 2.0**-7) * 2.0**127, 2.0**-126, bfloat16)


def finfo(type: DType | Tensor, /) -> FloatInfo:
    """Return the limits of a floating-point data type.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.finfo(dc.float32).eps
    1.1920928955078125e-07
    """
    dtype = _type_of(type)
    if not dtype.is_inexact:
        msg = f"finfo: {dtype} is not a floating-point data type"
        raise DTypeError(msg)
    if dtype is bfloat16:
        return _BFLOAT16
    info = np.finfo(dtype.name)
    real = DTYPES[f"float{info.bits}"]
    limits = (float(info.eps), float(info.max), float(info.min), float(info.smallest_normal))
    return FloatInfo(int(info.bits), *limits, real)


def iinfo(type: DType | Tensor, /) -> IntegerInfo:
    """Return the limits of an integer data type.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.iinfo(dc.int8).max
    127
    """
    dtype = _type_of(type)
    if not dtype.is_kind("integral"):
        msg = f"iinfo: {dtype} is not an integer data type"
        raise DTypeError(msg)
    info = np.iinfo(dtype.name)
    return IntegerInfo(int(info.bits), int(info.max), int(info.min), dtype)


def result_type(*arrays_and_dtypes: Tensor | DType | Scalar) -> DType:
    """Return the data type that arrays, data types and Python numbers promote to."""
    types = [_type_of(x) for x in arrays_and_dtypes if isinstance(x, (Tensor, DType))]
    if not types:
        msg = "result_type: at least one argument must be an array or a data type"
        raise ConfigError(msg)
    numbers = [x for x in arrays_and_dtypes if not isinstance(x, (Tensor, DType))]
    try:
        raw = np.result_type(*[np.dtype(t.name) for t in types], *numbers)
    except TypeError:
        msg = f"result_type: {', '.join(t.name for t in types)} do not promote to a common type"
        raise DTypeError(msg) from None
    return DTYPES[raw.name]


def can_cast(from_: DType | Tensor, to: DType, /) -> bool:
    """Return whether one data type converts to another by the standard's promotion rules."""
    source = _type_of(from_)
    try:
        return result_type(source, to) is to
    except DTypeError:
        return False
