"""Programs on preallocated arrays: what is computed is written where it stays, and views cost nothing.

A layout decides once where each value of a program is. State (parameters, moments, gradients) has arrays of its own,
which are written in place; values in between share memory when their lives do not overlap; reshapes, slices and
transposes of all these are views that are made once; and a vector that is put together of several arrays is where
these are computed in the first place. What is left to do in a run is a line of Python for each computation.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from functools import partial
from itertools import pairwise
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deepcore._tracing import Number
from deepcore.graph.replay import Source
from deepcore.graph.roofline import timed

from ._blocks import PARALLEL, over_elements
from ._chain import Chain, chains
from ._layout import Layout
from ._prepared import prepared
from ._writers import REDUCTIONS, UFUNCS, WRITERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deepcore.graph.program import Call, Program, Value

_OPTIONS: Final = (("axis", None), ("keepdims", False))
"""The parameters of reductions."""


class Executor:
    """A program on arrays of its own.

    State that it has written stays in these arrays, and is overwritten by the next run. Whoever finds that somebody
    holds them calls :meth:`move` before.

    Parameters
    ----------
    program
        The program.

    Attributes
    ----------
    kept
        The arrays in which state is kept, and their memory.
    """

    kept: list[Any]
    writes_in_place = True

    def __init__(self, program: Program) -> None:
        self.program = program
        self.move()

    def move(self) -> None:
        """Leave the arrays to whoever holds them, and go on with new ones."""
        self.layout = self._layout()
        self._run = self._function()
        homes = [*self.layout.outputs.values(), *(home for _, home in self.layout.state)]
        memory = {id(home.base): home.base for home in homes if home.base is not None}
        self.kept = [*homes, *memory.values()]

    @property
    def homes(self) -> dict[int, Any]:
        """The arrays in which state is kept, by the positions of the outputs that it is."""
        return self.layout.outputs

    def filled(self, i: int, value: Any) -> Any:
        """Return the array in which some state is kept, with a value in it."""
        home = self.layout.outputs[i]
        np.copyto(home, value)
        return home

    def stand_in(self, i: int) -> Any:
        """Return an array that looks like the one in which some state is kept, and takes no memory."""
        home = self.layout.outputs[i]
        return np.broadcast_to(np.zeros((), home.dtype), home.shape)

    def __call__(self, inputs: Sequence[Any]) -> Sequence[Any]:
        """Run the program: state comes back in the arrays in which it is kept, results in new ones."""
        for i, home in self.layout.state:
            if inputs[i] is not home:
                np.copyto(home, inputs[i])
        outputs: Sequence[Any] = self._run(inputs)
        return outputs

    def profile(
        self, program: Program, inputs: Sequence[Any], runs: int
    ) -> tuple[float, list[tuple[list[Call], float]]]:
        """Return the median of the seconds of a number of runs, and the calls of each kernel, with those of theirs.

        They run on arrays of their own, and draw from the generators of a program that is otherwise this one.
        """
        own = copy(self)  # with the code that there is
        own.program = replace(self.program, draws=program.draws)
        own.move()
        own(inputs)
        seconds = timed(lambda: own(inputs), lambda: None, runs)
        kernels: list[list[Call]] = []
        times: list[float] = []
        own._run = own._function(kernels.append, lambda: times.append(perf_counter()))
        found: list[list[float]] = []
        for _ in range(runs + 1):
            times.clear()
            own(inputs)
            found.append([after - before for before, after in pairwise(times)])
        return seconds, [(calls, median(times)) for calls, *times in zip(kernels, *found[1:], strict=True)]

    def _layout(self) -> Layout:
        return Layout(self.program)

    def _function(
        self, note: Callable[[list[Call]], None] | None = None, mark: Callable[[], None] | None = None
    ) -> Any:
        """Return the function that runs the program.

        Parameters
        ----------
        note, mark
            Where its parts are to be timed: what to tell the calls of each part that costs something, in order, and
            what to call before the first of them and after each.
        """
        program, layout = self.program, self.layout
        source = Source(program, layout.arrays)
        source.begin()
        source.lines += [f"{source.names[x]} = {source.constant(new, 'r')}()" for x, new in layout.results.items()]
        parts = self._parts(source, apart=note is not None)
        ticks = [] if note is None else ["mark()"]
        source.lines += ticks
        for calls, write_part in parts:
            before = len(source.lines)
            write_part()
            if note is not None and len(source.lines) > before:  # what is in its place already costs nothing
                note(calls)
                source.lines += ticks
        kept = layout.outputs
        moved = {i: home for i, home in kept.items() if layout.arrays.get(program.outputs[i]) is not home}
        for i in moved:  # all are read before one is written: two may change places
            source.lines.append(f"t{i} = copied({source.text(program.outputs[i])})")
        source.lines += [f"copyto({source.constant(home, 'a')}, t{i})" for i, home in moved.items()]
        texts = [
            source.constant(kept[i], "a") if i in kept else text if layout.is_given(value) else f"copied({text})"
            for i, value in enumerate(program.outputs)
            for text in [source.text(value)]
        ]
        source.lines.append(f"return [{', '.join([*texts, *map(source.text, program.left)])}]")
        return source.function("inputs", copyto=np.copyto, copied=np.array, mark=mark)

    def _parts(self, source: Source, *, apart: bool) -> list[tuple[list[Call], Callable[[], None]]]:
        """Return the parts of the program, in order: the calls of each, and what writes its lines.

        Parameters
        ----------
        source
            Where the lines go. What is needed before all parts is written now.
        apart
            Whether parts that could be one are wanted by themselves.
        """
        layout = self.layout
        computed = [
            call
            for call in self.program.calls
            if not all(value in layout.arrays and layout.is_view(call) for value in call.results)
        ]
        found = chains(replace(self.program, calls=computed), layout.arrays, layout.results)
        return [
            (calls, partial(write, source, calls[0], layout))
            if len(calls) == 1
            else (calls, partial(_write_chain, source, calls, self._kept(calls)))
            for calls in found
        ]

    def _kept(self, chain: Sequence[Call]) -> set[Value]:
        """Return the results of a chain that are read by other calls, or by whoever called."""
        inside = set(map(id, chain))
        read = {self.layout.root(x) for x in self.program.outputs}
        read |= {self.layout.root(x) for call in self.program.calls if id(call) not in inside for x in call.operands()}
        return {x for call in chain for x in call.results if x in read}


def _write_chain(source: Source, calls: Sequence[Call], kept: set[Value]) -> None:
    chain = Chain(calls, kept)
    source.lines.append(f"{source.constant(chain, 'k')}({', '.join(map(source.text, chain.given))})")


def write(source: Source, call: Call, layout: Layout) -> None:
    """Write the line for a call."""
    if not all(value in layout.arrays or value in layout.results for value in call.results):
        _call(source, call, layout)
        return
    targets = ", ".join(map(source.text, call.results))
    arguments = ", ".join(map(source.text, call.arguments))
    name = call.operation
    ready = prepared(call, layout.arrays)
    if ready is not None:
        function, given = ready
        numbers = [f"{key}={source.text(x)}" for key, x in call.parameters.items() if isinstance(x, Number)]
        source.lines.append(f"{source.constant(function, 'k')}({', '.join([*map(source.text, given), *numbers])})")
    elif name == "concat":
        _concatenate(source, call, layout)
    elif name in UFUNCS and call.results[0].size >= PARALLEL:
        several = partial(over_elements, UFUNCS[name])
        source.lines.append(f"{source.constant(several, 'k')}({arguments}, {targets})")
    elif name in UFUNCS:
        into = "out=" if name in ("maximum", "minimum") else ""  # NumPy deprecates their third positional argument
        source.lines.append(f"{source.constant(UFUNCS[name], 'k')}({arguments}, {into}{targets})")
    elif name == "matmul":
        source.lines.append(f"{source.constant(np.matmul, 'k')}({arguments}, {targets})")
    elif name in REDUCTIONS:
        axis, keepdims = (source.text(call.parameters.get(key, default)) for key, default in _OPTIONS)
        reduction = source.constant(REDUCTIONS[name], "k")
        source.lines.append(f"{reduction}({arguments}, {axis}, None, {targets}, {keepdims})")
    else:
        options = "".join(f", {key}={source.text(x)}" for key, x in call.parameters.items())
        source.lines.append(f"{source.constant(WRITERS[name], 'k')}({targets}, {arguments}{options})")


def _call(source: Source, call: Call, layout: Layout) -> None:
    """Write a call whose results are new arrays. Views are spelled out: a function in between would cost more."""
    name, x = call.operation, source.text(call.arguments[0]) if call.arguments else ""
    (first, *_) = (source.names[value] for value in call.results)
    if name == "getitem" and layout.is_view(call):
        source.lines.append(f"{first} = {x}[{source.text(call.parameters['key'])}]")
    elif name == "matrix_transpose":
        source.lines.append(f"{first} = {x}.mT")
    elif name == "reshape" and not call.parameters:
        source.lines.append(f"{first} = {x}.reshape({source.text(call.arguments[1])})")
    else:
        source.call(call)


def _concatenate(source: Source, call: Call, layout: Layout) -> None:
    for value, place in elsewhere(call, layout):
        source.lines.append(f"copyto({source.constant(place, 'a')}, {source.text(value)})")


def elsewhere(call: Call, layout: Layout) -> list[tuple[Value, Any]]:
    """Return those parts of a concatenation that are not already in their place, each with that."""
    (out,) = (layout.arrays[value] for value in call.results)
    found: list[tuple[Value, Any]] = []
    start = 0
    for value in call.arguments[0]:
        place = out[start : start + value.size]
        start += value.size
        array = layout.arrays.get(value)
        if array is None or array.__array_interface__["data"] != place.__array_interface__["data"]:
            found.append((value, place))
    return found
