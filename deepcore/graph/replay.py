"""The executor that every backend has: the program's calls one after another, each array forgotten after its last use.

The program becomes the source of a Python function, which costs nothing but the calls themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._backend import NOTHING
from .._dtype import DType
from .._tracing import Number
from .program import Program, Value, leaves_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .._typing import Raw
    from .program import Call


class Source:
    """The source of a function that runs a program, and the objects that its names stand for.

    Attributes
    ----------
    lines
        The lines of its body.

    Parameters
    ----------
    program
        The program.
    fixed
        The arrays of values that are in the same place in every run, besides constants.
    """

    def __init__(self, program: Program, fixed: Mapping[Value, Raw] | None = None) -> None:
        self.program = program
        self.lines: list[str] = []
        self.names = {value: f"v{i}" for i, value in enumerate(_values(program))}
        self._objects: dict[str, Any] = {}
        self._of: dict[int, str] = {}
        self._numbers: dict[int, str] = {}
        self._fixed = {**program.constants, **(fixed or {})}

    def constant(self, x: Any, prefix: str = "c") -> str:
        """Return a name that stands for an object."""
        name = self._of.get(id(x))
        if name is None:
            name = self._of[id(x)] = f"{prefix}{len(self._objects)}"
            self._objects[name] = x
        return name

    def begin(self, *, host: bool = True) -> None:
        """Write what comes first: the inputs and, unless the host is elsewhere, its numbers and draws."""
        for i, value in enumerate(self.program.inputs):
            if value not in self._fixed:
                self.lines.append(f"{self.names[value]} = inputs[{i}]")
        if host:
            self.host()

    def host(self) -> None:
        """Write what the host computes before a run: numbers, and arrays of random numbers."""
        for number in self.program.numbers():
            self.number(number)
        for draw in self.program.draws:
            self.lines.append(f"seed, draw = {self.constant(draw.generator, 'g')}._next()")
            for value, produce in draw.arrays:
                self.lines.append(f"{self.names[value]} = {self.constant(produce, 'f')}(seed, draw)")

    def take(self, numbers: Sequence[Number]) -> None:
        """Write that numbers and drawn arrays are given, as ``numbers`` and ``arrays``."""
        for i, number in enumerate(numbers):
            self._numbers[id(number)] = f"n{i}"
            self.lines.append(f"n{i} = numbers[{i}]")
        drawn = [value for draw in self.program.draws for value, _ in draw.arrays]
        self.lines += [f"{self.names[value]} = arrays[{i}]" for i, value in enumerate(drawn)]

    def number(self, x: Any) -> str:
        """Return the name of a number, and write the line that computes it where there is none yet."""
        if not isinstance(x, Number):
            return self.constant(x)
        if id(x) not in self._numbers:
            operands = ", ".join(map(self.number, x.operands))
            self._numbers[id(x)] = f"n{len(self._numbers)}"
            self.lines.append(f"{self._numbers[id(x)]} = {self.constant(x.function, 'f')}({operands})")
        return self._numbers[id(x)]

    def text(self, part: Any) -> str:
        """Return the argument of a call."""
        if isinstance(part, Value):
            return self.constant(self._fixed[part], "a") if part in self._fixed else self.names[part]
        if isinstance(part, (Number, DType)):
            raw_dtype = self.program.device.backend.raw_dtype
            return self.constant(raw_dtype(part), "d") if isinstance(part, DType) else self._numbers[id(part)]
        if not any(isinstance(x, (Value, Number, DType)) for x in leaves_of(part)):
            return repr(part) if type(part) in (int, bool, str, type(None)) else self.constant(part)
        if isinstance(part, dict):
            return f"{{{', '.join(f'{key!r}: {self.text(x)}' for key, x in part.items())}}}"
        if isinstance(part, slice):
            return f"slice({self.text(part.start)}, {self.text(part.stop)}, {self.text(part.step)})"
        items = ", ".join(map(self.text, part))
        return f"[{items}]" if isinstance(part, list) else f"({items},)"

    def call(self, call: Call) -> None:
        """Write a call."""
        arguments = [*map(self.text, call.arguments), *(f"{k}={self.text(x)}" for k, x in call.parameters.items())]
        results = ", ".join(self.names[v] for v in call.results)
        targets = results if len(call.results) == 1 else f"({results})"
        kernel = self.constant(self.program.device.kernels[call.operation], "k")
        self.lines.append(f"{targets} = {kernel}({', '.join(arguments)})")

    def function(self, signature: str, **objects: Any) -> Callable[..., Any]:
        """Return the function, whose body knows further objects by their names."""
        text = "\n".join([f"def run({signature}):", *(f"    {line}" for line in self.lines)])
        namespace = {**self._objects, **objects}
        exec(compile(text, "<program>", "exec"), namespace)  # noqa: S102  # made of names that are made here
        run: Callable[..., Any] = namespace.pop("run")  # or each would hold the other, and the arrays
        return run


def replay(program: Program) -> Callable[[Sequence[Raw]], Sequence[Raw]]:
    """Return a function of the inputs that runs the program and gives the outputs."""
    source = Source(program)
    source.begin()
    _write_calls(source, [*program.outputs, *program.left])
    run = source.function("inputs")
    if program.device.current is NOTHING:
        return run

    def on_device(inputs: Sequence[Raw]) -> Sequence[Raw]:
        with program.device.current:
            outputs: Sequence[Raw] = run(inputs)
            return outputs

    return on_device


def parted(program: Program) -> tuple[Callable[[], tuple[Any, Any, Any]], Callable[[Any, Any, Any], Sequence[Raw]]]:
    """Return a program as what the host computes and a pure function, which a library may compile.

    Returns
    -------
    host
        Gives the numbers of the program, its drawn arrays, and the numbers that it leaves.
    pure
        A function of the inputs, the numbers and the drawn arrays that gives the outputs.
    """
    numbers = [
        x for call in program.calls for x in leaves_of((call.arguments, call.parameters)) if isinstance(x, Number)
    ]
    numbers = list({id(number): number for number in numbers}.values())
    host = Source(program)
    host.host()
    drawn = [host.names[value] for draw in program.draws for value, _ in draw.arrays]
    lists = ([host.text(x) for x in numbers], drawn, [host.text(x) for x in program.left])
    host.lines.append("return " + ", ".join(f"[{', '.join(names)}]" for names in lists))
    pure = Source(program)
    pure.begin(host=False)
    pure.take(numbers)
    _write_calls(pure, program.outputs)
    return host.function(""), pure.function("inputs, numbers, arrays")


def _write_calls(source: Source, results: Sequence[Any]) -> None:
    """Write the calls, each value forgotten after its last use, and the results."""
    program = source.program
    last = _last_uses(program)
    for i, call in enumerate(program.calls):
        source.call(call)
        done = [source.names[value] for value in last.get(i, ()) if value not in program.constants]
        if done:
            source.lines.append(f"del {', '.join(done)}")
    source.lines.append(f"return [{', '.join(map(source.text, results))}]")


def _values(program: Program) -> list[Value]:
    found = [*program.inputs, *(value for draw in program.draws for value, _ in draw.arrays)]
    return [*found, *(value for call in program.calls for value in call.results)]


def _last_uses(program: Program) -> dict[int, list[Value]]:
    """Return, by the position of a call, the values that nothing after it uses."""
    seen: set[Value] = set(program.outputs)
    found: dict[int, list[Value]] = {}
    for i in range(len(program.calls) - 1, -1, -1):
        call = program.calls[i]
        for value in dict.fromkeys((*call.operands(), *call.results)):
            if value not in seen:
                seen.add(value)
                found.setdefault(i, []).append(value)
    return found
