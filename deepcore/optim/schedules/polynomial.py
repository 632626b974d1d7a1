"""A learning rate that falls as a power of the time that is left."""

from __future__ import annotations

from dataclasses import dataclass

from .._check import check_not_negative
from ._schedule import Schedule, check_steps


@dataclass(frozen=True)
class PolynomialDecay(Schedule):
    r"""A power of the time that is left; a line, with a power of 1.

    $$\eta_t = \eta_T + (\eta - \eta_T) \left(1 - \frac{\min(t, T)}{T}\right)^p$$

    Parameters
    ----------
    lr
        The first learning rate $\eta$.
    steps
        The number of steps $T$.
    power
        $p$.
    end
        The last learning rate $\eta_T$.

    Examples
    --------
    >>> from deepcore.optim import schedules
    >>> lr = schedules.PolynomialDecay(1.0, steps=10, power=2.0)
    >>> [lr(t) for t in (0, 5, 10, 11)]
    [1.0, 0.25, 0.0, 0.0]
    """

    lr: float
    steps: int
    power: float = 1.0
    end: float = 0.0

    def __post_init__(self) -> None:
        check_not_negative("the learning rate", self.lr)
        check_steps("steps", self.steps)
        check_not_negative("power", self.power)
        check_not_negative("end", self.end)

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        left = 1.0 - min(step, self.steps) / self.steps
        return self.end + (self.lr - self.end) * left**self.power
