"""Which numbers of a program follow the number of samples: found by recording it for several, and comparing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import CompileError
from ..graph import Call, Program, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Length:
    r"""A number that follows the number of samples: $a n + b$.

    Attributes
    ----------
    factor
        $a$.
    offset
        $b$.
    """

    factor: int
    offset: int

    def at(self, n: int) -> int:
        """Return the number for n samples."""
        return self.factor * n + self.offset

    def __str__(self) -> str:
        text = "batch" if self.factor == 1 else f"{self.factor}*batch"
        return f"{text}{self.offset:+}" if self.offset else text


@dataclass(frozen=True, slots=True)
class Growing:
    """A constant that has an axis for the samples.

    Attributes
    ----------
    first
        What it is for the first of them, with an axis of length 1.
    step
        What is added from one to the next; None if they are all the same.
    axis
        The axis.
    """

    first: NDArray[Any]
    step: NDArray[Any] | None
    axis: int


@dataclass(slots=True)
class Aligned:
    """A program for any number of samples.

    Attributes
    ----------
    program
        The program for the first number, with a :class:`Length` in place of each number that follows the samples.
    lengths
        The shape of each value, likewise.
    constants
        The constants.
    """

    program: Program
    lengths: dict[Value, tuple[int | Length, ...]] = field(default_factory=dict[Value, Any])
    constants: dict[Value, NDArray[Any] | Growing] = field(default_factory=dict[Value, Any])


def fixed(program: Program) -> Aligned:
    """Return a program for the number of samples that it was recorded for."""
    values = [*program.inputs, *program.constants, *(value for call in program.calls for value in call.results)]
    return Aligned(
        program,
        {value: value.shape for value in values},
        {value: program.device.backend.to_host(array) for value, array in program.constants.items()},
    )


def aligned(programs: Sequence[Program], sizes: Sequence[int]) -> Aligned:
    """Return one program for any number of samples, given those for three numbers.

    Two tell what follows the number of samples, and how; the third confirms it.

    Raises
    ------
    CompileError
        If the programs differ otherwise. The message names the line.
    """
    return _Alignment(programs, sizes).result()


class _Alignment:
    def __init__(self, programs: Sequence[Program], sizes: Sequence[int]) -> None:
        self.programs = programs
        self.sizes = sizes
        self.found = Aligned(programs[0])
        self.partners: dict[Value, tuple[Value, ...]] = {}
        self.where = ""

    def result(self) -> Aligned:
        counts = {len(program.calls) for program in self.programs}
        if len(counts) > 1:
            self._refuse(f"it has {' or '.join(map(str, sorted(counts)))} calls")
        for values in zip(*(program.inputs for program in self.programs), strict=True):
            self._introduce(values)
        calls = [self._call(calls) for calls in zip(*(program.calls for program in self.programs), strict=True)]
        self.where = ""
        for outputs in zip(*(program.outputs for program in self.programs), strict=True):
            self._same(outputs, "an output")
        self.found.program = replace(self.programs[0], calls=calls)
        return self.found

    def _introduce(self, values: tuple[Value, ...]) -> None:
        if len({len(value.shape) for value in values}) > 1:
            self._refuse(f"{values[0].name or 'a value'} has another number of axes")
        shapes = zip(*(value.shape for value in values), strict=True)
        self.partners[values[0]] = values
        self.found.lengths[values[0]] = tuple([self._number(lengths, "a length") for lengths in shapes])

    def _call(self, calls: tuple[Call, ...]) -> Call:
        call = calls[0]
        self.where = "".join([f" in {call.layer}" if call.layer else "", f" at {call.where}" if call.where else ""])
        names = {c.operation for c in calls}
        if len(names) > 1 or len({len(c.results) for c in calls}) > 1:
            self._refuse(f"it calls {' or '.join(sorted(names))}")
        arguments = self._same(tuple([c.arguments for c in calls]), f"an argument of {call.operation}")
        parameters = self._same(tuple([c.parameters for c in calls]), f"a parameter of {call.operation}")
        for values in zip(*(c.results for c in calls), strict=True):
            self._introduce(values)
        return replace(call, arguments=arguments, parameters=parameters)

    def _same(self, parts: tuple[Any, ...], what: str) -> Any:
        """Return what is in the same place of all programs."""
        first = parts[0]
        if any(type(part) is not type(first) for part in parts):
            self._refuse(f"{what} is {' or '.join(type(part).__name__ for part in parts)}")
        if isinstance(first, Value):
            return self._value(parts, what)
        if isinstance(first, dict):
            return {key: self._same(tuple([part.get(key) for part in parts]), f"{what}, {key},") for key in first}
        if isinstance(first, slice):
            ends = [tuple([getattr(part, end) for part in parts]) for end in ("start", "stop", "step")]
            return slice(*(self._same(end, what) for end in ends))
        if isinstance(first, (list, tuple)):
            if len({len(part) for part in parts}) > 1:
                self._refuse(f"{what} has {' or '.join(str(len(part)) for part in parts)} entries")
            items = [self._same(tuple(column), what) for column in zip(*parts, strict=True)]
            return items if isinstance(first, list) else tuple(items)
        if type(first) is int:
            return self._number(parts, what)
        if any(part != first for part in parts):
            self._refuse(f"{what} is {' or '.join(str(part) for part in parts)}")
        return first

    def _number(self, numbers: tuple[int, ...], what: str) -> int | Length:
        (x, y, z), (n, m, k) = numbers, self.sizes
        if x == y == z:
            return x
        factor = (y - x) // (m - n)
        length = Length(factor, x - factor * n)
        if (length.at(m), length.at(k)) != (y, z):
            self._refuse(f"{what} is {x}, {y} and {z}, which is no multiple of the number of samples")
        return length

    def _value(self, values: tuple[Value, ...], what: str) -> Value:
        first = values[0]
        if first not in self.partners:
            self._constant(values)
        if any(a is not b for a, b in zip(self.partners[first], values, strict=True)):
            self._refuse(f"{what} is another value")
        return first

    def _constant(self, values: tuple[Value, ...]) -> None:
        if any(value not in program.constants for value, program in zip(values, self.programs, strict=True)):
            self._refuse("a value is constant, and is not")
        self._introduce(values)
        backend = self.programs[0].device.backend
        arrays = [backend.to_host(p.constants[value]) for value, p in zip(values, self.programs, strict=True)]
        lengths = self.found.lengths[values[0]]
        axes = [i for i, length in enumerate(lengths) if isinstance(length, Length)]
        if not axes:
            if any(not np.array_equal(arrays[0], array, equal_nan=array.dtype.kind == "f") for array in arrays):
                self._refuse(f"a constant of shape {values[0].shape} has other elements")
            self.found.constants[values[0]] = arrays[0]
            return
        self.found.constants[values[0]] = self._growing(arrays, axes)

    def _growing(self, arrays: list[NDArray[Any]], axes: list[int]) -> Growing:
        """Return what a constant is for any number of samples: the same for all of them, or in equal steps."""
        axis, array = axes[0], arrays[-1]
        first = array.take([0], axis=axis)
        step: Any = None
        if array.shape[axis] > 1 and not (array == first).all():
            step = array.take([1], axis=axis) - first
        for found in arrays:
            count = np.arange(found.shape[axis]).reshape((-1,) + (1,) * (found.ndim - axis - 1))
            expected = first if step is None else first + count * step
            if len(axes) > 1 or not np.array_equal(np.broadcast_to(expected, found.shape), found):
                self._refuse(f"a constant of shape {found.shape} follows it in no simple way")
        return Growing(first, step, axis)

    def _refuse(self, why: str) -> None:
        first, last = ", ".join(map(str, self.sizes[:-1])), self.sizes[-1]
        msg = (
            f"the program is not the same for {first} and {last} samples{self.where}: {why}. "
            "Write it in terms of x.shape[0], or export with dynamic_batch=False"
        )
        raise CompileError(msg)
