"""Learning rates that fall in steps: at regular intervals, or at given ones."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from ..._errors import ConfigError
from .._check import check_factor, check_not_negative
from ._schedule import Schedule, check_steps


@dataclass(frozen=True)
class StepDecay(Schedule):
    r"""A factor at regular intervals. $\eta_t = \eta\,\gamma^{\lfloor t / n \rfloor}$.

    Parameters
    ----------
    lr
        The first learning rate $\eta$.
    every
        The number of steps $n$ between two falls.
    factor
        $\gamma$.

    Examples
    --------
    >>> from deepcore.optim import schedules
    >>> lr = schedules.StepDecay(1.0, every=10, factor=0.5)
    >>> [lr(t) for t in (0, 9, 10, 20)]
    [1.0, 1.0, 0.5, 0.25]
    """

    lr: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        check_not_negative("the learning rate", self.lr)
        check_steps("every", self.every)
        check_factor("factor", self.factor)

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.lr * self.factor ** (step // self.every)


@dataclass(frozen=True)
class MultiStepDecay(Schedule):
    r"""A factor at each of several steps. $\eta_t = \eta\,\gamma^k$, where $k$ of them are not after $t$.

    Parameters
    ----------
    lr
        The first learning rate $\eta$.
    milestones
        The steps at which it falls, in order.
    factor
        $\gamma$.

    Examples
    --------
    >>> from deepcore.optim import schedules
    >>> lr = schedules.MultiStepDecay(1.0, (30, 40), factor=0.5)
    >>> [lr(t) for t in (29, 30, 40)]
    [1.0, 0.5, 0.25]
    """

    lr: float
    milestones: tuple[int, ...]
    factor: float = 0.1

    def __post_init__(self) -> None:
        check_not_negative("the learning rate", self.lr)
        check_factor("factor", self.factor)
        if list(self.milestones) != sorted(self.milestones):
            msg = f"the milestones are in order, not {self.milestones}"
            raise ConfigError(msg)

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.lr * self.factor ** bisect_right(self.milestones, step)
