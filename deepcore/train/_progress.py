"""How far training has come, and what an epoch has gathered so far."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..metrics import Metric


@dataclass
class Progress:
    """How far training has come.

    Attributes
    ----------
    epoch
        The number of complete epochs.
    batch
        The number of batches of the present epoch that are done.
    iteration
        The number of batches of all epochs that are done.
    order
        The number that the loader has for the present epoch.
    total
        The sum of the losses of the present epoch's samples.
    samples
        Their number.
    waiting
        What the batches count for whose gradients have been computed, and have not yet moved the weights.
    first
        The number of samples of the first of these.
    batches_waiting
        The number of these batches.
    last_loss
        The loss of the last batch.
    """

    epoch: int = 0
    batch: int = 0
    iteration: int = 0
    order: int = 0
    total: float = 0.0
    samples: int = 0
    waiting: float = 0.0
    first: int = 0
    batches_waiting: int = 0
    last_loss: float = 0.0
    _began: float = field(default_factory=time.perf_counter, compare=False)
    _before: int = 0

    def begin_epoch(self) -> None:
        """Start the clock, at the first batch or where an epoch is resumed."""
        self._began, self._before = time.perf_counter(), self.samples

    def add(self, loss: float, samples: int) -> None:
        """Count a batch."""
        self.last_loss = loss
        self.batch += 1
        self.iteration += 1
        self.total += loss * samples
        self.samples += samples

    def end_epoch(self) -> None:
        """Go on to the next epoch."""
        self.epoch, self.batch, self.total, self.samples = self.epoch + 1, 0, 0.0, 0

    @property
    def seconds(self) -> float:
        """The time since the epoch began, or was resumed."""
        return time.perf_counter() - self._began

    def values(self) -> dict[str, float]:
        """Return the mean loss, and how many samples there were."""
        rate = (self.samples - self._before) / max(self.seconds, 1e-9)
        return {"loss": self.total / self.samples, "samples": self.samples, "samples_per_second": rate}

    def state_dict(self) -> dict[str, Any]:
        """Return everything but times."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        for name in self.state_dict():
            setattr(self, name, state[name])


class BatchValues(Mapping[str, float]):
    """The loss and the rate after a batch, and metrics, which are computed when they are looked up."""

    def __init__(self, values: dict[str, float], metrics: Sequence[Metric]) -> None:
        self._values = values
        self._metrics = {metric.name: metric for metric in metrics}

    def __getitem__(self, name: str) -> float:
        if name not in self._values:
            self._values[name] = self._metrics[name].compute()
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._values, **self._metrics})

    def __len__(self) -> int:
        return len({**self._values, **self._metrics})
