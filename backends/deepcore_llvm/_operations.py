"""Which calls of a program have instructions here, and what these are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from deepcore._tracing import Number
from deepcore.graph.fusion import PICK, VIEWS
from deepcore.graph.program import Value

from ._arithmetic import COMPARISONS, FLOATING, LOGICAL, NUMERIC, QUESTIONS, REDUCERS
from ._lanes import INT64, is_supported, kind, scalar_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore._dtype import DType
    from deepcore.graph.program import Call

    from ._lanes import Code, Lanes

EXPENSIVE: Final = frozenset(FLOATING) - {"copysign"}
"""Operations that take longer than to write a number and to read it again."""

_OTHERS: Final = frozenset({"astype", "clip", "relu", "where"})


def is_native(call: Call) -> bool:
    """Whether there are instructions for a call."""
    name, values = call.operation, list(call.operands())
    if not all(is_supported(x.dtype) for x in (*values, *call.results)):
        return False
    if name in VIEWS:
        return True
    (result, *others) = call.results
    if others or not _has_plain_parameters(call):
        return False
    if name in REDUCERS or name == "mean":
        return kind(result.dtype) == "f" or (name != "mean" and kind(result.dtype) in "iu" and _is_sum(call))
    if name == PICK:
        return kind(values[1].dtype) in "iu"
    if name in COMPARISONS and len({x.dtype for x in values}) > 1:
        return False
    dtype = _computing(call)
    kinds = {"f": (*FLOATING, *NUMERIC), "i": NUMERIC, "u": NUMERIC, "b": LOGICAL}[kind(dtype)]
    if name in COMPARISONS or name in QUESTIONS:
        return kind(dtype) != "b" and (name in COMPARISONS or kind(dtype) == "f") and _fit(call, dtype)
    return (name in kinds or name in _OTHERS) and _fit(call, dtype)


def _is_sum(call: Call) -> bool:
    return call.operation == "sum"


def _has_plain_parameters(call: Call) -> bool:
    allowed = {
        "astype": {"copy", "dtype"},
        "clip": {"min", "max"},
        "max": {"axis", "keepdims"},
        "mean": {"axis", "keepdims"},
        "min": {"axis", "keepdims"},
        "sum": {"axis", "keepdims"},
        PICK: {"axis"},
    }
    return not call.parameters.keys() - allowed.get(call.operation, set())


def _computing(call: Call) -> DType:
    """Return the data type that a call computes in."""
    name, (result,) = call.operation, call.results
    if name == "astype":
        return next(call.operands()).dtype
    if name in COMPARISONS or name in QUESTIONS:
        return next(call.operands()).dtype
    return result.dtype


def _fit(call: Call, dtype: DType) -> bool:
    """Whether the numbers among the operands are of the data type."""
    numbers = [x for x in _operands(call) if not isinstance(x, Value) and x is not None]
    numbers = [x.value if isinstance(x, Number) else x for x in numbers]
    if call.operation == "astype":
        return True
    return all(
        isinstance(x, (int, float)) and (kind(dtype) == "f" or (type(x) is int) or (kind(dtype) == "b" and type(x) is bool))
        for x in numbers
    )


def _operands(call: Call) -> list[Any]:
    """Return what a call computes with: values and numbers."""
    if call.operation == "astype":
        return [call.arguments[0]]
    if call.operation == "clip":
        x, *bounds = call.arguments
        low, high = (*bounds, None, None)[:2]
        return [x, call.parameters.get("min", low), call.parameters.get("max", high)]
    return list(call.arguments)


def computed(lanes: Lanes, call: Call, operand: Callable[[Value], Code], number: Callable[[Number], Code]) -> Code:
    """Write a call of a function of each element.

    Parameters
    ----------
    lanes
        The lanes.
    call
        The call.
    operand
        Gives a value that it reads.
    number
        Gives a number of the host, in double precision.
    """
    name, (result,) = call.operation, call.results
    dtype = _computing(call)

    def read(x: Any, dtype: DType = dtype) -> Code:
        if isinstance(x, Value):
            return lanes.converted(operand(x), x.dtype, dtype)
        if isinstance(x, Number):
            return _from_host(lanes, number(x), dtype)
        return lanes.constant(scalar_type(dtype), x)

    operands = _operands(call)
    if name == "astype":
        return lanes.converted(operand(operands[0]), dtype, result.dtype)
    if name == "where":
        condition = operand(operands[0])
        return lanes.builder.select(condition, read(operands[1]), read(operands[2]))
    if name == "clip":
        x = read(operands[0])
        for function, bound in (("maximum", operands[1]), ("minimum", operands[2])):
            x = x if bound is None else NUMERIC[function](lanes, dtype, x, read(bound))
        return x
    if name == "relu":
        return NUMERIC["maximum"](lanes, dtype, read(operands[0]), lanes.constant(scalar_type(dtype), 0))
    if name == "pow" and operands[1] in (2, 3, 0.5) and not isinstance(operands[1], (Value, Number)):
        return _small_power(lanes, dtype, read(operands[0]), operands[1])
    if name in COMPARISONS:
        return lanes.compared(COMPARISONS[name], read(operands[0]), read(operands[1]), dtype)
    operation = {**FLOATING, **NUMERIC, **LOGICAL, **QUESTIONS}[name]
    return operation(lanes, dtype, *map(read, operands))


def _small_power(lanes: Lanes, dtype: DType, x: Code, exponent: float) -> Code:
    if exponent == 0.5:  # noqa: PLR2004
        return lanes.intrinsic("sqrt", x)
    square = NUMERIC["multiply"](lanes, dtype, x, x)
    return square if exponent == 2 else NUMERIC["multiply"](lanes, dtype, square, x)  # noqa: PLR2004


def _from_host(lanes: Lanes, x: Code, dtype: DType) -> Code:
    """Return a number of the host, which comes in double precision, in a data type."""
    wide = lanes.wide(scalar_type(dtype))
    if kind(dtype) == "f":
        return x if dtype.bits == INT64.width else lanes.builder.fptrunc(x, wide)
    return lanes.builder.fptosi(x, wide) if kind(dtype) != "b" else lanes.builder.fcmp_unordered("!=", x, lanes.constant(x.type, 0.0))
