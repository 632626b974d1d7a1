"""Attention, head by head, in blocks of queries whose scores stay in the cache."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from llvmlite import ir

from deepcore.graph.trace import NOTHING

from ._arithmetic import NUMERIC
from ._lanes import INT32, INT64, Lanes, kind
from ._loops import loop
from ._routine import Routine, is_floating, is_matrix, leading

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore.graph.program import Call, Value

    from ._lanes import Code
    from ._routine import Strides, Work

SCORES: Final = 32768
"""Scores at a time: those of a block of queries and their cotangents fill half of the second-level cache."""


class _Attention(Routine):
    """What both directions share.

    Parameters
    ----------
    call, strides
        As for every routine.
    first
        The position of the query among the arguments; key, value and mask follow.
    """

    def __init__(self, call: Call, strides: Strides, first: int) -> None:
        super().__init__(call, strides)
        self.query, self.key, self.value = call.arguments[first : first + 3]
        self.mask: Value | None = call.arguments[first + 3] if len(call.arguments) > first + 3 else None
        self.lead = self.query.shape[:-2]
        self.n, self.d = self.query.shape[-2:]
        self.m, self.dv = self.value.shape[-2:]
        self.rows = max(1, min(self.n, SCORES // self.m))
        self.is_causal = bool(call.parameters.get("is_causal", False))
        scale = call.parameters.get("scale")
        self.scale = 1 / math.sqrt(max(self.d, 1)) if scale is None else float(scale)
        self.keeps_weights = call.parameters.get("keep", "weights") == "weights"

    def heads(self, work: Work) -> Any:
        """Repeat for each head of the share."""
        return loop(work.build, *work.share.of(work.build, math.prod(self.lead), 1))

    def head(self, work: Work, value: Value, head: Code) -> Code:
        """Return the address of what belongs to a head."""
        strides = self.strides[value]
        return work.row(work.bases[value], head, self.lead, strides[: len(self.lead)])

    def blocks(self, work: Work) -> Any:
        """Repeat for each block of queries."""
        return loop(work.build, INT64(0), INT64(-(-self.n // self.rows)))

    def extent(self, work: Work, block: Code) -> tuple[Code, Code, Code]:
        """Return the first query of a block, how many it has, and how many keys these may attend to."""
        build = work.build
        start = build.mul(block, INT64(self.rows))
        rows = work.least(INT64(self.rows), build.sub(INT64(self.n), start))
        columns = work.least(INT64(self.m), build.add(start, rows)) if self.is_causal else INT64(self.m)
        return start, rows, columns

    def matrix(self, work: Work, value: Value, place: Code, start: Code = None) -> tuple[Code, int, bool]:
        """Return the matrix of a head, from some row on."""
        step = leading(value, self.strides[value])
        return (place if start is None else work.at(place, (start, step)), step, False)

    def masked(self, work: Work, head: Code, i: Code) -> Callable[[Lanes, Code, Code], Code]:
        """Return what makes the scores of a query infinitely low where it may not attend, of lanes, x and a key."""
        build = work.build
        mask = None
        if self.mask is not None:
            lead = (1,) * (len(self.lead) + 2 - len(self.mask.shape)) + self.mask.shape
            own = (0,) * (len(lead) - len(self.mask.shape)) + self.strides[self.mask]
            steps = [0 if n == 1 else step for n, step in zip(lead, own, strict=True)]
            mask = work.at(work.row(work.bases[self.mask], head, self.lead, steps[:-2]), (i, steps[-2]))
            self._is_broadcast = steps[-1] == 0

        def apply(lanes: Lanes, x: Code, j: Code) -> Code:
            low = work.number(lanes, -math.inf)
            if mask is not None and self.mask is not None:
                found = lanes.spread(build.load(mask)) if self._is_broadcast else work.load(lanes, mask, j)
                if kind(self.mask.dtype) == "b":
                    x = build.select(build.icmp_unsigned("!=", found, ir.Constant(found.type, None)), x, low)
                else:
                    x = work.add(x, found)
            if self.is_causal:
                last = lanes.spread(build.trunc(build.sub(i, j), INT32))
                numbers = ir.Constant(INT32, 0)
                if lanes.width > 1:
                    numbers = ir.Constant(ir.VectorType(INT32, lanes.width), [INT32(k) for k in range(lanes.width)])
                x = build.select(build.icmp_signed("<=", numbers, last), x, low)
            return x

        return apply

    def is_readable(self) -> bool:
        """Whether BLAS can be told of queries, keys and values."""
        strides = self.strides
        mask = self.mask
        if mask is not None and mask.shape[-1] != 1 and strides[mask][-1] != 1:
            return False
        return all(is_matrix(x, strides[x]) for x in (self.query, self.key, self.value))


def _accepted(call: Call, first: int) -> bool:
    """Whether there are as many heads of queries, keys and values, and a mask, if there is one, has their axes."""
    query, key, value = call.arguments[first : first + 3]
    mask = call.arguments[first + 3] if len(call.arguments) > first + 3 else None
    if call.parameters.get("enable_gqa") or not query.shape[:-2] == key.shape[:-2] == value.shape[:-2]:
        return False
    if mask is not None and (len(mask.shape) < 2 or len(mask.shape) > len(query.shape)):
        return False
    is_boolean = mask is not None and kind(mask.dtype) == "b"
    rest = [x for x in call.arguments if not (is_boolean and x is mask)]
    return is_floating(type(call)(call.operation, tuple(rest), call.parameters, call.results))


class AttentionForward(_Attention):
    """The output, and the weights or the logarithms of their sums."""

    def __init__(self, call: Call, strides: Strides) -> None:
        super().__init__(call, strides, 0)
        self.output, self.kept = call.results

    @staticmethod
    def accepts(call: Call) -> bool:
        """Whether there is a routine for it."""
        return _accepted(call, 0) and NOTHING not in call.results

    def fits(self) -> bool:
        """Whether it can be written."""
        return (
            self.is_readable() and is_matrix(self.output, self.strides[self.output]) and self.is_contiguous(self.kept)
        )

    @property
    def scratch(self) -> int:
        """The scores of a block, where they are not kept."""
        return 0 if self.keeps_weights else self.rows * self.m

    def write(self, work: Work) -> None:
        """Write it."""
        build = work.build
        kept = work.bases[self.kept]
        with self.heads(work) as h:
            query, key, value, output = (self.head(work, x, h) for x in (self.query, self.key, self.value, self.output))
            with self.blocks(work) as block:
                start, rows, columns = self.extent(work, block)
                first = build.add(build.mul(h, INT64(self.n)), start)  # the row of what is kept
                e = work.at(kept, (first, self.m)) if self.keeps_weights else work.scratch()
                sizes = (rows, columns, self.d)
                keys = (*self.matrix(work, self.key, key)[:2], True)
                work.product(
                    self.matrix(work, self.query, query, start), keys, (e, self.m, False), sizes, alpha=self.scale
                )
                with loop(build, INT64(0), rows) as r:
                    row = work.at(e, (r, self.m))
                    self._softmax(work, row, h, build.add(start, r), build.add(first, r))
                product = (rows, self.dv, columns)
                places = (self.matrix(work, self.value, value), self.matrix(work, self.output, output, start))
                work.product((e, self.m, False), *places, product)

    def _softmax(self, work: Work, row: Code, head: Code, i: Code, position: Code) -> None:
        """Replace the scores of a query by its weights."""
        build, one = work.build, Lanes(work.build, 1)
        masked = self.masked(work, head, i)
        is_open = self.mask is None and not self.is_causal

        def score(lanes: Lanes, j: Code) -> Code:
            x = work.load(lanes, row, j)
            if not is_open:
                x = masked(lanes, x, j)
                work.store(lanes, x, row, j)
            return x

        low = ir.Constant(work.scalar, -math.inf)
        shift = work.reduced(self.m, NUMERIC["maximum"], -math.inf, score)
        if self.mask is not None:
            shift = build.select(build.fcmp_ordered("==", shift, low), work.number(one, 0.0), shift)

        def exponential(lanes: Lanes, j: Code) -> Code:
            x = work.function("exp", lanes, work.sub(work.load(lanes, row, j), lanes.spread(shift)))
            work.store(lanes, x, row, j)
            return x

        total = work.reduced(self.m, NUMERIC["add"], 0.0, exponential)
        is_empty = build.fcmp_ordered("==", total, work.number(one, 0.0))
        total = build.select(is_empty, work.number(one, 1.0), total)
        factor = build.fdiv(work.number(one, 1.0), total)
        for lanes, j in work.along(self.m):
            work.store(lanes, work.mul(work.load(lanes, row, j), lanes.spread(factor)), row, j)
        if not self.keeps_weights:
            logarithm = work.add(shift, work.function("log", one, total))
            build.store(build.select(is_empty, low, logarithm), work.at(work.bases[self.kept], (position, 1)))


class AttentionBackward(_Attention):
    """The cotangents of queries, keys and values."""

    def __init__(self, call: Call, strides: Strides) -> None:
        super().__init__(call, strides, 2)
        given: list[Any] = [*call.arguments[:2]]
        self.dy, self.dkept = given
        self.kept = call.arguments[7]
        self.dquery, self.dkey, self.dvalue, _ = call.results

    @staticmethod
    def accepts(call: Call) -> bool:
        """Whether there is a routine for it."""
        dy, dkept = call.arguments[:2]
        if call.parameters["keep"] != "weights" and (dkept is not None or dy is None):
            return False
        return _accepted(call, 2) and call.results[3] is NOTHING

    def fits(self) -> bool:
        """Whether it can be written."""
        strides = self.strides
        others = [x for x in (self.dy, self.dquery, self.dkey, self.dvalue) if x is not None and x is not NOTHING]
        return (
            self.is_readable()
            and all(is_matrix(x, strides[x]) for x in others)
            and self.is_contiguous(self.kept, self.dkept)
        )

    @property
    def scratch(self) -> int:
        """The cotangents of the scores of a block, and the weights, where they are not kept."""
        return self.rows * self.m * (1 if self.keeps_weights else 2)

    def write(self, work: Work) -> None:
        """Write it."""
        build = work.build
        with self.heads(work) as h:
            query, key, value, dquery, dkey = (
                self.head(work, x, h) for x in (self.query, self.key, self.value, self.dquery, self.dkey)
            )
            dy = None if self.dy is None else self.head(work, self.dy, h)
            dvalue = None if self.dy is None else self.head(work, self.dvalue, h)
            if self.is_causal:  # a block adds to the keys that it may attend to
                self._clear(work, self.dkey, dkey)
                if dvalue is not None:
                    self._clear(work, self.dvalue, dvalue)
            with self.blocks(work) as block:
                start, rows, columns = self.extent(work, block)
                first = build.add(build.mul(h, INT64(self.n)), start)
                queries = self.matrix(work, self.query, query, start)
                ds = (work.scratch(), self.m, False)
                p = (self._weights(work, queries, key, rows, columns, h, start, first), self.m, False)
                if dy is not None:
                    values = (*self.matrix(work, self.value, value)[:2], True)
                    work.product(
                        self.matrix(work, self.call.arguments[0], dy, start), values, ds, (rows, columns, self.dv)
                    )
                with loop(build, INT64(0), rows) as r:
                    given = None
                    if self.dkept is not None:
                        given = work.at(work.bases[self.dkept], (build.add(first, r), self.m))
                    self._through_softmax(work, work.at(ds[0], (r, self.m)), work.at(p[0], (r, self.m)), given)
                is_first = build.icmp_signed("==", block, INT64(0))
                zero, one = ir.Constant(work.scalar, 0.0), ir.Constant(work.scalar, 1.0)
                beta = one if self.is_causal else build.select(is_first, zero, one)
                if dy is not None and dvalue is not None:
                    places = (
                        self.matrix(work, self.call.arguments[0], dy, start),
                        self.matrix(work, self.dvalue, dvalue),
                    )
                    work.product((p[0], self.m, True), *places, (columns, self.dv, rows), beta=beta)
                places = (queries, self.matrix(work, self.dkey, dkey))
                transposed = (ds[0], self.m, True)
                work.product(transposed, *places, (columns, self.d, rows), alpha=self.scale, beta=beta)
                places = (self.matrix(work, self.key, key), self.matrix(work, self.dquery, dquery, start))
                work.product(ds, *places, (rows, self.d, columns), alpha=self.scale)

    def _clear(self, work: Work, value: Value, place: Code) -> None:
        with loop(work.build, INT64(0), INT64(value.shape[-2])) as r:
            row = work.at(place, (r, leading(value, self.strides[value])))
            work.fill(row, value.shape[-1], ir.Constant(work.scalar, 0.0))

    def _weights(
        self, work: Work, queries: Any, key: Code, rows: Code, columns: Code, head: Code, start: Code, first: Code
    ) -> Code:
        """Return where the weights of a block are, which are computed again if they were not kept."""
        build = work.build
        if self.keeps_weights:
            return work.at(work.bases[self.kept], (first, self.m))
        p = work.scratch(self.rows * self.m)
        keys = (*self.matrix(work, self.key, key)[:2], True)
        work.product(queries, keys, (p, self.m, False), (rows, columns, self.d), alpha=self.scale)
        with loop(build, INT64(0), rows) as r:
            row = work.at(p, (r, self.m))
            masked = self.masked(work, head, build.add(start, r))
            total = build.load(work.at(work.bases[self.kept], (build.add(first, r), 1)))
            is_empty = build.fcmp_ordered("==", total, ir.Constant(work.scalar, -math.inf))
            total = build.select(is_empty, ir.Constant(work.scalar, 0.0), total)
            for lanes, j in work.along(self.m):
                x = work.sub(masked(lanes, work.load(lanes, row, j), j), lanes.spread(total))
                work.store(lanes, work.function("exp", lanes, x), row, j)
        return p

    def _through_softmax(self, work: Work, ds: Code, p: Code, given: Code | None) -> None:
        """Replace the cotangents of the weights of a query by those of its scores."""
        build = work.build

        def cotangent(lanes: Lanes, j: Code) -> Code:
            x = work.load(lanes, given if self.dy is None else ds, j)
            if self.dy is not None and self.is_causal:  # what no product wrote may be anything
                is_low = build.fcmp_ordered("==", work.load(lanes, p, j), work.number(lanes, 0.0))
                x = build.select(is_low, work.number(lanes, 0.0), x)
            if self.dy is not None and given is not None:
                x = work.add(x, work.load(lanes, given, j))
            work.store(lanes, x, ds, j)
            return work.mul(x, work.load(lanes, p, j))

        mean = work.reduced(self.m, NUMERIC["add"], 0.0, cotangent)
        for lanes, j in work.along(self.m):
            x = work.sub(work.load(lanes, ds, j), lanes.spread(mean))
            work.store(lanes, work.mul(x, work.load(lanes, p, j)), ds, j)
