"""Places where state is kept, which a program reads before a run and writes after it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._tape import Leaf
from .._tensor import Tensor, make

if TYPE_CHECKING:
    from .._typing import Raw


class Slot(ABC):
    """A place where state is kept."""

    __slots__ = ()

    @property
    @abstractmethod
    def place(self) -> tuple[Any, ...]:
        """What tells it from other places."""

    @abstractmethod
    def get(self) -> Any:
        """Return what is there: an array, a number or None."""

    @abstractmethod
    def put(self, value: Any) -> None:
        """Set what is there."""

    @property
    def source(self) -> tuple[str, dict[str, Any]]:
        """An expression that gives what is there, with names in braces, and the objects that these stand for."""
        return "{get}()", {"get": self.get}

    def handles(self) -> list[Any]:
        """Return the objects by which somebody could hold the array that is there, besides the array."""
        return []


@dataclass(frozen=True, eq=False, slots=True)
class TensorSlot(Slot):
    """The array of a tensor."""

    tensor: Tensor
    name: str = ""

    @property
    def place(self) -> tuple[Any, ...]:
        return (id(self.tensor), self.tensor._node is not None)

    @property
    def source(self) -> tuple[str, dict[str, Any]]:
        return "{tensor}._data", {"tensor": self.tensor}

    def get(self) -> Raw:
        return self.tensor._data

    def put(self, value: Raw) -> None:
        tensor = self.tensor
        tensor._data = value
        if tensor._node is not None:
            tensor._node = Leaf(value, tensor._device, tensor)


@dataclass(frozen=True, eq=False, slots=True)
class GradientSlot(Slot):
    """The array of the gradient of a tensor, or None."""

    tensor: Tensor
    name: str = ""

    @property
    def place(self) -> tuple[Any, ...]:
        return (id(self.tensor), "grad")

    @property
    def source(self) -> tuple[str, dict[str, Any]]:
        # Not by the property: this is looked up before each run.
        return 'getattr(getattr({tensor}, "_grad", None), "_data", None)', {"tensor": self.tensor}

    def get(self) -> Raw | None:
        gradient = self.tensor.grad
        return None if gradient is None else gradient._data

    def put(self, value: Raw | None) -> None:
        self.tensor.grad = None if value is None else make(value, self.tensor._device)

    def handles(self) -> list[Any]:
        return [self.tensor.grad]


@dataclass(frozen=True, eq=False, slots=True)
class AttributeSlot(Slot):
    """An attribute of an object: an array or a number."""

    owner: Any
    name: str

    @property
    def place(self) -> tuple[Any, ...]:
        return (id(self.owner), self.name)

    @property
    def source(self) -> tuple[str, dict[str, Any]]:
        return f"{{owner}}.{self.name}", {"owner": self.owner}

    def get(self) -> Any:
        return getattr(self.owner, self.name)

    def put(self, value: Any) -> None:
        setattr(self.owner, self.name, value)


@dataclass(frozen=True, eq=False, slots=True)
class FixedSlot(Slot):
    """An attribute that programs are made for: they are right as long as it is the same object."""

    owner: Any
    name: str
    value: Any

    @property
    def place(self) -> tuple[Any, ...]:
        return (id(self.owner), self.name, id(self.value))

    @property
    def source(self) -> tuple[str, dict[str, Any]]:
        same = f"{{owner}}.{self.name} is {{value}}"
        return f"(None if {same} else {{owner}})", {"owner": self.owner, "value": self.value}

    def get(self) -> None:
        return None

    def put(self, value: None) -> None:
        """Leave it as it is."""


@dataclass(frozen=True, eq=False, slots=True)
class ItemSlot(Slot):
    """An item of a list or a dictionary: an array or a number."""

    owner: Any
    key: Any

    @property
    def place(self) -> tuple[Any, ...]:
        return (id(self.owner), self.key)

    @property
    def source(self) -> tuple[str, dict[str, Any]]:
        return "{owner}[{key}]", {"owner": self.owner, "key": self.key}

    def get(self) -> Any:
        return self.owner[self.key]

    def put(self, value: Any) -> None:
        self.owner[self.key] = value
