"""Calls as expressions of C++, by the names of operations."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any, Final

from deepcore._dtype import DType, bool_
from deepcore._tracing import Number
from deepcore.graph.group import ELEMENTWISE, is_fusible
from deepcore.graph.program import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore.graph.program import Call

MEMORY: Final = {
    "bool": "bool",
    "int8": "signed char",
    "int16": "short",
    "int32": "int",
    "int64": "long long",
    "uint8": "unsigned char",
    "uint16": "unsigned short",
    "uint32": "unsigned int",
    "uint64": "unsigned long long",
    "float16": "float16",
    "bfloat16": "bfloat16",
    "float32": "float",
    "float64": "double",
}
"""The type in which an element is in memory, by data type."""

INFIX: Final = {
    "add": "+",
    "bitwise_and": "&",
    "bitwise_left_shift": "<<",
    "bitwise_or": "|",
    "bitwise_right_shift": ">>",
    "bitwise_xor": "^",
    "divide": "/",
    "equal": "==",
    "greater": ">",
    "greater_equal": ">=",
    "less": "<",
    "less_equal": "<=",
    "logical_and": "&&",
    "logical_or": "||",
    "logical_xor": "!=",
    "multiply": "*",
    "not_equal": "!=",
    "subtract": "-",
}

FUNCTIONS: Final = {
    **{name: name for name in ("acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "copysign", "cos", "cosh")},
    **{name: name for name in ("exp", "expm1", "hypot", "log", "log10", "log1p", "log2", "maximum", "minimum")},
    **{name: name for name in ("nextafter", "sin", "sinh", "sqrt", "tan", "tanh")},
    "abs": "absolute",
    "isfinite": "is_finite",
    "isinf": "is_infinite",
    "logaddexp": "log_add_exp",
    "sign": "sign_of",
    "special.erf": "erf",
}

ROUNDED: Final = {"ceil": "ceil", "floor": "floor", "round": "rint", "trunc": "trunc"}
"""Functions that leave whole numbers as they are."""

DIVISIONS: Final = {
    "floor_divide": ("whole_quotient", "floored_quotient"),
    "pow": ("whole_power", "pow"),
    "remainder": ("whole_remainder", "floored_remainder"),
}
"""Functions of two, of whole numbers and of others."""

TEMPLATES: Final = {
    "isnan": "({0} != {0})",
    "logical_not": "(!{0})",
    "negative": "(-{0})",
    "positive": "{0}",
    "reciprocal": "(1 / {0})",
    "relu": "maximum({0}, ({type})0)",
    "signbit": "(copysign(({type})1, {0}) < 0)",
    "square": "({0} * {0})",
    "where": "({0} ? {1} : {2})",
}

TESTS: Final = frozenset(
    (
        *("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "isfinite", "isinf", "isnan"),
        *("signbit",),
    )
)
"""Operations that compute in the data type of their operands, and give truth values."""

LOGICAL: Final = frozenset({"logical_and", "logical_not", "logical_or", "logical_xor"})


def is_known(call: Call) -> bool:
    """Return whether a generated kernel can compute a call."""
    written = INFIX.keys() | FUNCTIONS.keys() | ROUNDED.keys() | DIVISIONS.keys() | TEMPLATES.keys()
    known = {*written, "astype", "bitwise_invert", "clip"}
    if call.operation == "nextafter" and call.results[0].dtype.bits == 16:
        return False  # what comes after it in float is the number itself
    return is_fusible(call) and (call.operation not in ELEMENTWISE or call.operation in known)


def arithmetic(dtype: DType) -> str:
    """Return the type in which elements of a data type are computed: numbers of 16 bits in float."""
    return "float" if dtype.name in ("float16", "bfloat16") else MEMORY[dtype.name]


def rounded(text: str, dtype: DType) -> str:
    """Return an expression as a number of a data type."""
    narrow = MEMORY[dtype.name]
    return f"(float)({narrow})({text})" if dtype.name in ("float16", "bfloat16") else f"({narrow})({text})"


def number(value: Any, dtype: DType) -> str:
    """Return a Python number as a constant of a data type, to the last bit."""
    if dtype is bool_:
        return "true" if value else "false"
    if not dtype.is_inexact:
        suffix = "ull" if dtype.is_kind("unsigned integer") else "ll"
        least = -(2**63)
        text = f"({least + 1}ll - 1)" if int(value) == least else f"{int(value)}{suffix}"
        return f"({MEMORY[dtype.name]}){text}"
    if arithmetic(dtype) == "double":
        (bits,) = struct.unpack("<Q", struct.pack("<d", float(value)))
        return f"{float(value)!r}" if math.isfinite(value) else f"as_double(0x{bits:x}ull)"
    if not math.isfinite(value):
        return "as_float(0x7fc00000u)" if math.isnan(value) else f"as_float(0x{'7f' if value > 0 else 'ff'}800000u)"
    return rounded(f"{float(value)!r}", dtype)


def lowest(dtype: DType) -> str:
    """Return the least number of a data type."""
    if dtype.is_inexact:
        return number(-math.inf, dtype)
    signed = not dtype.is_kind("unsigned integer") and dtype is not bool_
    return number(-(2 ** (dtype.bits - 1)) if signed else 0, dtype)


def highest(dtype: DType) -> str:
    """Return the greatest number of a data type."""
    if dtype.is_inexact:
        return number(math.inf, dtype)
    signed = not dtype.is_kind("unsigned integer")
    return "true" if dtype is bool_ else number(2 ** (dtype.bits - signed) - 1, dtype)


def expression(call: Call, name: Callable[[Any], str]) -> str:
    """Return the result of a call, as a number of its data type.

    Parameters
    ----------
    call
        A call of an operation of each element.
    name
        Gives the name of the element of a value, and of a number of the host, which is a double.
    """
    (result,), operation = call.results, call.operation
    dtype = _computed_in(call)
    kind = arithmetic(dtype)

    def text(x: Any, own: DType = dtype) -> str:
        if isinstance(x, Value):
            return name(x) if x.dtype is own else rounded(name(x), own)
        return rounded(name(x), own) if isinstance(x, Number) else number(x, own)

    if operation == "where":
        first = text(call.arguments[0], bool_)
        return rounded(TEMPLATES[operation].format(first, *map(text, call.arguments[1:])), result.dtype)
    if operation == "clip":
        return rounded(_clipped(call, text), result.dtype)
    if operation == "astype":
        x = call.arguments[0]
        return f"({name(x)} != 0)" if result.dtype is bool_ else rounded(name(x), result.dtype)
    given = [text(x) for x in call.arguments]
    if operation == "bitwise_invert":
        found = f"(!{given[0]})" if dtype is bool_ else f"(~{given[0]})"
    elif operation == "signbit" and not dtype.is_inexact:
        found = f"({given[0]} < 0)"
    elif operation in INFIX:
        found = f"({given[0]} {INFIX[operation]} {given[1]})"
    elif operation in ROUNDED:
        found = f"{ROUNDED[operation]}({given[0]})" if dtype.is_inexact else given[0]
    elif operation in DIVISIONS:
        found = f"{DIVISIONS[operation][dtype.is_inexact]}({', '.join(given)})"
    elif operation in FUNCTIONS:
        found = f"{FUNCTIONS[operation]}({', '.join(given)})"
    else:
        found = TEMPLATES[operation].format(*given, type=kind)
    return rounded(found, result.dtype)


def _clipped(call: Call, text: Callable[[Any], str]) -> str:
    given = dict(zip(("x", "min", "max"), call.arguments, strict=False)) | call.parameters
    low, high = given.get("min"), given.get("max")
    found = text(given["x"])
    found = found if low is None else f"maximum({found}, {text(low)})"
    return found if high is None else f"minimum({found}, {text(high)})"


def _computed_in(call: Call) -> DType:
    """Return the data type that a call computes in: that of its result or, of a test, that of its operands."""
    if call.operation in LOGICAL:
        return bool_
    if call.operation not in TESTS:
        return call.results[0].dtype
    found = [x.dtype for x in call.operands()]
    return max(found, key=lambda dtype: (dtype.is_inexact, dtype.bits, dtype.is_kind("signed integer")))
