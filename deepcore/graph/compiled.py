"""Functions that are recorded once for each kind of arguments, and from then on run as programs."""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from .._device import default_device, device_of
from .._errors import CompileError
from .._tape import is_grad_enabled
from .._tensor import Tensor, make
from .._tracing import Number, current, value_of
from ..ops.creation import asarray
from ..tree import tree_map
from .passes import cleaned
from .program import Program, Value
from .replay import executor
from .state import State, names_of
from .trace import Trace, Traced

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .._device import Device
    from .._typing import Raw
    from ._slots import Slot

P = ParamSpec("P")
R = TypeVar("R")


class _Slot(int):
    """The place of an array in the result of a function."""

    __slots__ = ()


@dataclass(eq=False, slots=True)
class Plan:
    """A program and how a backend runs it, with what the host has to do around it.

    Attributes
    ----------
    program
        The program. Its inputs are the arrays of slots and then those of arguments; its outputs those of slots and then
        those of the result.
    run
        Runs it: a function of the inputs that gives the outputs.
    guards
        Conditions on numbers of the host under which it is right, each with what it has to be.
    arrays
        The slots whose arrays are its inputs.
    written
        The slots whose arrays are its outputs.
    numbers
        The slots that have another number after a run, each with what computes it.
    form
        The result, with the places of arrays.
    """

    program: Program
    run: Callable[[Sequence[Raw]], Sequence[Raw]]
    guards: list[tuple[Callable[[], bool], bool]]
    arrays: list[Slot]
    written: list[Slot]
    numbers: list[tuple[Slot, Any]]
    form: Any

    def applies(self) -> bool:
        """Whether the program is right for the numbers of the host as they are now."""
        return all(condition() == holds for condition, holds in self.guards)

    def __call__(self, arguments: Sequence[Raw], device: Device) -> Any:
        """Run the program, and do what the function did besides."""
        numbers = [(slot, value.compute() if isinstance(value, Number) else value) for slot, value in self.numbers]
        outputs = self.run([*[slot.get() for slot in self.arrays], *arguments])
        for slot, raw in zip(self.written, outputs, strict=False):
            slot.put(raw)
        for slot, number in numbers:
            slot.put(number)
        results = outputs[len(self.written) :]
        return tree_map(lambda x: make(results[x], device) if isinstance(x, _Slot) else x, self.form, model=_itself)


class Compiled(Generic[P, R]):
    """A compiled function: see :func:`compile`.

    Attributes
    ----------
    plans
        The plans so far, by what they are for.
    """

    def __init__(self, function: Callable[P, R], *, state: Sequence[Any] = (), fallback: bool = False) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.fallback = fallback
        self.plans: dict[Any, list[Plan]] = {}
        self._roots = [function, *state]
        self._warned = False

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function: as a program where there is one, and otherwise to record one."""
        if current.get() is not None:
            return self.function(*args, **kwargs)  # within another function that is being recorded
        arguments: list[Tensor] = []
        form = tree_map(lambda x: self._taken(x, arguments), (args, kwargs), model=_itself)
        state = State([*self._roots, form])
        device = arguments[0].device if arguments else state.device or default_device()
        key = (
            _hashable(form),
            tuple([(x._device, tuple(x._data.shape), x._data.dtype) for x in arguments]),
            state.structure(),
            state.mode(),
            is_grad_enabled(),
        )
        for plan in self.plans.get(key, ()):
            if plan.applies():
                result: R = plan([x._data for x in arguments], device)
                return result
        try:
            return self._traced(form, arguments, state, device, key)
        except CompileError:
            if not self.fallback:
                raise
            self._warn()
            return self.function(*args, **kwargs)

    @property
    def program(self) -> Program:
        """The program that was recorded last."""
        plans = [plan for found in self.plans.values() for plan in found]
        if not plans:
            msg = f"{names_of(self.function)} has not been called yet; its program depends on the shapes of arguments"
            raise CompileError(msg)
        return plans[-1].program

    graph = program

    def _taken(self, x: Any, arguments: list[Tensor]) -> Any:
        """Return an argument with tensors replaced by their places; arrays of other libraries become tensors."""
        if not isinstance(x, Tensor):
            if device_of(x) is None or not hasattr(x, "shape"):
                return x
            x = asarray(x)
        arguments.append(x)
        return _Slot(len(arguments) - 1)

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"{names_of(self.function)} cannot be compiled, and runs as it is written",
                RuntimeWarning,
                stacklevel=3,
            )

    def _traced(self, form: Any, arguments: list[Tensor], state: State, device: Device, key: Any) -> R:
        """Run the function once, and record what it did."""
        recording = _Recording(Trace(device), state, self._roots)
        try:
            result = recording.run(self.function, form, arguments)
        except BaseException:
            recording.undo()
            raise
        plan = recording.plan() if recording.is_steady() else None
        trace = recording.trace
        del recording
        state.slots.clear()  # they may be the last that hold what an optimizer has given up
        trace.check_released()
        if plan is not None:
            self.plans.setdefault(key, []).append(plan)
        return result


class _Recording:
    """One recorded run of a function."""

    def __init__(self, trace: Trace, state: State, roots: Sequence[Any]) -> None:
        self.trace = trace
        self.state = state
        self.roots = roots
        self.structure = state.structure()
        self.before = [(slot, slot.get()) for slot in state.slots]
        self.given: dict[tuple[Any, ...], Any] = {}  # what was put into each place: a value or a number
        self.after: list[tuple[Slot, Any]] = []
        self.results: list[Value] = []
        self.form: Any = None
        self.final: tuple[Any, ...] = ()

    def run(self, function: Callable[..., Any], form: Any, arguments: Sequence[Tensor]) -> Any:
        """Run the function on wrapped arrays, and leave everything as it would have left it itself."""
        trace, raws = self.trace, [x._data for x in arguments]
        with trace.recording():
            for slot, value in self.before:
                if isinstance(value, (int, float)):
                    self._put(slot, Number(slot.get, value))
                elif value is not None:
                    self._put(slot, trace.input(value, getattr(slot, "name", "")))
            tensors = [make(trace.input(raw), x._device) for raw, x in zip(raws, arguments, strict=True)]
            args, kwargs = tree_map(lambda x: tensors[x] if isinstance(x, _Slot) else x, form, model=_itself)
            result = function(*args, **kwargs)
            found = State([*self.roots, form])
            self.form = tree_map(self._result, result, model=_itself)
            self.after = [(slot, _written(slot.get(), trace)) for slot in found.slots]
        for slot in found.slots:
            slot.put(value_of(trace.array(slot.get())))
        self.final = State([*self.roots, form]).structure()
        return tree_map(self._unwrapped, result, model=_itself)

    def _unwrapped(self, x: Any) -> Any:
        return make(self.trace.array(x._data), x._device) if isinstance(x, Tensor) else x

    def _put(self, slot: Slot, wrapped: Traced | Number) -> None:
        self.given[slot.place] = wrapped.value if isinstance(wrapped, Traced) else wrapped
        slot.put(wrapped)

    def _result(self, x: Any) -> Any:
        if not isinstance(x, Tensor):
            return x
        if x._node is not None and is_grad_enabled():
            msg = (
                "the result of a compiled function has no graph, and this one requires gradients: compile the whole "
                "step with its backward(), or call the function under no_grad()"
            )
            raise CompileError(msg)
        self.results.append(self.trace.value(x._data))
        return _Slot(len(self.results) - 1)

    def undo(self) -> None:
        """Put the state back to what it was before the run."""
        for slot, value in self.before:
            slot.put(value)

    def is_steady(self) -> bool:
        """Whether the state has the form that it had before, so that the program can be run again."""
        return self.final == self.structure

    def plan(self) -> Plan:
        """Return the program, ready to run."""
        program = self.trace.program
        written = [(slot, x) for slot, x in self.after if isinstance(x, Value) and self.given.get(slot.place) is not x]
        numbers = [
            (slot, x)
            for slot, x in self.after
            if x is not None and not isinstance(x, Value) and self.given.get(slot.place) is not x
        ]
        program.outputs = [*(x for _, x in written), *self.results]
        arrays = [slot for slot, value in self.before if value is not None and not isinstance(value, (int, float))]
        program = cleaned(program)
        return Plan(program, executor(program), self.trace.guards, arrays, [s for s, _ in written], numbers, self.form)


def _written(value: Any, trace: Trace) -> Any:
    """Return what is in a slot after a run: a value, a number or None."""
    return value if value is None or isinstance(value, (int, float, Number)) else trace.value(value)


def _hashable(form: Any) -> Any:
    """Return the arguments of a call, without their arrays, as a key."""
    if isinstance(form, dict):
        return tuple([(key, _hashable(value)) for key, value in form.items()])
    if isinstance(form, (list, tuple)):
        return tuple([_hashable(value) for value in form])
    try:
        hash(form)
    except TypeError:
        return id(form)
    return (type(form), form)


def _itself(model: Any) -> Any:
    return model


@overload
def compile(function: Callable[P, R], /, *, state: Sequence[Any] = ..., fallback: bool = ...) -> Compiled[P, R]: ...


@overload
def compile(*, state: Sequence[Any] = ..., fallback: bool = ...) -> Callable[[Callable[P, R]], Compiled[P, R]]: ...


def compile(function: Callable[..., Any] | None = None, /, *, state: Sequence[Any] = (), fallback: bool = False) -> Any:
    """Return a function that is recorded once for each kind of arguments, and from then on runs as a program.

    The function can be a whole training step. What it refers to (models, optimizers, averages, generators, tensors) is
    found, read before each run and written after it, so that everything is afterwards as if the function had run as it
    is written.

    Parameters
    ----------
    function
        The function. Its tensors may have other values in each call; other arguments are constants of the program, and
        a new value of theirs, a new shape or data type is recorded anew.
    state
        Objects that it changes in ways that cannot be seen from its variables.
    fallback
        Whether a function that cannot be compiled runs as it is written, with one warning, instead of raising.

    Raises
    ------
    CompileError
        When called, if the program would depend on the values of arrays. The message names the line.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import nn, optim
    >>> model = nn.Sequential(nn.Dense(4, 8, activation="relu"), nn.Dense(8, 2))
    >>> adam, loss = optim.Adam(model.parameters(), lr=0.01), nn.CategoricalCrossEntropy()
    >>> @dc.compile
    ... def step(x, labels):
    ...     adam.zero_grad()
    ...     value = loss(model(x), labels)
    ...     value.backward()
    ...     adam.step()
    ...     return value.detach()
    >>> x, labels = dc.ones((6, 4)), dc.asarray([0, 1, 0, 1, 0, 1])
    >>> values = [step(x, labels).item() for _ in range(20)]
    >>> values[-1] < values[0]
    True
    """
    if function is None:
        return lambda f: Compiled(f, state=state, fallback=fallback)
    return Compiled(function, state=state, fallback=fallback)
