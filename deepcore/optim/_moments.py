"""What the relatives of Adam share: two moments, each with its decay rate, that begin with zeros."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._check import check_betas, check_not_negative
from ._transform import Transform

if TYPE_CHECKING:
    from .._typing import Raw
    from ._transform import State, Step


@dataclass(frozen=True)
class Moments(Transform):
    r"""The base of transforms that remember a mean $m$ and a second moment $v$ of the updates.

    Parameters
    ----------
    betas
        The decay rates of the two.
    eps
        What is added to a divisor.
    """

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        check_betas(self.betas)
        check_not_negative("eps", self.eps)

    def init(self, parameters: Raw, step: Step) -> State:
        """Begin with moments of zero."""
        return {"m": step.xp.zeros_like(parameters), "v": step.xp.zeros_like(parameters)}
