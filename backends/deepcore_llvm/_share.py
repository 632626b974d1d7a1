"""The shares of the work, and the threads that do them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from llvmlite import ir

from ._lanes import INT64
from ._loops import VOID, loop
from ._pool import SHARING, pool

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ._lanes import Code


INT1: Final = ir.IntType(1)


class Share(NamedTuple):
    """One of the shares, of so many."""

    id: Code
    number: Code

    def of(self, build: Any, length: int, grain: int) -> tuple[Code, Code]:
        """Return where this share of a length begins and ends: multiples of a grain, as even as can be."""
        grains = INT64(-(-length // grain))

        def edge(i: Code) -> Code:
            position = build.mul(build.udiv(build.mul(i, grains), self.number), INT64(grain))
            beyond = build.icmp_signed(">", position, INT64(length))
            return build.select(beyond, INT64(length), position) if length % grain else position

        return edge(self.id), edge(build.add(self.id, INT64(1)))


class Crew:
    """The threads that compute a function together, as one of them sees it.

    A function is a sequence of phases. The shares of a phase are done by any of the threads, and the next one begins
    when all of them are done.

    Parameters
    ----------
    build
        Where the instructions of the function go. Its last arguments are which thread this is, how many there are, and
        the first phase.

    Attributes
    ----------
    threads
        How many threads there are.
    phases
        How many phases have been written.
    """

    def __init__(self, build: Any) -> None:
        self._build = build
        *_, self._id, self.threads, self._first = build.function.args
        self.phases = 0

    @property
    def phase(self) -> Code:
        """The phase that is being written."""
        return self._build.add(self._first, INT64(self.phases))

    @contextmanager
    def shares(self, pieces: int = 1) -> Generator[Share]:
        """Repeat what is written inside for the shares of this thread, and those that nobody has begun.

        Parameters
        ----------
        pieces
            How many shares each thread has.
        """
        build, phase = self._build, self.phase
        count = build.mul(self.threads, INT64(pieces))
        begin = build.mul(self._id, INT64(pieces))
        with loop(build, begin, build.add(begin, count)) as i:
            beyond = build.icmp_signed(">=", i, count)
            own = build.select(beyond, build.sub(i, count), i)
            with build.if_then(self._call("take", INT1, phase, own)):
                yield Share(own, count)
                self._call("give", VOID, phase, count)
        self._meet()

    @contextmanager
    def first(self) -> Generator[None]:
        """Do what is written inside in one thread."""
        with self._build.if_then(self._build.icmp_signed("==", self._id, INT64(0))):
            yield
            self._call("give", VOID, self.phase, INT64(1))
        self._meet()

    def call(self, function: Code, operands: Sequence[Code], phases: int) -> Code:
        """Write the call of a function of so many phases, whose last arguments are as those of this one."""
        result = self._build.call(function, [*operands, self._id, self.threads, self.phase])
        self.phases += phases
        return result

    def _meet(self) -> None:
        self._call("meet", VOID, self.phase, self._id)
        self.phases += 1

    def _call(self, name: str, form: Any, *operands: Code) -> Code:
        module = self._build.module
        function = module.globals.get(name)
        if function is None:
            function = ir.Function(module, ir.FunctionType(form, [INT64] * len(operands)), name)
        return self._build.call(function, operands)


def symbols() -> dict[str, int]:
    """Return where the functions are that hand out shares, if there are threads."""
    threads = pool()
    return {} if threads is None else threads.shares


def write_alone(module: Any) -> None:
    """Write the functions that hand out shares where there are no threads."""
    for name in SHARING:
        function = module.globals.get(name)
        if function is not None:
            build = ir.IRBuilder(function.append_basic_block("entry"))
            build.ret(INT1(1)) if name == "take" else build.ret_void()
