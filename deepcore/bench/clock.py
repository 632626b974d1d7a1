"""Clocks: computations that are timed in turn, so that whatever else the machine does falls on all of them alike."""

from __future__ import annotations

import gc
import math
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Timer = Callable[[int], float]
"""A function that computes something so many times, and returns how many seconds that took."""

K = TypeVar("K")

MOST_REPEATS: Final = 100_000
RESOLUTIONS: Final = 1_000  # a sample is at least so many ticks of the clock long


class Spread(NamedTuple):
    """A median between the quartiles.

    Attributes
    ----------
    low, median, high
        The first quartile, the median and the third quartile.
    """

    low: float
    median: float
    high: float


def spread(values: list[float]) -> Spread:
    """Return the median of some numbers with their quartiles.

    Examples
    --------
    >>> spread([4.0, 1.0, 2.0, 3.0, 5.0])
    Spread(low=2.0, median=3.0, high=4.0)
    >>> spread([7.0])
    Spread(low=7.0, median=7.0, high=7.0)
    """
    if len(values) == 1:
        return Spread(*values * 3)
    return Spread(*statistics.quantiles(values, n=4, method="inclusive"))


@dataclass(frozen=True)
class Timing:
    """The seconds that one computation took, in each round.

    Attributes
    ----------
    seconds
        Per computation, a number for each round.
    repeats
        How many computations a sample was the mean of.
    """

    seconds: list[float]
    repeats: int

    def spread(self) -> Spread:
        """Return the median and the quartiles."""
        return spread(self.seconds)

    def ratio_to(self, other: Timing) -> Spread:
        """Return the median and the quartiles of the ratios to another computation in the same round."""
        return spread([a / b for a, b in zip(self.seconds, other.seconds, strict=True)])


def timer(run: Callable[[], Any], wait: Callable[[Any], object] | None = None) -> Timer:
    """Return what times a function.

    Parameters
    ----------
    run
        The function.
    wait
        Waits until a result is there, where a device computes while the host goes on. Called once for each sample,
        after the last of its computations: that is how a training loop runs.
    """

    def seconds(repeats: int) -> float:
        result = None
        start = time.perf_counter()
        for _ in range(repeats):
            result = run()
        if wait is not None:
            wait(result)
        return time.perf_counter() - start

    return seconds


class Rounds(Generic[K]):
    """Computations that are timed in rounds: each once in every round, in an order that is shuffled anew.

    Parameters
    ----------
    timers
        The computations, by name or whatever tells them apart.
    sample_seconds
        How long a sample is at least: a computation that is shorter is repeated, and the sample is its mean.
    pause_seconds
        How long to wait before a sample. Threads of most libraries go on looking for work when theirs is done, those of
        OpenBLAS for a tenth of a second, and would take the cores from whoever comes next. What comes next is then run
        for a while before it is timed.
    seed
        Of the order.

    Examples
    --------
    >>> rounds = Rounds({"sum": timer(lambda: sum(range(100)))}, sample_seconds=0.0)
    >>> rounds.run(5)
    >>> [(name, len(timing.seconds)) for name, timing in rounds.timings().items()]
    [('sum', 5)]
    """

    def __init__(
        self,
        timers: Mapping[K, Timer],
        *,
        sample_seconds: float = 0.02,
        pause_seconds: float = 0.0,
        seed: int = 0,
    ) -> None:
        self._timers = dict(timers)
        self._least = max(sample_seconds, RESOLUTIONS * time.get_clock_info("perf_counter").resolution)
        self._pause = pause_seconds
        self._order = random.Random(seed)
        self._seconds: dict[K, list[float]] = {name: [] for name in timers}
        self.repeats: dict[K, int] = {}

    def warm_up(self) -> None:
        """Run everything a few times: it is compiled, its memory is there, and it is known how long it takes."""
        for name, seconds in self._timers.items():
            seconds(2)
            repeats = self._enough(seconds(1))
            if repeats > 1:
                repeats = self._enough(seconds(repeats) / repeats)
            self.repeats[name] = repeats

    def _enough(self, seconds: float) -> int:
        return min(math.ceil(self._least / max(seconds, 1e-9)), MOST_REPEATS)

    def run(self, rounds: int) -> None:
        """Time everything in so many rounds. What an exception leaves incomplete is not counted."""
        for _ in self.each(rounds):
            pass

    def each(self, rounds: int) -> Iterator[int]:
        """Time everything in so many rounds, and yield after each."""
        if not self.repeats:
            self.warm_up()
        gc.collect()
        gc.freeze()  # what was there before is none of the garbage of what is timed
        try:
            for i in range(rounds):
                names = list(self._timers)
                self._order.shuffle(names)
                found = {name: self._sample(name) for name in names}
                for name, seconds in found.items():
                    self._seconds[name].append(seconds)
                yield i
        finally:
            gc.unfreeze()

    def _sample(self, name: K) -> float:
        """Return how many seconds a computation takes."""
        seconds, repeats = self._timers[name], self.repeats[name]
        if self._pause:
            time.sleep(self._pause)
            seconds(-(-repeats // 2))
        return seconds(repeats) / repeats

    def timings(self) -> dict[K, Timing]:
        """Return what was measured so far; nothing before the first round is complete."""
        return {name: Timing(list(x), self.repeats[name]) for name, x in self._seconds.items() if x}
