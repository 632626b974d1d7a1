"""A group of parameters that are updated by the same transforms, and what each of them remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._tensor import make
from .._tracing import value_of
from ..graph._slots import AttributeSlot, FixedSlot, ItemSlot
from ._block import Block
from ._slots import VectorSlot, of_block
from ._transform import Chain, PerArray, Step, chain
from ._update import Update

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._device import Device
    from .._tensor import Tensor
    from .._typing import Raw
    from ..graph._slots import Slot
    from ._transform import Rate, State, Transform


@dataclass
class Memory:
    """What is remembered about one parameter: its steps, and for each transform arrays and numbers by name."""

    count: int = 0
    device: Device | None = None
    states: list[State] = field(default_factory=list["State"])

    def numbers(self) -> tuple[object, ...]:
        """Return the numbers in it, which parameters that move together have in common."""
        return tuple(value_of(x) for state in self.states for x in state.values() if not hasattr(x, "dtype"))


class Group:
    """Parameters with the same hyperparameters.

    Attributes
    ----------
    parameters
        The tensors.
    """

    def __init__(self, parameters: Sequence[Tensor], transform: Transform) -> None:
        self.parameters = list(parameters)
        self._transform = transform if isinstance(transform, Chain) else chain(transform)
        self._memories = [Memory() for _ in self.parameters]  # of those parameters that are in no block
        self._blocks: list[Block] = []
        self._active: list[int] = []
        self._update = Update(self, [])

    @property
    def transform(self) -> Chain:
        """How they are updated."""
        return self._transform

    @transform.setter
    def transform(self, transform: Chain) -> None:
        self._transform = transform
        self._update = Update(self, self._blocks)

    @property
    def lr(self) -> Rate | None:
        """The learning rate, a number or a schedule. None if no transform has one."""
        return self.transform.rate

    @lr.setter
    def lr(self, rate: Rate) -> None:
        steady = not (callable(self.lr) or callable(rate))  # a number is read anew in every step
        self._transform = self._transform.with_rate(rate)
        if not steady:
            self._update = Update(self, self._blocks)

    def step(self, iteration: int) -> None:
        """Move every parameter that has a gradient."""
        active = [
            i for i, p in enumerate(self.parameters) if p._node is not None and getattr(p, "_grad", None) is not None
        ]
        if active != self._active or not all(block.is_current() for block in self._blocks):
            self._form_blocks(active)
        if self._update.step(iteration):
            return
        for block in self._blocks:
            now = Step(block.count + 1, iteration, block.device.kernels)
            block.begin(now, block.gradients())
            if not block.state:
                block.state = [part.start(block, now) for part in self.transform]
        self.transform.take(self._blocks)
        for block in self._blocks:
            block.finish()

    # ------------------------------------------------------------------------------------------------------ blocks

    def _form_blocks(self, active: list[int]) -> None:
        """Put together the parameters that can move as one."""
        self.dissolve()
        members: dict[Any, list[int]] = {}
        for i in active:
            p, memory = self.parameters[i], self._memories[i]
            key = (p._device, p._data.dtype, value_of(memory.count), *memory.numbers())
            members.setdefault(key, []).append(i)
        self._blocks = [self._formed(positions) for positions in members.values()]
        for i in active:
            self._memories[i] = Memory()  # the block has it now
        self._active = active
        self._update = Update(self, self._blocks)

    def _formed(self, members: list[int]) -> Block:
        block = Block([self.parameters[i] for i in members], members, self._memories[members[0]].count)
        block.is_current()
        memories = [self._memories[i] for i in members]
        if memories[0].count:
            states = [_states_on(memory, block) for memory in memories]
            for i, part in enumerate(self.transform):
                own = [state[i] for state in states]
                block.state.append(own if isinstance(part, PerArray) else _joined(own, block))
        return block

    def dissolve(self) -> None:
        """Take every block apart, so that each parameter has its own part of what was remembered."""
        for i, memory in self._apart():
            self._memories[i] = memory
        for block in self._blocks:
            block.forget()
        self._blocks, self._active = [], []

    def _apart(self) -> list[tuple[int, Memory]]:
        found: list[tuple[int, Memory]] = []
        for block in self._blocks:
            parts = [s if isinstance(s, list) else _split(s, block) for s in block.state]
            for k, i in enumerate(block.members):
                found.append((i, Memory(block.count, block.device, [part[k] for part in parts])))
        return found

    # ------------------------------------------------------------------------------------------------------ states

    def state_slots(self) -> Iterator[Slot]:
        """Yield the places that a compiled step reads and writes."""
        if callable(self.lr):
            yield FixedSlot(self, "lr", self.lr)
        elif self.lr is not None:
            yield AttributeSlot(self, "lr")
        for block in self._blocks:
            if block.is_current():
                yield AttributeSlot(block, "count")
                yield VectorSlot(block)
                yield from of_block(block)
        for memory in self._memories:
            if memory.states:
                yield AttributeSlot(memory, "count")
                for state in memory.states:
                    for key in state:
                        yield ItemSlot(state, key)

    def memories(self) -> list[Memory]:
        """Return what is remembered about each parameter. Arrays are parts of those in use."""
        found = list(self._memories)
        for i, memory in self._apart():
            found[i] = memory
        return found

    def expected(self, i: int) -> list[State]:
        """Return the states of a parameter before its first step, for their names and shapes."""
        block = Block([self.parameters[i]], [i], 0)
        block.is_current()
        block.look(Step(1, 0, block.device.kernels))
        states = [part.start(block, block.now) for part in self.transform]
        return [state[0] if isinstance(state, list) else _split(state, block)[0] for state in states]

    def remember(self, memories: list[Memory]) -> None:
        """Set what is remembered about each parameter."""
        self._memories = memories
        self._blocks, self._active = [], []


def _states_on(memory: Memory, block: Block) -> list[State]:
    """Return the states of a parameter where, and in the type in which, it is now computed."""
    xp = block.device.kernels
    dtype = xp.float32 if block.is_narrow else block.dtype

    def moved(x: Any) -> Any:
        if not hasattr(x, "dtype"):
            return x
        if memory.device is not None and memory.device is not block.device:
            # Some libraries lend their memory to others; a copy is the optimizer's own, and may be written to.
            x = xp.asarray(make(x, memory.device).to_device(block.device)._data, copy=True)
        return x if x.dtype == dtype else xp.astype(x, dtype)

    return [{name: moved(x) for name, x in state.items()} for state in memory.states]


def _joined(states: list[State], block: Block) -> State:
    xp = block.device.kernels
    return {
        name: block.layout.join([state[name] for state in states], xp) if hasattr(x, "dtype") else x
        for name, x in states[0].items()
    }


def _split(state: State, block: Block) -> list[State]:
    arrays: dict[str, list[Raw] | Any] = {
        name: block.layout.split(x, block.device.kernels) if hasattr(x, "dtype") else x for name, x in state.items()
    }
    return [{name: x[k] if isinstance(x, list) else x for name, x in arrays.items()} for k in range(len(block.members))]
