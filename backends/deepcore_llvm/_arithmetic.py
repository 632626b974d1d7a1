"""The standard's functions of each element, as instructions.

An operation is a function of the lanes, the data type that it computes in, and operands in that data type.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from llvmlite import ir

from ._elementary import ELEMENTARY
from ._lanes import CONTRACT, DOUBLE, INT32, Lanes, kind, scalar_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore._dtype import DType
    from deepcore.graph.program import Call

    from ._lanes import Code

    Operation = Callable[..., Any]


def _number(lanes: Lanes, dtype: DType, number: float) -> Code:
    return lanes.constant(scalar_type(dtype), number)


def _arithmetic(name: str) -> Operation:
    def operation(lanes: Lanes, dtype: DType, x: Code, y: Code) -> Code:
        if kind(dtype) == "f":
            return getattr(lanes.builder, f"f{name}")(x, y, flags=CONTRACT)
        return getattr(lanes.builder, name)(x, y)

    return operation


def _divide(lanes: Lanes, dtype: DType, x: Code, y: Code) -> Code:
    return lanes.builder.fdiv(x, y)


def _negative(lanes: Lanes, dtype: DType, x: Code) -> Code:
    return lanes.builder.fneg(x) if kind(dtype) == "f" else lanes.builder.neg(x)


def _abs(lanes: Lanes, dtype: DType, x: Code) -> Code:
    if kind(dtype) == "f":
        return lanes.intrinsic("fabs", x)
    is_negative = lanes.compared("<", x, _number(lanes, dtype, 0), dtype)
    return lanes.builder.select(is_negative, lanes.builder.neg(x), x)


def _square(lanes: Lanes, dtype: DType, x: Code) -> Code:
    return _arithmetic("mul")(lanes, dtype, x, x)


def _reciprocal(lanes: Lanes, dtype: DType, x: Code) -> Code:
    return lanes.builder.fdiv(_number(lanes, dtype, 1.0), x)


def _sign(lanes: Lanes, dtype: DType, x: Code) -> Code:
    one, zero = (_number(lanes, dtype, number) for number in (1, 0))
    select = lanes.builder.select
    if kind(dtype) == "f":
        size = select(lanes.compared("==", x, zero, dtype), zero, lanes.intrinsic("copysign", one, x))
        return select(lanes.compared("!=", x, x, dtype), x, size)
    below = _number(lanes, dtype, -1) if kind(dtype) == "i" else zero
    return select(lanes.compared(">", x, zero, dtype), one, select(lanes.compared("<", x, zero, dtype), below, zero))


def _extremum(how: str) -> Operation:
    def operation(lanes: Lanes, dtype: DType, x: Code, y: Code) -> Code:
        """NaN if one of them is."""
        chosen = lanes.compared(how, x, y, dtype)
        if kind(dtype) == "f":
            chosen = lanes.builder.or_(chosen, lanes.compared("!=", x, x, dtype))
        return lanes.builder.select(chosen, x, y)

    return operation


def _rounded(name: str) -> Operation:
    def operation(lanes: Lanes, dtype: DType, x: Code) -> Code:
        return lanes.intrinsic(name, x) if kind(dtype) == "f" else x

    return operation


def _intrinsic(name: str, lanes: Lanes, dtype: DType, *operands: Code) -> Code:
    return lanes.intrinsic(name, *operands)


def _library(name: str, lanes: Lanes, dtype: DType, *operands: Code) -> Code:
    """Write the instructions of a function in single precision if there are any, and otherwise call the C library."""
    if scalar_type(dtype) == DOUBLE:
        return lanes.called(name, *operands)
    return ELEMENTARY[name](lanes, *operands) if name in ELEMENTARY else lanes.called(f"{name}f", *operands)


def _logaddexp(lanes: Lanes, dtype: DType, x: Code, y: Code) -> Code:
    """Write max + log(1 + exp(-|x - y|))."""
    larger = _extremum(">")(lanes, dtype, x, y)
    distance = lanes.intrinsic("fabs", lanes.builder.fsub(x, y))
    more = _library("log1p", lanes, dtype, _library("exp", lanes, dtype, lanes.builder.fneg(distance)))
    same = lanes.builder.fadd(x, _number(lanes, dtype, math.log(2)))  # also two infinities, whose difference is NaN
    result = lanes.builder.fadd(larger, more)
    return lanes.builder.select(lanes.compared("==", x, y, dtype), same, result)


def _logical(name: str) -> Operation:
    def operation(lanes: Lanes, dtype: DType, x: Code, y: Code) -> Code:
        return getattr(lanes.builder, name)(x, y)

    return operation


def _not(lanes: Lanes, dtype: DType, x: Code) -> Code:
    return lanes.builder.not_(x)


FLOATING: Final[dict[str, Operation]] = {
    **{
        name: partial(_library, c_name)
        for name, c_name in {
            "acos": "acos", "acosh": "acosh", "asin": "asin", "asinh": "asinh", "atan": "atan", "atan2": "atan2",
            "atanh": "atanh", "cos": "cos", "cosh": "cosh", "special.erf": "erf", "exp": "exp", "expm1": "expm1",
            "hypot": "hypot", "log": "log", "log10": "log10", "log1p": "log1p", "log2": "log2",
            "special.ndtr": "ndtr", "pow": "pow", "sigmoid": "sigmoid", "sin": "sin", "sinh": "sinh", "tan": "tan",
            "tanh": "tanh",
        }.items()
    },
    "copysign": partial(_intrinsic, "copysign"),
    "divide": _divide,
    "logaddexp": _logaddexp,
    "reciprocal": _reciprocal,
    "sqrt": partial(_intrinsic, "sqrt"),
}  # fmt: skip
"""Operations on floating-point numbers."""

SINGLE: Final = frozenset({"sigmoid", "special.ndtr"})
"""Those of them that have instructions in single precision, and no function of the C library in double precision."""

NUMERIC: Final[dict[str, Operation]] = {
    "abs": _abs,
    "add": _arithmetic("add"),
    "ceil": _rounded("ceil"),
    "floor": _rounded("floor"),
    "maximum": _extremum(">"),
    "minimum": _extremum("<"),
    "multiply": _arithmetic("mul"),
    "negative": _negative,
    "positive": lambda lanes, dtype, x: x,
    "round": _rounded("rint"),
    "sign": _sign,
    "square": _square,
    "subtract": _arithmetic("sub"),
    "trunc": _rounded("trunc"),
}
"""Operations on numbers."""

LOGICAL: Final[dict[str, Operation]] = {
    "logical_and": _logical("and_"),
    "logical_not": _not,
    "logical_or": _logical("or_"),
    "logical_xor": _logical("xor"),
}
"""Operations on Booleans."""

COMPARISONS: Final[dict[str, str]] = {
    "equal": "==",
    "greater": ">",
    "greater_equal": ">=",
    "less": "<",
    "less_equal": "<=",
    "not_equal": "!=",
}


def _is_nan(lanes: Lanes, dtype: DType, x: Code) -> Code:
    return lanes.compared("!=", x, x, dtype)


def _is_infinite(lanes: Lanes, dtype: DType, x: Code) -> Code:
    return lanes.compared("==", lanes.intrinsic("fabs", x), _number(lanes, dtype, math.inf), dtype)


def _is_finite(lanes: Lanes, dtype: DType, x: Code) -> Code:
    return lanes.compared("<", lanes.intrinsic("fabs", x), _number(lanes, dtype, math.inf), dtype)


QUESTIONS: Final[dict[str, Operation]] = {"isfinite": _is_finite, "isinf": _is_infinite, "isnan": _is_nan}
"""Operations on floating-point numbers that give Booleans."""

REDUCERS: Final[dict[str, tuple[Operation, Callable[[DType], float]]]] = {
    "max": (NUMERIC["maximum"], lambda dtype: -math.inf if kind(dtype) == "f" else 0),
    "min": (NUMERIC["minimum"], lambda dtype: math.inf if kind(dtype) == "f" else 0),
    "sum": (NUMERIC["add"], lambda dtype: 0),
}
"""Reductions, each with the operation that it repeats and the number that it begins with."""


def reducer(call: Call) -> str:
    """Return what a call repeats: a mean is a sum, divided."""
    return "sum" if call.operation == "mean" else call.operation


def folded(lanes: Lanes, dtype: DType, operation: Operation, x: Code) -> Code:
    """Return what an operation makes of all lanes: of its halves, and so on."""
    build, width = lanes.builder, lanes.width
    while width > 1:
        width //= 2
        if width == 1:
            halves = [build.extract_element(x, INT32(lane)) for lane in (0, 1)]
        else:
            picks = [[INT32(first + lane) for lane in range(width)] for first in (0, width)]
            halves = [build.shuffle_vector(x, x, ir.Constant(ir.VectorType(INT32, width), pick)) for pick in picks]
        x = operation(Lanes(build, width), dtype, *halves)
    return x
