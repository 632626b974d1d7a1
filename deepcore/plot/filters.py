"""Weights as images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._errors import ConfigError
from ..nn import Conv1d, Conv2d, Dense
from ._figure import axes_for, diverging

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..nn import Module

MOST: Final = 64
"""How many images are drawn, if not told otherwise."""


def filters(model: Module, *, shape: tuple[int, int] | None = None, most: int = MOST, ax: Any = None) -> Any:
    """Draw the weights of a layer as images, one for each of its units.

    Of a two-dimensional convolution these are its kernels, one row for each output and one column for each channel of
    the input, or a square of kernels if there is one channel. Of a dense layer they are the weights from all inputs to
    an output, as an image of the inputs where these are one, and otherwise the matrix as it is.

    Parameters
    ----------
    model
        The layer, or a model, whose first convolutional or dense layer is drawn.
    shape
        The height and the width of the images that a dense layer has for inputs. Where it is not given they are square,
        if the number of inputs is 16 or more and that of a square.
    most
        How many images are drawn at most; the first ones.
    ax
        The axes to draw into; new ones, if not given.

    Returns
    -------
    ax
        The axes, whose one image has all of these side by side. Weights of 0 are not coloured; the scale ends at the
        largest absolute weight on both sides.

    Raises
    ------
    BackendError
        If Matplotlib is not installed.
    ConfigError
        If there is no such layer, the shape is not that of its inputs, or no image is to be drawn.

    Examples
    --------
    >>> from deepcore import nn, plot
    >>> ax = plot.filters(nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU()))
    >>> ax.get_title(), ax.images[0].get_array().shape
    ('0 Conv2d(1 → 6, 3×3), weights', (7, 11))
    """
    if most < 1:
        msg = f"filters: at least 1 image is drawn, not {most}"
        raise ConfigError(msg)
    path, layer = drawable(model)
    pixels, across, down = _drawn(layer, shape, most)
    axes = axes_for(ax, _size(pixels))
    limit = float(np.nanmax(np.abs(pixels))) or 1.0
    image = axes.imshow(np.ma.masked_invalid(pixels), cmap=diverging(), vmin=-limit, vmax=limit, interpolation="none")
    axes.set_title(f"{path} {layer!r}, weights".strip())
    axes.set_xlabel(across)
    axes.set_ylabel(down)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.figure.colorbar(image, ax=axes, shrink=0.8).set_label("weight")
    return axes


def drawable(model: Module) -> tuple[str, Any]:
    """Return the first layer of a model whose weights can be drawn, and its path."""
    kinds = (Conv1d, Conv2d, Dense)
    for path, module in model.named_modules():
        if isinstance(module, kinds):
            return path, module
    names = ", ".join(kind.__name__ for kind in kinds)
    msg = f"filters: {type(model).__name__} has no layer whose weights are images; those of {names} are"
    raise ConfigError(msg)


def size_of(model: Module, shape: tuple[int, int] | None = None, most: int = MOST) -> tuple[float, float]:
    """Return how large a figure of the weights is, in inches."""
    return _size(_drawn(drawable(model)[1], shape, most)[0])


def _size(pixels: NDArray[Any]) -> tuple[float, float]:
    height, width = pixels.shape
    scale = min(4.5 / max(height, width), 0.5)
    return max(width * scale, 1.5) + 1.5, max(height * scale, 1.2) + 0.7


def _drawn(layer: Any, shape: tuple[int, int] | None, most: int) -> tuple[NDArray[Any], str, str]:
    """Return the pixels, and what goes on across and down."""
    weight = layer.weight.detach().numpy().astype(np.float64)
    if isinstance(layer, Dense):
        shape = _shape_of_inputs(len(weight), shape)
        if shape is None:
            return weight[:, :most], "output", "input"
        return _square(weight.T[:most].reshape(-1, *shape)), "", ""
    if weight.ndim == 3:
        return weight[:most].reshape(len(weight[:most]), -1), "channel and position in the kernel", "output"
    outputs, channels = weight.shape[:2]
    if channels == 1:
        return _square(weight[:most, 0]), "", ""
    channels = min(channels, most)
    rows = max(min(outputs, most // channels), 1)
    return _tiled(weight[:rows, :channels]), "channel of the input", "output"


def _shape_of_inputs(n: int, shape: tuple[int, int] | None) -> tuple[int, int] | None:
    if shape is None:
        side = math.isqrt(n)
        return (side, side) if side >= 4 and side * side == n else None
    if math.prod(shape) != n:
        msg = f"filters: the layer has {n} inputs, which are no image of the shape {shape}"
        raise ConfigError(msg)
    return shape


def _square(images: NDArray[Any]) -> NDArray[Any]:
    """Return images in rows that are about as many as they are long."""
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    full = np.full((rows * columns, *images.shape[1:]), np.nan)
    full[: len(images)] = images
    return _tiled(full.reshape(rows, columns, *images.shape[1:]))


def _tiled(images: NDArray[Any]) -> NDArray[Any]:
    """Return rows of images, (r, c, h, w), as one image with a pixel of nothing between them."""
    rows, columns, height, width = images.shape
    pixels = np.full((rows, height + 1, columns, width + 1), np.nan)
    pixels[:, :height, :, :width] = images.transpose(0, 2, 1, 3)
    return pixels.reshape(rows * (height + 1), columns * (width + 1))[:-1, :-1]
