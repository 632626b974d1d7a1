"""Pooling, window by window."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from llvmlite import ir

from deepcore._window import pool_windows
from deepcore.graph.group import row_major

from ._lanes import INT64, kind
from ._loops import loop, nested
from ._routine import Routine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deepcore._typing import Shape
    from deepcore._window import Windows
    from deepcore.graph.program import Call

    from ._lanes import Code
    from ._routine import Strides, Work


class _Pooling(Routine):
    """What the place of the maximum and its transpose share: windows that lie within the array, in two axes.

    Parameters
    ----------
    call, strides
        As for every routine.
    windows
        The windows.
    """

    def __init__(self, call: Call, strides: Strides, windows: Windows) -> None:
        super().__init__(call, strides)
        self.windows = windows
        self.planes = math.prod(call.results[0].shape[:2])
        self.pitches = row_major(windows.size)
        self.number = math.prod(windows.number)

    def of_planes(self, work: Work) -> Iterator[Code]:
        """Repeat for each channel of each sample of the share."""
        with loop(work.build, *work.share.of(work.build, self.planes, 1)) as plane:
            yield plane

    def of_windows(self, work: Work) -> Iterator[tuple[Code, Code]]:
        """Repeat for each window, with its number and where it begins."""
        with nested(work.build, self.windows.number) as indices:
            window, start = INT64(0), INT64(0)
            for i, n, s, pitch in zip(indices, self.windows.number, self.windows.stride, self.pitches, strict=True):
                window = work.build.add(work.build.mul(window, INT64(n)), i)
                start = work.build.add(start, work.build.mul(i, INT64(s * pitch)))
            yield window, start

    def offsets(self) -> list[int]:
        """Return how far the places of a window are from the first."""
        found = [0]
        for k, d, pitch in zip(self.windows.kernel, self.windows.dilation, self.pitches, strict=True):
            found = [x + i * d * pitch for x in found for i in range(k)]
        return found


_MOST: Final = 64
"""The largest number of places of a window for which the comparisons are written one after another."""


def _is_inside(w: Windows) -> bool:
    return not w.is_padded and w.places <= _MOST


def _windows(call: Call, size: Shape) -> Windows:
    options: dict[str, Any] = {"stride": None, "padding": 0, "dilation": 1, "ceil_mode": False, "kernel_size": 1}
    options |= {name: x for name, x in call.parameters.items() if name != "size"}
    return pool_windows(tuple(size), name=call.operation, **options)


class MaxPlaces(_Pooling):
    """The place of the first maximum in each window, or of the first element that is not a number."""

    def __init__(self, call: Call, strides: Strides) -> None:
        super().__init__(call, strides, _windows(call, call.arguments[0].shape[2:]))

    @staticmethod
    def accepts(call: Call) -> bool:
        """Whether there is a routine for it."""
        (x,), (y,) = call.arguments, call.results
        is_known = kind(x.dtype) == "f" and x.dtype.bits in (32, 64) and kind(y.dtype) == "i" and y.dtype.bits == 64
        return is_known and x.size > 0 and _is_inside(_windows(call, x.shape[2:]))

    def write(self, work: Work) -> None:
        """Write it."""
        build, (x,), (y,) = work.build, self.call.arguments, self.call.results
        for plane in self.of_planes(work):
            source = work.at(work.bases[x], (plane, math.prod(self.windows.size)))
            target = work.at(work.bases[y], (plane, self.number))
            for window, start in self.of_windows(work):
                first = build.gep(source, [start])
                largest, place = build.load(first), INT64(0)
                for k, offset in enumerate(self.offsets()[1:], 1):
                    other = build.load(build.gep(first, [INT64(offset)]))
                    is_number = build.fcmp_ordered("ord", largest, largest)
                    is_larger = build.and_(build.fcmp_unordered(">", other, largest), is_number)
                    largest = build.select(is_larger, other, largest)
                    place = build.select(is_larger, INT64(k), place)
                build.store(place, build.gep(target, [window]))


class MaxSpread(_Pooling):
    """Values put where the maxima were, and zeros elsewhere."""

    def __init__(self, call: Call, strides: Strides) -> None:
        super().__init__(call, strides, _windows(call, call.parameters["size"]))

    @staticmethod
    def accepts(call: Call) -> bool:
        """Whether there is a routine for it."""
        values, places = call.arguments
        is_known = kind(values.dtype) == "f" and values.dtype.bits in (32, 64) and places.dtype.bits == 64
        is_known = is_known and kind(places.dtype) == "i" and values.size > 0
        return is_known and values.shape == places.shape and _is_inside(_windows(call, call.parameters["size"]))

    def write(self, work: Work) -> None:
        """Write it."""
        build, (values, places), (y,) = work.build, self.call.arguments, self.call.results
        size = math.prod(self.windows.size)
        zero = ir.Constant(work.scalar, 0.0)
        for plane in self.of_planes(work):
            target = work.at(work.bases[y], (plane, size))
            given, chosen = (work.at(work.bases[x], (plane, self.number)) for x in (values, places))
            work.fill(target, size, zero)
            for window, start in self.of_windows(work):
                place, value = (build.load(build.gep(x, [window])) for x in (chosen, given))
                is_place = build.icmp_unsigned("<", place, INT64(self.windows.places))
                value, rest = build.select(is_place, value, zero), build.select(is_place, place, INT64(0))
                offset = INT64(0)
                lengths = zip(self.windows.kernel, self.windows.dilation, self.pitches, strict=True)
                for k, d, pitch in reversed(list(lengths)):
                    offset = build.add(offset, build.mul(build.urem(rest, INT64(k)), INT64(d * pitch)))
                    rest = build.udiv(rest, INT64(k))
                where = build.gep(target, [build.add(start, offset)])
                build.store(work.add(build.load(where), value), where)
