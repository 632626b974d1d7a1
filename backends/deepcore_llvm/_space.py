"""The iteration space of a kernel, with axes along which everything in memory has a stride."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deepcore.graph.group import offset_of, row_major

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deepcore._typing import Shape
    from deepcore.graph.group import Group
    from deepcore.graph.program import Value


@dataclass(frozen=True)
class Space:
    """The axes that a kernel goes along.

    Attributes
    ----------
    outer
        The lengths of the axes before a row.
    inner
        Those of a row; of a group without rows, that of the last axis.
    patterns
        For each value of the group the stride in its own elements, for each axis.
    strides
        For each value in memory the stride there.
    """

    outer: Shape
    inner: Shape
    patterns: dict[Value, tuple[int, ...]]
    strides: dict[Value, tuple[int, ...]]


def space(group: Group, memory: Mapping[Value, tuple[int, ...]]) -> Space | None:
    """Return the axes for a group, or None where there are none.

    A transposed matrix has no stride for an axis that goes through all its elements: such an axis is split.

    Parameters
    ----------
    group
        The group.
    memory
        The strides of the axes of each value that is read from memory or written there.
    """
    parts = [_parts(group, axis, memory) for axis in range(len(group.shape))]
    if any(part is None for part in parts):
        return None
    shape: list[int] = []
    factors: list[tuple[int, int]] = []  # for each new axis which one it is a part of, and how many elements of that
    for axis, part in enumerate(parts):
        ends = [group.shape[axis], *(part or [])]
        for length, inside in zip(ends, [*ends[1:], 1], strict=True):
            shape.append(length // inside)
            factors.append((axis, inside))
    patterns = {value: tuple(pattern[axis] * n for axis, n in factors) for value, pattern in group.patterns.items()}
    strides = {
        value: tuple(offset_of(step, value.shape, own) for step in patterns[value]) for value, own in memory.items()
    }
    n_outer = sum(axis < len(group.shape) - group.columns for axis, _ in factors)
    if not group.columns:
        n_outer = max(len(shape) - 1, 0)
    return Space(tuple(shape[:n_outer]), tuple(shape[n_outer:]) or (1,), patterns, strides)


def _parts(group: Group, axis: int, memory: Mapping[Value, tuple[int, ...]]) -> list[int] | None:
    """Return the lengths of the parts of an axis, the longest first, or None where it has none."""
    length = group.shape[axis]
    cuts: set[int] = set()
    for value, strides in memory.items():
        step = group.patterns[value][axis]
        if not step:
            continue
        for own in _apart(value, strides):
            if step < own < step * length:
                if own % step:
                    return None
                cuts.add(own // step)
    found = sorted(cuts, reverse=True)
    is_chain = all(a % b == 0 for a, b in zip([length, *found], found, strict=False))
    return found if is_chain else None


def _apart(value: Value, strides: tuple[int, ...]) -> list[int]:
    """Return the strides, in a value's own elements, at which it is not in memory as if its axes were one."""
    axes = [(n, own, step) for n, own, step in zip(value.shape, row_major(value.shape), strides, strict=True) if n != 1]
    return [own for (_, own, step), (n, _, inner) in itertools.pairwise(axes) if step != n * inner]
