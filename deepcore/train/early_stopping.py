"""Stopping when nothing gets better any more."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .._errors import ConfigError
from .callback import Callback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .trainer import Trainer


class EarlyStopping(Callback):
    """Stop when a quantity has not got better for some epochs.

    Parameters
    ----------
    monitor
        What was measured: ``"val_loss"``, ``"val_accuracy"``, ``"loss"``, ...
    patience
        The number of epochs in a row, no better than the best, after which training ends.
    min_delta
        By how much a value must be better than the best to count.
    largest
        Whether large values are good, as of an accuracy.
    restore_best
        Whether the model gets the weights of its best epoch in the end.

    Attributes
    ----------
    best
        The best value.
    best_epoch
        The epoch in which it was measured, counted from 1; 0 before there is one.

    References
    ----------
    L. Prechelt, Early stopping — but when?, Neural Networks: Tricks of the Trade, Springer 1998: the criterion $UP$.

    Examples
    --------
    >>> from deepcore import data, nn, optim, train
    >>> training, validation = data.train_test_split(data.digits(), seed=0)
    >>> model = nn.Sequential(nn.Flatten(), nn.Dense(64, 10))
    >>> trainer = train.Trainer(
    ...     model,
    ...     nn.CategoricalCrossEntropy(),
    ...     optim.SGD(model.parameters(), lr=0.0),
    ...     callbacks=[train.EarlyStopping("val_loss", patience=2)],
    ... )
    >>> history = trainer.fit(training, epochs=100, validation=validation)
    >>> len(history), history.stopped
    (3, 'val_loss was best in epoch 1')
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        patience: int = 10,
        min_delta: float = 0.0,
        largest: bool = False,
        restore_best: bool = False,
    ) -> None:
        if patience < 1 or min_delta < 0:
            msg = f"EarlyStopping: patience is at least 1 and min_delta at least 0, not {patience} and {min_delta}"
            raise ConfigError(msg)
        self.monitor, self.patience, self.min_delta = monitor, patience, min_delta
        self.largest, self.restore_best = largest, restore_best
        self._reset()

    def _reset(self) -> None:
        self.best = -math.inf if self.largest else math.inf
        self.best_epoch = self.waiting = 0
        self._weights: dict[str, Any] = {}

    def on_fit_start(self, trainer: Trainer, *, epochs: int, samples: int) -> None:
        """Begin anew."""
        self._reset()

    def on_epoch_start(self, trainer: Trainer, epoch: int) -> None:
        """Stop, if training had been stopped before it was resumed."""
        self._stop_if_done(trainer)

    def on_epoch_end(self, trainer: Trainer, epoch: int, values: dict[str, float]) -> None:
        """Compare."""
        if self.monitor not in values:
            msg = f"EarlyStopping: {self.monitor!r} was not measured; there are {', '.join(values)}"
            raise ConfigError(msg)
        value, sign = values[self.monitor], 1.0 if self.largest else -1.0
        if sign * value > sign * self.best + self.min_delta or self.best_epoch == 0:
            self.best, self.best_epoch, self.waiting = value, epoch, 0
            if self.restore_best:
                with trainer.averaged():
                    self._weights = {name: x.numpy().copy() for name, x in trainer.model.state_dict().items()}
        else:
            self.waiting += 1
        self._stop_if_done(trainer)

    def _stop_if_done(self, trainer: Trainer) -> None:
        if self.waiting >= self.patience:
            trainer.stop(f"{self.monitor} was best in epoch {self.best_epoch}")

    def on_fit_end(self, trainer: Trainer) -> None:
        """Give the model its best weights, if it should have them."""
        if self._weights and trainer.is_complete and not trainer.history.interrupted:
            trainer.model.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        """Return the best value, its epoch and weights, and for how long there has been no better one."""
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "waiting": self.waiting,
            "weights": self._weights,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.best, self.best_epoch, self.waiting = state["best"], state["best_epoch"], state["waiting"]
        self._weights = dict(state["weights"])
