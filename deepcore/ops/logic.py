"""Comparisons, truth values and bits: elementwise functions that have no derivative."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._primitive import Sample
from .._record import primitive
from .elementwise import PAIR

if TYPE_CHECKING:
    from .._typing import Array, Operand

WHOLE: Final = Sample(((2, 3), (2, 3)), integers={0: 5, 1: 5})
WHOLE_ONE: Final = Sample(integers={0: 5})


@primitive(PAIR)
def equal(x1: Operand, x2: Operand, /) -> Array:
    """Whether $x_1 = x_2$."""
    ...


@primitive(PAIR)
def not_equal(x1: Operand, x2: Operand, /) -> Array:
    r"""Whether $x_1 \ne x_2$."""
    ...


@primitive(PAIR)
def less(x1: Operand, x2: Operand, /) -> Array:
    """Whether $x_1 < x_2$."""
    ...


@primitive(PAIR)
def less_equal(x1: Operand, x2: Operand, /) -> Array:
    r"""Whether $x_1 \le x_2$."""
    ...


@primitive(PAIR)
def greater(x1: Operand, x2: Operand, /) -> Array:
    """Whether $x_1 > x_2$."""
    ...


@primitive(PAIR)
def greater_equal(x1: Operand, x2: Operand, /) -> Array:
    r"""Whether $x_1 \ge x_2$."""
    ...


@primitive(Sample())
def isfinite(x: Array, /) -> Array:
    """Whether the element is neither infinite nor NaN."""
    ...


@primitive(Sample())
def isinf(x: Array, /) -> Array:
    """Whether the element is infinite."""
    ...


@primitive(Sample())
def isnan(x: Array, /) -> Array:
    """Whether the element is NaN."""
    ...


@primitive(Sample())
def signbit(x: Array, /) -> Array:
    """Whether the sign bit is set, which tells -0 from 0."""
    ...


@primitive(Sample(booleans=(0,)))
def logical_not(x: Array, /) -> Array:
    r"""Negation, $\lnot x$."""
    ...


@primitive(Sample(((2, 3), (2, 3)), booleans=(0, 1)))
def logical_and(x1: Operand, x2: Operand, /) -> Array:
    r"""Conjunction, $x_1 \land x_2$."""
    ...


@primitive(Sample(((2, 3), (2, 3)), booleans=(0, 1)))
def logical_or(x1: Operand, x2: Operand, /) -> Array:
    r"""Disjunction, $x_1 \lor x_2$."""
    ...


@primitive(Sample(((2, 3), (2, 3)), booleans=(0, 1)))
def logical_xor(x1: Operand, x2: Operand, /) -> Array:
    """Exclusive disjunction."""
    ...


@primitive(WHOLE_ONE)
def bitwise_invert(x: Array, /) -> Array:
    """Complement of the bits."""
    ...


@primitive(WHOLE)
def bitwise_and(x1: Operand, x2: Operand, /) -> Array:
    """Bits that both have."""
    ...


@primitive(WHOLE)
def bitwise_or(x1: Operand, x2: Operand, /) -> Array:
    """Bits that either has."""
    ...


@primitive(WHOLE)
def bitwise_xor(x1: Operand, x2: Operand, /) -> Array:
    """Bits that exactly one has."""
    ...


@primitive(WHOLE)
def bitwise_left_shift(x1: Operand, x2: Operand, /) -> Array:
    """Bits moved to the left."""
    ...


@primitive(WHOLE)
def bitwise_right_shift(x1: Operand, x2: Operand, /) -> Array:
    """Bits moved to the right."""
    ...


for _operation in (equal, not_equal, less, less_equal, greater, greater_equal, isfinite, isinf, isnan, signbit):
    _operation.not_differentiable("truth values")
for _operation in (logical_not, logical_and, logical_or, logical_xor):
    _operation.not_differentiable("truth values")
for _operation in (bitwise_invert, bitwise_and, bitwise_or, bitwise_xor, bitwise_left_shift, bitwise_right_shift):
    _operation.not_differentiable("integers")
