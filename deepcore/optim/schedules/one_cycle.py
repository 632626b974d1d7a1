"""One cycle: up, down, and further down."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from ..._errors import ConfigError
from .._check import check_factor, check_not_negative, check_positive
from ._schedule import Schedule


@dataclass(frozen=True)
class OneCycle(Schedule):
    r"""Up to a large learning rate, down again, and further down to almost nothing.

    From $\eta_{\max} / d$ it rises to $\eta_{\max}$ in a part of the steps, and falls to $\eta_{\max} / (d f)$ in the
    others; with three phases, it first falls to $\eta_{\max} / d$ in as many steps as it rose in.

    Parameters
    ----------
    lr
        The largest learning rate $\eta_{\max}$.
    steps
        The number of steps.
    rise
        The part of the steps in which it rises.
    start_divisor
        $d$.
    end_divisor
        $f$.
    shape
        ``"cosine"`` or ``"linear"``.
    three_phases
        Whether to fall in two phases.

    References
    ----------
    L. N. Smith and N. Topin, Super-convergence: very fast training of neural networks using large learning rates,
    arXiv:1708.07120, 2017. The defaults are PyTorch's; the paper has three linear phases.

    Examples
    --------
    >>> from deepcore.optim import schedules
    >>> lr = schedules.OneCycle(1.0, steps=101, rise=0.3)
    >>> [round(lr(t), 3) for t in (0, 29, 100)]
    [0.04, 1.0, 0.0]
    """

    lr: float
    steps: int
    rise: float = 0.3
    start_divisor: float = 25.0
    end_divisor: float = 1e4
    shape: str = "cosine"
    three_phases: bool = False

    def __post_init__(self) -> None:
        check_not_negative("the learning rate", self.lr)
        check_factor("rise", self.rise)
        check_positive("start_divisor", self.start_divisor)
        check_positive("end_divisor", self.end_divisor)
        if self.steps * self.rise <= 1 or self.steps < 2:
            msg = f"steps * rise is above 1, so that there are steps to rise in, not {self.steps} * {self.rise}"
            raise ConfigError(msg)
        if self.three_phases and self.rise >= 0.5:
            msg = f"with three phases rise is below 0.5, because falling takes as long, not {self.rise}"
            raise ConfigError(msg)
        if self.shape not in ("cosine", "linear"):
            msg = f"shape is 'cosine' or 'linear', not {self.shape!r}"
            raise ConfigError(msg)

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        start, last = self.lr / self.start_divisor, float(self.steps - 1)
        top = self.rise * self.steps - 1.0
        phases = [(0.0, start), (top, self.lr)]
        if self.three_phases:
            phases.append((2 * self.rise * self.steps - 2.0, start))
        phases.append((last, start / self.end_divisor))
        for (begin, low), (end, high) in pairwise(phases):
            if step <= end:
                return self._between(low, high, (step - begin) / (end - begin))
        return phases[-1][1]

    def _between(self, a: float, b: float, fraction: float) -> float:
        if self.shape == "linear":
            return a + (b - a) * fraction
        return b + (a - b) * (1.0 + math.cos(math.pi * fraction)) / 2.0
