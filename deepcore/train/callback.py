"""Callbacks: what else happens while training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..checkpoint import save_weights

if TYPE_CHECKING:
    from pathlib import Path

    from .trainer import Trainer


class Callback:
    """The base of all callbacks. Every method does nothing until a subclass says otherwise."""

    def on_fit_start(self, trainer: Trainer, *, epochs: int, samples: int) -> None:
        """Begin: the number of epochs, and of samples in each."""

    def on_epoch_start(self, trainer: Trainer, epoch: int) -> None:
        """Begin an epoch, counted from 1."""

    def on_batch_end(self, trainer: Trainer, batch: int, values: dict[str, float]) -> None:
        """End a batch, counted from 1: ``loss`` and metrics over the epoch so far, ``samples`` and rate."""

    def on_epoch_end(self, trainer: Trainer, epoch: int, values: dict[str, float]) -> None:
        """End an epoch."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """End, also after an interruption or an error."""


class SaveWeights(Callback):
    """Save the weights after every epoch, so that an interruption loses no complete one.

    Parameters
    ----------
    path
        The file, in safetensors format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.epoch = 0

    def on_epoch_end(self, trainer: Trainer, epoch: int, values: dict[str, float]) -> None:
        """Save."""
        save_weights(self.path, trainer.model)
        self.epoch = epoch
