"""Where optimizers keep what a compiled step reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..graph._slots import Slot
from ._rebind import rebind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._device import Device
    from .._tensor import Tensor
    from .._typing import Raw
    from ._block import Block


@dataclass(frozen=True, eq=False, slots=True)
class VectorSlot(Slot):
    """The vector of the parameters of a block, of which the parameters are views."""

    block: Block
    name: str = "parameters"

    @property
    def place(self) -> tuple[Any, ...]:
        return (id(self.block), *(p._node is not None for p in self.block.parameters))

    @property
    def holds(self) -> Sequence[Tensor]:
        """The tensors whose arrays are views of this one."""
        return self.block.parameters

    def get(self) -> Raw:
        self.block.is_current()
        return self.block.flat

    def put(self, value: Raw) -> None:
        self.block.hold(value)

    def handles(self) -> list[Any]:
        return [p._data for p in self.block.parameters]

    def parts(self) -> list[Slot]:
        """Return slots for the vector and for each parameter, where the library has no views."""
        return [_WholeSlot(self.block), *(_PartSlot(self.block, i) for i in range(len(self.block.parameters)))]


@dataclass(frozen=True, eq=False, slots=True)
class _WholeSlot(Slot):
    """The vector of the parameters of a block alone."""

    block: Block

    @property
    def place(self) -> tuple[Any, ...]:
        return (id(self.block), *(p._node is not None for p in self.block.parameters))

    def get(self) -> Raw:
        return self.block.flat

    def put(self, value: Raw) -> None:
        self.block._flat = value


@dataclass(frozen=True, eq=False, slots=True)
class _PartSlot(Slot):
    """One of the parameters of a block alone."""

    block: Block
    i: int

    @property
    def place(self) -> tuple[Any, ...]:
        return (id(self.block), self.i)

    def get(self) -> Raw:
        return self.block._views[self.i]

    def put(self, value: Raw) -> None:
        self.block._views[self.i] = value
        rebind(self.block.parameters[self.i], value)


@dataclass(frozen=True, eq=False, slots=True)
class StateSlot(Slot):
    """An array or number that a transform remembers of a block, or of one parameter of it."""

    block: Block
    part: int
    key: str
    member: int | None = None

    @property
    def name(self) -> str:
        return self.key

    @property
    def place(self) -> tuple[Any, ...]:
        return (id(self.block), self.part, self.key, self.member)

    @property
    def source(self) -> tuple[str, dict[str, Any]]:
        member = "" if self.member is None else f"[{self.member}]"
        return f"{{block}}.state[{self.part}]{member}[{{key}}]", {"block": self.block, "key": self.key}

    def _state(self) -> dict[str, Any]:
        state = self.block.state[self.part]
        return state if self.member is None else state[self.member]

    def get(self) -> Any:
        return self._state()[self.key]

    def put(self, value: Any) -> None:
        self._state()[self.key] = value


@dataclass(frozen=True, eq=False, slots=True)
class AverageSlot(Slot):
    """One of the averages of parameters."""

    averages: list[tuple[Raw, Device]]
    i: int

    @property
    def place(self) -> tuple[Any, ...]:
        return (id(self.averages), self.i)

    def get(self) -> Raw:
        return self.averages[self.i][0]

    def put(self, value: Raw) -> None:
        self.averages[self.i] = (value, self.averages[self.i][1])


def of_block(block: Block) -> Iterator[Slot]:
    """Yield the slots of what a block remembers."""
    for part, state in enumerate(block.state):
        if isinstance(state, list):
            for member, own in enumerate(state):
                for key in own:
                    yield StateSlot(block, part, key, member)
        else:
            for key in state:
                yield StateSlot(block, part, key)
