"""Chains of functions of each element, and of rows, on large arrays: block by block, from the first to the last.

What one function of a chain gives the next is in memory that stays in the cache, and only what somebody else reads is
written elsewhere. The functions are called in the order of the program, so each element has the bits that it would
have without blocks.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from deepcore._backend import numpy_dtypes
from deepcore._tracing import Number

from ._activation import DTYPES, ELEMENTWISE, ROWWISE, SINGLE, scratch
from ._blocks import over_blocks, rows_of_a_block
from ._writers import UFUNCS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from deepcore.graph.program import Call, Program, Value

    Array = np.ndarray[Any, Any]

SMALLEST: Final = 1 << 17
"""From how many elements on they do not stay in the cache by themselves."""


def chains(program: Program, arrays: Mapping[Value, Array], results: Collection[Value]) -> Iterator[list[Call]]:
    """Yield the calls of a program in order, those that are a chain together, and every other alone.

    Parameters
    ----------
    program
        The program.
    arrays
        The arrays of values that are in the same place in every run.
    results
        The values that are written to other arrays in each run.
    """
    chain: list[Call] = []
    for call in program.calls:
        if chain and not (_is_link(call) and call.results[0].shape == chain[0].results[0].shape):
            yield from _as_far_as_possible(chain, arrays, results)
            chain = []
        if _is_link(call):
            chain.append(call)
        else:
            yield [call]
    yield from _as_far_as_possible(chain, arrays, results)


def _is_link(call: Call) -> bool:
    """Whether a call can be part of a chain."""
    name, result = call.operation, call.results[0]
    if len(call.results) != 1 or result.size < SMALLEST:
        return False
    operands = list(call.operands())
    alike = [x.shape == result.shape for x in operands]
    if name in UFUNCS:
        return not call.parameters and all(a or not x.shape for x, a in zip(operands, alike, strict=True))
    kinds = {numpy_dtypes()[x.dtype] for x in (*operands, result)}
    if not all(alike) or len(kinds) > 1 or kinds.isdisjoint(DTYPES):
        return False
    if name in ROWWISE:
        return call.parameters.get("axis", -1) in (-1, len(result.shape) - 1)
    return name in ELEMENTWISE or (name in SINGLE and kinds == {np.dtype(np.float32)})


def _as_far_as_possible(
    chain: list[Call], arrays: Mapping[Value, Array], results: Collection[Value]
) -> Iterator[list[Call]]:
    """Yield a chain, or its calls one by one where memory of one array is used again for another in other places."""
    made = {call.results[0] for call in chain}
    written = [arrays[x] for x in made if x in arrays]
    read = [arrays[x] for call in chain for x in call.operands() if x in arrays and x not in made and x.shape]
    fits = (
        len(chain) > 1
        and all(x in arrays or x in results for x in made)
        and all(a.flags.c_contiguous for a in written)
        and not any(np.may_share_memory(a, b) and not _is_same_place(a, b) for a in written for b in read)
    )
    yield from [chain] if fits else ([call] for call in chain)


def _is_same_place(a: Array, b: Array) -> bool:
    return a.ctypes.data == b.ctypes.data and a.strides == b.strides and a.itemsize == b.itemsize


class _Link(NamedTuple):
    """A call of a chain: the positions of its result and its operands among everything that a block has."""

    function: Callable[..., object]
    is_ufunc: bool
    target: int
    operands: Sequence[Any]


class _Place(int):
    """A position, which is no number."""

    __slots__ = ()


class Chain:
    """A chain of calls.

    Parameters
    ----------
    calls
        The calls.
    kept
        Which of their results somebody else reads.

    Attributes
    ----------
    given
        What it is given in each run, in order: operands, numbers, and the arrays that it writes.
    """

    def __init__(self, calls: Sequence[Call], kept: Collection[Value]) -> None:
        made = [call.results[0] for call in calls]
        self.given: list[Any] = [
            x for x in dict.fromkeys(x for call in calls for x in call.operands()) if x not in made
        ]
        numbers = {id(x): x for call in calls for x in call.arguments if isinstance(x, Number)}
        self.given += [*numbers.values(), *(x for x in made if x in kept)]
        self._is_whole = [hasattr(x, "shape") and bool(x.shape) for x in self.given]
        self._dtypes: list[Any] = []
        places = {id(x): _Place(i) for i, x in enumerate(self.given)}
        self._links = list(self._linked(calls, places))
        self._spares = [link.function for link in self._links if not link.is_ufunc]
        self._shape = made[0].shape
        self._by_row = any(call.operation in ROWWISE for call in calls)
        self._like = numpy_dtypes()[made[0].dtype]

    def _linked(self, calls: Sequence[Call], places: dict[int, _Place]) -> Iterator[_Link]:
        """Yield the links, and give results that nobody else reads places that are used again."""
        left = Counter(id(x) for call in calls for x in call.operands())
        free: list[_Place] = []
        own: set[int] = set()

        def release(call: Call) -> None:
            for x in call.operands():
                left[id(x)] -= 1
                if id(x) in own and not left[id(x)]:
                    free.append(places[id(x)])

        for call in calls:
            (result,), is_ufunc = call.results, call.operation in UFUNCS
            operands = [places.get(id(x), x) for x in call.arguments]
            if is_ufunc:
                release(call)  # a function of NumPy's may write over its operand
            if id(result) not in places:
                dtype = numpy_dtypes()[result.dtype]
                fitting = [p for p in free if self._dtypes[p - len(self.given)] == dtype]
                if fitting:
                    free.remove(fitting[0])
                else:
                    self._dtypes.append(dtype)
                places[id(result)] = fitting[0] if fitting else _Place(len(self.given) + len(self._dtypes) - 1)
                own.add(id(result))
            if not is_ufunc:
                release(call)
            yield _Link(_FUNCTIONS[call.operation], is_ufunc, places[id(result)], operands)

    def __call__(self, *given: Any) -> None:
        """Compute what somebody else reads."""
        n = self._shape[-1] if self._by_row else 1
        shape = (-1, n) if self._by_row else (-1,)
        whole = [
            np.ascontiguousarray(x).reshape(shape) if is_whole else x
            for x, is_whole in zip(given, self._is_whole, strict=True)
        ]
        rows, step = math.prod(self._shape) // n, rows_of_a_block(n)

        def run(start: int, stop: int) -> None:
            for length in {min(step, stop - start), (stop - start) % step} - {0}:
                like = np.empty((length, n)[: len(shape)], self._like)
                own = [np.empty(like.shape, dtype) for dtype in self._dtypes]
                spares = {work: scratch(work, like) for work in self._spares}
                first, last = (stop - length, stop) if length < step else (start, stop - (stop - start) % step)
                for i in range(first, last, length):
                    block = slice(i, i + length)
                    self._compute(
                        [
                            *[x[block] if is_whole else x for x, is_whole in zip(whole, self._is_whole, strict=True)],
                            *own,
                        ],
                        spares,
                    )

        over_blocks(run, rows, step, n)

    def _compute(self, at: list[Any], spares: dict[Any, Array]) -> None:
        for function, is_ufunc, target, operands in self._links:
            values = [at[x] if type(x) is _Place else x for x in operands]
            if is_ufunc:
                function(*values, out=at[target])
            else:
                function(at[target], spares[function], *values)


_FUNCTIONS: Final[dict[str, Callable[..., object]]] = {**UFUNCS, **ELEMENTWISE, **ROWWISE, **SINGLE}
