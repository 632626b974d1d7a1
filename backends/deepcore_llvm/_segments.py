"""Kernels over what is put together: the parts of a concatenation are read where they are.

Gradients are put together to one vector, which costs as much memory traffic as a third of an optimizer's step. Where
kernels are all that reads such a vector, and go through it element by element, they go through the parts instead.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from deepcore.graph.group import ELEMENTWISE, Group
from deepcore.graph.program import Value, mapped

from ._memory import LINE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deepcore.graph.program import Call, Program
    from deepcore_numpy._layout import Layout

    from ._places import Place, Places

MOST: Final = 16
"""The largest number of different lengths of parts: each has a kernel of its own, which has to be compiled."""


def segmented(program: Program, layout: Layout, kernel: str) -> dict[Value, Call]:
    """Return the concatenations that need not be computed, by their results.

    Parameters
    ----------
    program, layout
        The program, and the arrays of its fixed values.
    kernel
        The operation of its kernels, whose parameter ``group`` says what they compute.
    """
    found = {call.results[0]: call for call in program.calls if _is_of_inputs(call, program, layout)}
    for value in program.outputs:
        found.pop(value, None)
    for call in program.calls:
        read = [value for value in call.operands() if value in found]
        cuts = {tuple(part.size for part in found[value].operands()) for value in read}
        if call.operation != kernel or len(cuts) > 1 or not _is_flat(call.parameters["group"]):
            for value in read:
                found.pop(value, None)
    return found


def _is_of_inputs(call: Call, program: Program, layout: Layout) -> bool:
    """Whether a call puts vectors together that are in the memory of inputs, which nothing is written to."""
    if call.operation != "concat" or len(call.results[0].shape) != 1:
        return False
    parts = list(call.operands())
    return len({part.size for part in parts}) <= MOST and all(
        part.size and part not in layout.arrays and layout.root(part) in program.inputs for part in parts
    )


def _is_flat(group: Group) -> bool:
    """Whether a group computes every element of vectors of one length by itself."""
    lengths = {value.shape for value in group.patterns}
    is_elementwise = all(call.operation in ELEMENTWISE for call in group.calls)
    return is_elementwise and not group.columns and not group.ends and len(lengths) == 1 and len(group.shape) == 1


def segments(group: Group, of: dict[Value, Call], places: Places) -> Iterator[Group]:
    """Yield a group for each part of the vectors, whose values have their places from then on."""
    wholes = [value for value in group.inputs if value in of]
    start = 0
    for parts in zip(*[of[value].operands() for value in wholes], strict=True):
        length = parts[0].size
        fresh = {value: Value((length,), value.dtype) for value in group.patterns}
        for value in group.memory:
            places.of[fresh[value]] = _inside(places.find(value), start, value)
        for value, part in zip(wholes, parts, strict=True):
            places.of[fresh[value]] = places.find(part)
        yield _renamed(group, fresh, length)
        start += length


def _inside(place: Place, start: int, value: Value) -> Place:
    """Return where a vector has an element."""
    distance = start * max(value.dtype.bits // 8, 1)
    is_aligned = place.is_aligned and not distance % LINE
    return place._replace(offset=place.offset + distance, is_aligned=is_aligned)


def _renamed(group: Group, fresh: dict[Value, Value], length: int) -> Group:
    """Return a group that computes the same of other values."""

    def now(x: Any) -> Any:
        return fresh[x] if isinstance(x, Value) else x

    calls = [
        replace(call, **{name: mapped(getattr(call, name), now) for name in ("arguments", "parameters", "results")})
        for call in group.calls
    ]
    patterns = {fresh[value]: pattern for value, pattern in group.patterns.items()}
    return Group(calls, group.levels, [], (length,), 0, patterns, [*map(now, group.inputs)], [*map(now, group.outputs)])
