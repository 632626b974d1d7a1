"""Recurrences, sample by sample through all of time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir

from deepcore.graph.trace import NOTHING

from ._lanes import INT64
from ._loops import loop
from ._product import PLAIN, matrix
from ._routine import Routine, is_floating

if TYPE_CHECKING:
    from deepcore.graph.program import Call, Value

    from ._lanes import Code
    from ._routine import Strides, Work


class _Recurrence(Routine):
    """What recurrences share: each share takes its own samples through all steps.

    Parameters
    ----------
    call, strides
        As for every routine.
    weight
        The weight of the state.
    like
        A value of the shape (steps, samples, units).
    backward
        Whether time is gone through backward.
    """

    def __init__(self, call: Call, strides: Strides, weight: Value, like: Value, *, backward: bool) -> None:
        super().__init__(call, strides)
        self.weight = weight
        self.steps, self.samples, self.n = like.shape
        self.columns = weight.shape[1]
        self.is_reversed = bool(call.parameters.get("reverse", False)) != backward
        self._form = matrix(weight.shape, strides[weight])

    def has_weight(self) -> bool:
        """Whether BLAS can be told of the weight."""
        return self._form is not None

    def through_time(self, work: Work) -> Any:
        """Repeat for each step, and give how many there were before."""
        return loop(work.build, INT64(0), INT64(self.steps))

    def time(self, work: Work, step: Code) -> Code:
        """Return the time of a step."""
        return work.build.sub(INT64(self.steps - 1), step) if self.is_reversed else step

    def before(self, work: Work, first: Code, states: Code, step: Code, time: Code, *, is_first: Code) -> Code:
        """Return where the states before a step are: the initial ones, or those of the step before."""
        build = work.build
        earlier = build.sub(time, INT64(1)) if not self._counts_down else build.add(time, INT64(1))
        size = self.samples * self.n
        return build.select(is_first, first, work.at(states, (earlier, size)))

    @property
    def _counts_down(self) -> bool:
        """Whether the sequence itself begins at the end."""
        return bool(self.call.parameters.get("reverse", False))

    def weighted(self, work: Work, x: Code, y: Code, rows: Code, *, back: bool, beta: float) -> None:
        """Write y = x W + beta y, or y = x W^T + beta y."""
        if self._form is None:
            return
        is_transposed = (self._form.order != PLAIN) != back
        weight = (work.bases[self.weight], self._form.leading, is_transposed)
        inner, outer = (self.columns, self.n) if back else (self.n, self.columns)
        work.product((x, inner, False), weight, (y, outer, False), (rows, outer, inner), beta=beta)

    def element(self, work: Work, value: Value | None, time: Code, sample: Code) -> Code:
        """Return where the row of a sample is at some time."""
        if value is None:
            return None
        return work.at(work.bases[value], (time, self.strides[value][0]), (sample, self.strides[value][1]))


class LSTMForward(_Recurrence):
    """States, cells and gates."""

    def __init__(self, call: Call, strides: Strides) -> None:
        self.projections, weight, self.hidden, self.cell, self.bias, *_ = (*call.arguments, None)
        self.states, self.cells, self.gates = call.results
        super().__init__(call, strides, weight, self.states, backward=False)

    @staticmethod
    def accepts(call: Call) -> bool:
        """Whether there is a routine for it."""
        return is_floating(call) and NOTHING not in call.results and all(x is None for x in call.arguments[5:])

    def fits(self) -> bool:
        """Whether it can be written."""
        rows = self.has_rows(self.projections, self.bias)
        return rows and self.has_weight() and self.is_contiguous(self.hidden, self.cell, *self.call.results)

    def write(self, work: Work) -> None:
        """Write it."""
        build, n = work.build, self.n
        begin, end = work.share.of(build, self.samples, 1)
        rows = build.sub(end, begin)
        states, cells = work.bases[self.states], work.bases[self.cells]
        with self.through_time(work) as step:
            t = self.time(work, step)
            is_first = build.icmp_signed("==", step, INT64(0))
            hidden, cell = (
                work.at(self.before(work, work.bases[first], rest, step, t, is_first=is_first), (begin, n))
                for first, rest in ((self.hidden, states), (self.cell, cells))
            )
            with loop(build, begin, end) as i:
                self._begin(work, t, i)
            first = self.element(work, self.gates, t, begin)
            self.weighted(work, hidden, first, rows, back=False, beta=1.0)
            with loop(build, INT64(0), rows) as r:
                i = build.add(begin, r)
                gates, state, new = (self.element(work, x, t, i) for x in (self.gates, self.states, self.cells))
                self._bend(work, gates, state, new, work.at(cell, (r, n)))

    def _begin(self, work: Work, t: Code, i: Code) -> None:
        """Write the projections and the bias to where the gates will be."""
        bias = self.bias

        def biased(lanes: Any, x: Code, start: Code) -> Code:
            return x if bias is None else work.add(x, work.load(lanes, work.bases[bias], start))

        source, target = (self.element(work, x, t, i) for x in (self.projections, self.gates))
        work.copy(source, target, self.columns, more=biased)

    def _bend(self, work: Work, gates: Code, state: Code, cell: Code, before: Code) -> None:
        n = self.n
        z = [work.at(gates, (INT64(k), n)) for k in range(4)]
        for lanes, j in work.along(n):
            i, f, o = (work.sigmoid(lanes, work.load(lanes, z[k], j)) for k in (0, 1, 3))
            g = work.function("tanh", lanes, work.load(lanes, z[2], j))
            c = work.add(work.mul(f, work.load(lanes, before, j)), work.mul(i, g))
            for k, x in enumerate((i, f, g, o)):
                work.store(lanes, x, z[k], j)
            work.store(lanes, c, cell, j)
            work.store(lanes, work.mul(o, work.function("tanh", lanes, c)), state, j)


class LSTMBackward(_Recurrence):
    """The cotangents of the projections, of the initial state, and of the initial cell."""

    def __init__(self, call: Call, strides: Strides) -> None:
        self.d_states, self.d_cells, _, weight, self.cell, _, self.cells, self.gates = call.arguments
        self.d_projections, self.dh, self.dc = call.results
        super().__init__(call, strides, weight, self.cells, backward=True)

    @staticmethod
    def accepts(call: Call) -> bool:
        """Whether there is a routine for it."""
        d_gates, lengths = call.arguments[2], call.arguments[5]
        return is_floating(call) and NOTHING not in call.results and d_gates is None and lengths is None

    def fits(self) -> bool:
        """Whether it can be written."""
        rows = self.has_rows(self.d_states, self.d_cells, self.gates)
        return rows and self.has_weight() and self.is_contiguous(self.cell, self.cells, *self.call.results)

    def write(self, work: Work) -> None:
        """Write it."""
        build, n = work.build, self.n
        begin, end = work.share.of(build, self.samples, 1)
        rows = build.sub(end, begin)
        dh, dc = (work.at(work.bases[x], (begin, n)) for x in (self.dh, self.dc))
        with loop(build, INT64(0), rows) as r:
            for x in (dh, dc):
                work.fill(work.at(x, (r, n)), n, ir.Constant(work.scalar, 0.0))
        with self.through_time(work) as step:
            t = self.time(work, step)
            is_first = build.icmp_signed("==", step, INT64(self.steps - 1))
            before = self.before(work, work.bases[self.cell], work.bases[self.cells], step, t, is_first=is_first)
            with loop(build, INT64(0), rows) as r:
                i = build.add(begin, r)
                rest = [self.element(work, x, t, i) for x in (self.cells, self.gates, self.d_projections)]
                given = [self.element(work, x, t, i) for x in (self.d_states, self.d_cells)]
                self._bend(work, [work.at(x, (r, n)) for x in (dh, dc)], given, work.at(before, (i, n)), *rest)
            self.weighted(work, self.element(work, self.d_projections, t, begin), dh, rows, back=True, beta=0.0)

    def _bend(
        self, work: Work, own: list[Code], given: list[Code], before: Code, cell: Code, gates: Code, dz: Code
    ) -> None:
        n = self.n
        z, target = ([work.at(x, (INT64(k), n)) for k in range(4)] for x in (gates, dz))
        for lanes, j in work.along(n):
            one = work.number(lanes, 1.0)
            i, f, g, o = (work.load(lanes, x, j) for x in z)
            dh, dc = (work.load(lanes, x, j) for x in own)
            if given[0] is not None:
                dh = work.add(dh, work.load(lanes, given[0], j))
            if given[1] is not None:
                dc = work.add(dc, work.load(lanes, given[1], j))
            bent = work.function("tanh", lanes, work.load(lanes, cell, j))
            dc = work.add(dc, work.mul(dh, o, work.sub(one, work.mul(bent, bent))))
            found = (
                work.mul(dc, g, i, work.sub(one, i)),
                work.mul(dc, work.load(lanes, before, j), f, work.sub(one, f)),
                work.mul(dc, i, work.sub(one, work.mul(g, g))),
                work.mul(dh, bent, o, work.sub(one, o)),
            )
            for x, place in zip(found, target, strict=True):
                work.store(lanes, x, place, j)
            work.store(lanes, work.mul(dc, f), own[1], j)
