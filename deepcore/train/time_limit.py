"""Training for so long and no longer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .._errors import ConfigError
from .callback import Callback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .trainer import Trainer


class TimeLimit(Callback):
    """Stop after some time, between two batches. A :class:`Checkpoint` then takes a snapshot, to resume from.

    Parameters
    ----------
    seconds
        The time, from the beginning of ``fit``.

    Examples
    --------
    >>> from deepcore import data, nn, optim, train
    >>> model = nn.Sequential(nn.Flatten(), nn.Dense(64, 10))
    >>> sgd = optim.SGD(model.parameters(), lr=0.01)
    >>> limit = train.TimeLimit(0.2)
    >>> history = train.Trainer(model, nn.MSE(), sgd, callbacks=[limit]).fit(
    ...     (data.digits().inputs, data.digits().inputs.reshape(-1, 64)[:, :10]), epochs=1_000_000
    ... )
    >>> history.stopped
    'after 0.2 seconds'
    """

    def __init__(self, seconds: float) -> None:
        if not seconds > 0:
            msg = f"TimeLimit: the time is a number of seconds above 0, not {seconds}"
            raise ConfigError(msg)
        self.seconds = seconds
        self._began = 0.0

    def on_fit_start(self, trainer: Trainer, *, epochs: int, samples: int) -> None:
        """Start the clock."""
        self._began = time.monotonic()

    def on_batch_end(self, trainer: Trainer, batch: int, values: Mapping[str, float]) -> None:
        """Look at it."""
        if time.monotonic() - self._began > self.seconds:
            trainer.stop(f"after {self.seconds:g} seconds", interrupted=True)
