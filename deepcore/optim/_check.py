"""Checks of hyperparameters. The messages say what is allowed; optimizers put their name before it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .._errors import ConfigError

if TYPE_CHECKING:
    from ._transform import Rate


def check_not_negative(what: str, value: float) -> None:
    """Refuse numbers that are negative, infinite or NaN."""
    if not 0.0 <= value < math.inf:
        msg = f"{what} is at least 0 and finite, not {value}"
        raise ConfigError(msg)


def check_positive(what: str, value: float) -> None:
    """Refuse numbers that are not above 0, or are infinite."""
    if not 0.0 < value < math.inf:
        msg = f"{what} is above 0 and finite, not {value}"
        raise ConfigError(msg)


def check_fraction(what: str, value: float) -> None:
    """Refuse numbers outside of [0, 1)."""
    if not 0.0 <= value < 1.0:
        msg = f"{what} is from 0 up to, but without, 1, not {value}"
        raise ConfigError(msg)


def check_betas(betas: tuple[float, ...]) -> None:
    """Refuse decay rates outside of [0, 1)."""
    if not all(0.0 <= beta < 1.0 for beta in betas):
        msg = f"the betas are from 0 up to, but without, 1, not {betas}"
        raise ConfigError(msg)


def check_rate(rate: Rate) -> None:
    """Refuse learning rates that are negative, infinite or NaN; a schedule is asked for its first."""
    check_not_negative("the learning rate", rate(0) if callable(rate) else rate)


def check_factor(what: str, factor: float) -> None:
    """Refuse factors outside of [0, 1]."""
    if not 0.0 <= factor <= 1.0:
        msg = f"{what} is from 0 to 1, not {factor}"
        raise ConfigError(msg)
