"""Passes: each makes a program of a program that computes the same, to the last bit."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from .._backend import composites
from .._dtype import DType
from .._tracing import Number
from .program import Call, Program, Value, leaves_of, mapped
from .trace import NOTHING, Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from .._typing import Raw

ELEMENTARY: Final = frozenset({"getitem", "setitem"})
"""Composites that are written ``x[key]`` and ``x[key] = value``, which a trace records as themselves."""

LARGEST: Final = 2**16
"""The bytes up to which a result of constants alone becomes a constant, where it is not smaller than these."""

LIKE: Final = {"ones_like": 1, "zeros_like": 0}
"""Operations that look at the shape of an array alone, and what they fill it with."""


def cleaned(program: Program) -> Program:
    """Return a program without calls whose results nobody uses, and without constants that nobody reads."""
    needed: set[Value] = set(program.outputs)
    kept: list[Call] = []
    for call in reversed(program.calls):
        if not needed.isdisjoint(call.results):
            kept.append(call)
            needed.update(call.operands())
    constants = {value: array for value, array in program.constants.items() if value in needed}
    return replace(program, calls=kept[::-1], constants=constants)


def folded(program: Program) -> Program:
    """Return a program in which what depends on constants alone, or on shapes alone, is constant.

    The kernels of the device compute it, now instead of in every run. Large arrays are left to be computed, as memory
    that is read costs more, and so are outputs, which have to be new arrays in every run.
    """
    device, constants = program.device, dict(program.constants)
    calls: list[Call] = []
    outputs = set(program.outputs)

    def given(x: Any) -> Any:
        if isinstance(x, DType):
            return device.backend.raw_dtype(x)
        return constants[x] if isinstance(x, Value) else x

    def is_constant(call: Call) -> bool:
        leaves = list(leaves_of((call.arguments, call.parameters)))
        if any(isinstance(x, Number) or (isinstance(x, Value) and x not in constants) for x in leaves):
            return False
        largest = max((x.nbytes for x in leaves if isinstance(x, Value)), default=0)
        return all(x is not NOTHING and x.nbytes <= max(LARGEST, largest) for x in call.results)

    with warnings.catch_warnings(), device.current:
        warnings.simplefilter("ignore")  # a quotient by 0 warned when it was recorded
        for call in program.calls:
            name = call.operation
            if name == "empty_like" or not outputs.isdisjoint(call.results):
                calls.append(call)
            elif name in LIKE and call.results[0].nbytes <= LARGEST:
                (x,) = call.results
                dtype = device.backend.raw_dtype(x.dtype)
                constants[x] = device.kernels.full(x.shape, LIKE[name], dtype=dtype, device=device.raw)
            elif is_constant(call):
                arguments, parameters = mapped((call.arguments, call.parameters), given)
                found = device.kernels[name](*arguments, **parameters)
                constants.update(zip(call.results, found if isinstance(found, (list, tuple)) else [found], strict=True))
            else:
                calls.append(call)
    return cleaned(replace(program, calls=calls, constants=constants))


def shared(program: Program) -> Program:
    """Return a program that computes nothing twice: common subexpressions are one call.

    Calls are the same if they are of one operation with the same operands and parameters. Arrays of random numbers are
    inputs of a program, and no call has an effect; only what is recomputed in order to save memory stays apart. Every
    output stays a value of its own.
    """
    known: dict[Any, Call] = {}
    same: dict[Value, Value] = {}
    outputs = set(program.outputs)
    calls: list[Call] = []

    def now(x: Any) -> Any:
        return same.get(x, x) if isinstance(x, Value) else x

    for before in program.calls:
        arguments, parameters = mapped((before.arguments, before.parameters), now)
        call = replace(before, arguments=arguments, parameters=parameters)
        key = (call.operation, call.recomputed, _key(arguments), _key(parameters))
        first = known.setdefault(key, call)
        if first is call or call.operation == "empty_like" or not outputs.isdisjoint(call.results):
            calls.append(call)
        else:
            same.update(zip(call.results, first.results, strict=True))
    return replace(program, calls=calls)


def _key(part: Any) -> Any:
    """Return what tells an argument from others. Equal numbers may be different: 1, 1.0 and True, or 0.0 and -0.0."""
    if isinstance(part, (list, tuple)):
        return (type(part), *map(_key, part))
    if isinstance(part, dict):
        return tuple((name, _key(part[name])) for name in sorted(part))
    if isinstance(part, slice):
        return (slice, _key(part.start), _key(part.stop), _key(part.step))
    if isinstance(part, (bool, int, float, complex, str)):
        return (type(part), repr(part))
    return part if part is None or part is ... else id(part)


def simplified(program: Program) -> Program:
    """Return the program that a compiled function runs: what can be computed once is, and what recurs is shared."""
    return shared(folded(program))


def expanded(program: Program, *, keep: Container[str] | Callable[[Call], bool] = ()) -> Program:
    """Return a program in which calls of deepcore's own operations are the calls that these are made of.

    A composite has a body in terms of the standard. It is recorded on arrays of the shapes of the call, with values of
    no meaning. What a body makes of constants alone is a constant.

    Parameters
    ----------
    program
        The program.
    keep
        The operations that stay single calls: their names, or a function of a call that says whether it stays.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import graph
    >>> program = graph.traced(dc.silu, dc.ones(3))
    >>> print(graph.expanded(program, keep={"sigmoid"}))
    input %0: float32[3]  # x
    %1: float32[3] = sigmoid(%0)
    %2: float32[3] = multiply(%0, %1)
    return %2
    """
    expansion = _Expansion(program, keep if callable(keep) else lambda call: call.operation in keep)
    return cleaned(expansion.result())


class _Expansion:
    """An expansion under way."""

    def __init__(self, program: Program, keep: Callable[[Call], bool]) -> None:
        self.program = program
        self.keep = keep
        self.constants = dict(program.constants)
        self.calls: list[Call] = []
        self.known: dict[Value, Value] = {}  # the results of calls that were expanded

    def result(self) -> Program:
        for call in self.program.calls:
            self._add(call)
        outputs = [self._now(value) for value in self.program.outputs]
        return replace(self.program, calls=self.calls, constants=self.constants, outputs=outputs)

    def _now(self, x: Any) -> Any:
        return self.known.get(x, x) if isinstance(x, Value) else x

    def _add(self, call: Call) -> None:
        name = call.operation
        stays = name in ELEMENTARY or name not in composites or self.keep(call)
        call = replace(call, arguments=mapped(call.arguments, self._now), parameters=mapped(call.parameters, self._now))
        if stays:
            self.calls.append(call)
            return
        inside, results = self._body(call)
        for part in inside:
            self._add(replace(part, where=call.where, layer=call.layer))
        for before, after in zip(call.results, results, strict=True):
            if before is NOTHING:
                continue
            self.known[before] = now = self._summed(self._now(after), before, call)
            now.name = now.name or before.name

    def _summed(self, value: Value, wanted: Value, call: Call) -> Value:
        """Return a value in the shape wanted: some kernels sum cotangents that others leave to be summed."""
        if value.shape == wanted.shape:
            return value
        padded = (1,) * (len(value.shape) - len(wanted.shape)) + tuple(wanted.shape)
        axes = tuple(i for i, n in enumerate(padded) if n != value.shape[i])
        total, result = Value(padded, value.dtype), Value(wanted.shape, value.dtype)
        self.calls += [
            Call("sum", (value,), {"axis": axes, "keepdims": True}, (total,), call.where, call.layer),
            Call("reshape", (total, wanted.shape), {}, (result,), call.where, call.layer),
        ]
        return result

    def _body(self, call: Call) -> tuple[list[Call], list[Value]]:
        """Return the calls that a call is made of, and their results."""
        device = self.program.device
        trace = Trace(device, of_shapes=True)
        wrapped: dict[Value, Any] = {}
        outside: dict[Value, Value] = {}

        def given(x: Any) -> Any:
            if isinstance(x, DType):
                return device.backend.raw_dtype(x)
            if not isinstance(x, Value):
                return x
            if x in self.constants:
                return self.constants[x]
            if x not in wrapped:
                wrapped[x] = trace.input(trace.stand_in(x.shape, self._array(x)))
                outside[trace.program.inputs[-1]] = x
            return wrapped[x]

        with warnings.catch_warnings(), device.current:
            warnings.simplefilter("ignore")  # the values mean nothing
            arguments, parameters = mapped(call.arguments, given), mapped(call.parameters, given)
            found = composites[call.operation](trace.kernels, *arguments, **parameters)
        several = found if isinstance(found, (tuple, list)) else [found]
        results = [NOTHING if x is None else trace.value(x) for x in several]
        known = {id(array): value for value, array in self.constants.items()}
        for value, array in trace.program.constants.items():
            outside[value] = known.get(id(array), value)
            self.constants[outside[value]] = array

        def renamed(x: Any) -> Any:
            return outside.get(x, x) if isinstance(x, Value) else x

        inside = [
            replace(part, arguments=mapped(part.arguments, renamed), parameters=mapped(part.parameters, renamed))
            for part in trace.program.calls
        ]
        return inside, [renamed(x) for x in results]

    def _array(self, value: Value) -> Raw:
        """Return an element like those of a value: a half, at which most functions are defined, or a zero to count."""
        device = self.program.device
        fill: Any = 0.5 if value.dtype.is_inexact else 0
        dtype = device.backend.raw_dtype(value.dtype)
        return device.kernels.full((1,) * len(value.shape), fill, dtype=dtype, device=device.raw)
