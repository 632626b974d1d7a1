"""Functions that are recorded once for each kind of arguments, and from then on run as programs."""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, ParamSpec, TypeVar, cast, overload

from .._device import default_device, device_of
from .._errors import CompileError
from .._tape import is_grad_enabled
from .._tensor import Tensor
from .._tracing import current
from ..ops.creation import asarray
from ..tree import itself, tree_map
from ._memory import give_back
from ._turns import Turn, recording_turn
from .explanation import explained
from .plan import Result
from .recording import Recording
from .state import State, names_of
from .trace import Trace, check_released

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .._device import Device
    from .explanation import Explanation
    from .plan import Plan
    from .program import Program, Value

P = ParamSpec("P")
R = TypeVar("R")


_TENSORS: Final = frozenset({Tensor})


class _Call(NamedTuple):
    """A call of a compiled function."""

    arguments: Sequence[Tensor]
    form: Any  # what it was given besides, where that was looked at
    state: State
    device: Device
    key: Any  # what a plan has to fit
    arrays: list[Any] | None  # those of the state, if it is as the last call left it
    plan: Plan | None


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
        self._turn = Turn()
        self._roots = [function, *state]
        self._warned = False
        self._known: State | None = None  # the state as it was found last
        self._objects: Any = None  # the arguments that it was found with, but for tensors
        self._last: Plan | None = None  # the plan that wrote it last
        self._structures: dict[Any, int] = {}  # a short name for each form that the state has had

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function: as a program where there is one, and otherwise to record one."""
        if current.get() is not None:
            return self.function(*args, **kwargs)  # within another function that is being recorded
        with self._turn.lock:
            call = self._call(args, kwargs)
            if call.plan is not None:
                return self._run(call, call.plan)
        with recording_turn():
            call = self._call(args, kwargs)  # once more: another thread may have recorded it in the meantime
            if call.plan is not None:
                return self._run(call, call.plan)
            try:
                return self._recorded(call.form or taken(args, kwargs)[1], call)
            except CompileError:
                if not self.fallback:
                    raise
        self._warn()
        return self.function(*args, **kwargs)

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Call:
        """Return what a call is, and the plan for it, if there is one."""
        form: Any = None
        arguments: Sequence[Tensor]
        if not kwargs and {*map(type, args)} <= _TENSORS:
            arguments, objects = cast("tuple[Tensor, ...]", args), len(args)  # the common case, and a short name for it
        else:
            arguments, form = taken(args, kwargs)
            objects = _hashable(form)
        state = self._known
        arrays = state.as_left() if state is not None and self._objects == objects else None
        if arrays is None or state is None:
            form = form or taken(args, kwargs)[1]
            state = self._known = State([*self._roots, form])
            state.number = self._structures.setdefault(state.structure(), len(self._structures))
            self._objects = objects
        device = arguments[0]._device if arguments else state.device or default_device()
        signature = tuple([(x._device, x._data.shape, x._data.dtype) for x in arguments])
        key = (objects, signature, state.number, state.mode(), is_grad_enabled())
        for plan in self.plans.get(key, ()):
            if plan.applies():
                return _Call(arguments, form, state, device, key, arrays, plan)
        return _Call(arguments, form, state, device, key, arrays, None)

    def state_slots(self) -> tuple[()]:
        """Return no places: what a function that calls this one needs of it is in its children."""
        return ()

    def state_children(self) -> list[Any]:
        """Return the function, and what it was said to change; what was found in them last is no state."""
        return self._roots

    @property
    def graph(self) -> Program:
        """The program that was recorded last. It prints, and notebooks draw it."""
        return self._newest().program

    def explain(self, *, runs: int = 5) -> Explanation:
        """Return what the program that was recorded last spends its time on, kernel by kernel.

        It is run on the state as it is, in arrays of its own, and on arguments of ones, or zeros where they count
        something. State and generators stay as they are.

        Parameters
        ----------
        runs
            Times are medians of so many runs.

        Returns
        -------
        Explanation
            A table that prints, in the order of the program, and that can be sorted. Each kernel has what was fused in
            it, where that comes from, its bytes, operations and seconds, and its share of the roofline of the device.
            Where a library compiles all of a program into one function, only the whole of it has a time.

        Raises
        ------
        CompileError
            If the function has not been called yet.
        """
        plan = self._newest()
        with recording_turn():  # what runs meanwhile would be measured too
            return explained(plan.program, self._inputs(plan), plan.run, runs=runs)

    def _newest(self) -> Plan:
        plans = [plan for found in self.plans.values() for plan in found]
        if not plans:
            msg = f"{names_of(self.function)} has not been called yet; its program depends on the shapes of arguments"
            raise CompileError(msg)
        return plans[-1]

    def _inputs(self, plan: Plan) -> list[Any]:
        """Return the state as it is, as far as it is that of the plan, and arrays for everything else."""
        device, program = plan.program.device, plan.program
        state = [] if self._known is None or self._last is not plan else self._known.arrays()[: program.n_state]

        def stand_in(x: Value) -> Any:
            fill: Any = 1.0 if x.dtype.is_inexact else 0
            return device.kernels.full(x.shape, fill, dtype=device.backend.raw_dtype(x.dtype), device=device.raw)

        with device.current:
            return [*state, *map(stand_in, program.inputs[len(state) :])]

    def _run(self, call: _Call, plan: Plan) -> Any:
        state = call.state
        arrays = call.arrays or []
        again = call.arrays is not None and plan is self._last and plan.is_untouched()
        if not again:
            arrays.clear()  # or they would be held by this list
            plan.secure()
            arrays += state.arrays()
        result, moved = plan(arrays, [x._data for x in call.arguments], call.device)
        if moved or not again:
            state.leave()
            arrays[:] = state.as_left() or []  # held while references are counted, as they will be in the next call
            plan.watch()
        self._last = plan
        return result

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"{names_of(self.function)} cannot be compiled, and runs as it is written",
                RuntimeWarning,
                stacklevel=3,
            )

    def _recorded(self, form: Any, call: _Call) -> R:
        """Run the function once, and record what it did."""
        self._known = self._last = None
        state = call.state
        recording = Recording(Trace(call.device), state, self._roots)
        try:
            result: R = recording.run(self.function, form, call.arguments)
        except BaseException:
            recording.undo()
            raise
        plan = recording.plan() if recording.is_steady() else None
        alive = recording.trace.alive
        del recording
        state.slots.clear()  # they may be the last that hold what an optimizer has given up
        check_released(alive)
        if plan is not None:
            plan.take_over()
        give_back()
        if plan is not None:
            self.plans.setdefault(call.key, []).append(plan)
        return result


def taken(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Tensor], Any]:
    """Return the tensors among arguments, and the arguments with the places of these."""
    arguments: list[Tensor] = []

    def leaf(x: Any) -> Any:
        if not isinstance(x, Tensor):
            if device_of(x) is None or not hasattr(x, "shape"):
                return x
            x = asarray(x)  # arrays of other libraries become tensors
        arguments.append(x)
        return Result(len(arguments) - 1)

    form = tree_map(leaf, (args, kwargs), model=itself)
    return arguments, form


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


@overload
def compile(function: Callable[P, R], /, *, state: Sequence[Any] = ..., fallback: bool = ...) -> Compiled[P, R]: ...


@overload
def compile(*, state: Sequence[Any] = ..., fallback: bool = ...) -> Callable[[Callable[P, R]], Compiled[P, R]]: ...


def compile(function: Callable[..., Any] | None = None, /, *, state: Sequence[Any] = (), fallback: bool = False) -> Any:
    """Return a function that is recorded once for each kind of arguments, and from then on runs as a program.

    The function can be a whole training step. What it refers to (models, optimizers, averages, generators, tensors) is
    found, read before each run and written after it, so that everything is afterwards as if the function had run as it
    is written. Several threads may call it, which then wait for each other. While it is recorded, in the first calls,
    no other thread may use what it refers to in another way.

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
