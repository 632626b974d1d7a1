"""A computation as data: values, the calls that make them, and what goes in and comes out.

Nothing here is of any array library. Operations have the names of the standard's functions and of deepcore's own
(:data:`deepcore._primitive.registry`), data types are deepcore's, and shapes are fixed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._tracing import Number
from ._picture import drawn, program_picture

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from .._device import Device
    from .._dtype import DType
    from .._typing import Raw, Shape
    from ._picture import Drawing


@dataclass(eq=False, slots=True)
class Value:
    """An array that goes in, is constant, or is computed.

    Attributes
    ----------
    shape, dtype
        Those of the array.
    name
        What drawings and messages call it, where it has a name: an argument or a parameter.
    """

    shape: Shape
    dtype: DType
    name: str = ""

    @property
    def size(self) -> int:
        """The number of elements."""
        size = 1
        for length in self.shape:
            size *= length
        return size

    @property
    def nbytes(self) -> int:
        """The number of bytes of the elements."""
        return self.size * max(self.dtype.bits, 8) // 8

    @property
    def kind(self) -> str:
        """The data type and the shape in a word: ``float32[50,784]``."""
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


@dataclass(eq=False, slots=True)
class Call:
    """The call of an operation.

    Attributes
    ----------
    operation
        Its name.
    arguments
        What it is given by position: values, numbers, Python objects, and sequences of these.
    parameters
        What it is given by name.
    results
        The values it computes.
    where
        The line of the user's program that asked for it.
    layer
        The path and the kind of the layer that it is part of, where that is known.
    recomputed
        Which recomputation (:func:`deepcore.remat`) it is part of, from 1; 0 where it is part of none. What is computed
        again to save memory is not the same call.
    """

    operation: str
    arguments: tuple[Any, ...]
    parameters: dict[str, Any]
    results: tuple[Value, ...]
    where: str = ""
    layer: str = ""
    recomputed: int = 0

    def operands(self) -> Iterator[Value]:
        """Yield the values that it is given."""
        yield from values_in(self.arguments)
        yield from values_in(self.parameters)


@dataclass(eq=False, slots=True)
class Draw:
    """Arrays that are made of the next draw of a generator.

    Attributes
    ----------
    generator
        The generator.
    arrays
        Each value with the function that makes it of the key of the draw.
    """

    generator: Any
    arrays: list[tuple[Value, Callable[[int, int], Raw]]] = field(default_factory=list[Any])


@dataclass(eq=False, slots=True)
class Program:
    """What a computation does, for fixed shapes.

    Attributes
    ----------
    device
        Where it computes.
    inputs
        The values that are given to it, in order.
    draws
        The draws of random numbers that it begins with, in order.
    constants
        The arrays that stay the same.
    calls
        What it does, in order.
    outputs
        The values that it gives, in order; one may be an input or a constant.
    left
        The numbers of the host, as they are after a run, that it gives after the outputs.
    n_state
        How many of the inputs, the first ones, are state.
    updates
        The outputs that are the state of the next run, by position, each with the position of the input that it is
        then.
    initial
        The arrays that state had when it was recorded, where the program is that of a function that was not compiled.
    eager
        Whether it runs between operations that are no part of it. Then each of its operations is rounded by itself, as
        theirs are.
    """

    device: Device
    inputs: list[Value] = field(default_factory=list[Value])
    draws: list[Draw] = field(default_factory=list[Draw])
    constants: dict[Value, Raw] = field(default_factory=dict[Value, Any])
    calls: list[Call] = field(default_factory=list[Call])
    outputs: list[Value] = field(default_factory=list[Value])
    left: list[Any] = field(default_factory=list[Any])
    n_state: int = 0
    updates: list[tuple[int, int]] = field(default_factory=list[Any])
    initial: dict[Value, Raw] = field(default_factory=dict[Value, Any])
    eager: bool = False

    def numbers(self) -> list[Number]:
        """Return the numbers that Python computes before every run, each once."""
        found = {id(x): x for x in self.left if isinstance(x, Number)}
        for call in self.calls:
            for part in (call.arguments, call.parameters):
                for x in leaves_of(part):
                    if isinstance(x, Number):
                        found[id(x)] = x
        return list(found.values())

    def __str__(self) -> str:
        return written(self)

    def svg(self, path: str | os.PathLike[str] | None = None) -> Drawing:
        """Return the program drawn as an SVG image, and write it to a file, if one is given.

        Raises
        ------
        StorageError
            If the file cannot be written.
        """
        drawing = drawn(program_picture(self))
        if path is not None:
            drawing.save(path)
        return drawing

    def _repr_svg_(self) -> str:
        return str(self.svg())


def leaves_of(part: Any) -> Iterator[Any]:
    """Yield everything in the argument of a call that is no container."""
    if isinstance(part, (list, tuple)):
        for x in part:
            yield from leaves_of(x)
    elif isinstance(part, dict):
        for x in part.values():
            yield from leaves_of(x)
    elif isinstance(part, slice):
        yield from (part.start, part.stop, part.step)
    else:
        yield part


def values_in(part: Any) -> Iterator[Value]:
    """Yield the values in the argument of a call."""
    return (x for x in leaves_of(part) if isinstance(x, Value))


def mapped(part: Any, function: Callable[[Any], Any]) -> Any:
    """Return the argument of a call with a function applied to everything that is no container."""
    if isinstance(part, (list, tuple)):
        items = [mapped(x, function) for x in part]
        return type(part)(*items) if hasattr(part, "_fields") else type(part)(items)
    if isinstance(part, dict):
        return {key: mapped(x, function) for key, x in part.items()}
    if isinstance(part, slice):
        return slice(*(mapped(x, function) for x in (part.start, part.stop, part.step)))
    return function(part)


def written(program: Program) -> str:
    """Return a program as text: a line for each input, draw, constant and call."""
    names: dict[Value, str] = {}

    def name(value: Value) -> str:
        return names.setdefault(value, f"%{len(names)}")

    def label(value: Value) -> str:
        return f"{name(value)}: {value.kind}"

    def text(part: Any) -> str:
        if isinstance(part, Value):
            return name(part)
        if isinstance(part, slice):
            ends = ["" if x is None else text(x) for x in (part.start, part.stop)]
            return ":".join(ends if part.step is None else [*ends, text(part.step)])
        if isinstance(part, (list, tuple)):
            return f"({', '.join(map(text, part))})"
        if isinstance(part, Number):
            return f"<{part.value:.4g}>"
        return "..." if part is ... else str(part)

    lines = [f"input {label(value)}{f'  # {value.name}' if value.name else ''}" for value in program.inputs]
    lines += [f"draw {label(value)}" for draw in program.draws for value, _ in draw.arrays]
    lines += [f"constant {label(value)}" for value in program.constants]
    for call in program.calls:
        arguments = [*map(text, call.arguments), *(f"{key}={text(x)}" for key, x in call.parameters.items())]
        lines.append(f"{', '.join(map(label, call.results))} = {call.operation}({', '.join(arguments)})")
    lines.append(f"return {', '.join(map(name, program.outputs))}")
    return "\n".join(lines)
