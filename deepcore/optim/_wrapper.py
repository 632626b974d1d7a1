"""Optimizers around another optimizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._base import BaseOptimizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .._tensor import Tensor
    from ..graph._slots import Slot
    from ._transform import Rate


class Wrapper(BaseOptimizer):
    """The base of optimizers that let another one move the parameters.

    Attributes
    ----------
    optimizer
        The other one.
    """

    def __init__(self, optimizer: BaseOptimizer) -> None:
        self.optimizer = optimizer

    @property
    def parameters(self) -> list[Tensor]:
        """The tensors to learn."""
        return self.optimizer.parameters

    @property
    def lr(self) -> float:
        """The learning rate of the optimizer inside."""
        return self.optimizer.lr

    @lr.setter
    def lr(self, rate: Rate) -> None:
        self.optimizer.lr = rate

    def state_slots(self) -> Iterable[Slot]:
        """Return the places that a compiled step reads and writes besides those of the optimizer inside."""
        return ()

    def state_children(self) -> Iterable[Any]:
        """Return the optimizer inside."""
        return (self.optimizer,)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the optimizer inside."""
        return self.optimizer.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set the state of the optimizer inside."""
        self.optimizer.load_state_dict(state)
