"""Learning rates that fall as half a wave: once, and again and again."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .._check import check_not_negative
from ._schedule import Schedule, check_steps


def _half_wave(start: float, end: float, fraction: float) -> float:
    return end + (start - end) * (1.0 + math.cos(math.pi * fraction)) / 2.0


@dataclass(frozen=True)
class CosineDecay(Schedule):
    r"""Half a wave from the first learning rate to the last.

    $$\eta_t = \eta_T + \tfrac12 (\eta - \eta_T) \left(1 + \cos \frac{\pi \min(t, T)}{T}\right)$$

    Parameters
    ----------
    lr
        The first learning rate $\eta$.
    steps
        The number of steps $T$.
    end
        The last learning rate $\eta_T$.

    References
    ----------
    I. Loshchilov and F. Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017, equation 5.

    Examples
    --------
    >>> from deepcore.optim import schedules
    >>> lr = schedules.CosineDecay(1.0, steps=10)
    >>> [round(lr(t), 3) for t in (0, 5, 10, 11)]
    [1.0, 0.5, 0.0, 0.0]
    """

    lr: float
    steps: int
    end: float = 0.0

    def __post_init__(self) -> None:
        check_not_negative("the learning rate", self.lr)
        check_steps("steps", self.steps)
        check_not_negative("end", self.end)

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return _half_wave(self.lr, self.end, min(step, self.steps) / self.steps)


@dataclass(frozen=True)
class WarmRestarts(Schedule):
    r"""Half a wave, again and again, each longer than the one before.

    $$\eta_t = \eta_T + \tfrac12 (\eta - \eta_T) \left(1 + \cos \frac{\pi t_i}{T_i}\right), \qquad T_i = T_0\,k^i$$

    where $t_i$ counts the steps since the last restart.

    Parameters
    ----------
    lr
        The learning rate $\eta$ after every restart.
    period
        The number of steps $T_0$ before the first.
    factor
        $k$, a whole number.
    end
        The learning rate $\eta_T$ that each wave goes to.

    References
    ----------
    I. Loshchilov and F. Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017, equation 5.

    Examples
    --------
    >>> from deepcore.optim import schedules
    >>> lr = schedules.WarmRestarts(1.0, period=10, factor=2)
    >>> [round(lr(t), 3) for t in (0, 5, 10, 20, 30)]
    [1.0, 0.5, 1.0, 0.5, 1.0]
    """

    lr: float
    period: int
    factor: int = 1
    end: float = 0.0

    def __post_init__(self) -> None:
        check_not_negative("the learning rate", self.lr)
        check_steps("period", self.period)
        check_steps("factor", self.factor)
        check_not_negative("end", self.end)

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        start, length = 0, self.period
        if self.factor == 1:
            start = step - step % length
        while step >= start + length:
            start, length = start + length, length * self.factor
        return _half_wave(self.lr, self.end, (step - start) / length)
