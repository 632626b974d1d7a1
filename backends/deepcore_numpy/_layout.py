"""Where each value of a program is."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deepcore._backend import numpy_dtypes
from deepcore._dtype import float32, float64
from deepcore.graph.trace import NOTHING

from ._results import ALIGNMENT, LARGE, Results
from ._writers import OVERWRITTEN, REDUCTIONS, UFUNCS, WRITERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore.graph.program import Call, Program, Value

    Array = np.ndarray[Any, Any]

_BASIC: Final = (int, slice, type(None), type(...))
_WRITTEN: Final = UFUNCS.keys() | WRITERS.keys() | REDUCTIONS.keys() | {"matmul", "concat"}


class Layout:
    """The arrays of a program.

    A value is *fixed* if it is in the same array in every run: state that is written, constants, what operations write,
    and views of these. Other values (arguments, state that is only read, draws, what other operations return, large
    results) are other arrays in every run, or may be.

    Parameters
    ----------
    program
        The program.

    Attributes
    ----------
    arrays
        The array of each fixed value.
    state
        The inputs that are state, and are both read and written, by position, each with its array.
    outputs
        The outputs that are state, by position, each with its array.
    results
        The values that are written to the memory of results, or that results are views of, each with what gives its
        array before a run.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.arrays: dict[Value, Array] = {}
        self.outputs: dict[int, Array] = {}
        self.results: dict[Value, Results] = {}
        self._makers = {value: call for call in program.calls for value in call.results}
        self._place = {id(call): i for i, call in enumerate(program.calls)}
        self._last = self._last_reads()
        self._homes: dict[Value, Array] = {}  # decided before the value is reached
        kept = dict(program.updates)
        self.state = [(i, _empty(program.inputs[i])) for i in sorted(set(kept.values()))]
        self.arrays.update({program.inputs[i]: array for i, array in self.state})
        self.arrays.update({value: np.asarray(array) for value, array in program.constants.items()})
        self._place_concatenations()
        self._place_updates(kept)
        self._place_rest(self._given(kept))
        self._finish_updates(kept)

    # --------------------------------------------------------------------------------------------------- questions

    def is_view(self, call: Call) -> bool:
        """Whether the result of a call is a view, where its operand is fixed."""
        if call.operation == "getitem":
            key = call.parameters.get("key")
            return all(isinstance(part, _BASIC) for part in (key if isinstance(key, tuple) else (key,)))
        return call.operation in _MAKERS and len(call.arguments) + len(call.parameters) <= 2

    def is_given(self, value: Value) -> bool:
        """Whether an output is where the caller may have it."""
        return self.root(value) in self.results

    def root(self, value: Value) -> Value:
        """Return the value that this one is a view of, through any number of views."""
        call = self._makers.get(value)
        while call is not None and self.is_view(call):
            value = call.arguments[0]
            call = self._makers.get(value)
        return value

    def _is_written(self, call: Call) -> bool:
        """Whether an operation can write its results where they are wanted."""
        if call.operation not in _WRITTEN or not all(value.size and value is not NOTHING for value in call.results):
            return False
        if call.operation in UFUNCS or call.operation == "matmul":
            return not call.parameters
        if call.operation == "concat":
            return all(len(value.shape) == 1 for value in call.arguments[0])
        if call.operation == "mean" and call.results[0].dtype not in (float32, float64):
            return False  # NumPy adds numbers of 16 bits in wider ones
        return call.operation not in {*REDUCTIONS, "mean"} or not call.parameters.keys() - {"axis", "keepdims"}

    def _last_reads(self) -> dict[Value, int]:
        """Return the position of the last call that reads a value, or what may be a view of it."""
        found = {self.root(value): len(self.program.calls) for value in self.program.outputs}
        for i in range(len(self.program.calls) - 1, -1, -1):
            call = self.program.calls[i]
            if self.is_view(call):
                continue
            until = i if self._is_written(call) else max([i, *(found.get(value, i) for value in call.results)])
            for value in call.operands():
                root = self.root(value)
                found[root] = max(found.get(root, until), until)
        return found

    # ------------------------------------------------------------------------------------------------------ places

    def _place_concatenations(self) -> None:
        """Let arrays be computed where they are put together."""
        for call in self.program.calls:
            if call.operation != "concat" or not self._is_written(call):
                continue
            whole, start = _empty(call.results[0]), 0
            self._homes[call.results[0]] = whole
            for value in call.arguments[0]:
                place = whole[start : start + value.size]
                start += value.size
                root = self.root(value)
                maker = self._makers.get(root)
                free = maker is not None and self._is_written(maker) and root not in self._homes
                if free and root.size == value.size:
                    self._homes[root] = place.reshape(root.shape)

    def _place_updates(self, kept: dict[int, int]) -> None:
        """Let new state be written over the old, where nothing reads the old any more."""
        homes = dict(self.state)
        for o, i in kept.items():
            value, old = self.program.outputs[o], self.program.inputs[i]
            maker = self._makers.get(value)
            if maker is None or value in self._homes or not self._is_written(maker):
                continue
            here, last = self._place[id(maker)], self._last.get(old, -1)
            if last < here or (last == here and self._may_overwrite(maker, value, old)):
                self._homes[value] = homes[i]

    def _may_overwrite(self, call: Call, result: Value, operand: Value) -> bool:
        """Whether a call may write a result over an operand, of which it reads no other view."""
        if any(x is not operand and self.root(x) is operand for x in call.operands()):
            return False
        return self._writes_over(call, result, operand)

    def _writes_over(self, call: Call, result: Value, operand: Value) -> bool:
        """Whether a call has read each element of an operand when it writes the result's in its place."""
        if call.operation in UFUNCS:
            return result.shape == operand.shape
        places = OVERWRITTEN.get(call.operation, {})
        position = places.get(call.results.index(result))
        return position is not None and [x is operand for x in call.operands()].index(True) == position

    def _given(self, kept: dict[int, int]) -> set[Value]:
        """Return the large values of which exactly one output is all, and no state."""
        outputs = self.program.outputs
        uses = Counter(map(self.root, outputs))
        return {
            root
            for o, value in enumerate(outputs)
            if uses[root := self.root(value)] == 1 and o not in kept and value.nbytes == root.nbytes >= LARGE
        }

    def _place_rest(self, given: set[Value]) -> None:
        """Give every other value an array, and its memory to another when it is not read any more."""
        pool = _Pool()
        for i, call in enumerate(self.program.calls):
            if self.is_view(call):
                self._view(call)
            elif self._is_written(call):
                for value in call.results:
                    home = self._homes.get(value)
                    if home is not None:
                        self.arrays[value] = home
                    elif value in given and self._is_row_major(call, value):
                        self.results[value] = Results(value.shape, _dtype(value))
                    else:
                        self.arrays[value] = self._pooled(call, value, pool)
            for value in (*map(self.root, call.operands()), *call.results):
                if self._last.get(value, i) <= i:
                    pool.release(value)

    def _pooled(self, call: Call, value: Value, pool: _Pool) -> Array:
        """Return an array whose axes are in memory as NumPy would have them: the last bit of products depends on it."""
        memory = pool.memory(value, self._spent(call, value, pool))[: value.nbytes].view(_dtype(value))
        if self._is_row_major(call, value):
            return memory.reshape(value.shape)
        chosen = np.nditer([*self._alike(call, value), None], ["zerosize_ok"]).operands[-1]
        axes = sorted(range(chosen.ndim), key=lambda axis: -abs(chosen.strides[axis]))
        return memory.reshape([value.shape[axis] for axis in axes]).transpose(np.argsort(axes))

    def _is_row_major(self, call: Call, value: Value) -> bool:
        """Whether NumPy would have the axes of a result in memory in their order."""
        return call.operation not in UFUNCS or all(x.flags.c_contiguous for x in self._alike(call, value))

    def _alike(self, call: Call, value: Value) -> list[Array]:
        """Return the arrays of the operands of a call that have the shape of a value."""
        return [self.arrays[x] for x in call.operands() if x in self.arrays and x.shape == value.shape]

    def _spent(self, call: Call, value: Value, pool: _Pool) -> Value | None:
        """Return an operand that this call may write over, because nothing reads it later."""
        here = self._place[id(call)]
        for x in call.operands():
            fits = x in pool and x.shape == value.shape and x.dtype is value.dtype and self.arrays[x].flags.c_contiguous
            if fits and self._last.get(x) == here and self._may_overwrite(call, value, x):
                return x
        return None

    def _view(self, call: Call) -> None:
        array = self.arrays.get(call.arguments[0])
        if array is None:
            return
        view = viewed(array, call)
        if np.may_share_memory(view, array) or view.size == 0:  # some reshapes have to copy, in every run
            self.arrays[call.results[0]] = view

    def _finish_updates(self, kept: dict[int, int]) -> None:
        homes = dict(self.state)
        for o, i in kept.items():
            value = self.program.outputs[o]
            array = self.arrays.get(value)
            unread = self.program.inputs[i] not in self._last
            if array is not None and unread and self.root(value) in self._homes:
                homes[i] = self.arrays[self.program.inputs[i]] = array
            self.outputs[o] = homes[i]
        self.state = [(i, homes[i]) for i, _ in self.state if self.program.inputs[i] in self._last]


class _Pool:
    """Memory that is used again."""

    def __init__(self) -> None:
        self._free: list[Array] = []
        self._used: dict[Value, Array] = {}

    def __contains__(self, value: Value) -> bool:
        return value in self._used

    def memory(self, value: Value, instead_of: Value | None) -> Array:
        """Return bytes for a value: those of another value, free ones that are enough, or new ones."""
        if instead_of is not None:
            memory = self._used.pop(instead_of)
        else:
            fitting = [m for m in self._free if value.nbytes <= m.nbytes <= 4 * value.nbytes]
            memory = min(fitting, key=lambda m: m.nbytes) if fitting else aligned(value.nbytes)
            self._free = [m for m in self._free if m is not memory]
        self._used[value] = memory
        return memory

    def release(self, value: Value) -> None:
        """Take back the memory of a value."""
        memory = self._used.pop(value, None)
        if memory is not None:
            self._free.append(memory)


def aligned(n_bytes: int) -> Array:
    memory = np.empty(max(n_bytes, 1) + ALIGNMENT, np.uint8)
    start = -memory.__array_interface__["data"][0] % ALIGNMENT
    return memory[start : start + max(n_bytes, 1)]


def _empty(value: Value) -> Array:
    return aligned(value.nbytes)[: value.nbytes].view(_dtype(value)).reshape(value.shape)


def _dtype(value: Value) -> Any:
    return numpy_dtypes()[value.dtype]


def viewed(array: Array, call: Call) -> Array:
    """Return what a call that makes a view makes of an array."""
    if call.operation == "getitem":
        return np.asarray(array[call.parameters["key"]])
    view: Array = _MAKERS[call.operation](array, *call.arguments[1:], *call.parameters.values())
    return view


_MAKERS: Final[dict[str, Callable[..., Any]]] = {
    "broadcast_to": np.broadcast_to,
    "expand_dims": np.expand_dims,
    "matrix_transpose": np.matrix_transpose,
    "permute_dims": np.transpose,
    "reshape": np.reshape,
    "squeeze": np.squeeze,
}
"""Functions that make views, of an array and what else the operation is given, which is one thing at most."""
