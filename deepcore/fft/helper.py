"""Frequencies, and the order they are in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._sweep import op
from ..ops.creation import asarray, default_dtype

if TYPE_CHECKING:
    from .._dtype import DType
    from .._tensor import Tensor
    from .._typing import DeviceLike


def fftfreq(n: int, /, *, d: float = 1.0, dtype: DType | None = None, device: DeviceLike = None) -> Tensor:
    r"""Return the frequencies of a transform of length $n$ of samples at a distance $d$, the negative ones last.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.fft.fftfreq(4).tolist()
    [0.0, 0.25, -0.5, -0.25]
    """
    values = [k / (n * d) for k in (*range((n + 1) // 2), *range(-(n // 2), 0))]
    return asarray(values, dtype=dtype or default_dtype(), device=device)


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: DType | None = None, device: DeviceLike = None) -> Tensor:
    r"""Return the frequencies of :func:`rfft` of length $n$ of samples at a distance $d$.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.fft.rfftfreq(4).tolist()
    [0.0, 0.25, 0.5]
    """
    values = [k / (n * d) for k in range(n // 2 + 1)]
    return asarray(values, dtype=dtype or default_dtype(), device=device)


def _axes(x: Tensor, axes: int | tuple[int, ...] | None) -> tuple[int, ...]:
    if axes is None:
        return tuple(range(x.ndim))
    return (axes,) if isinstance(axes, int) else tuple(axes)


def fftshift(x: Tensor, /, *, axes: int | tuple[int, ...] | None = None) -> Tensor:
    """Return an array with the frequency 0 moved to the middle of some axes, or all.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.fft.fftshift(dc.fft.fftfreq(4)).tolist()
    [-0.5, -0.25, 0.0, 0.25]
    """
    over = _axes(x, axes)
    return op.roll(x, tuple(x.shape[axis] // 2 for axis in over), axis=over)


def ifftshift(x: Tensor, /, *, axes: int | tuple[int, ...] | None = None) -> Tensor:
    """Return an array with the frequency 0 moved back from the middle to the beginning.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.fft.ifftshift(dc.fft.fftshift(dc.fft.fftfreq(4))).tolist()
    [0.0, 0.25, -0.5, -0.25]
    """
    over = _axes(x, axes)
    return op.roll(x, tuple(-(x.shape[axis] // 2) for axis in over), axis=over)
