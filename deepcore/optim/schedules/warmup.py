"""A learning rate that rises in a line before another schedule begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._check import check_factor, check_rate
from ._schedule import Schedule, check_steps

if TYPE_CHECKING:
    from .._transform import Rate


@dataclass(frozen=True)
class LinearWarmup(Schedule):
    r"""A line up to where another schedule begins, and then that schedule.

    $$\eta_t = \begin{cases} \bigl(s + (1 - s)\,t/n\bigr)\,\eta'_0 & t < n \\ \eta'_{t - n} & t \ge n \end{cases}$$

    Parameters
    ----------
    schedule
        What comes after, $\eta'$: a number, or a schedule, which begins then.
    steps
        The number of steps $n$ in which it rises.
    start
        The fraction $s$ of $\eta'_0$ that it begins with.

    References
    ----------
    P. Goyal et al., Accurate, large minibatch SGD: training ImageNet in 1 hour, arXiv:1706.02677, 2017, section 2.2.

    Examples
    --------
    >>> from deepcore.optim import schedules
    >>> lr = schedules.LinearWarmup(schedules.CosineDecay(1.0, steps=90), steps=10)
    >>> [round(lr(t), 3) for t in (0, 5, 10, 55, 100)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    schedule: Rate
    steps: int
    start: float = 0.0

    def __post_init__(self) -> None:
        check_rate(self.schedule)
        check_steps("steps", self.steps)
        check_factor("start", self.start)

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        after = max(0, step - self.steps)
        value = self.schedule(after) if callable(self.schedule) else self.schedule
        if step >= self.steps:
            return value
        return (self.start + (1.0 - self.start) * step / self.steps) * value

    def parts(self) -> tuple[object, ...]:
        """Return the schedule that comes after."""
        return (self.schedule,)
