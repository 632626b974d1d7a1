r"""Fusion: which calls one kernel can compute, reading and writing memory once.

A kernel goes through an *iteration space* of $n = r c$ points, $r$ rows of $c$ columns, in row-major order. A value
that it computes has one element for each point, or one for each row, or is the result of a reduction that is complete
only after all rows: an *end*. Values between its calls are never in memory. Whatever it reads from memory may be
broadcast along any axes of the iteration space.

Reductions along a row are what later calls on the same row may use, so a row is gone through once for each *level*: the
number of reductions, one after the other, that a value depends on. Softmax has three, max, sum and quotient.

Only the order of calls changes, and every result has the data type that the program says, so a kernel that rounds after
each call computes the bits of the calls one by one; only sums depend on the order in which they are added.

Source: the conditions (producer and consumer in one space, and no path between them through other calls) are those of
K. Kennedy and K. S. McKinley, Maximizing loop parallelism and improving data locality via loop fusion and distribution,
LCPC 1993; kernels of rows are as in P. Tillet, H. T. Kung and D. Cox, Triton, MAPL 2019, section 5.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from .group import ELEMENTWISE, FLAT, PICK, REDUCTIONS, VIEWS, Group, is_fusible, row_major
from .program import Call, Program, Value, mapped, values_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from .._typing import Shape

LONGEST: Final = 2**16
"""The length up to which all of an array is one row. A longer one is reduced at an end, by everybody together."""

_FULL: Final = "full"
_ROW: Final = "row"
_END: Final = "end"


def fused(program: Program, *, fusible: Callable[[Call], bool] = is_fusible, ends: bool = True) -> list[Group | Call]:
    """Return the calls of a program, in an order in which they can be computed, those in one kernel together.

    Parameters
    ----------
    program
        The program; composites in it are single calls, so it is :func:`deepcore.graph.expanded` first.
    fusible
        Which calls kernels can compute. Operations that are not listed here are never fused.
    ends
        Whether reductions across rows, such as the gradient of a bias, may end a group.

    Returns
    -------
    list of Group or Call
        Views of what a group computes, which somebody else reads, are calls behind it.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import graph
    >>> from deepcore.graph.fusion import fused
    >>> (group,) = fused(graph.expanded(graph.traced(dc.softmax, dc.ones((4, 7)))))
    >>> [call.operation for call in group.calls], group.levels
    (['max', 'subtract', 'exp', 'sum', 'divide'], [0, 1, 1, 1, 2])
    >>> group.shape, group.columns
    ((4, 7), 1)
    """
    return _Fusion(program, fusible, ends=ends).result()


# --------------------------------------------------------------------------------------------------------------- shapes


def _at(flat: int, shape: Shape, operand: Shape) -> int:
    """Return which element of an operand meets an element of the shape that it is broadcast to."""
    index = 0
    padded = (1,) * (len(shape) - len(operand)) + tuple(operand)
    for stride, own, length in zip(row_major(shape), row_major(padded), padded, strict=True):
        index += (flat // stride) * own if length != 1 else 0
        flat %= stride
    return index


def _cuts(shape: Shape, marks: Iterable[Sequence[object]]) -> set[int]:
    """Return the strides at which axes have to be apart: where the marks of neighbouring axes, but those of 1, differ.

    Parameters
    ----------
    shape
        A shape.
    marks
        For each axis what sets it apart from others.
    """
    by_axis = list(zip(*marks, strict=True))
    axes = [(stride, mark) for stride, n, mark in zip(row_major(shape), shape, by_axis, strict=True) if n != 1]
    return {left for (left, a), (_, b) in itertools.pairwise(axes) if a != b}


def _broadcast_marks(shape: Shape, operand: Shape) -> list[bool]:
    """Return for each axis of a shape whether an operand is broadcast along it."""
    return [n == 1 for n in (1,) * (len(shape) - len(operand)) + tuple(operand)]


def _leads(operand: Shape, shape: Shape) -> bool:
    """Whether an operand of a shape has an element for each row, and is broadcast along the last axes."""
    marks = [mark for mark, n in zip(_broadcast_marks(shape, operand), shape, strict=True) if n != 1]
    return marks == sorted(marks)


def _is_chain(cuts: Iterable[int], size: int) -> bool:
    """Whether there are axes with these strides: each divides the next."""
    return all(b % a == 0 for a, b in itertools.pairwise([*sorted(cuts), size]))


def _reduced(call: Call) -> list[bool]:
    """Return for each axis of the operand of a reduction whether it is reduced over."""
    n_axes = len(next(call.operands()).shape)
    axis = call.parameters.get("axis", None if call.operation != PICK else -1)
    axes = range(n_axes) if axis is None else [a % n_axes for a in (axis if isinstance(axis, tuple) else (axis,))]
    return [k in axes for k in range(n_axes)]


def _is_flat(call: Call) -> bool:
    """Whether a view leaves the elements in their order and number."""
    (operand, *_), (result,) = [*call.operands()], call.results
    name = call.operation
    if operand.size != result.size or name not in FLAT:
        return False
    if name == "getitem":
        return _is_whole(call.parameters.get("key"))
    if name in ("permute_dims", "matrix_transpose"):
        n = len(operand.shape)
        order = call.parameters.get("axes") or call.arguments[-1] if name == "permute_dims" else None
        order = [*range(n - 2), n - 1, n - 2] if order is None else [axis % n for axis in order]
        moved = [axis for axis in order if operand.shape[axis] != 1]
        return moved == sorted(moved)
    return True


def _is_whole(key: Any) -> bool:
    """Whether an index, of something of which it keeps all elements, only adds and removes axes."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(
        part is None or part is ... or type(part) is int or (isinstance(part, slice) and part.step in (None, 1))
        for part in parts
    )


# ----------------------------------------------------------------------------------------------------------- the search


class _Cluster:
    """Calls that are computed together, so far.

    Attributes
    ----------
    calls
        The calls by their positions in the program.
    size
        The number of points; 0 of a call that cannot be fused.
    width
        The number of points of a row; 0 where that is not decided.
    cuts
        Strides at which axes of the space are apart.
    kinds
        What each value is that is computed here.
    own, before
        The clusters that this one is made of, and those that it depends on, as sets of bits.
    sources
        The clusters whose values it reads.
    """

    def __init__(self, position: int, call: Call) -> None:
        self.calls = {position: call}
        self.size = self.width = 0
        self.cuts: set[int] = set()
        self.kinds: dict[Value, str] = {}
        self.own = 1 << position
        self.before = 0
        self.sources: set[_Cluster] = set()
        self.into = self

    @property
    def rows(self) -> int:
        return self.size // (self.width or 1)

    def now(self) -> _Cluster:
        """Return the cluster that this one has become part of."""
        found = self
        while found.into is not found:
            found = found.into
        return found


class _Fusion:
    """The fusion of a program."""

    def __init__(self, program: Program, fusible: Callable[[Call], bool], *, ends: bool) -> None:
        self.program = program
        self.fusible = fusible
        self.ends = ends
        self.views: dict[Value, Call] = {}  # what can be looked through, by its result
        self.strided: set[Value] = set()  # what may not be in row-major order in memory
        self.of: dict[Value, _Cluster] = {}
        self.clusters: list[_Cluster] = []
        self.newest: _Cluster | None = None  # what nothing reads yet

    def result(self) -> list[Group | Call]:
        for position, call in enumerate(self.program.calls):
            if call.operation in VIEWS and self.fusible(call) and self._is_view(call):
                self.views[call.results[0]] = call
            else:
                self._add(position, call)
            if call.operation in VIEWS and (not self._is_view(call) or self._is_strided(call)):
                self.strided.update(call.results)
        self._add_siblings()
        return self._ordered()

    def _add_siblings(self) -> None:
        """Put together what reads the same array for each point, so that it is read once."""
        self.newest = None
        readers: dict[Value, list[_Cluster]] = {}
        for cluster in list(self.clusters):
            for call in cluster.calls.values() if cluster.size else ():
                for base in {self._base(x) for x in call.operands()}:
                    if base.size == cluster.size > 1 and base not in cluster.kinds:
                        readers.setdefault(base, []).append(cluster)
        for found in readers.values():
            for a, b in itertools.pairwise(found):
                self._merge(a.now(), b.now())

    def _is_strided(self, call: Call) -> bool:
        """Whether what a view gives may not be in row-major order in memory."""
        return call.operation == "broadcast_to" or not self.strided.isdisjoint(call.operands())

    def _apart(self, shape: Shape, operands: Iterable[Value]) -> set[int]:
        """Return the strides at which axes have to be apart for the sake of what is not in row-major order."""
        return set(row_major(shape)) if any(x in self.strided for x in operands) else set()

    def _is_view(self, call: Call) -> bool:
        if not call.results[0].size or len(list(call.operands())) != 1:
            return False
        return _is_flat(call) or call.operation == "broadcast_to"

    # -------------------------------------------------------------------------------------------------- one more call

    def _add(self, position: int, call: Call) -> None:
        """Add a call, to the clusters of what it reads where that can be."""
        cluster = _Cluster(position, call)
        for value in call.operands():
            source = self.of.get(self._base(value))
            if source is not None:
                cluster.sources.add(source.now())
        for source in cluster.sources:
            cluster.before |= source.before | source.own
        self.clusters.append(cluster)
        self.newest = cluster
        self.of.update(dict.fromkeys(call.results, cluster))
        if not self._is_kernel(call):
            return
        sources = sorted(cluster.sources, key=lambda c: (c.size, max(c.calls)), reverse=True)
        if call.operation in ELEMENTWISE:
            self._as_elementwise(cluster, call)
        elif not (self._as_reduction(cluster, call) and any(self._merge(source, cluster) for source in sources)):
            self._as_end(cluster, call)
        for source in sources:
            self._merge(source.now(), cluster.now())
        if _END in cluster.kinds.values() and len(cluster.calls) == 1 and cluster.into is cluster:
            self._as_reduction(cluster, call)

    def _is_kernel(self, call: Call) -> bool:
        name = call.operation
        if name not in ELEMENTWISE and name not in REDUCTIONS and name != PICK:
            return False
        operands = list(call.operands())
        if len(call.results) != 1 or not operands or not all(x.size for x in operands) or not self.fusible(call):
            return False
        if name == PICK:
            return len(operands) == 2 and operands[0].shape[:-1] == operands[1].shape[:-1]
        return not (name in REDUCTIONS and (len(operands) != 1 or call.parameters.keys() - {"axis", "keepdims"}))

    def _as_elementwise(self, cluster: _Cluster, call: Call) -> None:
        (result,) = call.results
        cluster.size, cluster.kinds = result.size, {result: _FULL}
        operands = list(call.operands())
        cluster.cuts = _cuts(result.shape, [_broadcast_marks(result.shape, x.shape) for x in operands])
        cluster.cuts |= self._apart(result.shape, operands)

    def _as_reduction(self, cluster: _Cluster, call: Call) -> bool:
        """Make a call a reduction along rows, and return whether it is one."""
        operand, (result,) = next(call.operands()), call.results
        marks = [mark for mark, n in zip(_reduced(call), operand.shape, strict=True) if n != 1]
        width = operand.size // result.size
        if marks != sorted(marks) or not any(marks) or (result.size == 1 and width > LONGEST):
            return False
        if call.operation == PICK and result.shape[-1] != 1:
            return False
        cluster.size, cluster.width, cluster.kinds = operand.size, width, {result: _ROW}
        cluster.cuts = self._apart(operand.shape, call.operands())
        return True

    def _as_end(self, cluster: _Cluster, call: Call) -> None:
        """Make a call a reduction across rows."""
        operand, (result,) = next(call.operands()), call.results
        if self.ends and call.operation in REDUCTIONS:
            cluster.size, cluster.width, cluster.kinds = operand.size, 0, {result: _END}
            cluster.cuts = _cuts(operand.shape, [_reduced(call)]) | self._apart(operand.shape, call.operands())

    # --------------------------------------------------------------------------------------------------- two clusters

    def _merge(self, a: _Cluster, b: _Cluster) -> bool:
        """Make two clusters one, if one kernel can compute them, and return whether it was done."""
        if a is b or not a.size or not b.size or self._is_between(a, b) or self._is_between(b, a):
            return False
        for small, large, width in _ways(a, b):
            as_row = small.size != large.size
            kinds = {value: _ROW if kind is _FULL and as_row else kind for value, kind in small.kinds.items()}
            known = kinds | large.kinds
            factor = large.size // small.size
            cuts = large.cuts | {cut * factor for cut in small.cuts} | ({width} if width else set())
            # Nothing reads what the newest call gives, so that only its own reads can be new.
            is_new = small is self.newest and len(small.calls) == 1 and width == large.width
            calls = small.calls if is_new else small.calls | large.calls
            fits = all(self._reads(call, known, large.size, width) for call in calls.values())
            if fits and _is_chain(cuts, large.size):
                self._join(small, large)
                large.width, large.kinds, large.cuts = width, known, cuts
                large.calls.update(small.calls)
                return True
        return False

    def _is_between(self, a: _Cluster, b: _Cluster) -> bool:
        """Whether something else depends on one cluster, and the other on that."""
        return any(c is not a and c is not b and c.before & a.own for c in {c.now() for c in b.sources})

    def _reads(self, call: Call, kinds: Mapping[Value, str], size: int, width: int) -> bool:
        """Whether a call can read what is computed in the same kernel."""
        (result,) = call.results
        for i, value in enumerate(call.operands()):
            base, needed = self._needed(value, self._first(call, i, value, result, kinds[result], size, width), width)
            if base in kinds and kinds[base] != needed:
                return False
        return True

    def _first(self, call: Call, i: int, value: Value, result: Value, kind: str, size: int, width: int) -> str:
        """Return what an operand has to be."""
        if call.operation in ELEMENTWISE:
            return _broadcast(value, result, kind, width)
        if kind is _END:
            return _FULL if value.size == size else _ROW
        return _FULL if i == 0 else _ROW

    def _needed(self, value: Value, kind: str, width: int) -> tuple[Value, str]:
        """Return what a value is a view of, and what that has to be."""
        while value in self.views:
            call = self.views[value]
            operand = next(call.operands())
            if call.operation == "broadcast_to":
                kind = _broadcast(operand, value, kind, width)
            value = operand
        return value, kind

    def _base(self, value: Value) -> Value:
        return self._needed(value, _FULL, 0)[0]

    def _join(self, small: _Cluster, large: _Cluster) -> None:
        """Put one cluster into another, and what it depends on behind all that depend on them."""
        own = small.own | large.own
        before = (small.before | large.before) & ~own
        late = before & ~(small.before & large.before)
        small.into = large
        large.sources = {c.now() for c in small.sources | large.sources} - {large}
        large.own, large.before = own, before
        if small is not self.newest or late:
            for cluster in self.clusters:
                if cluster.into is cluster and cluster is not large and cluster.before & own:
                    cluster.before |= before | own
        self.clusters = [cluster for cluster in self.clusters if cluster is not small]

    # --------------------------------------------------------------------------------------------------------- in order

    def _ordered(self) -> list[Group | Call]:
        """Return the clusters in an order in which what one reads comes before it, and views where they are read."""
        waiting = {cluster: {c.now() for c in cluster.sources} - {cluster} for cluster in self.clusters}
        readers: dict[_Cluster, list[_Cluster]] = {cluster: [] for cluster in self.clusters}
        for cluster, sources in waiting.items():
            for source in sources:
                readers[source].append(cluster)
        ready = [(max(cluster.calls), cluster) for cluster, sources in waiting.items() if not sources]
        heapq.heapify(ready)
        order: list[_Cluster] = []
        while ready:
            _, cluster = heapq.heappop(ready)
            order.append(cluster)
            for reader in readers[cluster]:
                waiting[reader].discard(cluster)
                if not waiting[reader]:
                    heapq.heappush(ready, (max(reader.calls), reader))
        return self._emitted(order)

    def _emitted(self, order: list[_Cluster]) -> list[Group | Call]:
        found: list[Group | Call] = []
        seen: set[Value] = set()
        read = self._read_outside(order)

        def see(values: Iterable[Value]) -> None:
            for value in values:
                if value in self.views and value not in seen:
                    seen.add(value)
                    see(self.views[value].operands())
                    found.append(self.views[value])

        for cluster in order:
            if not cluster.size:
                (call,) = cluster.calls.values()
                see(call.operands())
                found.append(call)
                continue
            group, copies = self._group(cluster, read)
            see(group.inputs)
            for copy in copies:
                see(copy.operands())
                found.append(copy)
            found.append(group)
        see(self.program.outputs)
        return found

    def _read_outside(self, order: list[_Cluster]) -> set[Value]:
        """Return the values that somebody else than their own cluster reads, not counting views."""
        read = {self._base(value) for value in self.program.outputs}
        for cluster in order:
            for call in cluster.calls.values():
                read.update(base for x in call.operands() if (base := self._base(x)) not in cluster.kinds)
        return read

    def _group(self, cluster: _Cluster, read: set[Value]) -> tuple[Group, list[Call]]:
        """Return a cluster as a group, and reshapes of what it reads in two ways."""
        width = cluster.width or 1
        cuts = sorted({1, *cluster.cuts, width} - {cluster.size}, reverse=True)
        ends = [cluster.size, *cuts]
        shape = tuple(a // b for a, b in itertools.pairwise(ends)) if cluster.size > 1 else ()
        strides = tuple(ends[1:]) if cluster.size > 1 else ()
        of_kind = {_FULL: strides, _ROW: tuple(s // width if s >= width else 0 for s in strides)}
        patterns = {value: of_kind[kind] for value, kind in cluster.kinds.items() if kind is not _END}
        calls = list(self._with_views(cluster))
        inputs: dict[Value, None] = {}
        copies: list[Call] = []
        computed = {value for call in calls for value in call.results}
        for k in range(len(calls) - 1, -1, -1):  # a view has the pattern that its reader needs
            again: dict[Value, Value] = {}
            for value, pattern in self._operand_patterns(calls[k], patterns, of_kind, cluster):
                if patterns.setdefault(value, pattern) != pattern and value not in computed:
                    again[value] = other = Value(value.shape, value.dtype, value.name)
                    copies.append(Call("reshape", (value, value.shape), {}, (other,), calls[k].where, calls[k].layer))
                    patterns[other] = pattern
            if again:
                calls[k] = _reading(calls[k], again)
        for call in calls:
            inputs.update(dict.fromkeys(x for x in call.operands() if x not in computed))
        enders = [call for call in calls if cluster.kinds.get(call.results[0]) is _END]
        outputs = [x for call in calls for x in call.results if x in read and x in cluster.kinds]
        columns = sum(s < width for s in strides)
        levels = _levels(calls, enders, inputs)
        return Group(calls, levels, enders, shape, columns, patterns, list(inputs), outputs), copies

    def _with_views(self, cluster: _Cluster) -> Iterator[Call]:
        """Yield the calls of a cluster, with the views in between."""
        seen: set[Value] = set()

        def views(value: Value) -> Iterator[Call]:
            if value in self.views and value not in seen and self._base(value) in cluster.kinds:
                seen.add(value)
                call = self.views[value]
                yield from views(next(call.operands()))
                yield call

        for _, call in sorted(cluster.calls.items()):
            for value in call.operands():
                yield from views(value)
            yield call

    def _operand_patterns(
        self, call: Call, patterns: dict[Value, tuple[int, ...]], of_kind: dict[str, tuple[int, ...]], cluster: _Cluster
    ) -> Iterator[tuple[Value, tuple[int, ...]]]:
        """Yield what a call reads, with strides for the axes of the space. Those of an end's result are set."""
        (result,), operands = call.results, list(call.operands())
        if cluster.kinds.get(result) is _END:
            (operand,) = operands
            full = of_kind[_FULL if operand.size == cluster.size else _ROW]
            kept = tuple(1 if mark else n for mark, n in zip(_reduced(call), operand.shape, strict=True))
            patterns[result] = tuple(_at(s, operand.shape, kept) for s in full)
            yield operand, full
        elif call.operation in ELEMENTWISE or call.operation == "broadcast_to":
            for operand in operands:
                yield operand, tuple(_at(s, result.shape, operand.shape) for s in patterns[result])
        elif call.operation in VIEWS:
            yield operands[0], patterns[result]
        else:
            yield operands[0], of_kind[_FULL]
            yield from ((x, of_kind[_ROW]) for x in operands[1:])


def _reading(call: Call, instead: dict[Value, Value]) -> Call:
    """Return a call that reads other values."""

    def now(x: Any) -> Any:
        return instead.get(x, x) if isinstance(x, Value) else x

    return replace(call, arguments=mapped(call.arguments, now), parameters=mapped(call.parameters, now))


def _broadcast(operand: Value, result: Value, kind: str, width: int) -> str:
    """Return what an operand has to be to be broadcast to a result; nothing of a kernel where it cannot."""
    if operand.size == result.size:
        return kind
    if kind is _FULL and operand.size * width == result.size and _leads(operand.shape, result.shape):
        return _ROW
    return ""


def _ways(a: _Cluster, b: _Cluster) -> Iterator[tuple[_Cluster, _Cluster, int]]:
    """Yield the ways to see two clusters in one space: which is put into which, and the length of rows."""
    if a.size == b.size and (a.width == b.width or not a.width or not b.width):
        yield b, a, a.width or b.width
    small, large = (a, b) if a.size < b.size else (b, a)
    if not small.width and large.width and small.size == large.rows and small.size != large.size:
        yield small, large, large.width
    elif not small.width and not large.width and 1 < small.size < large.size and large.size % small.size == 0:
        yield small, large, large.size // small.size


def _levels(calls: list[Call], ends: list[Call], inputs: dict[Value, None]) -> list[int]:
    """Return how many reductions along rows each call depends on."""
    level: dict[Value, int] = {}
    found: list[int] = []
    for call in calls:
        here = max((level.get(x, 0) for x in values_in((call.arguments, call.parameters))), default=0)
        found.append(here)
        is_gathered = call.operation == PICK and next(call.operands()) in inputs
        is_reduction = call.operation in REDUCTIONS or (call.operation == PICK and not is_gathered)
        level[call.results[0]] = here + (is_reduction and call not in ends)
    return found
