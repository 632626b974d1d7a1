"""Callbacks: what else happens while training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .trainer import Trainer


class Callback:
    """The base of all callbacks. Every method does nothing until a subclass says otherwise.

    Attributes
    ----------
    comes_last
        Whether the callback is called after those for which this is false, because it saves what they have done.
    """

    comes_last: bool = False

    def on_fit_start(self, trainer: Trainer, *, epochs: int, samples: int) -> None:
        """Begin: the number of epochs, and of samples in each."""

    def on_epoch_start(self, trainer: Trainer, epoch: int) -> None:
        """Begin an epoch, counted from 1."""

    def on_gradients(self, trainer: Trainer, batch: int) -> None:
        """Look at the gradients of a batch before they move the weights; after that, where the step is compiled."""

    def on_batch_end(self, trainer: Trainer, batch: int, values: Mapping[str, float]) -> None:
        """End a batch, counted from 1: ``loss`` and metrics over the epoch so far, ``samples`` and rate.

        Metrics are computed when they are looked up.
        """

    def on_epoch_end(self, trainer: Trainer, epoch: int, values: dict[str, float]) -> None:
        """End an epoch."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """End, also after an interruption or an error."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a run that is resumed has to know: tensors, arrays, numbers, strings, lists, dictionaries."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another run was; called after :meth:`on_fit_start`."""
