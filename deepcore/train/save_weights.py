"""Saving the weights while training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..checkpoint import save_weights
from .callback import Callback

if TYPE_CHECKING:
    from pathlib import Path

    from .trainer import Trainer


class SaveWeights(Callback):
    """Save the weights after every epoch, so that an interruption loses no complete one.

    They are enough to use the model. What it takes to go on with training is saved by :class:`Checkpoint`.

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
        with trainer.averaged():
            save_weights(self.path, trainer.model)
        self.epoch = epoch
