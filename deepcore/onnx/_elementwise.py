"""Functions of single elements, comparisons, logic and data types."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from .._dtype import DType, bool_, float32, int32
from .._errors import CompileError
from ..graph import Call, Value
from ._graph import Graph, maps, result

if TYPE_CHECKING:
    from collections.abc import Callable

_UNARY: Final = {
    "abs": "Abs",
    "acos": "Acos",
    "acosh": "Acosh",
    "asin": "Asin",
    "asinh": "Asinh",
    "atan": "Atan",
    "atanh": "Atanh",
    "ceil": "Ceil",
    "cos": "Cos",
    "cosh": "Cosh",
    "exp": "Exp",
    "floor": "Floor",
    "isnan": "IsNaN",
    "log": "Log",
    "logical_not": "Not",
    "negative": "Neg",
    "reciprocal": "Reciprocal",
    "round": "Round",
    "sign": "Sign",
    "sin": "Sin",
    "sinh": "Sinh",
    "special.erf": "Erf",
    "sqrt": "Sqrt",
    "tan": "Tan",
    "tanh": "Tanh",
}
_BINARY: Final = {
    "add": "Add",
    "divide": "Div",
    "maximum": "Max",
    "minimum": "Min",
    "multiply": "Mul",
    "pow": "Pow",
    "subtract": "Sub",
}
_COMPARISONS: Final = {
    "equal": "Equal",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
    "less": "Less",
    "less_equal": "LessOrEqual",
}
_LOGICAL: Final = {"logical_and": "And", "logical_or": "Or", "logical_xor": "Xor"}
_BITWISE: Final = {"bitwise_and": "And", "bitwise_or": "Or", "bitwise_xor": "Xor"}


def _unary(op_type: str) -> Callable[..., str]:
    return lambda g, call, x: g.add(op_type, g.value(x))


def _binary(op_type: str) -> Callable[..., str]:
    def rule(g: Graph, call: Call, a: Any, b: Any) -> str:
        dtype = result(call).dtype
        return g.add(op_type, g.value(a, dtype), g.value(b, dtype))

    return rule


def common(a: Any, b: Any) -> DType:
    """Return the data type in which two operands meet: a number takes on that of an array."""
    types = [x.dtype for x in (a, b) if isinstance(x, Value)]
    if len(types) == 1 and not types[0].is_inexact and any(isinstance(x, float) for x in (a, b)):
        return float32
    return max(types, key=lambda t: (t.is_inexact, t.bits))


def _comparison(op_type: str) -> Callable[..., str]:
    def rule(g: Graph, call: Call, a: Any, b: Any) -> str:
        dtype = common(a, b)
        if dtype is bool_ and op_type != "Equal":
            dtype = int32
        return g.add(op_type, g.value(a, dtype), g.value(b, dtype))

    return rule


def _logical(op_type: str) -> Callable[..., str]:
    return lambda g, call, a, b: g.add(op_type, g.value(a, bool_), g.value(b, bool_))


def _on_bits(g: Graph, call: Call, op_type: str) -> str:
    """Return the operator for truth values, or that for the bits of integers."""
    if result(call).dtype is bool_:
        return op_type
    if g.opset < 18:
        msg = "there are operators on the bits of integers from opset 18 on"
        raise CompileError(msg)
    return f"Bitwise{op_type}"


def _bitwise(op_type: str) -> Callable[..., str]:
    def rule(g: Graph, call: Call, a: Any, b: Any) -> str:
        dtype = result(call).dtype
        return g.add(_on_bits(g, call, op_type), g.value(a, dtype), g.value(b, dtype))

    return rule


for _name, _op in _UNARY.items():
    maps(_name)(_unary(_op))
for _name, _op in _BINARY.items():
    maps(_name)(_binary(_op))
for _name, _op in _COMPARISONS.items():
    maps(_name)(_comparison(_op))
for _name, _op in _LOGICAL.items():
    maps(_name)(_logical(_op))
for _name, _op in _BITWISE.items():
    maps(_name)(_bitwise(_op))


@maps("not_equal")
def _not_equal(g: Graph, call: Call, a: Any, b: Any) -> str:
    dtype = common(a, b)
    return g.add("Not", g.add("Equal", g.value(a, dtype), g.value(b, dtype)))


@maps("bitwise_invert")
def _invert(g: Graph, call: Call, x: Value) -> str:
    return g.add(_on_bits(g, call, "Not"), g.value(x))


@maps("isinf")
def _isinf(g: Graph, call: Call, x: Value) -> str:
    return g.add("IsInf", g.value(x, float32 if x.dtype.bits < 32 else None))


@maps("isfinite")
def _isfinite(g: Graph, call: Call, x: Value) -> str:
    wide = g.value(x, float32 if x.dtype.bits < 32 or not x.dtype.is_inexact else None)
    return g.add("Not", g.add("Or", g.add("IsInf", wide), g.add("IsNaN", wide)))


def _is_negative(g: Graph, name: str, dtype: DType) -> str:
    """Return where a sign is minus, that of -0 too."""
    zero = g.number(0, dtype)
    return g.add("Or", g.add("Less", name, zero), g.add("Less", g.add("Reciprocal", name), zero))


@maps("signbit")
def _signbit(g: Graph, call: Call, x: Value) -> str:
    return _is_negative(g, g.value(x), x.dtype)


@maps("copysign")
def _copysign(g: Graph, call: Call, a: Any, b: Any) -> str:
    dtype = result(call).dtype
    size = g.add("Abs", g.value(a, dtype))
    return g.add("Where", _is_negative(g, g.value(b, dtype), dtype), g.add("Neg", size), size)


@maps("atan2")
def _atan2(g: Graph, call: Call, a: Any, b: Any) -> str:
    """Write the angle of |x|, turned to the left where x is negative, with the sign of y."""
    dtype = result(call).dtype
    y, x = g.value(a, dtype), g.value(b, dtype)
    height = g.add("Abs", y)
    at_origin = g.add("Equal", g.add("Add", height, g.add("Abs", x)), g.number(0, dtype))
    angle = g.add("Atan", g.add("Div", height, g.add("Where", at_origin, g.number(1, dtype), g.add("Abs", x))))
    left = g.add("Sub", g.number(math.pi, dtype), angle)
    angle = g.add("Where", _is_negative(g, x, dtype), left, angle)
    return g.add("Where", _is_negative(g, y, dtype), g.add("Neg", angle), angle)


@maps("logaddexp")
def _logaddexp(g: Graph, call: Call, a: Any, b: Any) -> str:
    dtype = result(call).dtype
    x, y = g.value(a, dtype), g.value(b, dtype)
    distance = g.add("Abs", g.add("Sub", x, y))
    return g.add("Add", g.add("Max", x, y), g.add("Softplus", g.add("Neg", distance)))


@maps("positive", "asarray")
def _positive(g: Graph, call: Call, x: Value, dtype: Any = None, **options: Any) -> str:
    return g.value(x, result(call).dtype)


@maps("square")
def _square(g: Graph, call: Call, x: Value) -> str:
    return g.add("Mul", g.value(x), g.value(x))


@maps("trunc")
def _trunc(g: Graph, call: Call, x: Value) -> str:
    return g.add("Mul", g.add("Sign", g.value(x)), g.add("Floor", g.add("Abs", g.value(x))))


@maps("expm1")
def _expm1(g: Graph, call: Call, x: Value) -> str:
    """Write tanh(x / 2) (e^x + 1), which cancels nothing near 0."""
    name, one = g.value(x), g.number(1, x.dtype)
    half = g.add("Tanh", g.add("Mul", name, g.number(0.5, x.dtype)))
    return g.add("Mul", half, g.add("Add", g.add("Exp", name), one))


@maps("log1p")
def _log1p(g: Graph, call: Call, x: Value) -> str:
    """Write ln(u) x / (u - 1) with u = 1 + x as rounded, and x where that is 1 (W. Kahan)."""
    name, one = g.value(x), g.number(1, x.dtype)
    u = g.add("Add", name, one)
    near, far = g.add("Equal", u, one), g.add("Greater", u, g.number(2.0**60, x.dtype))
    divisor = g.add("Where", g.add("Or", near, far), one, g.add("Sub", u, one))
    ratio = g.add("Where", far, one, g.add("Div", name, divisor))
    return g.add("Where", near, name, g.add("Mul", g.add("Log", u), ratio))


@maps("log2")
def _log2(g: Graph, call: Call, x: Value) -> str:
    return g.add("Mul", g.add("Log", g.value(x)), g.number(1 / math.log(2), x.dtype))


@maps("log10")
def _log10(g: Graph, call: Call, x: Value) -> str:
    return g.add("Mul", g.add("Log", g.value(x)), g.number(1 / math.log(10), x.dtype))


@maps("remainder")
def _remainder(g: Graph, call: Call, a: Any, b: Any) -> str:
    dtype = result(call).dtype
    x, y = g.value(a, dtype), g.value(b, dtype)
    if not dtype.is_inexact:
        return g.add("Mod", x, y)
    return g.add("Sub", x, g.add("Mul", g.add("Floor", g.add("Div", x, y)), y))


@maps("floor_divide")
def _floor_divide(g: Graph, call: Call, a: Any, b: Any) -> str:
    dtype = result(call).dtype
    x, y = g.value(a, dtype), g.value(b, dtype)
    if dtype.is_inexact:
        return g.add("Floor", g.add("Div", x, y))
    return g.add("Div", g.add("Sub", x, g.add("Mod", x, y)), y)


@maps("hypot")
def _hypot(g: Graph, call: Call, a: Any, b: Any) -> str:
    dtype = result(call).dtype
    x, y = g.value(a, dtype), g.value(b, dtype)
    return g.add("Sqrt", g.add("Add", g.add("Mul", x, x), g.add("Mul", y, y)))


@maps("clip")
def _clip(g: Graph, call: Call, x: Value, min: Any = None, max: Any = None) -> str:
    dtype = result(call).dtype
    name = g.value(x, dtype)
    if min is not None:
        name = g.add("Max", name, g.value(min, dtype))
    return name if max is None else g.add("Min", name, g.value(max, dtype))


@maps("where")
def _where(g: Graph, call: Call, condition: Value, a: Any, b: Any) -> str:
    dtype = result(call).dtype
    return g.add("Where", g.value(condition, bool_), g.value(a, dtype), g.value(b, dtype))


@maps("astype")
def _astype(g: Graph, call: Call, x: Value, dtype: Any = None, **options: Any) -> str:
    return g.value(x, result(call).dtype)


@maps("zeros_like", "ones_like", "full_like")
def _like(g: Graph, call: Call, x: Value, fill_value: Any = None, **options: Any) -> str:
    value = result(call)
    fill = fill_value if fill_value is not None else int(call.operation == "ones_like")
    return g.add("Expand", g.value(fill, value.dtype), g.shape(g.dims(value)))


@maps("full")
def _full(g: Graph, call: Call, shape: Any, fill_value: Any, **options: Any) -> str:
    value = result(call)
    return g.add("Expand", g.value(fill_value, value.dtype), g.shape(g.dims(value)))
