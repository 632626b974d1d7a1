"""What all metrics share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._tensor import Tensor


class Metric(ABC):
    """A number about predictions, gathered batch by batch.

    Attributes
    ----------
    name
        What it is called in tables and histories.
    """

    name: str

    @abstractmethod
    def reset(self) -> None:
        """Forget what was gathered."""

    @abstractmethod
    def update(self, prediction: Tensor, target: NDArray[Any]) -> None:
        """Gather one batch: predictions, and targets on the host."""

    @abstractmethod
    def compute(self) -> float:
        """Return the value over everything gathered."""
