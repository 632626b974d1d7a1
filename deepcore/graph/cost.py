r"""What calls cost, whoever computes them: bytes that have to be read and written, and operations on numbers.

A product of matrices of shapes $m \times k$ and $k \times n$ is $2mkn$ operations, and every other operation one for
each element, of its result or, where it reduces, of its operand; an exponential counts as one. Moving numbers costs
none, and views cost neither operations nor bytes. A composite costs the operations of what it is made of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .._backend import composites
from .group import FLAT, VIEWS
from .passes import ELEMENTARY, expanded
from .program import Call, Program, Value

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

PRODUCTS: Final = frozenset({"matmul", "tensordot", "vecdot"})

MOVED: Final = frozenset(
    (
        *("astype", "concat", "flip", "getitem", "meshgrid", "moveaxis", "repeat", "roll", "setitem", "stack"),
        *("scatter", "take", "take_along_axis", "tile", "tril", "triu", "unstack", "where"),
        *("ones_like", "zeros_like", "full_like", "empty_like"),
    )
)
"""Operations that move numbers, and compute none."""

PARTS: Final = frozenset({"getitem", "take", "take_along_axis"})
"""Operations that read of their first operand as much as they give."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What calls cost.

    Attributes
    ----------
    read, written
        Bytes.
    flops
        Operations on numbers.
    """

    read: int
    written: int
    flops: int


def cost(program: Program, calls: Iterable[Call], kept: Container[Value] | None = None) -> Cost:
    """Return what calls that are computed together cost.

    Parameters
    ----------
    program
        The program.
    calls
        Some of its calls.
    kept
        Which of their results are written to memory; all, if not given.
    """
    calls = list(calls)
    computed = {value for call in calls for value in call.results}
    read: dict[Value, int] = {}
    for call in calls:
        for i, value in enumerate([] if is_view(call) else call.operands()):
            if value not in computed:
                part = i == 0 and call.operation in PARTS
                read[value] = max(read.get(value, 0), call.results[0].nbytes if part else value.nbytes)
    results = [x for call in calls if not is_view(call) for x in call.results if kept is None or x in kept]
    flops = sum(_flops(program, call) for call in calls)
    return Cost(sum(read.values()), sum(x.nbytes for x in results), flops)


def is_view(call: Call) -> bool:
    """Return whether a call gives another view of its operand, where a library has views."""
    if call.operation == "getitem":
        key = call.parameters.get("key")
        parts = key if isinstance(key, tuple) else (key,)
        return all(x is None or x is ... or isinstance(x, (int, slice)) for x in parts)
    return call.operation in VIEWS


def _flops(program: Program, call: Call) -> int:
    name, operands = call.operation, list(call.operands())
    if name in FLAT or name in VIEWS or name in MOVED or not operands:
        return 0
    if name in PRODUCTS:
        inner = operands[0].shape[-1] if name != "tensordot" else _summed(call, operands)
        return 2 * call.results[0].size * inner
    if name in composites and name not in ELEMENTARY:
        alone = Program(program.device, inputs=list(dict.fromkeys(operands)), calls=[call], outputs=_results(call))
        return sum(_flops(alone, part) for part in expanded(alone).calls)
    return max(x.size for x in (*operands, *call.results))


def _results(call: Call) -> list[Value]:
    return [x for x in call.results if x.shape or x.dtype.is_inexact]


def _summed(call: Call, operands: list[Value]) -> int:
    """Return how many products each element of a tensordot is the sum of."""
    a, b = (x.size for x in operands)
    return round((a * b / max(call.results[0].size, 1)) ** 0.5)


def text_of(part: Any) -> str:
    """Return a number with a prefix of SI and three digits: ``12.3 M``."""
    value = float(part)
    for prefix in ("", "k", "M", "G", "T"):
        if abs(value) < 999.5 or prefix == "T":
            return f"{value:.3g} {prefix}".rstrip() if prefix else f"{value:.3g}"
        value /= 1000
    raise AssertionError
