"""Learning rates that depend on what happens in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._errors import ConfigError
from .callback import Callback

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..optim.schedules import ReduceOnPlateau
    from .trainer import Trainer


class LearningRate(Callback):
    """Set the learning rate at the beginning of every epoch.

    What depends on the step is a schedule of the optimizer itself: ``Adam(..., lr=CosineDecay(...))``.

    Parameters
    ----------
    schedule
        A function of the number of complete epochs, such as a schedule of :mod:`deepcore.optim.schedules`.

    Examples
    --------
    >>> from deepcore import data, nn, optim, train
    >>> model = nn.Sequential(nn.Flatten(), nn.Dense(64, 10))
    >>> adam = optim.Adam(model.parameters())
    >>> halved = train.LearningRate(lambda epoch: 0.01 * 0.5**epoch)
    >>> trainer = train.Trainer(model, nn.CategoricalCrossEntropy(), adam, callbacks=[halved])
    >>> history = trainer.fit(data.digits(), epochs=3)
    >>> adam.lr
    0.0025
    """

    def __init__(self, schedule: Callable[[int], float]) -> None:
        self.schedule = schedule

    def on_epoch_start(self, trainer: Trainer, epoch: int) -> None:
        """Set it."""
        trainer.optimizer.lr = self.schedule(epoch - 1)


class ObservePlateau(Callback):
    """Tell a learning rate that falls on plateaus what was measured after every epoch.

    Parameters
    ----------
    schedule
        The :class:`~deepcore.optim.schedules.ReduceOnPlateau` that the optimizer has.
    monitor
        What was measured.

    Examples
    --------
    >>> from deepcore import data, nn, optim, train
    >>> model = nn.Sequential(nn.Flatten(), nn.Dense(64, 10))
    >>> plateau = optim.schedules.ReduceOnPlateau(0.01, patience=3)
    >>> trainer = train.Trainer(
    ...     model,
    ...     nn.CategoricalCrossEntropy(),
    ...     optim.Adam(model.parameters(), lr=plateau),
    ...     callbacks=[train.ObservePlateau(plateau, "loss")],
    ... )
    >>> history = trainer.fit(data.digits(), epochs=2)
    >>> plateau.best == history["loss"][1]
    True
    """

    def __init__(self, schedule: ReduceOnPlateau, monitor: str = "val_loss") -> None:
        self.schedule, self.monitor = schedule, monitor

    def on_epoch_end(self, trainer: Trainer, epoch: int, values: dict[str, float]) -> None:
        """Tell it."""
        if self.monitor not in values:
            msg = f"ObservePlateau: {self.monitor!r} was not measured; there are {', '.join(values)}"
            raise ConfigError(msg)
        self.schedule.observe(values[self.monitor])
