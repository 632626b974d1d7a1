"""Routines: operations that are written out by hand, as loops over samples or heads that call BLAS in between.

A routine is for what a composite operation of deepcore's does better as a whole than as the operations that it is made
of: what it has computed of a sample, or of a head, is still in the cache when it goes on with it. Each thread has its
own samples or heads, so that nobody waits for anybody before the end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from llvmlite import ir

from deepcore._tracing import Number
from deepcore.graph.program import Value
from deepcore.graph.trace import NOTHING

from ._arithmetic import FLOATING, folded
from ._lanes import CONTRACT, INT64, Lanes, kind, memory_type, scalar_type
from ._loops import alloca, loop
from ._memory import along, load, spans, store, whole_lines, widest
from ._product import multiply

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deepcore._dtype import DType
    from deepcore.graph.program import Call

    from ._lanes import Code
    from ._share import Share

Strides = dict[Value, tuple[int, ...]]


class Routine(ABC):
    """The writer of one call.

    Parameters
    ----------
    call
        The call.
    strides
        How far apart the elements of its values are in memory, along each axis, in elements.
    """

    def __init__(self, call: Call, strides: Strides) -> None:
        self.call = call
        self.strides = strides
        self.dtype: DType = call.results[0].dtype

    @staticmethod
    def accepts(call: Call) -> bool:
        """Whether there is a routine for these shapes and parameters, wherever the values are."""
        raise NotImplementedError

    def fits(self) -> bool:
        """Whether the values are in memory as the routine needs them: in row-major order, unless it says otherwise."""
        return self.is_contiguous(*self.values)

    @property
    def scratch(self) -> int:
        """How many elements of memory each share needs for itself."""
        return 0

    @abstractmethod
    def write(self, work: Work) -> None:
        """Write a share."""

    @property
    def phases(self) -> Sequence[Callable[[Work], None]]:
        """What writes a share: first of this, and, as soon as all threads have done theirs, of the next."""
        return [self.write]

    @property
    def values(self) -> list[Value]:
        """The values that it reads and writes."""
        return values_of(self.call)

    @property
    def scratch_bytes(self) -> int:
        """How much memory each share needs for itself: whole lines of the cache."""
        return whole_lines(self.scratch * (self.dtype.bits // 8))

    def is_contiguous(self, *values: Value | None) -> bool:
        """Whether values are in memory in row-major order."""
        return all(value is None or _is_row_major(value.shape, self.strides[value]) for value in values)

    def has_rows(self, *values: Value | None) -> bool:
        """Whether the elements along the last axis of values are next to each other."""
        return all(value is None or value.shape[-1] == 1 or self.strides[value][-1] == 1 for value in values)


def values_of(call: Call) -> list[Value]:
    """Return what a call reads and writes."""
    return [x for x in (*call.operands(), *call.results) if x is not NOTHING]


def is_floating(call: Call) -> bool:
    """Whether all that a call computes with is of one data type of 32 or 64 bits that BLAS multiplies."""
    values = values_of(call)
    dtypes = {x.dtype for x in values}
    has_numbers = any(isinstance(x, Number) for x in (*call.arguments, *call.parameters.values()))
    (dtype, *rest) = dtypes
    return (
        not rest and not has_numbers and kind(dtype) == "f" and dtype.bits in (32, 64) and all(x.size for x in values)
    )


def _is_row_major(shape: Sequence[int], strides: Sequence[int]) -> bool:
    size = 1
    for length, step in zip(reversed(shape), reversed(strides), strict=True):
        if length != 1 and step != size:
            return False
        size *= length
    return True


class Work:
    """What writes the instructions of a routine.

    Parameters
    ----------
    build
        Where they go.
    dtype
        The data type that is computed in.
    bases
        The address of each value.
    share
        Which share this is.
    memory
        The scratch memory of the first share, as an address, and how many bytes each has.
    """

    def __init__(
        self,
        build: Any,
        dtype: DType,
        bases: dict[Value, Code],
        share: Share,
        memory: tuple[Code, int],
    ) -> None:
        self.build = build
        self.dtype = dtype
        self.bases = bases
        self.share = share
        self.scalar = scalar_type(dtype)
        self.width = widest(dtype.bits)
        self._memory = memory

    def scratch(self, start: int = 0, share: Code = None) -> Code:
        """Return the memory of this share, or of another, from some element on."""
        first, size = self._memory
        address = self.build.add(first, self.build.mul(self.share.id if share is None else share, INT64(size)))
        return self.at(self.build.inttoptr(address, memory_type(self.dtype).as_pointer()), (INT64(start), 1))

    # -------------------------------------------------------------------------------------------------- addresses

    def at(self, pointer: Code, *steps: tuple[Code, int]) -> Code:
        """Return the address that is so many times so many elements further on."""
        position: Code = INT64(0)
        for index, step in steps:
            if step:
                position = self.build.add(position, self.build.mul(index, INT64(step)))
        return self.build.gep(pointer, [position])

    def row(self, pointer: Code, i: Code, shape: Sequence[int], strides: Sequence[int]) -> Code:
        """Return the address of the i-th of the parts of an array, counted along some axes in row-major order."""
        steps: list[tuple[Code, int]] = []
        for length, step in zip(reversed(shape), reversed(strides), strict=True):
            steps.append((self.build.urem(i, INT64(length)), step))
            i = self.build.udiv(i, INT64(length))
        return self.at(pointer, *steps)

    def least(self, x: Code, y: Code) -> Code:
        """Return the smaller of two whole numbers."""
        return self.build.select(self.build.icmp_signed("<", x, y), x, y)

    # ---------------------------------------------------------------------------------------------------- elements

    def along(self, length: int) -> Any:
        """Yield lanes for each part of a row, with where they begin."""
        return along(self.build, length, self.width)

    def load(self, lanes: Lanes, pointer: Code, start: Code) -> Code:
        """Read elements of a row."""
        return load(lanes, self.build.gep(pointer, [start]))

    def store(self, lanes: Lanes, x: Code, pointer: Code, start: Code) -> None:
        """Write elements of a row."""
        store(lanes, x, self.build.gep(pointer, [start]))

    def number(self, lanes: Lanes, x: float) -> Code:
        """Return a number in every lane."""
        return lanes.constant(self.scalar, x)

    def add(self, x: Code, y: Code) -> Code:
        """Return x + y."""
        return self.build.fadd(x, y, flags=CONTRACT)

    def sub(self, x: Code, y: Code) -> Code:
        """Return x - y."""
        return self.build.fsub(x, y, flags=CONTRACT)

    def mul(self, *factors: Code) -> Code:
        """Return a product."""
        (found, *rest) = factors
        for x in rest:
            found = self.build.fmul(found, x, flags=CONTRACT)
        return found

    def function(self, name: str, lanes: Lanes, *operands: Code) -> Code:
        """Return a function of the standard's."""
        return FLOATING[name](lanes, self.dtype, *operands)

    def sigmoid(self, lanes: Lanes, x: Code) -> Code:
        """Return (1 + tanh(x / 2)) / 2."""
        half = self.number(lanes, 0.5)
        return self.add(self.mul(self.function("tanh", lanes, self.mul(x, half)), half), half)

    def fill(self, pointer: Code, length: int, value: Code) -> None:
        """Write one number to all elements of a row."""
        for lanes, start in self.along(length):
            self.store(lanes, lanes.spread(value), pointer, start)

    def copy(
        self, source: Code, target: Code, length: int, step: int = 1, more: Callable[..., Code] | None = None
    ) -> None:
        """Copy a row.

        Parameters
        ----------
        source, target
            Where from and where to.
        length
            How many elements.
        step
            How far apart they are where they come from.
        more
            What to make of the lanes, the elements and where they begin, before they are written.
        """
        if step != 1:
            with loop(self.build, INT64(0), INT64(length)) as i:
                x = self.build.load(self.at(source, (i, step)))
                self.build.store(x if more is None else more(Lanes(self.build, 1), x, i), self.at(target, (i, 1)))
            return
        for lanes, start in self.along(length):
            x = self.load(lanes, source, start)
            self.store(lanes, x if more is None else more(lanes, x, start), target, start)

    def reduced(self, length: int, combine: Callable[..., Code], begin: float, part: Callable[..., Code]) -> Code:
        """Return what an operation makes of a row.

        Parameters
        ----------
        length
            The length of the row.
        combine
            The operation, of lanes, data type and two operands.
        begin
            What it leaves as it is.
        part
            Gives the elements, of lanes and where they begin.
        """
        total = alloca(self.build, self.scalar)
        self.build.store(ir.Constant(self.scalar, begin), total)
        for width, start, count in spans(length, self.width):
            lanes = Lanes(self.build, width)
            found = alloca(self.build, lanes.wide(self.scalar))
            self.build.store(self.number(lanes, begin), found)
            with loop(self.build, INT64(0), INT64(count), once=count == 1) as i:
                x = part(lanes, self.build.add(self.build.mul(i, INT64(width)), INT64(start)))
                self.build.store(combine(lanes, self.dtype, self.build.load(found), x), found)
            x = folded(lanes, self.dtype, combine, self.build.load(found))
            self.build.store(combine(Lanes(self.build, 1), self.dtype, self.build.load(total), x), total)
        return self.build.load(total)

    # ---------------------------------------------------------------------------------------------------- products

    def product(
        self,
        a: Matrix,
        b: Matrix,
        c: Matrix,
        sizes: tuple[Any, Any, Any],
        *,
        alpha: float = 1.0,
        beta: Code | float = 0.0,
    ) -> None:
        """Write the call of BLAS that computes c = alpha a b + beta c.

        Parameters
        ----------
        a, b, c
            The matrices.
        sizes
            The rows of a and c, the columns of b and c, and the columns of a.
        alpha, beta
            The factors.
        """
        multiply(self.build, self.scalar, (a, b, c), sizes, alpha, beta)


Matrix = tuple[Any, int, bool]
"""An address, how far apart the rows in memory are, and whether these are the columns of the matrix."""


def leading(value: Value, strides: Sequence[int]) -> int:
    """Return how far apart the rows of a matrix are, in memory."""
    return strides[-2] if value.shape[-2] > 1 else max(value.shape[-1], 1)


def is_matrix(value: Value, strides: Sequence[int]) -> bool:
    """Whether BLAS can be told of the matrices at the end of a value as they are."""
    rows, columns = value.shape[-2:]
    return (columns == 1 or strides[-1] == 1) and (rows == 1 or strides[-2] >= columns)
