"""Snapshots of training, with which it can be resumed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .._errors import ConfigError
from ..checkpoint import CheckpointFolder
from .callback import Callback

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from .trainer import Trainer


class Checkpoint(Callback):
    """Take snapshots of everything that training remembers.

    ``trainer.fit(..., resume=True)`` goes on with the last one, and the weights are then bit for bit those of training
    that was never stopped. Whenever the program is killed or the disk is full, the snapshot before is still there.

    Parameters
    ----------
    path
        The folder. One run at a time saves there.
    every
        The number of epochs between snapshots.
    every_batches
        The number of batches between further ones; none are taken within epochs, if not given.
    keep_every
        The number of epochs between snapshots that are kept for good, as ``"epoch 10"``; none are, if not given.
    best
        What was measured that tells the best epoch, such as ``"val_loss"``, whose snapshot is kept as ``"best"``.
    largest
        Whether large values of it are good, as of an accuracy.
    overwrite
        Whether snapshots of an earlier run, which is not resumed, may be overwritten.

    Raises
    ------
    ConfigError
        When training begins where an earlier run has saved, without resuming it.

    Examples
    --------
    >>> import tempfile
    >>> from deepcore import data, nn, optim, train
    >>> def trainer(folder):
    ...     model = nn.Sequential(nn.Flatten(), nn.Dense(64, 10))
    ...     sgd = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    ...     return train.Trainer(model, nn.CategoricalCrossEntropy(), sgd, callbacks=[train.Checkpoint(folder)])
    >>> folder = tempfile.mkdtemp()
    >>> history = trainer(folder).fit(data.digits(), epochs=1)
    >>> history = trainer(folder).fit(data.digits(), epochs=3, resume=True)
    >>> history["epoch"]
    [1, 2, 3]
    """

    comes_last = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        every: int = 1,
        every_batches: int | None = None,
        keep_every: int | None = None,
        best: str | None = None,
        largest: bool = False,
        overwrite: bool = False,
    ) -> None:
        for name, number in (("every", every), ("every_batches", every_batches), ("keep_every", keep_every)):
            if number is not None and number < 1:
                msg = f"Checkpoint: {name} is at least 1, not {number}"
                raise ConfigError(msg)
        self.folder = CheckpointFolder(path)
        self.every, self.every_batches, self.keep_every = every, every_batches, keep_every
        self.best, self.largest, self.overwrite = best, largest, overwrite
        self.best_value = -math.inf if largest else math.inf
        self._saved: tuple[int, int] | None = None  # after which epoch and batch

    def on_fit_start(self, trainer: Trainer, *, epochs: int, samples: int) -> None:
        """Keep others from saving here."""
        self.best_value = -math.inf if self.largest else math.inf
        self._saved = None
        self.folder.open()
        if self.folder.exists() and not trainer.is_resumed:
            if not self.overwrite:
                msg = (
                    f"there are snapshots of an earlier run in {self.folder.path}; fit(resume=True) goes on with it, "
                    "and Checkpoint(overwrite=True) begins anew"
                )
                raise ConfigError(msg)
            self.folder.remove(*self.folder.names())

    def on_batch_end(self, trainer: Trainer, batch: int, values: Mapping[str, float]) -> None:
        """Save, if it is time to."""
        if self.every_batches is not None and trainer.progress.iteration % self.every_batches == 0:
            self._save(trainer, ["last"])

    def on_epoch_end(self, trainer: Trainer, epoch: int, values: dict[str, float]) -> None:
        """Save, if it is time to."""
        names = ["last"] if epoch % self.every == 0 else []
        if self.keep_every is not None and epoch % self.keep_every == 0:
            names.append(f"epoch {epoch}")
        if self.best is not None:
            if self.best not in values:
                msg = f"Checkpoint: {self.best!r} was not measured; there are {', '.join(values)}"
                raise ConfigError(msg)
            value = values[self.best]
            if value > self.best_value if self.largest else value < self.best_value:
                self.best_value = value
                names.append("best")
        if names:
            self._save(trainer, names)

    def on_fit_end(self, trainer: Trainer) -> None:
        """Save, if training was stopped between two batches, and let others save."""
        try:
            if trainer.is_complete and self._saved != _place(trainer):
                self._save(trainer, ["last"])
        finally:
            self.folder.close()

    def _save(self, trainer: Trainer, names: list[str]) -> None:
        self.folder.save(trainer.state_dict(), names=names)
        if "last" in names:
            self._saved = _place(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Return the best value so far."""
        return {"best_value": self.best_value}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.best_value = state["best_value"]


def _place(trainer: Trainer) -> tuple[int, int]:
    return trainer.progress.epoch, trainer.progress.iteration
