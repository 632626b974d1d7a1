"""A learning rate that falls as the inverse of time."""

from __future__ import annotations

from dataclasses import dataclass

from .._check import check_not_negative
from ._schedule import Schedule


@dataclass(frozen=True)
class InverseTimeDecay(Schedule):
    r"""One over time. $\eta_t = \eta / (1 + \kappa t)^p$.

    With $\tfrac12 < p \le 1$ the sum of the learning rates diverges and that of their squares does not, which is what
    stochastic approximation needs to converge.

    Parameters
    ----------
    lr
        The first learning rate $\eta$.
    rate
        $\kappa$.
    power
        $p$.

    References
    ----------
    H. Robbins and S. Monro, A stochastic approximation method, Annals of Mathematical Statistics 22, 1951.

    Examples
    --------
    >>> from deepcore.optim import schedules
    >>> schedules.InverseTimeDecay(1.0, rate=0.1)(10)
    0.5
    """

    lr: float
    rate: float
    power: float = 1.0

    def __post_init__(self) -> None:
        check_not_negative("the learning rate", self.lr)
        check_not_negative("rate", self.rate)
        check_not_negative("power", self.power)

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.lr / (1.0 + self.rate * step) ** self.power
