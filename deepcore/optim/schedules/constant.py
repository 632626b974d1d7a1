"""The same learning rate at every step."""

from __future__ import annotations

from dataclasses import dataclass

from .._check import check_not_negative
from ._schedule import Schedule


@dataclass(frozen=True)
class Constant(Schedule):
    r"""The same learning rate at every step. $\eta_t = \eta$.

    Parameters
    ----------
    lr
        $\eta$.

    Examples
    --------
    >>> from deepcore.optim import schedules
    >>> schedules.Constant(0.1)(1000)
    0.1
    """

    lr: float

    def __post_init__(self) -> None:
        check_not_negative("the learning rate", self.lr)

    def __call__(self, step: int) -> float:
        """Return the learning rate."""
        return self.lr
