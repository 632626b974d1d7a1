"""Which calls of a program have instructions here, and what these are."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from deepcore._tracing import Number
from deepcore.graph.group import PICK, VIEWS
from deepcore.graph.program import Value

from ._arithmetic import COMPARISONS, FLOATING, LOGICAL, NUMERIC, QUESTIONS, REDUCERS, SINGLE
from ._lanes import DOUBLE, is_supported, kind, scalar_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore._dtype import DType
    from deepcore.graph.program import Call

    from ._lanes import Code, Lanes

EXPENSIVE: Final = frozenset(FLOATING) - {"copysign"}
"""Operations that take longer than to write a number and to read it again."""

ANYWHERE: Final = frozenset({"astype", "clip", "relu", "where"})
"""Operations on elements of any kind."""

_PARAMETERS: Final = {
    "astype": {"copy", "dtype"},
    "clip": {"min", "max"},
    PICK: {"axis"},
    **{key: {"axis", "keepdims"} for key in (*REDUCERS, "mean")},
}


def is_native(call: Call) -> bool:
    """Whether there are instructions for a call."""
    name, values = call.operation, list(call.operands())
    if not all(is_supported(x.dtype) for x in (*values, *call.results)):
        return False
    if name in VIEWS:
        return True
    if len(call.results) > 1 or call.parameters.keys() - _PARAMETERS.get(name, set()):
        return False
    result = kind(next(iter(call.results)).dtype)
    if name in REDUCERS or name == "mean":
        return result == "f" or (name == "sum" and result != "b")
    if name == PICK:
        return kind(values[1].dtype) in "iu"
    return bool(values) and _is_elementwise(call)


def _is_elementwise(call: Call) -> bool:
    """Whether there are instructions for a call that computes element by element."""
    name, dtype = call.operation, _computing(call)
    known = {"f": {*FLOATING, *NUMERIC, *QUESTIONS}, "i": NUMERIC, "u": NUMERIC, "b": LOGICAL}[kind(dtype)]
    if name in COMPARISONS:
        is_known = kind(dtype) != "b" and len({x.dtype for x in call.operands()}) == 1
    else:
        is_known = (name in known or name in ANYWHERE) and not (name in SINGLE and scalar_type(dtype) == DOUBLE)
    numbers = [] if name == "astype" else [x for x in _operands(call) if x is not None and not isinstance(x, Value)]
    return is_known and all(_fits(x.value if isinstance(x, Number) else x, dtype) for x in numbers)


def _fits(x: Any, dtype: DType) -> bool:
    """Whether a number is one of a data type."""
    return isinstance(x, (int, float)) if kind(dtype) == "f" else type(x) is (bool if kind(dtype) == "b" else int)


def _computing(call: Call) -> DType:
    """Return the data type that a call computes in."""
    name, (result,) = call.operation, call.results
    asks = name == "astype" or name in COMPARISONS or name in QUESTIONS
    return next(call.operands()).dtype if asks else result.dtype


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
    dtype, (result,), operands = _computing(call), call.results, _operands(call)

    def read(x: Any) -> Code:
        if x is None:
            return None
        if isinstance(x, Value):
            return lanes.converted(operand(x), x.dtype, dtype)
        return _from_host(lanes, number(x), dtype) if isinstance(x, Number) else _constant(lanes, dtype, x)

    if call.operation == "astype":
        return lanes.converted(operand(operands[0]), dtype, result.dtype)
    if call.operation == "where":
        return lanes.builder.select(operand(operands[0]), read(operands[1]), read(operands[2]))
    if call.operation == "pow" and operands[1] in _POWERS and not isinstance(operands[1], (Value, Number)):
        return _POWERS[operands[1]](lanes, dtype, read(operands[0]))
    return _OPERATIONS[call.operation](lanes, dtype, *map(read, operands))


def _constant(lanes: Lanes, dtype: DType, x: float) -> Code:
    return lanes.constant(scalar_type(dtype), float(x) if kind(dtype) == "f" else int(x))


def _from_host(lanes: Lanes, x: Code, dtype: DType) -> Code:
    """Return a number of the host, which comes in double precision, in a data type."""
    wide = lanes.wide(scalar_type(dtype))
    if kind(dtype) == "f":
        return x if scalar_type(dtype) == DOUBLE else lanes.builder.fptrunc(x, wide)
    if kind(dtype) == "b":
        return lanes.builder.fcmp_unordered("!=", x, lanes.constant(DOUBLE, 0.0))
    return lanes.builder.fptosi(x, wide)


def _clip(lanes: Lanes, dtype: DType, x: Code, low: Code, high: Code) -> Code:
    x = x if low is None else NUMERIC["maximum"](lanes, dtype, x, low)
    return x if high is None else NUMERIC["minimum"](lanes, dtype, x, high)


def _relu(lanes: Lanes, dtype: DType, x: Code) -> Code:
    return NUMERIC["maximum"](lanes, dtype, x, _constant(lanes, dtype, 0))


def _compare(how: str, lanes: Lanes, dtype: DType, x: Code, y: Code) -> Code:
    return lanes.compared(how, x, y, dtype)


def _cube(lanes: Lanes, dtype: DType, x: Code) -> Code:
    return NUMERIC["multiply"](lanes, dtype, NUMERIC["square"](lanes, dtype, x), x)


_POWERS: Final = {2: NUMERIC["square"], 3: _cube, 0.5: FLOATING["sqrt"]}
_OPERATIONS: Final[dict[str, Callable[..., Any]]] = {
    **FLOATING,
    **NUMERIC,
    **LOGICAL,
    **QUESTIONS,
    **{name: partial(_compare, how) for name, how in COMPARISONS.items()},
    "clip": _clip,
    "relu": _relu,
}
