"""What a compiled function changes besides its arguments: tensors, gradients, and what optimizers remember.

State is found in what the function refers to: variables of enclosing functions, global variables that it names, the
object it is a method of, and whatever models, optimizers, containers and other objects hold. Everything that is found
has its place in a list of slots, which a program reads before a run and writes after it.
"""

from __future__ import annotations

import dis
import functools
import sys
import sysconfig
from operator import attrgetter
from pathlib import Path
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable
from weakref import ref

from .._errors import CompileError
from .._tensor import Tensor
from ._slots import GradientSlot, TensorSlot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .._device import Device
    from ._slots import Slot


_PACKAGE: Final = str(Path(__file__).parent.parent)
_PYTHON: Final = sysconfig.get_path("stdlib")
_is_training: Final[Callable[[Any], bool]] = attrgetter("training")
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
    number
        A short name for its structure.
    """

    number: int = -1

    def __init__(self, roots: Iterable[Any]) -> None:
        self.slots: list[Slot] = []
        self.modes: list[Any] = []
        self._seen: set[int] = set()
        self._tensors: dict[int, tuple[Tensor, str]] = {}
        self._held: set[int] = set()  # tensors whose arrays belong to another slot
        self._edges: list[tuple[Any, Any, Any]] = []  # what leads to what: a container, a key and an object in it
        self._sized: dict[int, Any] = {}  # the lists and dictionaries among the containers, and empty ones
        self._left: list[Callable[[], Any]] = []  # what gives that which was in each slot
        self._compare: Callable[[], list[Any] | None] | None = None
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
        if isinstance(x, (list, dict)) and not x:
            self._sized[id(x)] = x
        for container, key, child in _inside(x):
            if isinstance(child, _ATOMS):
                continue
            if container is not None:
                self._edges.append((container, key, child))
                if isinstance(container, (list, dict)) and not isinstance(x, FunctionType):
                    self._sized[id(container)] = container
            part = "" if isinstance(x, FunctionType) else str(key)
            self._find(child, f"{name}.{part}" if name and part else name or part)

    # ------------------------------------------------------------------------------------------------ from run to run

    def arrays(self) -> list[Any]:
        """Return the arrays in the slots, in order."""
        return [x for slot in self.slots if hasattr(x := slot.get(), "dtype")]

    def leave(self) -> None:
        """Remember the state as it is now, and hold none of it: who holds an array can be told by its references."""
        self._left[:] = [_remembered(slot.get()) for slot in self.slots]
        if self._compare is None:
            tensors = [tensor for tensor, _ in self._tensors.values()]
            self._compare = _comparison(self._edges, list(self._sized.values()), tensors, self.slots, self._left)

    def as_left(self) -> list[Any] | None:
        """Return the arrays, if everything is as it was remembered: what leads to the state, and the arrays in it."""
        return None if self._compare is None else self._compare()

    def structure(self) -> tuple[Any, ...]:
        """Return what a program relies on: the places, and the shapes and types of what is there."""
        return tuple((*slot.place, *_kind(slot.get())) for slot in self.slots)

    def mode(self) -> tuple[bool, ...]:
        """Return which of the models are in training mode."""
        return tuple(map(_is_training, self.modes))


def _inside(x: Any) -> Iterable[tuple[Any, Any, Any]]:
    """Return what an object holds: for each object the container, None if it was made for this, and the key in it."""
    if isinstance(x, Stateful):
        return [(None, "", child) for child in x.state_children()]
    if isinstance(x, dict):
        return [(x, key, item) for key, item in x.items()]
    if isinstance(x, (list, tuple, set, frozenset)):
        return [(x if isinstance(x, (list, tuple)) else None, i, item) for i, item in enumerate(x)]
    if isinstance(x, (FunctionType, MethodType, functools.partial)):
        return referred_by(x)
    if hasattr(x, "__dict__") and not _is_foreign(x):
        return [(vars(x), key, item) for key, item in list(vars(x).items())]
    return ()


def _remembered(x: Any) -> Callable[[], Any]:
    """Return what gives an object, as long as somebody else holds it."""
    try:
        return ref(x)
    except TypeError:  # a number or None
        return lambda: x


def _comparison(
    edges: Sequence[tuple[Any, Any, Any]],
    sized: Sequence[Any],
    tensors: Sequence[Tensor],
    slots: Sequence[Slot],
    left: list[Callable[[], Any]],
) -> Callable[[], list[Any] | None]:
    """Return a function that gives the arrays in the slots, if nothing has changed, and otherwise None.

    It is called before each run, so it is made for these slots.

    Parameters
    ----------
    edges
        What leads to the state: each container still has to hold what it held, under the same key.
    sized
        Containers that still have to hold as many things.
    tensors
        The tensors in it: those that require gradients still have to, and the others not.
    slots
        The places.
    left
        What gives that which was in each. A number may be another one.
    """
    names: dict[str, Any] = {
        "left": left,
        "numbers": (int, float),
        "changes": (LookupError, ValueError, AttributeError),
    }
    tests: list[str] = []
    for i, (container, key, child) in enumerate(edges):
        names |= {f"c{i}": container, f"k{i}": key, f"x{i}": child}
        found = f"c{i}.cell_contents" if isinstance(container, CellType) else f"c{i}[k{i}]"
        tests.append(f"{found} is x{i}")
    for i, tensor in enumerate(tensors):
        names[f"t{i}"] = tensor
        tests.append(f"t{i}._node is {'None' if tensor._node is None else 'not None'}")
    for i, container in enumerate(sized):
        names[f"l{i}"] = container
        tests.append(f"len(l{i}) == {len(container)}")
    lines = [f"if not ({' and '.join(tests) or 'True'}): return None"]
    arrays: list[str] = []
    for i, slot in enumerate(slots):
        expression, objects = slot.source
        names |= {f"{name}{i}": thing for name, thing in objects.items()}
        lines.append(f"v{i} = {expression.format(**{name: f'{name}{i}' for name in objects})}")
        lines.append(f"if v{i} is not left[{i}]() and not isinstance(v{i}, numbers): return None")
        if hasattr(slot.get(), "dtype"):
            arrays.append(f"v{i}")
    body = "\n".join(f"        {line}" for line in lines)
    text = f"def compare():\n    try:\n{body}\n    except changes: return None\n    return [{', '.join(arrays)}]"
    exec(compile(text, "<state>", "exec"), names)  # noqa: S102  # made of names that are made here
    compare: Callable[[], list[Any] | None] = names.pop("compare")  # no cycle of objects keeps the state
    return compare


def referred_by(function: Any) -> list[tuple[Any, Any, Any]]:
    """Return what a function refers to: free variables, global variables, itself, and given arguments."""
    if isinstance(function, functools.partial):
        given = [function.func, *function.args, *function.keywords.values()]
        return [(None, "", x) for x in given]
    if isinstance(function, MethodType):
        return [(None, "", function.__self__), (None, "", function.__func__)]
    names = frozenset[str]() if _is_library(function) else _names_in(function.__code__)
    cells = [(cell, "", cell.cell_contents) for cell in function.__closure__ or () if _is_filled(cell)]
    known = function.__globals__
    return [*cells, *((known, name, known[name]) for name in sorted(names) if name in known)]


def _is_filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


@functools.lru_cache(maxsize=1024)
def _names_in(code: CodeType) -> frozenset[str]:
    """Return the global names that a function uses, and those that the functions in it use, but no attributes."""
    own = {x.argval for x in dis.get_instructions(code) if "GLOBAL" in x.opname or x.opname == "LOAD_NAME"}
    inside = [_names_in(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return frozenset(own.union(*inside))


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
