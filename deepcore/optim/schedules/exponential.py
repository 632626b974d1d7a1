"""A learning rate that falls by the same factor at every step."""

from __future__ import annotations

from dataclasses import dataclass

from .._check import check_factor, check_not_negative
from ._schedule import Schedule


@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    r"""The same factor at every step. $\eta_t = \eta\,\gamma^t$.

    Parameters
    ----------
    lr
        The first learning rate $\eta$.
    factor
        $\gamma$.

    Examples
    --------
    >>> from deepcore.optim import schedules
    >>> schedules.ExponentialDecay(1.0, 0.5)(3)
    0.125
    """

    lr: float
    factor: float

    def __post_init__(self) -> None:
        check_not_negative("the learning rate", self.lr)
        check_factor("factor", self.factor)

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.lr * self.factor**step
