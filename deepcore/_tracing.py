"""What a trace needs to know of the host: numbers that Python computes anew before every run, and draws.

A trace turns a computation on arrays into a program. Numbers that change from run to run without being on any device
(the count of steps, a learning rate) are :class:`Number` objects while it runs, which remember how they were computed.
"""

from __future__ import annotations

import itertools
import operator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Protocol

from ._errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ._typing import Raw


class Tracer(Protocol):
    """What records a program."""

    def guard(self, condition: Number) -> bool:
        """Return a condition on numbers of the host, and remember that the program is right only where it is so."""
        ...

    def drawn(self, generator: Any, key: tuple[int, int]) -> None:
        """Remember that a generator was drawn from, with a key."""
        ...

    def host_array(self, key: tuple[int, int], produce: Callable[[int, int], Raw]) -> Raw:
        """Return an array that a function of a key makes, and remember to make it anew before every run."""
        ...


current: Final[ContextVar[Tracer | None]] = ContextVar("the trace that is being recorded", default=None)


recomputation: Final[ContextVar[int]] = ContextVar("which recomputation is running, from 1", default=0)
_recomputations = itertools.count(1)


@contextmanager
def recomputing() -> Generator[None]:
    """Say that what is computed in this block was computed before, and is computed again in order to save memory."""
    token = recomputation.set(next(_recomputations))
    try:
        yield
    finally:
        recomputation.reset(token)


def is_tracing() -> bool:
    """Return whether a program is being recorded, so that the values of arrays are not known."""
    return current.get() is not None


class Number:
    """A number that Python computes anew before every run of a program.

    Arithmetic gives further ones. A comparison gives what it is now, and restricts the program to where it is so.

    Parameters
    ----------
    function
        What computes it.
    operands
        What that is given: numbers of this kind, and constants.
    value
        What it is now; computed, if not given.

    Attributes
    ----------
    function, operands, value
        The same.
    """

    __slots__ = ("function", "operands", "value")
    __array_ufunc__ = None  # an array of NumPy leaves arithmetic with it to it

    def __init__(self, function: Callable[..., Any], operands: tuple[Any, ...] = (), value: Any = None) -> None:
        self.function = function
        self.operands = operands
        self.value = function(*map(value_of, operands)) if value is None else value

    def compute(self) -> Any:
        """Compute it anew."""
        return self.function(*[x.compute() if isinstance(x, Number) else x for x in self.operands])

    def map(self, function: Callable[[Any], Any]) -> Number:
        """Return what a function makes of it."""
        return Number(function, (self,))

    def __float__(self) -> float:
        msg = (
            f"a number that changes from step to step (now {self.value}) is used as a constant of the program; "
            "use arithmetic (x ** 0.5 instead of math.sqrt(x)), or Number.map(function)"
        )
        raise CompileError(msg)

    def __int__(self) -> int:
        return int(float(self))

    def __index__(self) -> int:
        return int(float(self))

    def __bool__(self) -> bool:
        truth: bool = operator.ne(self, 0)
        return truth

    def __hash__(self) -> int:
        msg = "a number that changes from step to step cannot be a key"
        raise CompileError(msg)

    def __repr__(self) -> str:
        return f"Number({self.value!r})"

    def __neg__(self) -> Number:
        return self.map(operator.neg)

    def __abs__(self) -> Number:
        return self.map(abs)


def _arithmetic(function: Callable[[Any, Any], Any], *, turned: bool) -> Callable[[Number, Any], Any]:
    def method(self: Number, other: Any) -> Any:
        if not isinstance(other, (int, float, Number)):
            return NotImplemented
        return Number(function, (other, self) if turned else (self, other))

    return method


def _comparison(function: Callable[[Any, Any], bool]) -> Callable[[Number, Any], Any]:
    def method(self: Number, other: Any) -> Any:
        if not isinstance(other, (int, float, Number)):
            return NotImplemented
        found = Number(function, (self, other))
        tracer = current.get()
        return found.value if tracer is None else tracer.guard(found)

    return method


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    _function = getattr(operator, _name)
    setattr(Number, f"__{_name}__", _arithmetic(_function, turned=False))
    setattr(Number, f"__r{_name}__", _arithmetic(_function, turned=True))
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Number, f"__{_name}__", _comparison(getattr(operator, _name)))


def value_of(x: Any) -> Any:
    """Return what a number is now; anything else is itself."""
    return x.value if isinstance(x, Number) else x
