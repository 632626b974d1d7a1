"""What a transform is, and several of them one after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._errors import DataError
from ..draws import Draws

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


class Transform(ABC):
    """A function of a batch, of shape (n, ...), which never writes into it.

    A random one takes its numbers from `draws`, which depend on the seed, the epoch and the sample alone. Where none
    are given, they are those of seed 0 and epoch 0, for the samples 0, 1, ..., n - 1.

    A subclass defines `apply`.
    """

    @abstractmethod
    def apply(self, batch: NDArray[Any], draws: Draws) -> NDArray[Any]:
        """Return the transformed batch."""

    def __call__(self, batch: NDArray[Any], draws: Draws | None = None) -> NDArray[Any]:
        """Transform a batch, with these random numbers."""
        return self.apply(batch, Draws(0, 0, np.arange(len(batch))) if draws is None else draws)


class Compose(Transform):
    """Transforms, or other functions of a batch, one after the other.

    Examples
    --------
    >>> import numpy as np
    >>> from deepcore.data import transforms
    >>> scale = transforms.Compose(lambda x: x.astype(np.float32), transforms.Normalize(128, 64))
    >>> scale(np.array([[64], [192]], np.uint8)).tolist()
    [[-1.0], [1.0]]
    """

    def __init__(self, *transforms: Callable[..., Any]) -> None:
        self.transforms = transforms

    def apply(self, batch: NDArray[Any], draws: Draws) -> NDArray[Any]:
        """Return the batch after the last of them."""
        for transform in self.transforms:
            batch = transform(batch, draws) if isinstance(transform, Transform) else transform(batch)
        return batch


def images(batch: NDArray[Any], name: str) -> tuple[int, int]:
    """Return height and width of images of shape (n, ..., H, W), or raise DataError."""
    if batch.ndim < 3:
        message = f"{name} takes images of shape (n, H, W) or (n, C, H, W), not {batch.shape}"
        raise DataError(message)
    return batch.shape[-2], batch.shape[-1]
