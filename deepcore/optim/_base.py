"""What everything that moves parameters has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .._tensor import Tensor
    from ..graph._slots import Slot
    from ._transform import Rate


class BaseOptimizer(ABC):
    """The interface of optimizers, and of what wraps them."""

    @property
    @abstractmethod
    def parameters(self) -> list[Tensor]:
        """The tensors to learn."""

    @property
    @abstractmethod
    def lr(self) -> float:
        """The learning rate of the next step, of the first group that has one. Setting it sets that of all groups."""

    @lr.setter
    @abstractmethod
    def lr(self, rate: Rate) -> None: ...

    @abstractmethod
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient.

        Parameters
        ----------
        closure
            Computes the loss and its gradients anew, and returns the loss. Methods that look at more than one point
            call it several times; the others once, before they move.

        Returns
        -------
        loss
            What the closure returned first, or None.
        """

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @abstractmethod
    def state_slots(self) -> Iterable[Slot]:
        """Return the places that a compiled step reads and writes."""

    @abstractmethod
    def state_children(self) -> Iterable[Any]:
        """Return the tensors and optimizers in which there are further ones."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return copies of everything that is remembered: tensors and numbers by name, none of them nested."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set what :meth:`state_dict` returned; going on is then as never having stopped, bit for bit.

        Raises
        ------
        StateError
            If the state does not fit. Nothing has been changed.
        """
