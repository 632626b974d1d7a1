"""Schedules of schedules: one after another, and slower."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from ..._errors import ConfigError
from .._check import check_rate
from ._schedule import Schedule, check_steps

if TYPE_CHECKING:
    from .._transform import Rate


@dataclass(frozen=True)
class Chained(Schedule):
    r"""Several schedules, one after another, each beginning anew. From step $t_k$ on, $\eta_t = \eta^{(k)}_{t - t_k}$.

    Parameters
    ----------
    schedules
        The schedules; a number is a constant.
    milestones
        The steps $t_1 < t_2 < \dots$ at which the next one begins, one less than there are schedules.

    Examples
    --------
    >>> from deepcore.optim import schedules
    >>> lr = schedules.Chained((0.1, schedules.ExponentialDecay(1.0, 0.5)), (10,))
    >>> [lr(t) for t in (0, 9, 10, 11)]
    [0.1, 0.1, 1.0, 0.5]
    """

    schedules: tuple[Rate, ...]
    milestones: tuple[int, ...]

    def __post_init__(self) -> None:
        for schedule in self.schedules:
            check_rate(schedule)
        if len(self.milestones) != len(self.schedules) - 1:
            msg = f"{len(self.schedules)} schedules need one milestone less, not {len(self.milestones)}"
            raise ConfigError(msg)
        if any(b <= a for a, b in pairwise((0, *self.milestones))):
            msg = f"the milestones are above 0 and in order, each once, not {self.milestones}"
            raise ConfigError(msg)

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        k = bisect_right(self.milestones, step)
        schedule = self.schedules[k]
        start = self.milestones[k - 1] if k else 0
        return schedule(step - start) if callable(schedule) else schedule

    def parts(self) -> tuple[object, ...]:
        """Return the schedules."""
        return self.schedules


@dataclass(frozen=True)
class PerEpoch(Schedule):
    r"""Another schedule, in which an epoch counts as a step. $\eta_t = \eta'_{\lfloor t/n \rfloor}$.

    Parameters
    ----------
    schedule
        The schedule $\eta'$.
    steps
        The number of steps $n$ of an epoch: the number of batches.

    Examples
    --------
    >>> from deepcore.optim import schedules
    >>> lr = schedules.PerEpoch(schedules.ExponentialDecay(1.0, 0.5), steps=100)
    >>> [lr(t) for t in (0, 99, 100, 250)]
    [1.0, 1.0, 0.5, 0.25]
    """

    schedule: Rate
    steps: int

    def __post_init__(self) -> None:
        check_rate(self.schedule)
        check_steps("steps", self.steps)

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.schedule(step // self.steps) if callable(self.schedule) else self.schedule

    def parts(self) -> tuple[object, ...]:
        """Return the schedule."""
        return (self.schedule,)
