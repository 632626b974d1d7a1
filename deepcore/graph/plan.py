"""A program with what the host does around it: reading and writing state, numbers, and conditions."""

from __future__ import annotations

from dataclasses import dataclass, field
from sys import getrefcount
from typing import TYPE_CHECKING, Any

from .._tensor import make
from ..tree import itself, tree_map
from .replay import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .._device import Device
    from .._tracing import Number
    from .._typing import Raw
    from ._slots import Slot
    from .program import Program


class Result(int):
    """The place of an array among the results of a function, or of an argument among its arguments."""

    __slots__ = ()


@dataclass(eq=False, slots=True)
class Plan:
    """A program and how a backend runs it, with what the host has to do around it.

    A program that keeps state in arrays of its own overwrites them in the next run, unless somebody else holds one of
    them: a tensor that was detached, a graph. Python counts the references to every object, so the plan knows.

    Attributes
    ----------
    program
        The program.
    run
        Runs it: a function of the inputs that gives the outputs, and the numbers that it leaves.
    guards
        Conditions on numbers of the host, under whose values it is right.
    written
        The slots whose arrays are its first outputs.
    numbers
        The slots that have another number after a run. The program computes these last.
    form
        The result, with the places of arrays.
    """

    program: Program
    run: Any
    guards: list[Number]
    written: list[Slot]
    numbers: list[Slot]
    form: Any
    _watched: list[Any] = field(default_factory=list[Any])
    _counts: list[int] = field(default_factory=list[int])
    _idle: list[int] = field(default_factory=list[int])
    _befores: list[int] = field(default_factory=list[int])
    _holds: Callable[[], bool] | None = None

    def __post_init__(self) -> None:
        places = dict(self.program.updates)
        self._befores = [places.get(i, -1) for i in range(len(self.written))]  # which of the state each of them was
        if getattr(self.run, "writes_in_place", False):
            self._idle = list(map(getrefcount, self.run.kept))  # nobody else has seen these arrays yet

    def applies(self) -> bool:
        """Whether the program is right for the numbers of the host as they are now."""
        if self._holds is None:
            self._holds = holding(self.program, self.guards)
        return self._holds()

    def is_untouched(self) -> bool:
        """Whether nobody has begun to hold, or replaced, the arrays of the state since this plan wrote them."""
        return list(map(getrefcount, self._watched)) == self._counts

    def secure(self) -> None:
        """See to it that nobody holds the arrays that the next run writes to."""
        if getattr(self.run, "writes_in_place", False):
            self._watched = []
            if self._is_held():
                self.run.move()
                self._idle = list(map(getrefcount, self.run.kept))

    def take_over(self) -> None:
        """Bring the state into the arrays of this plan, one after the other, so that it is nowhere twice."""
        if getattr(self.run, "writes_in_place", False):
            for i, _ in self.program.updates:
                slot = self.written[i]
                slot.put(self.run.filled(i, slot.get()))

    def _is_held(self) -> bool:
        """Whether anybody but the state holds the arrays that the next run writes to.

        The state itself holds them, where this plan was the last to write it. So it is given others for the while.
        """
        places = [i for i, _ in self.program.updates]
        others = [self._set_aside(i) for i in places]
        held = list(map(getrefcount, self.run.kept)) != self._idle
        for i, (is_home, other) in zip(places, others, strict=True):
            self.written[i].put(self.run.homes[i] if is_home else other)
        return held

    def _set_aside(self, i: int) -> tuple[bool, Any]:
        """Give a slot an array that takes no memory, and return whether it had that of this plan, or which other."""
        slot, home = self.written[i], self.run.homes[i]
        value = slot.get()
        slot.put(self.run.stand_in(i))
        return (True, None) if value is home else (False, value)

    def __call__(self, state: Sequence[Raw], arguments: Sequence[Raw], device: Device) -> tuple[Any, bool]:
        """Run the program, and do what the function did besides.

        Returns
        -------
        result
            What the function returns.
        moved
            Whether state is in other arrays than before.
        """
        outputs = self.run([*state, *arguments])
        moved = False
        for slot, new, i in zip(self.written, outputs, self._befores, strict=False):
            if i < 0 or new is not state[i]:
                slot.put(new)
                moved = True
        if self.numbers:
            for slot, number in zip(self.numbers, outputs[len(self.program.outputs) :], strict=True):
                slot.put(number)
        results = outputs[len(self.written) :]
        if type(self.form) is Result:
            return make(results[self.form], device), moved
        if type(self.form) is tuple and all(type(x) is Result for x in self.form):
            return tuple([make(results[x], device) for x in self.form]), moved

        def leaf(x: Any) -> Any:
            return make(results[x], device) if isinstance(x, Result) else x

        return tree_map(leaf, self.form, model=itself), moved

    def watch(self) -> None:
        """Remember who holds the arrays of the state, now that nobody else does."""
        if getattr(self.run, "writes_in_place", False):
            self._watched = [*self.run.kept, *(handle for slot in self.written for handle in slot.handles())]
            self._counts = list(map(getrefcount, self._watched))


def holding(program: Program, guards: list[Number]) -> Callable[[], bool]:
    """Return a function that says whether conditions have the values that they had."""
    source = Source(program)
    tests = [f"{source.number(guard)} is {guard.value}" for guard in guards]
    source.lines.append(f"return {' and '.join(tests) or 'True'}")
    return source.function("")
