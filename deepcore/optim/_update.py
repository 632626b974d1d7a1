"""Steps as programs: after some steps, what a group computes is recorded, and from then on runs in one piece.

Nobody asks for it, so it has to give the same numbers, to the last bit. It is for transforms of this package alone,
which are known to be pure, and for programs of operations that have one right result for each element.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from operator import attrgetter
from sys import getrefcount
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from .._errors import CompileError
from .._tracing import Number, current
from ..graph._memory import give_back
from ..graph._turns import recording_turn
from ..graph.passes import cleaned, simplified
from ..graph.plan import holding
from ..graph.replay import replay
from ..graph.trace import Trace
from ._transform import PerArray, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..graph.program import Program
    from ._block import Block
    from ._group import Group
    from ._transform import Rate

WARM: Final = 20
"""How many steps are taken before one is recorded. Making machine code takes as long as some hundreds of small ones."""

EXACT: Final = frozenset(
    (
        *("abs", "add", "divide", "maximum", "minimum", "multiply", "negative", "sign", "sqrt", "square", "subtract"),
        *("equal", "greater", "greater_equal", "less", "less_equal", "not_equal", "clip", "where"),
        *("asarray", "astype", "concat", "getitem", "ones_like", "optim.adam", "reshape", "zeros_like"),
    )
)
"""Operations that have one right result for each element."""


class Update:
    """The steps of a group, as long as its blocks stay the same.

    A program keeps state in arrays of its own, which the next run writes over, and the parameters are views of them.
    Python counts the references to every object, so it is known when somebody else holds one of these arrays: a graph,
    a detached tensor. Then the program is given up, and another one recorded after twice as many steps.

    Parameters
    ----------
    group
        The group.
    blocks
        Its blocks.
    """

    def __init__(self, group: Group, blocks: Sequence[Block]) -> None:
        self._group = group
        self._blocks = blocks
        self._wait = WARM
        self._taken = 0
        self._iteration = 0
        self._recorded: _Recorded | None = None
        self._is_wanted = _may_be_recorded(group, blocks)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_recorded": None}  # a copy makes its own

    def step(self, iteration: int) -> bool:
        """Take a step, if there is a program that is right for it, and return whether there was one."""
        if not self._is_wanted or current.get() is not None:
            return False
        self._iteration = iteration
        is_first = self._recorded is None
        if is_first:
            self._taken += 1
            if self._taken <= self._wait:
                return False
            self._record()
        recorded = self._recorded
        if recorded is None or not recorded.applies():
            return False
        if recorded.is_held():
            self._recorded, self._taken, self._wait = None, 0, 2 * self._wait
            return False
        recorded.run()
        if is_first:
            give_back()  # the program's arrays have taken the place of others
        return True

    def _record(self) -> None:
        try:
            self._recorded = _recorded(self._group, self._blocks, Number(attrgetter("_iteration"), (self,)))
        except CompileError:  # a schedule may do what cannot be recorded
            self._recorded = None
        self._is_wanted = self._recorded is not None


class _Entry(NamedTuple):
    """Where a block keeps something that a transform remembers."""

    block: Block
    part: int
    key: str

    def get(self) -> Any:
        """Return it."""
        return self.block.state[self.part][self.key]

    def put(self, value: Any) -> None:
        """Set it."""
        self.block.state[self.part][self.key] = value


class _Recorded:
    """A program of a step, with what the host does around it.

    Parameters
    ----------
    program, guards
        The program, and the conditions under which it is right.
    blocks
        Whose step it is.
    arrays, numbers
        What they remember, in the order of the program.
    """

    def __init__(
        self,
        program: Program,
        guards: list[Number],
        blocks: Sequence[Block],
        arrays: Sequence[_Entry],
        numbers: Sequence[_Entry],
    ) -> None:
        self.applies = holding(program, guards)
        self._run: Any = program.device.backend.executor(program) or replay(program)
        self._blocks = blocks
        self._arrays = arrays
        self._numbers = numbers
        self._kept: list[Any] = getattr(self._run, "kept", [])
        self._idle = list(map(getrefcount, self._kept))
        self._watched: list[Any] = []
        self._counts: list[int] = []

    def is_held(self) -> bool:
        """Whether anybody but the blocks, which are current, holds an array that the next run writes over."""
        if self._watched and all(block.is_whole for block in self._blocks):
            return list(map(getrefcount, self._watched)) != self._counts
        self._watched = []  # somebody has set a parameter, which will be read
        own = Counter(id(entry.get()) for entry in self._arrays)
        own.update(id(view.base) for block in self._blocks for view in block.views if hasattr(view, "base"))
        expected = [idle + own[id(x)] for x, idle in zip(self._kept, self._idle, strict=True)]
        return list(map(getrefcount, self._kept)) != expected

    def run(self) -> None:
        """Take the step."""
        blocks = self._blocks
        state = [*[block.flat for block in blocks], *[entry.get() for entry in self._arrays]]
        outputs = self._run([*state, *[x for block in blocks for x in block.gradients()]])
        for block in blocks:
            block.count += 1
        for entry, number in zip(self._numbers, outputs[len(state) :], strict=True):
            entry.put(number)
        if not self._watched:  # else all of it is where it was
            self._place(outputs)
            del state, outputs
            self._watch()

    def _place(self, outputs: Sequence[Any]) -> None:
        """Let the blocks have the arrays that the program has written."""
        for block, vector in zip(self._blocks, outputs, strict=False):
            block.hold(vector)
        for entry, array in zip(self._arrays, outputs[len(self._blocks) :], strict=False):
            entry.put(array)

    def _watch(self) -> None:
        """Remember how many hold the arrays of the state, now that nobody else does."""
        if self._kept:
            self._watched = [*self._kept, *[view for block in self._blocks for view in block.views]]
            self._counts = list(map(getrefcount, self._watched))


def _may_be_recorded(group: Group, blocks: Sequence[Block]) -> bool:
    """Whether the transforms of a group are known to be pure, and programs cost little where its parameters are."""
    devices = {block.device for block in blocks}
    if len(devices) != 1 or not devices.pop().backend.compiles_quickly:
        return False
    package = __name__.rpartition(".")[0]
    return all(
        type(x).__module__.rpartition(".")[0] == package and not isinstance(x, PerArray) for x in group.transform
    )


def _recorded(group: Group, blocks: Sequence[Block], iteration: Any) -> _Recorded | None:
    """Return a step as a program, or None where it might give other bits. Nothing is changed."""
    device = blocks[0].device
    entries = [_Entry(block, i, key) for block in blocks for i, state in enumerate(block.state) for key in state]
    arrays = [entry for entry in entries if hasattr(entry.get(), "dtype")]
    numbers = [entry for entry in entries if not hasattr(entry.get(), "dtype")]
    # Kernels may write to moments.
    copies = [device.kernels.asarray(x, copy=True) for x in [*[b.flat for b in blocks], *[e.get() for e in arrays]]]
    trace = Trace(device)
    with recording_turn(), trace.recording():
        given = [trace.input(x) for x in copies]
        shadows = [block.shadow(vector) for block, vector in zip(blocks, given, strict=False)]
        own = dict(zip(map(id, blocks), shadows, strict=True))
        for entry, x in zip(arrays, given[len(blocks) :], strict=True):
            entry._replace(block=own[id(entry.block)]).put(x)
        for entry in numbers:
            entry._replace(block=own[id(entry.block)]).put(Number(entry.get))
        for block, shadow in zip(blocks, shadows, strict=True):
            count: Any = Number(attrgetter("count"), (block,))
            shadow.begin(Step(count + 1, iteration, device.kernels), [trace.input(x) for x in block.gradients()])
        rate, chain = group.lr, group.transform
        if rate is not None and not callable(rate):
            chain = chain.with_rate(cast("Rate", Number(attrgetter("lr"), (group,))))
        chain.take(shadows)
        new = [shadow.result() for shadow in shadows]
        new += [entry._replace(block=own[id(entry.block)]).get() for entry in arrays]
        left = [entry._replace(block=own[id(entry.block)]).get() for entry in numbers]
        outputs = [trace.value(x) for x in new]
    same = [(i, i) for i in range(len(given))]
    recorded = replace(trace.program, outputs=outputs, left=left, n_state=len(given), updates=same, eager=True)
    program = simplified(cleaned(recorded))
    if any(call.operation not in EXACT for call in program.calls):
        return None
    return _Recorded(program, trace.guards, blocks, arrays, numbers)
