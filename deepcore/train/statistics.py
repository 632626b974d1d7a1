"""Watching layers while they learn."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Final

from .._errors import ConfigError
from ..nn import Softmax, UnitReport, unit_report
from .callback import Callback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..nn import LayerUnits
    from .trainer import Trainer

DEAD: Final = 0.5
SATURATED: Final = 0.5
RATIO: Final = 1e4


class UnitStatistics(Callback):
    """Look at gradients and units of every layer now and then, and warn of those that cannot learn, or explode.

    A look is an evaluation of the loss and its gradients more, on the present batch, which changes nothing.

    Parameters
    ----------
    every
        The number of epochs between looks. A look is at the first batch of an epoch.
    dead
        The share of a layer's units that are 0 for the whole batch from which on a warning is given.
    saturated
        The share of a layer's values at the ends of the range of its activation from which on one is given.
    ratio
        How many times a layer's gradient may be as large as, or smaller than, that of the last layer.

    Attributes
    ----------
    reports
        What was found: a :class:`~deepcore.nn.UnitReport` for each epoch that was looked at.

    Warns
    -----
    RuntimeWarning
        Once for each layer and trouble.

    Examples
    --------
    >>> from deepcore import data, nn, optim, train
    >>> model = nn.Sequential(nn.Flatten(), nn.Dense(64, 16, activation="relu"), nn.Dense(16, 10))
    >>> adam, watch = optim.Adam(model.parameters()), train.UnitStatistics()
    >>> trainer = train.Trainer(model, nn.CategoricalCrossEntropy(), adam, callbacks=[watch])
    >>> history = trainer.fit(data.digits(), epochs=2)
    >>> sorted(watch.reports), watch.reports[2]["1"].dead < 0.5
    ([1, 2], True)
    """

    def __init__(
        self, *, every: int = 1, dead: float = DEAD, saturated: float = SATURATED, ratio: float = RATIO
    ) -> None:
        if every < 1 or not (0 < dead <= 1 and 0 < saturated <= 1) or ratio <= 1:
            msg = "UnitStatistics: every is at least 1, shares are in (0, 1], and the ratio is above 1"
            raise ConfigError(msg)
        self.every, self.dead, self.saturated, self.ratio = every, dead, saturated, ratio
        self.reports: dict[int, UnitReport] = {}
        self._warned: set[tuple[str, str]] = set()

    def on_batch_end(self, trainer: Trainer, batch: int, values: Mapping[str, float]) -> None:
        """Look."""
        epoch = trainer.progress.epoch + 1
        if batch != 1 or (epoch - 1) % self.every or trainer.batch is None:
            return
        report = self.reports[epoch] = unit_report(trainer.model, trainer.loss, *trainer.batch)
        last = next((x.gradient for x in reversed(report.layers) if x.gradient > 0), math.nan)
        for layer in report.layers:
            for trouble, words in self._troubles(layer, last):
                if (layer.path, trouble) not in self._warned:
                    self._warned.add((layer.path, trouble))
                    name = f"{layer.path or 'the model'} ({layer.kind})"
                    warnings.warn(f"epoch {epoch}: {name}: {words}", RuntimeWarning, stacklevel=2)

    def _troubles(self, layer: LayerUnits, last: float) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        if layer.dead >= self.dead and layer.kind != Softmax.__name__:
            found.append(
                ("dead", f"{layer.dead:.0%} of its units are 0 for every sample; a smaller learning rate may help")
            )
        if layer.saturated >= self.saturated:
            found.append(
                ("saturated", f"{layer.saturated:.0%} of its values are saturated; smaller first weights may help")
            )
        if layer.gradient > last * self.ratio:
            found.append(
                ("exploding", f"its gradient is {layer.gradient:.1e}, and explodes from {last:.1e} of the last layer")
            )
        if 0 <= layer.gradient < last / self.ratio:
            found.append(
                ("vanishing", f"its gradient is {layer.gradient:.1e}, and vanishes from {last:.1e} of the last layer")
            )
        return found
