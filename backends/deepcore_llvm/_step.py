"""The steps of a program: kernels, products, and routines, each computed by one thread or by all of them together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from . import _product as products
from ._description import description
from ._ends import scratch_bytes
from ._kernel import Kernel, units
from ._lanes import INT64
from ._pool import PIECES
from ._routine import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deepcore._tracing import Number
    from deepcore.graph.group import Group
    from deepcore.graph.program import Value

    from ._lanes import Code
    from ._product import Product
    from ._routine import Routine
    from ._share import Crew
    from ._space import Space

WORTH_POINTS: Final = 8192
"""The points of a kernel from which several threads compute it."""
WORTH_PRODUCTS: Final = 100_000
"""The multiplications of a product from which several threads compute it."""
LONG_POINTS: Final = 1_000_000
"""The points of a kernel from which a thread has several shares. Those of a product would take longer in all."""


class Functions:
    """The functions of a module: what is described alike is computed by the same one.

    Parameters
    ----------
    module
        The module.
    """

    def __init__(self, module: Any) -> None:
        self.module = module
        self._known: dict[str, Any] = {}

    def get(self, name: str, about: Sequence[Any], write: Callable[[str], Any]) -> Any:
        """Return what was written for the same before, or what ``write`` gives for a new name."""
        key = description(name, *about)
        if key not in self._known:
            self._known[key] = write(f"{name}{len(self._known)}")
        return self._known[key]


class Frame(NamedTuple):
    """The function that a step is written into.

    Attributes
    ----------
    build
        Where its instructions go.
    functions
        Those of the module.
    crew
        The threads that compute it.
    memory
        The address of the memory of the first share.
    numbers
        The numbers of the host that it reads.
    bases
        Where its values are.
    wrong
        The address of what is not 0 when an index was outside of its axis.
    """

    build: Any
    functions: Functions
    crew: Crew
    memory: Code
    numbers: Sequence[Code]
    bases: Sequence[Code]
    wrong: Code

    def note(self, found: Code) -> None:
        """Take notice of what a function says of indices."""
        self.build.store(self.build.or_(self.build.load(self.wrong), found), self.wrong)


class Step(ABC):
    """A step of a program.

    Attributes
    ----------
    values
        What it reads and writes.
    numbers
        The numbers of the host that it reads.
    about
        All that its code depends on.
    scratch_bytes
        How much memory each share needs for itself.
    is_shared
        Whether it is worth several threads.
    """

    values: Sequence[Value]
    numbers: Sequence[Number] = ()
    about: Sequence[Any]
    scratch_bytes: int
    is_shared: bool

    def alone(self, frame: Frame) -> None:
        """Write it for one thread, where it is not worth several."""
        raise NotImplementedError

    @abstractmethod
    def together(self, frame: Frame) -> None:
        """Write it for all threads."""


class KernelStep(Step):
    """A group of calls.

    Parameters
    ----------
    group
        The group.
    space
        The axes along which its kernel goes.
    large
        Its results that are larger than caches, and begin where a line of the cache does.
    """

    def __init__(self, group: Group, space: Space, large: Sequence[Value]) -> None:
        self.group = group
        self.values = group.memory
        self.numbers = group.numbers
        self.about = group, space, large
        self.scratch_bytes = scratch_bytes(group)
        self._points = group.rows * group.width
        self._units = units(group, space)
        self.is_shared = self._points >= WORTH_POINTS and self._units > 1

    def alone(self, frame: Frame) -> None:
        """Write the call of its kernel."""
        kernel = self._kernel(frame)
        rows = INT64(0), INT64(self._units)
        frame.note(frame.build.call(kernel.function, [*rows, frame.memory, *frame.numbers, *frame.bases]))
        self._finish(frame, kernel, INT64(1))

    def together(self, frame: Frame) -> None:
        """Write the calls of its kernel for the rows of each share."""
        kernel, build = self._kernel(frame), frame.build
        with frame.crew.shares(PIECES if self._points >= LONG_POINTS and not self.group.ends else 1) as share:
            rows = share.of(build, self._units, 1)
            own = build.add(frame.memory, build.mul(share.id, INT64(self.scratch_bytes)))
            frame.note(build.call(kernel.function, [*rows, own, *frame.numbers, *frame.bases]))
        if self.group.ends:
            with frame.crew.first():
                self._finish(frame, kernel, frame.crew.threads)

    def _kernel(self, frame: Frame) -> Kernel:
        """Return its kernel."""

        def write(name: str) -> Kernel:
            return Kernel(frame.functions.module, name, *self.about)

        kernel: Kernel = frame.functions.get("kernel", self.about, write)
        return kernel

    def _finish(self, frame: Frame, kernel: Kernel, shares: Code) -> None:
        """Write the call that puts together what the shares have added up."""
        if self.group.ends:
            of = dict(zip(self.values, frame.bases, strict=True))
            results = [of[result] for call in self.group.ends for result in call.results]
            frame.build.call(kernel.finish, [frame.memory, shares, *results])


class ProductStep(Step):
    """A matrix product.

    Parameters
    ----------
    values
        The factors and the result.
    how
        How BLAS computes it.
    """

    def __init__(self, values: Sequence[Value], how: Product) -> None:
        self.values = values
        self.how = how
        self.dtype = values[0].dtype
        self.about = self.dtype, how
        self.is_shared = products.cost(how) >= WORTH_PRODUCTS
        self._adds_up = self.is_shared and products.sums_rows(how)
        self.scratch_bytes = products.sum_bytes(how, self.dtype) if self._adds_up else 0

    def alone(self, frame: Frame) -> None:
        """Write the product."""
        products.write(frame.build, self.how, self.dtype, frame.bases, None)

    def together(self, frame: Frame) -> None:
        """Write the part of each share."""
        how = frame.build, self.how, self.dtype
        if not self._adds_up:
            with frame.crew.shares() as share:
                products.write(*how, frame.bases, share)
            return
        with frame.crew.shares() as share:
            products.write_rows(*how, frame.bases, share, frame.memory)
        with frame.crew.first():
            products.write_sum(*how, frame.bases[2], frame.memory, frame.crew.threads)


class RoutineStep(Step):
    """A call that is written out by hand, always for several threads.

    Parameters
    ----------
    routine
        What writes it.
    """

    is_shared = True

    def __init__(self, routine: Routine) -> None:
        self.routine = routine
        self.values = routine.values
        self.about = type(routine).__name__, routine.call, routine.strides
        self.scratch_bytes = routine.scratch_bytes

    def together(self, frame: Frame) -> None:
        """Write its phases."""
        routine, bases = self.routine, dict(zip(self.values, frame.bases, strict=True))
        for phase in routine.phases:
            with frame.crew.shares() as share:
                phase(Work(frame.build, routine.dtype, bases, share, (frame.memory, self.scratch_bytes)))
