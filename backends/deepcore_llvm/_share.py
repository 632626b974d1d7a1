"""The shares of the work, and the threads that do them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from ._lanes import INT64
from ._loops import loop

if TYPE_CHECKING:
    from collections.abc import Generator

    from ._lanes import Code


class Share(NamedTuple):
    """One of the shares, of so many."""

    id: Code
    threads: Code

    def of(self, build: Any, length: int, grain: int) -> tuple[Code, Code]:
        """Return where this share of a length begins and ends: multiples of a grain, as even as can be."""
        grains = INT64(-(-length // grain))

        def edge(i: Code) -> Code:
            position = build.mul(build.udiv(build.mul(i, grains), self.threads), INT64(grain))
            beyond = build.icmp_signed(">", position, INT64(length))
            return build.select(beyond, INT64(length), position) if length % grain else position

        return edge(self.id), edge(build.add(self.id, INT64(1)))


class Crew(NamedTuple):
    """The threads that compute a function together, as one of them sees it.

    Attributes
    ----------
    begin, end
        Its own shares.
    threads
        How many shares there are.
    present
        How many threads there are: as many, or one, which has all shares.
    barrier
        The function in which they wait for each other.
    """

    begin: Code
    end: Code
    threads: Code
    present: Code
    barrier: Code

    @classmethod
    def of(cls, build: Any, barrier: Code) -> Crew:
        """Return the crew of the function that is being written."""
        *_, begin, end, threads = build.function.args
        return cls(begin, end, threads, build.udiv(threads, build.sub(end, begin)), barrier)

    @contextmanager
    def shares(self, build: Any) -> Generator[Share]:
        """Repeat what is written inside for each share of this thread."""
        with loop(build, self.begin, self.end) as i:
            yield Share(i, self.threads)

    def first(self, build: Any) -> Any:
        """Do what is written inside in one thread only."""
        return build.if_then(build.icmp_signed("==", self.begin, INT64(0)))

    def wait(self, build: Any) -> None:
        """Let the threads wait for each other."""
        build.call(self.barrier, [self.begin, self.present])
