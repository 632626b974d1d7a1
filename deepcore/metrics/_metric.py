"""What all metrics share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from .._errors import ConfigError, DataError, ShapeError
from .._tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Metric(ABC):
    """A number about predictions, gathered batch by batch.

    Predictions and targets are tensors on any device, or NumPy arrays; an update brings them to the host. Metrics of
    the same kind that saw different parts of the data can be merged.

    Attributes
    ----------
    name
        What it is called in tables and histories.
    sums
        The names of the attributes that were gathered. Those of two parts of the data add up to those of the whole.
    """

    name: str
    sums: tuple[str, ...] = ()

    @abstractmethod
    def reset(self) -> None:
        """Forget what was gathered."""

    @abstractmethod
    def update(self, prediction: Tensor, target: Tensor | NDArray[Any]) -> None:
        """Gather one batch."""

    @abstractmethod
    def compute(self) -> Any:
        """Return the value over everything gathered."""

    def merge(self, other: Self) -> Self:
        """Add what another metric of the same kind and options has gathered, and return this one.

        Raises
        ------
        ConfigError
            If the other is of another kind, or has other options.

        Examples
        --------
        >>> import deepcore as dc
        >>> a, b = dc.metrics.MAE(), dc.metrics.MAE()
        >>> a.update(dc.asarray([1.0]), dc.asarray([0.0]))
        >>> b.update(dc.asarray([3.0]), dc.asarray([0.0]))
        >>> a.merge(b).compute()
        2.0
        """
        mine, others = ({k: v for k, v in vars(metric).items() if k not in metric.sums} for metric in (self, other))
        if type(self) is not type(other) or repr(mine) != repr(others):  # NaN is not equal to itself
            msg = f"{self.name}: only metrics of the same kind and options are merged; {mine} and {others} differ"
            raise ConfigError(msg)
        self.absorb(other)
        return self

    def absorb(self, other: Any) -> None:
        """Add what a metric of the same kind and options has gathered."""
        for name in self.sums:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def none_gathered(self) -> DataError:
        """Return the error of a value that is asked for too early."""
        return DataError(f"{self.name}: no samples were gathered")

    def unfit(self, prediction: NDArray[Any], target: NDArray[Any]) -> ShapeError:
        """Return the error of shapes that do not go together."""
        shapes = f"predictions of shape {prediction.shape} do not go with targets of shape {target.shape}"
        return ShapeError(f"{self.name}: {shapes}")


def on_host(values: Tensor | NDArray[Any]) -> NDArray[Any]:
    """Return values as a NumPy array."""
    return values.numpy() if isinstance(values, Tensor) else np.asarray(values)


def chosen_classes(
    metric: Metric, prediction: Tensor | NDArray[Any], target: Tensor | NDArray[Any], threshold: float
) -> tuple[NDArray[Any], NDArray[Any], int | None]:
    """Return the predicted and the right class of every sample, and the number of classes where it shows.

    Predictions are scores of classes (..., C), of which the largest counts, or one score per sample, (...) or (..., 1),
    which says yes above the threshold, or classes themselves, whole numbers or truth values. Targets are labels of
    shape (...), or one-hot rows of shape (..., C).
    """
    scores, label = on_host(prediction), on_host(target)
    classes: int | None
    if scores.dtype.kind in "iub":
        guess, classes = scores, None
    elif scores.ndim > 1 and scores.shape[-1] > 1:
        guess, classes = scores.argmax(axis=-1), scores.shape[-1]
        label = label.argmax(axis=-1) if label.shape == scores.shape else label
        if label.shape != guess.shape:
            raise metric.unfit(scores, label)
    else:
        guess, classes = scores > threshold, 2
    if guess.size != label.size:
        raise metric.unfit(scores, label)
    return guess.reshape(-1), label.reshape(-1), classes
