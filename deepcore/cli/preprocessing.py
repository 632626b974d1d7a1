r"""What is done to inputs before a model gets them, and to targets: learned from the training part.

With the mean $\mu$ and the standard deviation $\sigma$ of a feature in the training part, inputs become
$(x / d - \mu) / \sigma$, where $d$ is 255 for bytes and otherwise 1. Where $\sigma = 0$, it is taken as 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHUNK = 4096  # samples that are looked at together


@dataclass(frozen=True)
class Preprocessing:
    """How numbers become those that a model computes with.

    Parameters
    ----------
    dtype
        The type of the result.
    divisor
        What they are divided by first.
    mean, std
        What they are then shifted and divided by: arrays that broadcast to a sample. None: they are not.
    """

    dtype: str = "float32"
    divisor: float = 1.0
    mean: list[Any] | None = None
    std: list[Any] | None = None

    @property
    def is_identity(self) -> bool:
        """Whether numbers of the right type stay as they are."""
        return self.divisor == 1.0 and self.mean is None

    def __call__(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return several samples as the model is to have them."""
        dtype = np.dtype(self.dtype)
        if self.is_identity:
            return np.asarray(x, dtype)
        if self.mean is None:
            return np.divide(x, dtype.type(self.divisor), dtype=dtype)
        wide = np.asarray(x, np.float64) / self.divisor
        return np.asarray((wide - np.asarray(self.mean)) / np.asarray(self.std), dtype)

    def inverse(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return what the model computed in the units of the data."""
        if self.is_identity:
            return np.asarray(y)
        if self.mean is None:
            return np.asarray(y) * self.divisor
        return (np.asarray(y, np.float64) * np.asarray(self.std) + np.asarray(self.mean)) * self.divisor


NONE: Final = Preprocessing()


def learned(samples: Any, *, dtype: str, standardize: bool) -> Preprocessing:
    """Return the preprocessing for samples of a training part.

    Features of a table have a mean each, and so have the channels of images, (n, C, H, W).

    Raises
    ------
    DataError
        If a number is not finite.
    """
    divisor = 255.0 if samples.dtype == np.uint8 and samples.ndim > 2 else 1.0
    if not standardize:
        return Preprocessing(dtype, divisor)
    axes = (0,) if samples.ndim == 2 else (0, *range(2, samples.ndim)) if samples.ndim == 4 else None
    parts = [slice(start, start + _CHUNK) for start in range(0, len(samples), _CHUNK)]
    shape = np.asarray(samples[:1]).shape
    count = samples.size / (shape[1] if samples.ndim in (2, 4) else 1)
    mean = sum(_sum(samples[part] / divisor, axes) for part in parts) / count
    squares = sum(_sum(np.square(samples[part] / divisor - mean), axes) for part in parts)
    std = np.sqrt(squares / count)
    if not (np.isfinite(mean).all() and np.isfinite(std).all()):
        msg = "there are values that are NaN or infinite, which cannot be standardised; remove these samples"
        raise DataError(msg)
    std = np.where(std > 0, std, 1.0)
    return Preprocessing(dtype, divisor, mean[0].tolist(), std[0].tolist())


def _sum(x: Any, axes: tuple[int, ...] | None) -> Any:
    return np.asarray(x, np.float64).sum(axis=axes, keepdims=True)
