"""The ONNX graph that is being built: names of values, nodes, and numbers that are known when it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._backend import Library
from .._dtype import DType, bool_
from .._errors import CompileError
from ..graph import Call, Program, Value
from ._batch import Growing, Length

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ._batch import Aligned

helper: Any = Library("onnx.helper")
numpy_helper: Any = Library("onnx.numpy_helper")

Dims = tuple[int | Length, ...]
Rule = "Callable[..., str | Sequence[str]]"

rules: Final[dict[str, Callable[..., Any]]] = {}
"""How each operation is written in ONNX: ``rule(graph, call, *arguments, **parameters)`` gives the names of results."""

conditions: Final[dict[str, Callable[[Program, Call], bool]]] = {}
"""When a rule can be used, where that is not always."""

since: Final[dict[str, int]] = {}
"""The first version of ONNX's operators for which a rule can be used, where that is not the oldest supported."""


def maps(*names: str, opset: int = 0) -> Callable[[Any], Any]:
    """Declare the rule of some operations."""

    def declare(rule: Any) -> Any:
        for name in names:
            rules[name] = rule
            since[name] = opset
        return rule

    return declare


def suits(*names: str) -> Callable[[Any], Any]:
    """Declare when the rule of some operations can be used: ``suits(program, call)``."""

    def declare(condition: Any) -> Any:
        for name in names:
            conditions[name] = condition
        return condition

    return declare


def is_kept(program: Program, call: Call, opset: int) -> bool:
    """Return whether a call has a rule of its own; otherwise what it is made of is written."""
    name = call.operation
    if name not in rules or since[name] > opset:
        return False
    return name not in conditions or conditions[name](program, call)


class Graph:
    """An ONNX graph under construction.

    Attributes
    ----------
    nodes
        The nodes.
    initializers
        The constants, and the weights.
    opset
        The version of ONNX's operators.
    scope
        The layer that nodes belong to; their names begin with it.
    """

    def __init__(self, aligned: Aligned, opset: int, batch: tuple[str, int]) -> None:
        self.aligned = aligned
        self.opset = opset
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.names: dict[Value, str] = {}
        self._used: set[str] = set()
        self._constants: dict[tuple[Any, ...], str] = {}
        self.scope = ""
        self._batch = batch
        self._samples = ""
        self._producers = {value: call for call in aligned.program.calls for value in call.results}

    # ------------------------------------------------------------------------------------------------------ names

    def fresh(self, stem: str) -> str:
        """Return a name that nothing has yet."""
        name, i = stem, 0
        while name in self._used:
            i += 1
            name = f"{stem}_{i}"
        self._used.add(name)
        return name

    def initializer(self, array: Any, name: str) -> str:
        """Add an array under a name."""
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name))
        return name

    def constant(self, array: Any, dtype: DType | None = None) -> str:
        """Return the name of a constant array; equal ones are there once."""
        array = np.asarray(array) if dtype is None else np.asarray(array, dtype=np_dtype(dtype))
        key = (array.dtype.str, array.dtype.name, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.initializer(array, self.fresh("constant"))
        return self._constants[key]

    def add(self, op_type: str, *inputs: str, n: int = 1, **attributes: Any) -> str:
        """Add a node, and return the name of its first result."""
        return self.add_several(op_type, *inputs, n=n, **attributes)[0]

    def add_several(self, op_type: str, *inputs: str, n: int, **attributes: Any) -> list[str]:
        """Add a node of n results, and return their names."""
        names = [self.fresh(op_type.lower()) for _ in range(n)]
        given = {key: value for key, value in attributes.items() if value is not None}
        self.nodes.append(helper.make_node(op_type, list(inputs), names, name=self._node_name(op_type), **given))
        return names

    def prune(self, outputs: Sequence[str]) -> None:
        """Leave out what the outputs do not need."""
        needed, kept = set(outputs), list[Any]()
        for node in reversed(self.nodes):
            if not needed.isdisjoint(node.output):
                kept.append(node)
                needed.update(node.input)
        self.nodes = kept[::-1]
        self.initializers = [array for array in self.initializers if array.name in needed]

    def _node_name(self, op_type: str) -> str:
        return self.fresh(f"{self.scope}/{op_type}" if self.scope else f"/{op_type}")

    # ------------------------------------------------------------------------------------------------------ values

    def value(self, x: Any, dtype: DType | None = None) -> str:
        """Return the name of a value, or of a number as an array of a data type; cast where types differ."""
        if not isinstance(x, Value):
            return self.number(x, dtype)
        if x not in self.names:
            self.names[x] = self._constant(x)
        name = self.names[x]
        return name if dtype is None or x.dtype is dtype else self.cast(name, dtype)

    def number(self, x: Any, dtype: DType | None = None) -> str:
        """Return the name of a number as an array of no axes."""
        if isinstance(x, Length):
            return self.cast(self.length(x, ()), dtype)
        if not isinstance(x, (bool, int, float)):
            msg = f"{x!r} is no array, and no number that ONNX has"
            raise CompileError(msg)
        return self.constant(x, dtype)

    def _constant(self, value: Value) -> str:
        array = self.aligned.constants[value]
        if not isinstance(array, Growing):
            return self.constant(array)
        dims = self.dims(value)
        first = self.constant(array.first)
        if array.step is None:
            return self.add("Expand", first, self.shape(dims))
        count = self.add(
            "Range", self.constant(np.int64(0)), self.length(dims[array.axis], ()), self.constant(np.int64(1))
        )
        column = self.constant(np.array([-1] + [1] * (len(dims) - array.axis - 1), np.int64))
        count = self.cast(self.add("Reshape", count, column), value.dtype)
        return self.add("Add", first, self.add("Mul", count, self.constant(array.step)))

    def cast(self, name: str, dtype: DType | None) -> str:
        """Return a value in another data type."""
        return name if dtype is None else self.add("Cast", name, to=onnx_dtype(dtype))

    def producer(self, value: Value) -> Call | None:
        """Return the call that computes a value."""
        return self._producers.get(value)

    # ------------------------------------------------------------------------------------------------------ shapes

    def dims(self, value: Value) -> Dims:
        """Return the shape of a value."""
        return self.aligned.lengths[value]

    def length(self, x: int | Length, shape: tuple[int, ...] = (1,)) -> str:
        """Return a length as an integer array of one element, of no axes or of one."""
        if not isinstance(x, Length):
            return self.constant(np.full(shape, x, np.int64))
        if not self._samples:
            name, axis = self._batch
            self._samples = self.add("Gather", self.add("Shape", name), self.constant(np.array([axis], np.int64)))
        found = self._samples
        if x.factor != 1:
            found = self.add("Mul", found, self.constant(np.array([x.factor], np.int64)))
        if x.offset:
            found = self.add("Add", found, self.constant(np.array([x.offset], np.int64)))
        return found if shape else self.add("Squeeze", found)

    def shape(self, dims: Sequence[int | Length]) -> str:
        """Return a shape as an integer array."""
        if not any(isinstance(x, Length) for x in dims):
            return self.constant(np.array(dims, np.int64))
        if len(dims) == 1:
            return self.length(dims[0])
        return self.add("Concat", *(self.length(x) for x in dims), axis=0)

    def reshape(self, name: str, dims: Sequence[int | Length]) -> str:
        """Return a value in another shape."""
        unknown = [i for i, x in enumerate(dims) if isinstance(x, Length)]
        if len(unknown) == 1 and 0 not in dims:
            target = self.constant(np.array([-1 if isinstance(x, Length) else x for x in dims], np.int64))
        else:
            target = self.shape(dims)
        return self.add("Reshape", name, target, allowzero=1 if 0 in dims else None)

    def ints(self, *numbers: int) -> str:
        """Return integers as an array."""
        return self.constant(np.array(numbers, np.int64))


def np_dtype(dtype: DType) -> Any:
    """Return NumPy's object for a data type."""
    return np.dtype("bool" if dtype is bool_ else dtype.name)


def onnx_dtype(dtype: DType) -> int:
    """Return ONNX's number for a data type."""
    found: int = helper.np_dtype_to_tensor_dtype(np_dtype(dtype))
    return found


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """Return axes counted from the first: all of them for None."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(sorted(a % ndim for a in ((axis,) if isinstance(axis, int) else axis)))


def result(call: Call) -> Value:
    """Return the only result of a call."""
    return call.results[0]
