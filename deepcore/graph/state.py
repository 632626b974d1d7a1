"""What a compiled function changes besides its arguments: tensors, gradients, and what optimizers remember.

State is found in what the function refers to: variables of enclosing functions, global variables that it names, the
object it is a method of, and whatever models, optimizers, containers and other objects hold. Everything that is found
has its place in a list of slots, which a program reads before a run and writes after it.
"""

from __future__ import annotations

import functools
import sys
import sysconfig
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from .._errors import CompileError
from .._tensor import Tensor
from ._slots import GradientSlot, TensorSlot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .._device import Device
    from ._slots import Slot


_PACKAGE: Final = str(Path(__file__).parent.parent)
_PYTHON: Final = sysconfig.get_path("stdlib")
_ATOMS: Final = (str, bytes, int, float, complex, type, ModuleType, type(None))


@runtime_checkable
class Stateful(Protocol):
    """An object that knows its own slots, such as an optimizer."""

    def state_slots(self) -> Iterable[Slot]:
        """Return the places where it keeps state."""
        ...

    def state_children(self) -> Iterable[Any]:
        """Return the objects whose state is found in them."""
        ...


class State:
    """What is found from some objects.

    Attributes
    ----------
    slots
        The places, in order.
    modes
        The models in it, whose mode a program depends on.
    """

    def __init__(self, roots: Iterable[Any]) -> None:
        self.slots: list[Slot] = []
        self.modes: list[Any] = []
        self._seen: set[int] = set()
        self._tensors: dict[int, tuple[Tensor, str]] = {}
        self._held: set[int] = set()  # tensors whose arrays belong to another slot
        for root in roots:
            self._find(root, "")
        for tensor, name in self._tensors.values():
            if tensor._node is not None and tensor._node.primitive is not None:
                msg = (
                    f"the compiled function refers to a tensor{f' {name}' if name else ''} that was computed outside "
                    "of it and requires gradients; give it as an argument, or use its detach()"
                )
                raise CompileError(msg)
            if id(tensor) not in self._held:
                self.slots.append(TensorSlot(tensor, name))
            if tensor._node is not None or tensor.grad is not None:
                self.slots.append(GradientSlot(tensor, f"{name}.grad"))

    @property
    def device(self) -> Device | None:
        """The device of the tensors, or None if there are none."""
        return next((tensor.device for tensor, _ in self._tensors.values()), None)

    def _find(self, x: Any, name: str) -> None:
        if id(x) in self._seen or isinstance(x, _ATOMS):
            return
        self._seen.add(id(x))
        if isinstance(x, Tensor):
            self._tensors[id(x)] = (x, name)
            return
        if isinstance(x, Stateful):
            for slot in x.state_slots():
                self.slots.append(slot)
                self._held.update(map(id, getattr(slot, "holds", ())))
        elif hasattr(x, "training"):
            self.modes.append(x)
        for key, child in _inside(x):
            self._find(child, f"{name}.{key}" if name and key else name or key)

    def structure(self) -> tuple[Any, ...]:
        """Return what a program relies on: the places, and the shapes and types of what is there."""
        return tuple((*slot.place, *_kind(slot.get())) for slot in self.slots)

    def mode(self) -> tuple[bool, ...]:
        """Return which of the models are in training mode."""
        return tuple([model.training for model in self.modes])


def _inside(x: Any) -> Iterable[tuple[str, Any]]:
    """Return the objects that an object holds, with what they are called."""
    if isinstance(x, Stateful):
        return [("", child) for child in x.state_children()]
    if isinstance(x, dict):
        return [(str(key), item) for key, item in x.items()]
    if isinstance(x, (list, tuple, set, frozenset)):
        return [(str(i), item) for i, item in enumerate(x)]
    if isinstance(x, (FunctionType, MethodType, functools.partial)):
        return [("", referred) for referred in referred_by(x)]
    if hasattr(x, "__dict__") and not _is_foreign(x):
        return list(vars(x).items())
    return ()


def referred_by(function: Any) -> list[Any]:
    """Return the objects that a function refers to: free variables, global variables, itself, and given arguments."""
    if isinstance(function, functools.partial):
        return [function.func, *function.args, *function.keywords.values()]
    if isinstance(function, MethodType):
        return [function.__self__, function.__func__]
    if not isinstance(function, FunctionType):
        return []
    names = set[str]() if _is_library(function) else set(_names_in(function.__code__))
    cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
    return [*cells, *(function.__globals__[name] for name in sorted(names) if name in function.__globals__)]


def _is_filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _names_in(code: CodeType) -> Iterator[str]:
    """Yield the names that a function uses, and those that the functions in it use."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)


def _is_library(function: FunctionType) -> bool:
    """Whether a function is of deepcore or of Python: what it names is not the user's state."""
    file = function.__code__.co_filename
    return file.startswith(_PACKAGE) or (file.startswith(_PYTHON) and "site-packages" not in file)


def _is_foreign(x: Any) -> bool:
    """Whether an object is of a library that does not know deepcore."""
    return type(x).__module__.partition(".")[0] in sys.stdlib_module_names | {"numpy", "cupy", "torch", "jax", "jaxlib"}


def _kind(x: Any) -> tuple[Any, ...]:
    if x is None:
        return (None,)
    return (tuple(x.shape), x.dtype) if hasattr(x, "dtype") else (type(x),)


def names_of(function: Callable[..., Any]) -> str:
    """Return what messages call a function."""
    return getattr(function, "__qualname__", type(function).__name__)
