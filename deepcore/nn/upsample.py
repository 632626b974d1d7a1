"""The layer that enlarges images, by repeating elements or by interpolating between them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._errors import ConfigError, ShapeError
from ..ops.creation import asarray
from ..ops.indexing import take
from ..ops.manipulation import repeat
from ._module import Module
from ._resampling import interpolating, resampled
from ._spatial import AXES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._tensor import Tensor
    from .._typing import Shape

MODES: Final = {"nearest": 0, "linear": 0, "bilinear": 2, "trilinear": 3}
"""The number of spatial axes of each mode; 0 for any."""


@lru_cache(maxsize=256)
def _weights(n: int, m: int, scale: float | None, *, align_corners: bool) -> NDArray[np.float64]:
    i = np.arange(m)
    if align_corners:
        positions = i * ((n - 1) / (m - 1) if m > 1 else 0.0)
    else:
        positions = np.maximum((i + 0.5) * (n / m if scale is None else 1 / scale) - 0.5, 0.0)
    return interpolating(np.minimum(positions, n - 1), n)


class Upsample(Module):
    r"""More elements along each spatial axis (or fewer), repeated or interpolated.

    Output $i$ of $m$ looks at the input, of $n$ elements, at the position $u = (i + \frac12) \frac nm - \frac12$, so
    that the outer edges of both fall together; with ``align_corners`` at $u = i \frac{n - 1}{m - 1}$, so that the
    centres of their outermost elements do. It is $(1 - w) x_{\lfloor u \rfloor} + w x_{\lfloor u \rfloor + 1}$ with
    the remainder $w = u - \lfloor u \rfloor$, one axis after the other; or, for ``"nearest"``, $x_{\lfloor in/m
    \rfloor}$.

    Parameters
    ----------
    size
        The spatial shape of the output, a number for all axes or one for each.
    scale_factor
        Instead of the size: how many times longer each axis becomes, rounded down. $n/m$ is then 1 / scale_factor.
    mode
        ``"nearest"``, or ``"linear"``, which ``"bilinear"`` and ``"trilinear"`` are other names of, for two and three
        axes alone.
    align_corners
        Where the positions are, unless the mode is nearest.

    Raises
    ------
    ConfigError
        If not exactly one of size and scale_factor is given, or an option is not what it should be.
    ShapeError
        When called on an array that is not of shape (batch, channels, \*spatial).

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.Upsample(scale_factor=2)(dc.asarray([[[1.0, 2.0]]])).tolist()
    [[[1.0, 1.0, 2.0, 2.0]]]
    >>> dc.nn.Upsample(size=4, mode="linear")(dc.asarray([[[1.0, 2.0]]])).tolist()
    [[[1.0, 1.25, 1.75, 2.0]]]
    """

    def __init__(
        self,
        size: int | tuple[int, ...] | None = None,
        scale_factor: float | tuple[float, ...] | None = None,
        *,
        mode: str = "nearest",
        align_corners: bool = False,
    ) -> None:
        if mode not in MODES:
            msg = f"Upsample: unknown mode {mode!r}; the known ones are {', '.join(MODES)}"
            raise ConfigError(msg)
        if (size is None) == (scale_factor is None):
            msg = f"Upsample: give size or scale_factor, one of them; not {size} and {scale_factor}"
            raise ConfigError(msg)
        if align_corners and mode == "nearest":
            msg = "Upsample: align_corners is for the linear modes; the nearest element has no corners to align"
            raise ConfigError(msg)
        values: Any = size if scale_factor is None else scale_factor
        if not all(v > 0 for v in (values if isinstance(values, tuple) else (values,))):
            msg = f"Upsample: size and scale_factor are above 0, not {values}"
            raise ConfigError(msg)
        self.size = size
        self.scale_factor = scale_factor
        self.mode = mode
        self.align_corners = align_corners

    def forward(self, x: Tensor) -> Tensor:
        """Return the larger array."""
        self._check(x)
        old = x.shape[2:]
        scales = self._per_axis(self.scale_factor, len(old))
        sizes = self._per_axis(self.size, len(old))
        new: Shape = tuple(int(m) if f is None else int(n * f) for n, m, f in zip(old, sizes, scales, strict=True))
        if self.mode == "nearest":
            for axis, (n, m, f) in enumerate(zip(old, new, scales, strict=True), 2):
                x = _nearest(x, axis, n, m, f)
            return x
        corners = self.align_corners
        return resampled(
            x, [_weights(n, m, f, align_corners=corners) for n, m, f in zip(old, new, scales, strict=True)]
        )

    def _check(self, x: Tensor) -> None:
        ndim = MODES[self.mode]
        if x.ndim < 3 or (ndim and x.ndim != ndim + 2) or 0 in x.shape[2:]:
            axes = ", ".join(AXES[ndim]) if ndim else "length, ..."
            msg = f"{self!r}: expected (batch, channels, {axes}), with at least one element along each, got {x.shape}"
            raise ShapeError(msg)

    def _per_axis(self, values: Any, ndim: int) -> tuple[Any, ...]:
        found = values if isinstance(values, tuple) else (values,) * ndim
        if len(found) != ndim:
            msg = f"{self!r}: the input has {ndim} spatial axes, and {values} is for {len(found)}"
            raise ShapeError(msg)
        return found

    def describe(self) -> str:
        """Return the size or the factor, and the mode."""
        size = f"size {self.size}" if self.scale_factor is None else f"scale_factor {self.scale_factor}"
        return f"{size}, {self.mode}{', align_corners' if self.align_corners else ''}"


def _nearest(x: Tensor, axis: int, n: int, m: int, scale: float | None) -> Tensor:
    # An axis that stays, or becomes twice as long, does so evenly whatever the factor was, as in PyTorch in most cases:
    # with 2.3, its 3 elements become 0 0 1 1 2 2 in two dimensions, and 0 0 0 1 1 2 in one, where its derivative is as
    # in two.
    if m in (n, 2 * n) or (m % n == 0 and scale in (None, m // n)):
        return repeat(x, m // n, axis=axis) if m > n else x
    places = [i * n // m if scale is None else min(int(i / scale), n - 1) for i in range(m)]
    return take(x, asarray(places, device=x.device), axis=axis)
