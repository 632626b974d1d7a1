"""Rotating, shifting, scaling and shearing images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..._errors import ConfigError
from ._transform import Transform, images

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..draws import Draws


class RandomAffine(Transform):
    r"""Images under a random affine map about their centre, with bilinear interpolation.

    A pixel at $p = (x, y)$, $x$ to the right and $y$ downwards from the centre, goes to $A p + t$, where

    $$ A = s \begin{pmatrix} \cos\alpha & -\sin\alpha \\ \sin\alpha & \cos\alpha \end{pmatrix}
           \begin{pmatrix} 1 & \tan\beta \\ 0 & 1 \end{pmatrix} $$

    so that a positive angle turns clockwise as seen on a screen. All of it is uniformly distributed.

    Parameters
    ----------
    degrees
        The angle $\alpha$ is from -degrees to degrees.
    translate
        The shift $t$ is, in both directions, up to this fraction of height and width: a number for both, or a pair
        (vertical, horizontal).
    scale
        The range of the factor $s$, above 0.
    shear
        The angle $\beta$ is from -shear to shear degrees, below 90.
    fill
        What is outside of the image.

    Raises
    ------
    ConfigError
        For options out of range.

    Notes
    -----
    The result has the type of the images; for integers, values are rounded to the nearest, and halves to even.

    Examples
    --------
    >>> from deepcore.data import DataLoader, digits, transforms
    >>> turn = transforms.RandomAffine(degrees=15, translate=0.1)
    >>> inputs, targets = next(iter(DataLoader(digits(), transform=turn)))
    >>> inputs.shape
    (32, 8, 8)
    """

    def __init__(
        self,
        *,
        degrees: float = 0.0,
        translate: float | tuple[float, float] = 0.0,
        scale: tuple[float, float] = (1.0, 1.0),
        shear: float = 0.0,
        fill: float = 0.0,
    ) -> None:
        self.degrees, self.scale, self.shear, self.fill = degrees, scale, shear, fill
        self.translate = translate if isinstance(translate, tuple) else (translate, translate)
        if degrees < 0 or min(self.translate) < 0 or not 0 < scale[0] <= scale[1] or not 0 <= shear < 90:
            message = (
                "RandomAffine: degrees and translate are not negative, scale is a range above 0 and shear from 0 to "
                f"90, not {degrees}, {translate}, {scale} and {shear}"
            )
            raise ConfigError(message)

    def apply(self, batch: NDArray[Any], draws: Draws) -> NDArray[Any]:
        """Return the images under a map each."""
        height, width = images(batch, "RandomAffine")
        if batch.dtype.kind in "iu" and not np.iinfo(batch.dtype).min <= self.fill <= np.iinfo(batch.dtype).max:
            message = f"RandomAffine: images of {batch.dtype} cannot be filled with {self.fill}"
            raise ConfigError(message)
        u = draws.uniform(5)
        signed = 2 * u - 1
        angle = np.radians(self.degrees) * signed[:, 0]
        shear = np.tan(np.radians(self.shear) * signed[:, 1])
        scale = self.scale[0] + (self.scale[1] - self.scale[0]) * u[:, 2]
        cos, sin = scale * np.cos(angle), scale * np.sin(angle)
        matrix = np.stack([cos, cos * shear - sin, sin, sin * shear + cos], axis=1).reshape(-1, 2, 2)
        shift = signed[:, 3:] * (self.translate[1] * width, self.translate[0] * height)
        return warp(batch, matrix, shift, self.fill)


def warp(batch: NDArray[Any], matrix: NDArray[Any], shift: NDArray[Any], fill: float) -> NDArray[Any]:
    r"""Return images of which what was at $p$, from the centre, is at $A p + t$, by bilinear interpolation.

    Parameters
    ----------
    batch
        Shape (n, ..., H, W).
    matrix, shift
        $A$ and $t$ for each image, of shapes (n, 2, 2) and (n, 2), for (x, y).
    fill
        What is outside of the images: pixels there take part in the interpolation.
    """
    n, (height, width) = len(batch), batch.shape[-2:]
    dtype = batch.dtype if batch.dtype.kind == "f" else np.dtype(np.float32)
    y, x = np.meshgrid(np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2, indexing="ij")
    target = np.stack([x.ravel(), y.ravel()])
    source = np.linalg.inv(matrix) @ (target - shift[:, :, None])
    left, top = source[:, 0] + (width - 1) / 2, source[:, 1] + (height - 1) / 2
    planes = batch.reshape(n, -1, height * width).astype(dtype, copy=False)
    result = np.zeros((n, planes.shape[1], height * width), dtype)
    x0, y0 = np.floor(left), np.floor(top)
    for dx in (0, 1):
        for dy in (0, 1):
            column, row = x0 + dx, y0 + dy
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            place = np.where(inside, row * width + column, 0).astype(np.intp)
            weight = ((1 - np.abs(left - column)) * (1 - np.abs(top - row))).astype(dtype)
            found = np.take_along_axis(planes, place[:, None, :], axis=2)
            result += weight[:, None, :] * np.where(inside[:, None, :], found, dtype.type(fill))
    result = result.reshape(batch.shape)
    if batch.dtype.kind in "biu":
        np.rint(result, out=result)
    return result.astype(batch.dtype, copy=False)
