"""Data types: one object per type, the same whichever array library holds the numbers.

The standard leaves data-type objects to each library, so ``numpy.float32`` and ``torch.float32`` never compare
equal. deepcore owns its objects; an adapter maps their names to the library's own.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ._errors import DTypeError

_KINDS: Final = {
    "bool": ("bool",),
    "signed integer": ("signed integer", "integral", "numeric"),
    "unsigned integer": ("unsigned integer", "integral", "numeric"),
    "real floating": ("real floating", "numeric"),
    "complex floating": ("complex floating", "numeric"),
}


class DType:
    """A data type: ``deepcore.float32`` and its like.

    Parameters
    ----------
    name
        Its name in the standard, for example ``"float32"``.
    kind
        ``"bool"``, ``"signed integer"``, ``"unsigned integer"``, ``"real floating"`` or ``"complex floating"``.
    bits
        The width of one element, in bits.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.ones(2).dtype == dc.float32
    True
    >>> dc.float32.bits
    32
    """

    __slots__ = ("bits", "kind", "name")

    def __init__(self, name: str, kind: str, bits: int) -> None:
        self.name = name
        self.kind = kind
        self.bits = bits

    def __eq__(self, other: object) -> bool:
        return self is other  # of any object: an array on the right would compare element by element

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"deepcore.{self.name}"

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (dtype_named, (self.name,))

    def is_kind(self, kind: str) -> bool:
        """Whether the type belongs to a kind of the standard's ``isdtype``, for example ``"integral"``."""
        return kind in _KINDS[self.kind]

    @property
    def is_inexact(self) -> bool:
        """Whether the type is real or complex floating point, that is, whether gradients exist in it."""
        return self.kind in ("real floating", "complex floating")


bool_ = DType("bool", "bool", 8)
int8 = DType("int8", "signed integer", 8)
int16 = DType("int16", "signed integer", 16)
int32 = DType("int32", "signed integer", 32)
int64 = DType("int64", "signed integer", 64)
uint8 = DType("uint8", "unsigned integer", 8)
uint16 = DType("uint16", "unsigned integer", 16)
uint32 = DType("uint32", "unsigned integer", 32)
uint64 = DType("uint64", "unsigned integer", 64)
float16 = DType("float16", "real floating", 16)
bfloat16 = DType("bfloat16", "real floating", 16)
float32 = DType("float32", "real floating", 32)
float64 = DType("float64", "real floating", 64)
complex64 = DType("complex64", "complex floating", 64)
complex128 = DType("complex128", "complex floating", 128)

DTYPES: Final = {
    t.name: t
    for t in (
        *(bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64),
        *(float16, bfloat16, float32, float64, complex64, complex128),
    )
}


def dtype_named(name: str) -> DType:
    """Return the data type of that name."""
    return DTYPES[name]


def as_dtype(spec: Any) -> DType:
    """Return a data type given what code written for NumPy calls it: ``bool``, ``float``, ``np.float32``, ``"int8"``.

    Python's types mean what they mean to NumPy, so ``float`` is float64.
    """
    if isinstance(spec, DType):
        return spec
    try:
        return DTYPES[np.dtype(spec).name]
    except (TypeError, KeyError):
        msg = f"{spec!r} is not a data type that deepcore knows; it knows {', '.join(DTYPES)}"
        raise DTypeError(msg) from None
