"""A learning rate that falls when nothing gets better any more."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..._errors import ConfigError, StateError
from .._check import check_factor, check_not_negative
from ._schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Mapping

NUMBERS = ("lr", "best", "waiting", "cooling")


class ReduceOnPlateau(Schedule):
    r"""A factor whenever a measurement has not got better for some time.

    What is measured, usually the loss on validation data after an epoch, is given to :meth:`observe`. After more than
    ``patience`` values in a row that are not better than the best before, $\eta \leftarrow \max(\gamma \eta,
    \eta_{\min})$.

    Parameters
    ----------
    lr
        The first learning rate $\eta$.
    factor
        $\gamma$.
    patience
        The number of values in a row, no better than the best, that are put up with.
    threshold
        By how much a value must be better than the best to count: by this fraction of it, or by this amount.
    relative
        Whether the threshold is a fraction.
    cooldown
        The number of values after a fall that do not count.
    largest
        Whether large values are good, as of an accuracy.
    min_lr
        $\eta_{\min}$.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore.optim import schedules
    >>> plateau = schedules.ReduceOnPlateau(0.1, factor=0.5, patience=1)
    >>> adam = dc.optim.Adam([dc.zeros(2, requires_grad=True)], lr=plateau)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     plateau.observe(loss)
    >>> adam.lr
    0.05
    """

    def __init__(
        self,
        lr: float,
        *,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        relative: bool = True,
        cooldown: int = 0,
        largest: bool = False,
        min_lr: float = 0.0,
    ) -> None:
        check_not_negative("the learning rate", lr)
        check_factor("factor", factor)
        for what, value in (
            ("patience", patience),
            ("cooldown", cooldown),
            ("threshold", threshold),
            ("min_lr", min_lr),
        ):
            check_not_negative(what, value)
        if factor == 1.0:
            msg = "factor is below 1, because the learning rate would not fall"
            raise ConfigError(msg)
        self.lr = lr
        self.factor, self.patience, self.cooldown, self.min_lr = factor, patience, cooldown, min_lr
        self.threshold, self.relative, self.largest = threshold, relative, largest
        self.best = -math.inf if largest else math.inf
        self.waiting = self.cooling = 0

    def __call__(self, step: int) -> float:
        """Return the present learning rate."""
        return self.lr

    def observe(self, value: float) -> None:
        """Take note of a measurement."""
        value = float(value)
        if self._is_better(value):
            self.best, self.waiting = value, 0
        else:
            self.waiting += 1
        if self.cooling > 0:
            self.cooling, self.waiting = self.cooling - 1, 0
        if self.waiting > self.patience:
            self.lr = max(self.lr * self.factor, self.min_lr)
            self.cooling, self.waiting = self.cooldown, 0

    def _is_better(self, value: float) -> bool:
        sign = 1.0 if self.largest else -1.0
        if self.relative:
            return sign * value > sign * self.best * (1.0 + sign * self.threshold)
        return sign * value > sign * self.best + self.threshold

    def state_dict(self) -> dict[str, Any]:
        """Return the learning rate, the best value, and for how long there has been no better one."""
        return {name: getattr(self, name) for name in NUMBERS}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set what :meth:`state_dict` returned."""
        if sorted(state) != sorted(NUMBERS):
            msg = f"ReduceOnPlateau: the state has {', '.join(NUMBERS)}, not {', '.join(state)}"
            raise StateError(msg)
        self.lr, self.best = float(state["lr"]), float(state["best"])
        self.waiting, self.cooling = int(state["waiting"]), int(state["cooling"])

    def __repr__(self) -> str:
        return f"ReduceOnPlateau({self.lr}, factor={self.factor}, patience={self.patience})"
