"""A group: calls that one kernel computes, and how it goes through memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .._tracing import Number
from .program import leaves_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._typing import Shape
    from .program import Call, Value

ELEMENTWISE: Final = frozenset(
    (
        *("abs", "acos", "acosh", "add", "asin", "asinh", "astype", "atan", "atan2", "atanh"),
        *("bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor"),
        *("ceil", "clip", "copysign", "cos", "cosh", "divide", "equal", "exp", "expm1", "floor", "floor_divide"),
        *("greater", "greater_equal", "hypot", "isfinite", "isinf", "isnan", "less", "less_equal"),
        *("log", "log10", "log1p", "log2", "logaddexp", "logical_and", "logical_not", "logical_or", "logical_xor"),
        *("maximum", "minimum", "multiply", "negative", "nextafter", "not_equal", "positive", "pow", "reciprocal"),
        *("relu", "remainder", "round", "sigmoid", "sign", "signbit", "sin", "sinh", "special.erf", "special.ndtr"),
        *("sqrt", "square", "subtract", "tan", "tanh", "trunc", "where"),
    )
)
"""Operations of each element, whose operands are broadcast together."""

REDUCTIONS: Final = frozenset({"all", "any", "max", "mean", "min", "prod", "sum"})
"""Operations that reduce along axes."""

PICK: Final = "take_along_axis"
"""One element of each row: a reduction, where an index has one position for each row."""

FLAT: Final = frozenset({"expand_dims", "getitem", "matrix_transpose", "permute_dims", "reshape", "squeeze"})
"""Views that may leave the elements in their order."""

VIEWS: Final = FLAT | {"broadcast_to"}
"""Calls in a group that compute nothing: the result is the operand, in another shape."""


@dataclass(eq=False, slots=True)
class Group:
    """Calls that one kernel computes.

    Attributes
    ----------
    calls
        The calls, in order. Those of :data:`VIEWS` compute nothing here: at each point their result is their operand.
    levels
        For each call how many reductions along the row, one after the other, its operands depend on. A call whose
        result is an element for each point has to be computed anew in each later sweep that needs it.
    ends
        The calls that reduce across rows. Their results are read by no call of the group.
    shape
        The iteration space: the fewest axes with which every value has a stride for each.
    columns
        How many of the axes, the last ones, are a row. 0 where every value has an element for each point.
    patterns
        For each value in the group, read or computed, the stride in its own elements, in row-major order, for each axis
        of the space: 0 along axes that it is broadcast along or reduced over.
    inputs
        The values that are read from memory, in the order of their first use.
    outputs
        The values that are computed here and read by others.
    """

    calls: list[Call]
    levels: list[int]
    ends: list[Call]
    shape: Shape
    columns: int
    patterns: dict[Value, tuple[int, ...]]
    inputs: list[Value]
    outputs: list[Value]

    @property
    def memory(self) -> list[Value]:
        """The values that are read from memory and those that are written there."""
        return [*self.inputs, *self.outputs]

    @property
    def numbers(self) -> list[Number]:
        """The numbers of the host that are read, in the order of their first use."""
        leaves = (x for call in self.calls for x in leaves_of((call.arguments, call.parameters)))
        return list({id(x): x for x in leaves if isinstance(x, Number)}.values())

    @property
    def width(self) -> int:
        """The number of points of a row; 1 where there are no rows."""
        return math.prod(self.shape[len(self.shape) - self.columns :])

    @property
    def rows(self) -> int:
        """The number of rows; that of points where there are no rows."""
        return math.prod(self.shape[: len(self.shape) - self.columns])

    def is_per_row(self, value: Value) -> bool:
        """Whether a value has the same element everywhere in a row."""
        return not any(self.patterns[value][len(self.shape) - self.columns :])

    def is_contiguous(self, value: Value) -> bool:
        """Whether a value has an element for each point, in the order of the points."""
        strides = row_major(self.shape)
        return all(n == 1 or s == t for n, s, t in zip(self.shape, self.patterns[value], strides, strict=True))

    def strides(self, value: Value, of: Sequence[int]) -> tuple[int, ...] | None:
        """Return the stride for each axis of the space, given those of the axes of the value in memory.

        None where it has none, so that it has to be copied first: the strides of an input of the program are not known
        when it is fused. What a view gives has always strides.
        """

        def offset(element: int) -> int:
            return offset_of(element, value.shape, of)

        found = tuple(offset(step) if n > 1 else 0 for n, step in zip(self.shape, self.patterns[value], strict=True))
        for n, step, stride in zip(self.shape, self.patterns[value], found, strict=True):
            if any(offset(i * step) != i * stride for i in (_passed(value.shape, step) if step else ()) if i < n):
                return None
        return found

    def may_overwrite(self, output: Value, operand: Value) -> bool:
        """Whether an output may be written over an input: each element is read for the last time before.

        A row that is gone through several times is read in each, and ends are written after everything.
        """
        last = max(self.levels, default=0)
        makers = {value: level for call, level in zip(self.calls, self.levels, strict=True) for value in call.results}
        written = not any(output in call.results for call in self.ends) and makers[output] == last
        return (
            written
            and output.dtype.bits == operand.dtype.bits
            and self.is_contiguous(output)
            and self.is_contiguous(operand)
        )


def offset_of(element: int, shape: Shape, strides: Sequence[int]) -> int:
    """Return where an element is in memory, given its position in row-major order and the strides of the axes."""
    found = 0
    for step, stride in zip(row_major(shape), strides, strict=True):
        found += element // step * stride
        element %= step
    return found


def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the strides of an array in row-major order, in elements."""
    strides = [1]
    for length in reversed(shape[1:]):
        strides.append(strides[-1] * length)
    return tuple(reversed(strides)) if shape else ()


def _passed(shape: Shape, step: int) -> list[int]:
    """Return after how many steps each further axis of an array in row-major order is reached."""
    return [stride // step for stride in row_major(shape) if stride > step]


def is_fusible(call: Call) -> bool:
    """Return whether a call is of a kind that kernels may compute: real numbers, element by element or reduced."""
    name = call.operation
    known = name in ELEMENTWISE or name in REDUCTIONS or name == PICK or name in VIEWS
    return known and not any(x.dtype.is_kind("complex floating") for x in (*call.operands(), *call.results))
