"""Recording a program while it runs: arrays that know which value of the program they are.

A function is traced by running it once. Its arrays are wrapped (:class:`Traced`), and the kernels of the device are
replaced by ones that compute as ever and write down what they did. So the trace gives the results of that run, and
shapes and data types need no rules of their own. What depends on no wrapped array is constant.
"""

from __future__ import annotations

import gc
import sys
import weakref
from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final

from .._backend import EXTENSIONS, Extension, Kernels, overwritten
from .._dtype import DTYPES, as_dtype, bool_
from .._errors import CompileError, DTypeError
from .._tracing import Number, current, recomputation, value_of
from ..ops.manipulation import broadcast_shapes
from .group import ELEMENTWISE, VIEWS
from .program import Call, Draw, Program, Value, leaves_of, mapped

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from types import FrameType

    from .._device import Device
    from .._dtype import DType
    from .._typing import Kernel, Raw, Shape

_OPERATORS: Final = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "pow",
    "matmul": "matmul",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "bitwise_left_shift",
    "rshift": "bitwise_right_shift",
}
_COMPARISONS: Final = {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}
_DATA_DEPENDENT: Final = frozenset({"nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values"})
"""Operations whose results have shapes that depend on values."""

NOTHING: Final = Value((), bool_)
"""What stands for results that an operation leaves out."""
_ATOMS: Final = (int, float, bool, complex, str, type(None))
_UNARY: Final = {"neg": "negative", "pos": "positive", "abs": "abs", "invert": "bitwise_invert"}


class Traced:
    """An array of the library underneath, and the value of the program that it is."""

    __slots__ = ("__weakref__", "array", "trace", "value")
    __array_ufunc__ = None  # NumPy's arrays leave arithmetic with it to it
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, array: Raw, value: Value, trace: Trace) -> None:
        self.array = array
        self.value = value
        self.trace = trace
        trace.alive.add(id(self))
        weakref.finalize(self, trace.alive.discard, id(self)).atexit = False

    @property
    def shape(self) -> Shape:
        """The length of each axis."""
        return self.value.shape

    @property
    def dtype(self) -> Any:
        """The library's data type."""
        return self.array.dtype

    @property
    def device(self) -> Any:
        """The library's device."""
        return self.array.device

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.value.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.value.size

    def __getitem__(self, key: Any) -> Any:
        return self.trace.kernels["getitem"](self, key=key)

    def __setitem__(self, key: Any, new: Any) -> None:
        changed = self.trace.kernels["setitem"](self, new, key=key)
        self.array, self.value = changed.array, changed.value

    def __len__(self) -> int:
        return self.shape[0]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        msg = f"{name} of an array whose values are not known while a program is recorded{_user_line()}"
        raise CompileError(msg)

    def __repr__(self) -> str:
        return f"Traced({self.value.kind})"


def _operator(name: str, *, turned: bool) -> Callable[[Traced, Any], Any]:
    def method(self: Traced, other: Any) -> Any:
        kernel = self.trace.kernels[name]
        return kernel(other, self) if turned else kernel(self, other)

    return method


def _unary(name: str) -> Callable[[Traced], Any]:
    return lambda self: self.trace.kernels[name](self)


def _refusal(what: str) -> Callable[..., Any]:
    def method(self: Traced, *args: Any, **kwargs: Any) -> Any:
        msg = (
            f"{what} in a function that is compiled{_user_line()}: the program may not depend on it. "
            "Choose with deepcore.where(...), or do this outside of the function"
        )
        raise CompileError(msg)

    return method


for _name in ("T", "mT"):
    setattr(Traced, _name, property(_unary("matrix_transpose")))
for _name, _operation in _OPERATORS.items():
    setattr(Traced, f"__{_name}__", _operator(_operation, turned=False))
    setattr(Traced, f"__r{_name}__", _operator(_operation, turned=True))
for _name, _operation in _COMPARISONS.items():
    setattr(Traced, f"__{_name}__", _operator(_operation, turned=False))
for _name, _operation in _UNARY.items():
    setattr(Traced, f"__{_name}__", _unary(_operation))
for _name in ("array", "float", "int", "bool", "complex", "index", "iter", "dlpack", "dlpack_device", "contains"):
    setattr(Traced, f"__{_name}__", _refusal("the values of an array are asked for"))


class TracingKernels(Kernels):
    """The kernels of a device, which write down what they do with wrapped arrays."""

    def __init__(self, real: Kernels, trace: Trace) -> None:
        dict.__init__(self)
        self._real = real
        self._trace = trace
        for name in EXTENSIONS:
            setattr(self, name, Extension(name, self.__getitem__))

    def __missing__(self, name: str) -> Kernel:
        real = self._real[name]
        kernel = real if name in DTYPES or isinstance(real, type) or not callable(real) else self._recorded(name, real)
        self[name] = kernel
        return kernel

    def _recorded(self, name: str, real: Kernel) -> Kernel:
        trace = self._trace

        def kernel(*args: Any, **kwargs: Any) -> Any:
            if get_ident() != trace.thread:
                return real(*args, **kwargs)  # another thread computes on the device meanwhile
            return trace.call(name, real, args, kwargs)

        return kernel


class Trace:
    """A program that is being recorded.

    Attributes
    ----------
    program
        The program so far.
    kernels
        The functions that write down what they do.
    thread
        The thread that records it. Others compute on the device as ever.
    guards
        Conditions on numbers of the host, whose values are what they have to be.
    alive
        The ids of the wrapped arrays that somebody still holds.
    layers
        What layers are called, by their ids: calls in their ``forward`` are said to be part of them.

    Parameters
    ----------
    device
        Where it computes.
    of_shapes
        Whether only shapes and data types count: results are then forgotten, and arrays that look like them take
        hardly any memory.
    """

    def __init__(self, device: Device, *, of_shapes: bool = False) -> None:
        self.program = Program(device)
        self.device = device
        self.thread = get_ident()
        self.alive: set[int] = set()
        self.guards: list[Number] = []
        self.layers: dict[int, str] = {}
        self._of_shapes = of_shapes
        self._real = device.kernels
        self.kernels = TracingKernels(self._real, self)
        self._constants: dict[int, tuple[Raw, Value]] = {}
        self._draws: dict[tuple[int, tuple[int, int]], Draw] = {}
        self._drawn: tuple[Draw, tuple[int, int]] | None = None
        self._position = 0

    @contextmanager
    def recording(self) -> Generator[None]:
        """Write down what is computed in this block."""
        device = self.device
        token = current.set(self)
        device.kernels = self.kernels
        try:
            yield
        finally:
            device.kernels = self._real
            current.reset(token)
            self._claim()

    # ----------------------------------------------------------------------------------------------------- arrays

    def input(self, array: Raw, name: str = "") -> Traced:
        """Return an array as an input of the program."""
        value = self._value(array, name)
        self.program.inputs.append(value)
        return Traced(array, value, self)

    def _value(self, array: Raw, name: str = "") -> Value:
        return Value(tuple(array.shape), self.device.backend.dtypes[array.dtype], name)

    def value(self, x: Raw) -> Value:
        """Return the value that an array is, a constant if it is not wrapped."""
        if isinstance(x, Traced):
            return x.value
        known = self._constants.get(id(x))
        if known is None:
            known = self._constants[id(x)] = (x, self._value(x))
            self.program.constants[known[1]] = x
        return known[1]

    def call(self, name: str, real: Kernel, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Compute, and write down what was computed if anything of it is not constant."""
        found: list[Any] = []
        arguments, parameters = self._written(args, found), self._written(kwargs, found)
        if not found:
            return real(*args, **kwargs)
        if name in _DATA_DEPENDENT or (name == "getitem" and _is_mask(parameters.get("key"))):
            msg = f"{name}: the shape of the result depends on values{_user_line()}; use deepcore.where(...)"
            raise CompileError(msg)
        plain = [self._own(x) if i in overwritten.get(name, ()) else _plain(x) for i, x in enumerate(args)]
        result = self._computed(name, real, plain, _plain(kwargs))
        several = isinstance(result, (tuple, list))
        arrays: list[Any] = list(result) if several else [result]
        if not arrays or not all(x is None or _is_array(x) for x in arrays):
            return result  # a property of shapes and types, such as a data type
        values = tuple(NOTHING if x is None else self._value(x) for x in arrays)
        where = user_line(), self._layer(), recomputation.get()
        self.program.calls.append(Call(name, arguments, parameters, values, *where))
        wrapped = [None if x is None else Traced(x, v, self) for x, v in zip(arrays, values, strict=True)]
        if not several:
            return wrapped[0]
        form: Any = type(result)
        return form(*wrapped) if hasattr(form, "_fields") else form(wrapped)

    def _own(self, x: Any) -> Raw:
        """Return an array that may be written to. Those of the state are put back if the recording fails."""
        value = self.value(x)
        is_new = any(value in call.results and call.operation not in VIEWS for call in self.program.calls)
        return _plain(x) if is_new else self._real["asarray"](_plain(x), copy=True)

    def _computed(self, name: str, real: Kernel, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Return what a kernel gives, or what looks like it."""
        if not self._of_shapes:
            return real(*args, **kwargs)
        if name != "matmul" and name not in ELEMENTWISE:
            result = real(*args, **kwargs)
            return mapped(result, lambda x: self.stand_in(tuple(x.shape), x) if _is_array(x) else x)
        shapes = [tuple(x.shape) for x in (*args, *kwargs.values()) if _is_array(x)]
        shape = _shape_of_product(*shapes) if name == "matmul" else broadcast_shapes(*shapes)
        args, kwargs = mapped((args, kwargs), lambda x: x[(slice(0, 1),) * x.ndim] if _is_array(x) else x)
        return self.stand_in(shape, real(*args, **kwargs))

    def stand_in(self, shape: Shape, x: Raw) -> Raw:
        """Return an array of a shape that has the first element of another everywhere, or that one if it has none."""
        first = x[(slice(0, 1),) * x.ndim]
        return self._real["broadcast_to"](first, shape)

    def _layer(self) -> str:
        """Return what the innermost layer is called whose ``forward`` is running."""
        frame: FrameType | None = sys._getframe(1) if self.layers else None
        while frame is not None:
            if frame.f_code.co_name == "forward":
                name = self.layers.get(id(frame.f_locals.get("self")))
                if name is not None:
                    return name
            frame = frame.f_back
        return ""

    def _written(self, part: Any, found: list[Any]) -> Any:
        """Return arguments as the program has them, and collect what is not constant."""
        if isinstance(part, Traced):
            found.append(part)
            return part.value
        if isinstance(part, Number):
            found.append(part)
            return part
        if isinstance(part, (list, tuple)):
            items = [self._written(x, found) for x in part]
            return type(part)(*items) if hasattr(part, "_fields") else type(part)(items)
        if isinstance(part, dict):
            return {key: self._written(x, found) for key, x in part.items()}
        if _is_array(part):
            return self.value(part)
        return part if type(part) in _ATOMS else self._dtype(part) or part

    def _dtype(self, part: Any) -> DType | None:
        """Return deepcore's data type for one of the library's; a program knows no library."""
        if part is None or part is ... or isinstance(part, slice):
            return None
        try:
            return self.device.backend.dtypes.get(part) or as_dtype(part)
        except (DTypeError, TypeError):
            return None

    # ------------------------------------------------------------------------------------------------ what is asked

    def guard(self, condition: Number) -> bool:
        """Return a condition on numbers of the host, and remember that the program is right only where it is so."""
        self.guards.append(condition)
        holds: bool = condition.value
        return holds

    def drawn(self, generator: Any, key: tuple[int, int]) -> None:
        """Remember that a generator was drawn from, with a key. Drawing again with a key gives the same arrays."""
        self._claim()
        known = self._draws.get((id(generator), key))
        if known is None:
            known = self._draws[id(generator), key] = Draw(generator)
            self.program.draws.append(known)
        self._drawn, self._position = (known, key), 0

    def host_array(self, key: tuple[int, int], produce: Callable[[int, int], Raw]) -> Raw:
        """Return an array that a function of a key makes, and remember to make it anew before every run."""
        if self._drawn is None or self._drawn[1] != key:
            msg = "an array is made of an earlier draw of random numbers"
            raise CompileError(msg)
        draw, array = self._drawn[0], produce(*key)
        if self._position == len(draw.arrays):
            draw.arrays.append((self._value(array), produce))
        value = draw.arrays[self._position][0]
        self._position += 1
        return Traced(array, value, self)

    def _claim(self) -> None:
        """Refuse draws whose words became something else than arrays: they would be the same in every run."""
        if self._drawn is not None and not self._drawn[0].arrays:
            msg = f"random words are used on the host{_user_line()}, and would be the same in every run of the program"
            raise CompileError(msg)
        self._drawn = None

    # -------------------------------------------------------------------------------------------------------- end

    def array(self, x: Raw) -> Raw:
        """Return an array without its wrapping."""
        return x.array if isinstance(x, Traced) else x


def check_released(alive: set[int]) -> None:
    """Raise if somebody still holds wrapped arrays: state that the program would not keep up to date."""
    if alive:
        gc.collect()
    if alive:
        msg = (
            f"{len(alive)} arrays that were computed in the compiled function are held by something that it did not "
            "get as an argument, and does not refer to; name what holds them in compile(..., state=[...])"
        )
        raise CompileError(msg)


def _is_array(x: Any) -> bool:
    return hasattr(x, "shape") and hasattr(x, "dtype") and not isinstance(x, type)  # NumPy's types have both


def _is_mask(key: Any) -> bool:
    """Whether an index has truth values."""
    return any(isinstance(x, Value) and x.dtype is bool_ for x in leaves_of(key))


def _shape_of_product(a: Shape, b: Shape) -> Shape:
    """Return the shape of a matrix product; a vector is a row on the left, a column on the right, and gives no axis."""
    return (*broadcast_shapes(a[:-2], b[:-2]), *a[-2:-1], *(b[-1:] if len(b) > 1 else ()))


def _plain(part: Any) -> Any:
    """Return arguments with what is wrapped taken out."""
    if isinstance(part, Traced):
        return part.array
    if isinstance(part, (list, tuple)):
        items = [_plain(x) for x in part]
        return type(part)(*items) if hasattr(part, "_fields") else type(part)(items)
    if isinstance(part, dict):
        return {key: _plain(x) for key, x in part.items()}
    return value_of(part)


def user_line() -> str:
    """Return the file and line from which deepcore was called."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__")).startswith("deepcore"):
        frame = frame.f_back
    return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _user_line() -> str:
    line = user_line()
    return f" at {line}" if line else ""
