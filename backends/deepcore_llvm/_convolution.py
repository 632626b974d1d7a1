"""Convolution, sample by sample: the elements of a sample's windows become the columns of a matrix in the cache."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from llvmlite import ir

from deepcore._window import convolution_windows, transposed_windows, weight_windows
from deepcore.graph.group import row_major

from ._arithmetic import NUMERIC
from ._lanes import INT64, Lanes
from ._loops import loop, nested
from ._routine import Routine, is_floating

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deepcore._window import Windows
    from deepcore.graph.program import Call, Value

    from ._lanes import Code
    from ._routine import Strides, Work

COLUMNS: Final = 98304
"""Elements of the columns that are made at once: with the product, they fill the second-level cache."""


class _Convolution(Routine):
    """What the three share.

    Parameters
    ----------
    call, strides
        As for every routine.
    windows
        The windows.
    image
        The value, of shape (samples, channels, ...), that has the windows.
    values
        The value with one element for each window.
    """

    def __init__(self, call: Call, strides: Strides, windows: Windows, image: Value, values: Value) -> None:
        super().__init__(call, strides)
        self.windows = windows = _planar(windows)
        self.image = image
        self.of_windows = values
        self.groups = int(call.parameters.get("groups", 1))
        self.samples, self.channels = image.shape[:2]
        self.outputs = values.shape[1]
        self.inner, self.outer = self.channels // self.groups, self.outputs // self.groups
        self.places = windows.places
        self.width = math.prod(windows.number[1:])
        self.number = math.prod(windows.number)
        cost = self.channels * self.places * self.width
        self.rows = max(1, min(windows.number[0], COLUMNS // cost))
        self.padded = math.prod(windows.padded)
        self.pitches = row_major(windows.padded)

    @property
    def scratch(self) -> int:
        """A padded sample, and the columns of some of its windows."""
        return self.channels * (self.padded + self.places * self.rows * self.width)

    def columns(self, work: Work) -> Code:
        """Return where the columns are."""
        return work.scratch(self.channels * self.padded)

    def of_samples(self, work: Work) -> Any:
        """Repeat for each sample of this thread."""
        return loop(work.build, *work.share.of(work.build, self.samples, 1))

    def clear(self, work: Work) -> None:
        """Write zeros to the padded sample."""
        image = work.scratch()
        with loop(work.build, INT64(0), INT64(self.channels)) as c:
            work.fill(work.at(image, (c, self.padded)), self.padded, ir.Constant(work.scalar, 0.0))

    def exchange(self, work: Work, sample: Code, move: Callable[[Code, Code, Code], None]) -> None:
        """Go through a sample: call ``move`` with where a row is, where it is in the padded sample, and its channel."""
        size, before = self.windows.size, self.windows.before
        start = sum(p * pitch for p, pitch in zip(before, self.pitches, strict=True))
        own = row_major(size)
        first = work.at(work.bases[self.image], (sample, self.channels * math.prod(size)))
        padded = work.scratch(start)
        with nested(work.build, (self.channels, *size[:-1])) as (c, *indices):
            outside = work.at(first, (c, math.prod(size)), *zip(indices, own[:-1], strict=True))
            inside = work.at(padded, (c, self.padded), *zip(indices, self.pitches[:-1], strict=True))
            move(outside, inside, c)

    def parts(self, work: Work) -> Any:
        """Repeat for each part of the windows of a sample."""
        return loop(work.build, INT64(0), INT64(-(-self.windows.number[0] // self.rows)))

    def extent(self, work: Work, part: Code) -> tuple[Code, Code]:
        """Return the first row of a part, along the first spatial axis, and how many it has."""
        first = work.build.mul(part, INT64(self.rows))
        return first, work.least(INT64(self.rows), work.build.sub(INT64(self.windows.number[0]), first))

    def exchange_columns(self, work: Work, first: Code, rows: Code, move: Callable[[Code, Code, int], None]) -> None:
        """Go through the columns: call ``move`` with where a row of windows has its elements, and where its columns.

        The third argument is how far apart the elements are in the padded sample.
        """
        build, w = work.build, self.windows
        image, columns = work.scratch(), self.columns(work)
        step = build.mul(rows, INT64(self.width))
        own = row_major(w.number[1:])
        with nested(build, (self.channels, *w.kernel)) as (c, *place):
            offsets = [(k, d * pitch) for k, d, pitch in zip(place, w.dilation, self.pitches, strict=True)]
            source = work.at(image, (c, self.padded), *offsets)
            index = c
            for k, n in zip(place, w.kernel, strict=True):
                index = build.add(build.mul(index, INT64(n)), k)
            target = build.gep(columns, [build.mul(index, step)])
            with loop(build, INT64(0), rows) as r, nested(build, w.number[1:-1]) as indices:
                row = build.add(first, r)
                along = [(i, s * p) for i, s, p in zip(indices, w.stride[1:-1], self.pitches[1:-1], strict=True)]
                from_ = work.at(source, (row, w.stride[0] * self.pitches[0]), *along)
                to = work.at(target, (r, self.width), *zip(indices, own[:-1], strict=True))
                move(from_, to, w.stride[-1])

    def gathered(self, work: Work, first: Code, rows: Code) -> None:
        """Write the columns of some rows of windows."""
        length = self.windows.number[-1]
        self.exchange_columns(work, first, rows, lambda x, y, step: work.copy(x, y, length, step))

    def load_sample(self, work: Work, sample: Code) -> None:
        """Copy a sample into the padded one."""
        self.exchange(work, sample, lambda x, y, c: work.copy(x, y, self.windows.size[-1]))

    def biased(self, work: Work, bias: Value | None, lanes: Lanes, x: Code, channel: Code) -> Code:
        """Return elements of a channel with its bias."""
        if bias is None:
            return x
        return work.add(x, lanes.spread(work.build.load(work.at(work.bases[bias], (channel, 1)))))


class ConvolutionForward(_Convolution):
    """The cross-correlation."""

    def __init__(self, call: Call, strides: Strides) -> None:
        arguments: list[Any] = [*call.arguments, None]
        x, self.weight, self.bias = arguments[:3]
        super().__init__(call, strides, _forward_windows(call), x, call.results[0])

    @staticmethod
    def accepts(call: Call) -> bool:
        """Whether there is a routine for it."""
        return is_floating(call)

    def write(self, work: Work) -> None:
        """Write it."""
        build = work.build
        self.clear(work)
        with self.of_samples(work) as sample:
            self.load_sample(work, sample)
            y = work.at(work.bases[self.of_windows], (sample, self.outputs * self.number))
            if self.bias is not None:
                with loop(build, INT64(0), INT64(self.outputs)) as o:
                    value = build.load(work.at(work.bases[self.bias], (o, 1)))
                    work.fill(work.at(y, (o, self.number)), self.number, value)
            with self.parts(work) as part:
                first, rows = self.extent(work, part)
                self.gathered(work, first, rows)
                found = work.at(y, (first, self.width))
                n = build.mul(rows, INT64(self.width))
                depth = self.inner * self.places
                with loop(build, INT64(0), INT64(self.groups), once=self.groups == 1) as g:
                    weight = work.at(work.bases[self.weight], (g, self.outer * depth))
                    columns = build.gep(self.columns(work), [build.mul(g, build.mul(INT64(depth), n))])
                    target = (work.at(found, (g, self.outer * self.number)), self.number, False)
                    beta = 0.0 if self.bias is None else 1.0
                    work.product((weight, depth, False), (columns, n, False), target, (self.outer, n, depth), beta=beta)


class ConvolutionTransposed(_Convolution):
    """The transposed convolution."""

    def __init__(self, call: Call, strides: Strides) -> None:
        arguments: list[Any] = [*call.arguments, None]
        x, self.weight, self.bias = arguments[:3]
        super().__init__(call, strides, _transposed_windows(call), call.results[0], x)

    @staticmethod
    def accepts(call: Call) -> bool:
        """Whether there is a routine for it."""
        return is_floating(call)

    def write(self, work: Work) -> None:
        """Write it."""
        build = work.build
        length = self.windows.number[-1]

        def add(place: Code, column: Code, step: int) -> None:
            def summed(lanes: Lanes, x: Code, start: Code) -> Code:
                return work.add(x, work.load(lanes, place, start))

            if step == 1:
                work.copy(column, place, length, more=summed)
                return
            with loop(build, INT64(0), INT64(length)) as i:
                target = work.at(place, (i, step))
                build.store(work.add(build.load(target), build.load(work.at(column, (i, 1)))), target)

        def give(outside: Code, inside: Code, c: Code) -> None:
            size = self.windows.size[-1]
            work.copy(inside, outside, size, more=lambda lanes, x, start: self.biased(work, self.bias, lanes, x, c))

        with self.of_samples(work) as sample:
            self.clear(work)
            x = work.at(work.bases[self.of_windows], (sample, self.outputs * self.number))
            with self.parts(work) as part:
                first, rows = self.extent(work, part)
                values = work.at(x, (first, self.width))
                n = build.mul(rows, INT64(self.width))
                depth = self.inner * self.places
                with loop(build, INT64(0), INT64(self.groups), once=self.groups == 1) as g:
                    weight = (work.at(work.bases[self.weight], (g, self.outer * depth)), depth, True)
                    columns = build.gep(self.columns(work), [build.mul(g, build.mul(INT64(depth), n))])
                    given = (work.at(values, (g, self.outer * self.number)), self.number, False)
                    work.product(weight, given, (columns, n, False), (depth, n, self.outer))
                self.exchange_columns(work, first, rows, add)
            self.exchange(work, sample, give)


class ConvolutionWeight(_Convolution):
    """The derivative with respect to the weight: each share is that of some samples, and then some rows of the sum."""

    def __init__(self, call: Call, strides: Strides) -> None:
        x, cotangent = call.arguments
        self.weight = call.results[0]
        super().__init__(call, strides, _weight_windows(call), x, cotangent)

    @staticmethod
    def accepts(call: Call) -> bool:
        """Whether there is a routine for it."""
        return is_floating(call)

    @property
    def scratch(self) -> int:
        """... and the sum over the samples of a share."""
        return super().scratch + self.weight.size

    @property
    def phases(self) -> Sequence[Callable[[Work], None]]:
        """The sums of the samples, and their sum."""
        return [self.write, self.add_up]

    def write(self, work: Work) -> None:
        """Write it."""
        build = work.build
        place, size = super().scratch, self.weight.size
        self.clear(work)
        total = work.scratch(place)
        work.fill(total, size, ir.Constant(work.scalar, 0.0))
        with self.of_samples(work) as sample:
            self.load_sample(work, sample)
            dy = work.at(work.bases[self.of_windows], (sample, self.outputs * self.number))
            with self.parts(work) as part:
                first, rows = self.extent(work, part)
                self.gathered(work, first, rows)
                values = work.at(dy, (first, self.width))
                n = build.mul(rows, INT64(self.width))
                depth = self.inner * self.places
                with loop(build, INT64(0), INT64(self.groups), once=self.groups == 1) as g:
                    columns = build.gep(self.columns(work), [build.mul(g, build.mul(INT64(depth), n))])
                    given = (work.at(values, (g, self.outer * self.number)), self.number, False)
                    target = (work.at(total, (g, self.outer * depth)), depth, False)
                    work.product(given, (columns, n, True), target, (self.outer, depth, n), beta=1.0)

    def add_up(self, work: Work) -> None:
        """Write the sum of what the shares have."""
        build, place = work.build, super().scratch
        row = self.weight.size // self.outputs
        with loop(build, *work.share.of(build, self.outputs, 1)) as o:
            target = work.at(work.bases[self.weight], (o, row))
            work.copy(work.at(work.scratch(place, INT64(0)), (o, row)), target, row)
            with loop(build, INT64(1), work.share.number) as share:
                other = work.at(work.scratch(place, share), (o, row))

                def summed(lanes: Lanes, x: Code, start: Code) -> Code:
                    return NUMERIC["add"](lanes, self.dtype, work.load(lanes, target, start), x)

                work.copy(other, target, row, more=summed)


def _planar(w: Windows) -> Windows:
    """Return windows along one axis as windows along two, of which the first has length 1."""
    if len(w.size) > 1:
        return w
    one = {name: (1, *getattr(w, name)) for name in ("size", "kernel", "stride", "dilation", "padded", "number")}
    return replace(w, before=(0, *w.before), **one)


def _options(call: Call) -> list[Any]:
    return [call.parameters.get(name, default) for name, default in _DEFAULTS.items()]


_DEFAULTS: Final = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}


def _forward_windows(call: Call) -> Windows:
    return convolution_windows(call.arguments[0].shape, call.arguments[1].shape, *_options(call))


def _transposed_windows(call: Call) -> Windows:
    x, weight = call.arguments[:2]
    stride, padding, dilation, groups = _options(call)
    rest = call.parameters.get("output_padding", 0)
    return transposed_windows(x.shape, weight.shape, stride, padding, dilation, groups, rest)


def _weight_windows(call: Call) -> Windows:
    x, cotangent = call.arguments
    stride, padding, dilation, groups = _options(call)
    size = call.parameters["kernel_size"]
    return weight_windows(x.shape, cotangent.shape, size, stride, padding, dilation, groups)
