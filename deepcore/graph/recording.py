"""One run of a function in which it is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._errors import CompileError
from .._tape import is_grad_enabled
from .._tensor import Tensor, make
from .._tracing import Number, value_of
from ..tree import itself, tree_map
from .passes import cleaned, simplified
from .plan import Plan, Result
from .program import Program, Value
from .replay import replay
from .state import State
from .trace import Trace, Traced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ._slots import Slot


class Recording:
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
                    self._put(slot, Number(slot.get, (), value))
                elif value is not None:
                    _check_library(slot, trace)
                    self._put(slot, trace.input(value, getattr(slot, "name", "")))
            tensors = [make(trace.input(raw), x._device) for raw, x in zip(raws, arguments, strict=True)]
            args, kwargs = tree_map(lambda x: tensors[x] if isinstance(x, Result) else x, form, model=itself)
            result = function(*args, **kwargs)
            found = State([*self.roots, form])
            self.form = tree_map(self._result, result, model=itself)
            self.after = [(slot, _written(slot.get(), trace)) for slot in self._kept(found.slots)]
        for slot in found.slots:
            slot.put(value_of(trace.array(slot.get())))
        self.final = State([*self.roots, form]).structure()
        return tree_map(self._unwrapped, result, model=itself)

    def _unwrapped(self, x: Any) -> Any:
        return make(self.trace.array(x._data), x._device) if isinstance(x, Tensor) else x

    def _kept(self, slots: Sequence[Slot]) -> Iterator[Slot]:
        """Yield the slots, in place of one whose array is seen in parts those of the parts, where these are copies."""
        has_views = self.trace.device.backend.has_views
        for slot in slots:
            yield from [slot] if has_views else getattr(slot, "parts", lambda slot=slot: [slot])()

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
        return Result(len(self.results) - 1)

    def undo(self) -> None:
        """Put the state back to what it was before the run."""
        for slot, value in self.before:
            slot.put(value)

    def is_steady(self) -> bool:
        """Whether the state has the form that it had before, so that the program can be run again."""
        return self.final == self.structure

    def values(self) -> list[tuple[Slot, Value]]:
        """Return the inputs of the program that are state, each with its place."""
        return [(slot, x) for slot, _ in self.before if isinstance(x := self.given.get(slot.place), Value)]

    def program(self) -> Program:
        """Return the program: its outputs are first the state that was written, and then the results."""
        program = self.trace.program
        written = self._changed(arrays=True)
        program.outputs = [*(x for _, x in written), *self.results]
        arrays = [slot for slot, value in self.before if value is not None and not isinstance(value, (int, float))]
        places = {slot.place: i for i, slot in enumerate(arrays)}
        program.left = [x for _, x in self._changed(arrays=False)]
        program.n_state = len(arrays)
        program.updates = [(o, places[slot.place]) for o, (slot, _) in enumerate(written) if slot.place in places]
        return cleaned(program)

    def plan(self) -> Plan:
        """Return the program, ready to run. What was before cannot be put back any more."""
        program = simplified(self.program())
        self.before.clear()  # its arrays need not be there at the same time as those of the plan
        run = program.device.backend.executor(program) or replay(program)
        slots, numbers = ([slot for slot, _ in self._changed(arrays=arrays)] for arrays in (True, False))
        return Plan(program, run, self.trace.guards, slots, numbers, self.form)

    def _changed(self, *, arrays: bool) -> list[tuple[Slot, Any]]:
        """Return the slots that have another array than before, or another number, and what they have."""
        return [
            (slot, x)
            for slot, x in self.after
            if x is not None and isinstance(x, Value) is arrays and self.given.get(slot.place) is not x
        ]


def _check_library(slot: Slot, trace: Trace) -> None:
    """Raise if a tensor is of another library than the program."""
    tensor: Tensor | None = getattr(slot, "tensor", None)
    if tensor is not None and tensor._device.backend is not trace.device.backend:
        name = getattr(slot, "name", "")
        msg = (
            f"the compiled function refers to a tensor{f' {name}' if name else ''} on {tensor._device}, and computes "
            f"on {trace.device}; move it there with to({str(trace.device)!r}), or let it out of the function's reach"
        )
        raise CompileError(msg)


def _written(value: Any, trace: Trace) -> Any:
    """Return what is in a slot after a run: a value, a number or None."""
    return value if value is None or isinstance(value, (int, float, Number)) else trace.value(value)
