"""What is measured of a model: the share of right classes, or in the units of the data how far numbers are off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import nn
from ..metrics import MAE, R2, RMSE, Accuracy
from ..metrics._metric import on_host
from .runs import CLASSIFICATION, Facts

if TYPE_CHECKING:
    from ..metrics import Metric
    from .preprocessing import Preprocessing


class MAEInUnits(MAE):
    """Mean absolute error of standardised predictions and targets, in the units that they had before."""

    def __init__(self, units: Preprocessing) -> None:
        super().__init__()
        self.units = units

    def update(self, prediction: Any, target: Any) -> None:
        """Gather one batch."""
        super().update(*_in_units(self.units, prediction, target))


class RMSEInUnits(RMSE):
    """Root of the mean squared error, likewise."""

    def __init__(self, units: Preprocessing) -> None:
        super().__init__()
        self.units = units

    def update(self, prediction: Any, target: Any) -> None:
        """Gather one batch."""
        super().update(*_in_units(self.units, prediction, target))


def _in_units(units: Preprocessing, prediction: Any, target: Any) -> tuple[Any, Any]:
    return units.inverse(on_host(prediction)), units.inverse(on_host(target))


def metrics_of(facts: Facts) -> list[Metric]:
    """Return what is measured besides the loss."""
    if facts.task == CLASSIFICATION:
        return [Accuracy()]
    return [R2(), MAEInUnits(facts.outputs), RMSEInUnits(facts.outputs)]


def loss_of(facts: Facts) -> nn.Loss:
    """Return what is made small."""
    return nn.CategoricalCrossEntropy() if facts.task == CLASSIFICATION else nn.MSE()


def shown(name: str, value: float) -> str:
    """Return a number as tables have it."""
    return f"{value:.2%}" if name == "accuracy" else f"{value:.4f}" if name in ("loss", "r2") else f"{value:.5g}"
