"""Generated CUDA kernels: the source for each group of a fused program.

A group without rows is a loop over its points: four at a time, in loads of four elements, where everything is
contiguous and aligned. In a group with rows, several threads share a row: a warp of them, or a whole block where rows
are long, or a single one where what is read is contiguous across the rows. They go through it once for each level, and
put their parts of each reduction together in between.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from deepcore._errors import ShapeError
from deepcore._tracing import Number
from deepcore.graph.group import PICK, REDUCTIONS, VIEWS, Group, row_major
from deepcore.graph.program import Value, leaves_of

from ._expressions import MEMORY, arithmetic, expression, highest, lowest, number, rounded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from deepcore.graph.program import Call

WARP: Final = 32
THREADS: Final = 256
LONG: Final = 1024
"""The length from which a row is shared by a block of threads instead of a warp."""

COMBINE: Final = {"all": "All", "any": "Any", "max": "Maximum", "mean": "Sum", "min": "Minimum", "prod": "Product"}


@dataclass(frozen=True, slots=True)
class Kernel:
    """A generated kernel.

    Attributes
    ----------
    name, source
        What it is called, and its text, which needs what :func:`header` gives before it.
    parameters
        What it is given, in order: arrays, and numbers of the host as doubles.
    types
        The types of these.
    threads
        How many threads there are in a block.
    blocks
        How many blocks there is work for.
    """

    name: str
    source: str
    parameters: tuple[Value | Number, ...]
    types: tuple[str, ...]
    threads: int
    blocks: int


@cache
def header() -> str:
    """Return what comes before generated kernels."""
    return files("deepcore_cupy").joinpath("fused.cuh").read_text(encoding="utf-8")


def reduction(call: Call) -> Group:
    """Return the reduction of an array as a group, whose rows are what is reduced to one element."""
    (x,), (result,) = call.operands(), call.results
    axis = call.parameters.get("axis")
    n = len(x.shape)
    axes = range(n) if axis is None else [a % n for a in (axis if isinstance(axis, tuple) else (axis,))]
    order = [k for k in range(n) if k not in axes] + [k for k in range(n) if k in axes]
    strides = row_major(x.shape)
    kept = [x.shape[k] for k in order if k not in axes]
    patterns = {x: tuple(strides[k] for k in order), result: (*row_major(kept), *(0 for _ in axes))}
    return Group([call], [0], [], tuple(x.shape[k] for k in order), len(axes), patterns, [x], [result])


def generated(group: Group, name: str, strides: Mapping[Value, Sequence[int]] | None = None) -> Kernel:
    """Return the kernel of a group, which has no ends.

    Parameters
    ----------
    group
        The group, as :func:`deepcore.graph.fusion.fused` gives it with ``ends=False``.
    name
        What to call it.
    strides
        The strides of arrays in memory, in elements, where they are not in row-major order.

    Raises
    ------
    ShapeError
        If an array has no stride for each axis of the space, and has to be copied.
    """
    return _Writer(group, name, strides or {}).kernel()


class _Writer:
    """A kernel that is being written."""

    def __init__(self, group: Group, name: str, strides: Mapping[Value, Sequence[int]]) -> None:
        self.group = group
        self.name = name
        self.names: dict[Value, str] = {}
        self.numbers: dict[int, tuple[str, Number]] = {}
        self.steps: dict[Value, tuple[int, ...]] = {}
        for x in (*group.inputs, *group.outputs):
            steps = group.strides(x, strides.get(x, row_major(x.shape)))
            if steps is None:
                msg = f"{name}: {x.kind} has no stride for each axis of {group.shape}; copy it to row-major order first"
                raise ShapeError(msg)
            self.steps[x] = steps
        self.makers = {call.results[0]: call for call in group.calls}
        self.levels = {call.results[0]: level for call, level in zip(group.calls, group.levels, strict=True)}
        for i, value in enumerate([*group.inputs, *self.makers]):
            self.names[value] = f"v{i}"
        for call in group.calls:
            for x in leaves_of((call.arguments, call.parameters)):
                if isinstance(x, Number):
                    self.numbers.setdefault(id(x), (f"n{len(self.numbers)}", x))

    def kernel(self) -> Kernel:
        group = self.group
        body, threads, blocks = self._rows() if group.columns else self._points()
        arrays = [*group.inputs, *group.outputs]
        types = [f"const {MEMORY[x.dtype.name]}*" for x in group.inputs]
        types += [f"{MEMORY[x.dtype.name]}*" for x in group.outputs] + ["double"] * len(self.numbers)
        given = [*map(self._array, arrays), *(name for name, _ in self.numbers.values())]
        declared = ", ".join(f"{kind} {x}" for kind, x in zip(types, given, strict=True))
        comment = "".join(f"// {line}\n" for line in self._comment())
        signature = f'extern "C" __global__ void __launch_bounds__({threads}) {self.name}({declared})'
        source = f"{comment}{signature}\n{{\n{body}}}\n"
        parameters: tuple[Value | Number, ...] = (*arrays, *(x for _, x in self.numbers.values()))
        return Kernel(self.name, source, parameters, tuple(types), threads, blocks)

    def _comment(self) -> list[str]:
        names = [call.operation for call in self.group.calls if call.operation not in VIEWS]
        places = dict.fromkeys(x for call in self.group.calls if (x := call.layer))
        return [", ".join(names)[:110], *([", ".join(places)[:110]] if places else [])]

    # ---------------------------------------------------------------------------------------------------------- names

    def _array(self, value: Value) -> str:
        """Return the array of a value. One that is read and written is two."""
        return f"{'out' if value in self.makers else 'in'}_{self.names[value]}"

    def _name(self, x: Any) -> str:
        return self.numbers[id(x)][0] if isinstance(x, Number) else self.names[x]

    def _offset(self, value: Value, axes: range, index: str) -> str:
        """Return where an element is along some axes, of the position in the space of these axes."""
        lengths = [self.group.shape[k] for k in axes]
        steps = [self.steps[value][k] for k in axes]
        merged: list[tuple[int, int]] = []
        for n, step in zip(lengths, steps, strict=True):
            if merged and merged[-1][1] == n * step:
                merged[-1] = (merged[-1][0] * n, step)
            else:
                merged.append((n, step))
        parts: list[str] = []
        below = math.prod(n for n, _ in merged)
        for i, (n, step) in enumerate(merged):
            below //= n
            at = index if below == 1 else f"{index} / {below}"
            at = at if i == 0 else f"{at} % {n}"
            if step:
                parts.append(f"({at})" if step == 1 else f"({at}) * {step}")
        return " + ".join(parts) or "0"

    def _assign(self, call: Call) -> str:
        (result,) = call.results
        kind = arithmetic(result.dtype)
        if call.operation in VIEWS:
            return f"const {kind} {self.names[result]} = {self.names[next(call.operands())]};"
        return f"const {kind} {self.names[result]} = {expression(call, self._name)};"

    # --------------------------------------------------------------------------------------------------------- points

    def _points(self) -> tuple[str, int, int]:
        """Return the body of a kernel that goes through points."""
        group = self.group
        n, axes = group.rows, range(len(group.shape))
        values = [*group.inputs, *group.outputs]
        loads = [x for x in group.inputs if any(self.steps[x])]
        alone = [x for x in group.inputs if not any(self.steps[x])]
        unit = row_major(group.shape)
        contiguous = all(self._is_unit(x, unit) for x in (*loads, *group.outputs)) and n >= 4
        lines = [
            f"const place n = {n}, stride = gridDim.x * (place)blockDim.x;",
            "const place start = blockIdx.x * (place)blockDim.x + threadIdx.x;",
            *(self._load(x, "0") for x in alone),
        ]
        calls = [self._assign(call) for call in group.calls]
        done = "0"
        if contiguous:
            checks = " && ".join(
                f"is_aligned({self._array(x)}, {4 * self._bytes(x)})" for x in values if x not in alone
            )
            lines += [f"const place fours = {checks} ? n / 4 : 0;", "for (place i = start; i < fours; i += stride) {"]
            for x in (*loads, *group.outputs):
                kind = f"four<{MEMORY[x.dtype.name]}>"
                read = f" = (({'const '}{kind}*){self._array(x)})[i]" if x in loads else ""
                lines.append(f"    {kind} {self._array(x)}_4{read};")
            lines += ["    #pragma unroll", "    for (int k = 0; k < 4; ++k) {"]
            lines += [f"        {self._element(x, f'{self._array(x)}_4.at[k]')}" for x in loads]
            lines += [f"        {line}" for line in calls]
            lines += [f"        {self._array(x)}_4.at[k] = {self.names[x]};" for x in group.outputs]
            lines += ["    }"]
            for x in group.outputs:
                lines.append(f"    ((four<{MEMORY[x.dtype.name]}>*){self._array(x)})[i] = {self._array(x)}_4;")
            lines += ["}"]
            done = "4 * fours"
        lines += [f"for (place i = {done} + start; i < n; i += stride) {{"]
        lines += [f"    {self._load(x, self._offset(x, axes, 'i'))}" for x in loads]
        lines += [f"    {line}" for line in calls]
        lines += [f"    {self._array(x)}[{self._offset(x, axes, 'i')}] = {self.names[x]};" for x in group.outputs]
        lines += ["}"]
        work = -(-n // 4) if contiguous else n
        return _indented(lines), THREADS, -(-work // THREADS)

    def _is_unit(self, value: Value, unit: Sequence[int]) -> bool:
        return all(n == 1 or a == b for n, a, b in zip(self.group.shape, self.steps[value], unit, strict=True))

    def _bytes(self, value: Value) -> int:
        return max(value.dtype.bits // 8, 1)

    def _load(self, value: Value, offset: str) -> str:
        return self._element(value, f"{self._array(value)}[{offset}]")

    def _element(self, value: Value, place: str) -> str:
        return f"const {arithmetic(value.dtype)} {self.names[value]} = {place};"

    # ----------------------------------------------------------------------------------------------------------- rows

    def _rows(self) -> tuple[str, int, int]:
        """Return the body of a kernel that goes through rows, once for each level."""
        group = self.group
        n, width = group.rows, group.width
        lanes = self._lanes()
        lines = [
            f"const place rows = {n}, at_once = blockDim.x / {lanes}, stride = gridDim.x * at_once;",
            f"const int lane = threadIdx.x % {lanes};",
            f"for (place r = blockIdx.x * at_once + threadIdx.x / {lanes}; r < rows; r += stride) {{",
        ]
        outer = range(len(group.shape) - group.columns)
        inner: list[str] = []
        for x in (*group.inputs, *group.outputs):
            kind = ("const " if x not in self.makers else "") + MEMORY[x.dtype.name]
            inner.append(f"{kind}* const row_{self.names[x]} = {self._array(x)} + ({self._offset(x, outer, 'r')});")
        inner += [self._element(x, f"*row_{self.names[x]}") for x in group.inputs if group.is_per_row(x)]
        for level in range(max(group.levels) + 1):
            inner += [line for call in self._calls(level, per_row=True) for line in self._per_row(call, lanes)]
            inner += self._sweep(level, lanes, width)
        lines += [f"    {line}" for line in inner]
        lines += ["}"]
        return _indented(lines), THREADS, -(-n * lanes // THREADS)

    def _lanes(self) -> int:
        """Return how many threads share a row."""
        group = self.group
        read = [self.steps[x] for x in group.inputs if not group.is_per_row(x)]
        across = [s for s in read if s[-1] != 1 and 1 in s]
        if across and len(across) == len(read):
            return 1
        return THREADS if group.width >= LONG else WARP

    def _calls(self, level: int, *, per_row: bool) -> list[Call]:
        """Return the calls of a level whose results are the same along the row, or the reductions among the others."""
        return [
            call
            for call, own in zip(self.group.calls, self.group.levels, strict=True)
            if own == level and self._is_swept(call) is not per_row and self.group.is_per_row(call.results[0])
        ]

    def _is_swept(self, call: Call) -> bool:
        """Whether a call is a reduction of what is gone through in a sweep."""
        if call.operation == PICK:
            return next(call.operands()) in self.makers
        return call.operation in REDUCTIONS

    def _per_row(self, call: Call, lanes: int) -> list[str]:
        (result,) = call.results
        if call.operation == PICK:
            x, at = call.operands()
            column = f"({self._column(at)})"
            columns = range(len(self.group.shape) - self.group.columns, len(self.group.shape))
            line = self._element(result, f"row_{self.names[x]}[{self._offset(x, columns, column)}]")
        else:
            line = self._assign(call)
        return [line, *self._store_row(result)]

    def _store_row(self, value: Value) -> list[str]:
        if value not in self.group.outputs:
            return []
        return [f"if (lane == 0) *row_{self.names[value]} = {self.names[value]};"]

    def _column(self, at: Value) -> str:
        name = self.names[at]
        return f"(place){name} < 0 ? (place){name} + {self.group.width} : (place){name}"

    def _sweep(self, level: int, lanes: int, width: int) -> list[str]:
        """Return the lines of one pass through a row: what a level reduces, and what it writes."""
        group = self.group
        reductions = self._calls(level, per_row=False)
        stored = [x for x in group.outputs if not group.is_per_row(x) and self.levels[x] == level]
        if not reductions and not stored:
            return []
        before = [
            f"{arithmetic(call.results[0].dtype)} part_{self._result(call)} = {self._start(call)};"
            for call in reductions
        ]
        columns = range(len(group.shape) - group.columns, len(group.shape))
        needed = self._needed([*stored, *(next(call.operands()) for call in reductions)])
        body = [self._load_column(x, columns) for x in group.inputs if x in needed and not group.is_per_row(x)]
        body += [self._assign(call) for call in group.calls if call.results[0] in needed]
        body += [self._accumulate(call) for call in reductions]
        body += [f"row_{self.names[x]}[{self._offset(x, columns, 'j')}] = {self.names[x]};" for x in stored]
        after = [line for call in reductions for line in self._combined(call, lanes)]
        loop = f"for (place j = lane; j < {width}; j += {lanes}) {{"
        return [*before, loop, *(f"    {line}" for line in body), "}", *after]

    def _load_column(self, value: Value, columns: range) -> str:
        return self._element(value, f"row_{self.names[value]}[{self._offset(value, columns, 'j')}]")

    def _needed(self, values: Iterable[Value]) -> set[Value]:
        """Return what has to be computed or read at a point for some values, which are not the same along the row."""
        found: set[Value] = set()
        waiting = list(values)
        while waiting:
            x = waiting.pop()
            if x not in found and not self.group.is_per_row(x):
                found.add(x)
                waiting += self.makers[x].operands() if x in self.makers else ()
        return found

    def _result(self, call: Call) -> str:
        return self.names[call.results[0]]

    def _start(self, call: Call) -> str:
        dtype = call.results[0].dtype
        neutral = {"max": lowest(dtype), "min": highest(dtype), "prod": number(1, dtype), "all": "true"}
        return neutral.get(call.operation, number(0, dtype))

    def _accumulate(self, call: Call) -> str:
        operands, part = list(call.operands()), f"part_{self._result(call)}"
        x = self.names[operands[0]]
        if call.operation == PICK:
            return f"if (j == ({self._column(operands[1])})) {part} = {x};"
        kind = arithmetic(call.results[0].dtype)
        return f"{part} = {COMBINE.get(call.operation, 'Sum')}()({part}, ({kind}){x});"

    def _combined(self, call: Call, lanes: int) -> list[str]:
        (result,), part = call.results, f"part_{self._result(call)}"
        if call.operation == PICK:
            column = self._column(list(call.operands())[1])
            found = f"from_lane<{lanes}>({part}, (int)(({column}) % {lanes}))"
        else:
            found = f"together<{lanes}>({part}, {COMBINE.get(call.operation, 'Sum')}())"
        if call.operation == "mean":
            found = f"{found} / {next(call.operands()).size // result.size}"
        line = f"const {arithmetic(result.dtype)} {self.names[result]} = {rounded(found, result.dtype)};"
        return [line, *self._store_row(result)]


def _indented(lines: Iterable[str]) -> str:
    return "".join(f"    {line}\n" for line in lines)
