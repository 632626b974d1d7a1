"""Padding images, and cutting parts out of them."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from ..._errors import ConfigError, DataError
from ._transform import Transform, images

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..draws import Draws

    Mode: TypeAlias = Literal["constant", "edge", "reflect", "symmetric"]

_MODES = ("constant", "edge", "reflect", "symmetric")


class Pad(Transform):
    """Images with margins.

    Parameters
    ----------
    padding
        The width of the margins in pixels: a number, a pair (vertical, horizontal), or (top, bottom, left, right).
    mode
        What is in them: ``"constant"``, or the image's own pixels as in :func:`numpy.pad`, by ``"edge"``,
        ``"reflect"`` (without the outermost pixel) or ``"symmetric"`` (with it).
    value
        The constant.

    Raises
    ------
    ConfigError
        For options out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from deepcore.data import transforms
    >>> transforms.Pad((0, 1))(np.ones((5, 3, 8, 8))).shape
    (5, 3, 8, 10)
    """

    def __init__(self, padding: int | Sequence[int], *, mode: Mode = "constant", value: float = 0) -> None:
        given = (padding,) if isinstance(padding, int) else tuple(padding)
        if len(given) not in (1, 2, 4) or any(operator.index(width) < 0 for width in given) or mode not in _MODES:
            message = (
                "Pad: padding is 1, 2 or 4 numbers that are not negative, and mode is one of "
                f"{', '.join(_MODES)}, not {padding!r} and {mode!r}"
            )
            raise ConfigError(message)
        self.padding = given if len(given) == 4 else (given[0], given[0], given[-1], given[-1])
        self.mode: Mode = mode
        self.value = value

    def apply(self, batch: NDArray[Any], draws: Draws) -> NDArray[Any]:
        """Return the images with margins."""
        height, width = images(batch, "Pad")
        top, bottom, left, right = self.padding
        within = self.mode == "reflect"
        if self.mode in ("reflect", "symmetric") and (
            max(top, bottom) > height - within or max(left, right) > width - within
        ):
            message = f"Pad: a {self.mode} margin {self.padding} is wider than the image of {height} by {width}"
            raise DataError(message)
        margins = [(0, 0)] * (batch.ndim - 2) + [(top, bottom), (left, right)]
        if self.mode == "constant":
            return np.pad(batch, margins, constant_values=self.value)
        return np.pad(batch, margins, mode=self.mode)


class CenterCrop(Transform):
    """The middle of images.

    Parameters
    ----------
    size
        Height and width of the result, or one number for both. It is a pixel nearer to the top and the left where the
        margins differ.

    Examples
    --------
    >>> import numpy as np
    >>> from deepcore.data import transforms
    >>> transforms.CenterCrop(2)(np.arange(16).reshape(1, 4, 4)).tolist()
    [[[5, 6], [9, 10]]]
    """

    def __init__(self, size: int | tuple[int, int]) -> None:
        self.size = pair(size, "CenterCrop")

    def apply(self, batch: NDArray[Any], draws: Draws) -> NDArray[Any]:
        """Return the middle of each image."""
        rest = _room(batch, self.size, "CenterCrop")
        top, left = (extra // 2 for extra in rest)
        return batch[..., top : top + self.size[0], left : left + self.size[1]]


class RandomCrop(Transform):
    """A part of each image, at a random place; each place is equally likely.

    Parameters
    ----------
    size
        Height and width of the part, or one number for both.
    padding, mode, value
        The margins that the images are given before, as by :class:`Pad`.

    Examples
    --------
    >>> import numpy as np
    >>> from deepcore.data import transforms
    >>> transforms.RandomCrop(32, padding=4)(np.zeros((10, 3, 32, 32))).shape
    (10, 3, 32, 32)
    """

    def __init__(
        self,
        size: int | tuple[int, int],
        *,
        padding: int | Sequence[int] = 0,
        mode: Mode = "constant",
        value: float = 0,
    ) -> None:
        self.size = pair(size, "RandomCrop")
        self.pad = Pad(padding, mode=mode, value=value)

    def apply(self, batch: NDArray[Any], draws: Draws) -> NDArray[Any]:
        """Return a part of each image."""
        if any(self.pad.padding):
            batch = self.pad(batch, draws)
        below, beside = _room(batch, self.size, "RandomCrop")
        top, left = draws.integers(below + 1, beside + 1).T
        windows = np.lib.stride_tricks.sliding_window_view(batch, self.size, axis=(-2, -1))
        # an index between slices would move its axis to the front, where it belongs anyway
        return np.ascontiguousarray(windows[np.arange(len(batch)), ..., top, left, :, :])


def pair(size: int | tuple[int, int], name: str) -> tuple[int, int]:
    """Return height and width, or raise ConfigError."""
    sizes = (size, size) if isinstance(size, int) else tuple(size)
    if len(sizes) != 2 or any(operator.index(n) < 1 for n in sizes):
        message = f"{name}: a size is a positive number, or two of them for height and width, not {size!r}"
        raise ConfigError(message)
    return sizes


def _room(batch: NDArray[Any], size: tuple[int, int], name: str) -> tuple[int, int]:
    """Return how much higher and wider images are than a part of them, or raise DataError."""
    height, width = images(batch, name)
    if size[0] > height or size[1] > width:
        message = f"{name}: a part of {size[0]} by {size[1]} does not fit into images of {height} by {width}; pad them"
        raise DataError(message)
    return height - size[0], width - size[1]
