r"""Discrete Fourier transforms.

$y_k = \sum_{j=0}^{n-1} x_j e^{-2\pi ijk/n}$. The matrix of the transform is symmetric, so it is its own transpose, and
the cotangent of the operand is the transform of that of the result. ``norm`` says where the factor $1/n$ goes: to the
inverse (``"backward"``), to the transform (``"forward"``), or as $1/\sqrt n$ to both (``"ortho"``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from .._backend import place
from .._errors import ConfigError
from .._primitive import Sample
from .._record import primitive
from .._sweep import op

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._tensor import Tensor
    from .._typing import Array, Namespace, Shape

Norm: TypeAlias = Literal["backward", "ortho", "forward"]

OPPOSITE: Final = {"backward": "forward", "ortho": "ortho", "forward": "backward"}
"""The norm of the inverse, as a transform in the other direction sees it."""

COMPLEX: Final = (
    Sample(((4,),), complex=True),
    Sample(((2, 5),), parameters={"n": 4, "axis": 1}, complex=True),
    Sample(((3, 2),), parameters={"n": 5, "axis": 0, "norm": "ortho"}, complex=True),
)
COMPLEX_GRID: Final = (
    Sample(((2, 3),), complex=True),
    Sample(((4, 2, 3),), parameters={"s": (3, 4), "axes": (0, 2), "norm": "forward"}, complex=True),
)


def _fitted(x: Any, n: int, axis: int, xp: Namespace) -> Any:
    """Cut an axis to a length, or fill it up with zeros."""
    have = x.shape[axis]
    if have == n:
        return x
    lead = (slice(None),) * (axis % x.ndim)
    if have > n:
        return x[(*lead, slice(0, n), ...)]
    shape = [*x.shape]
    shape[axis] = n - have
    return xp.concat([x, xp.zeros(tuple(shape), dtype=x.dtype, device=place(x))], axis=axis)


def _along(dy: Any, transform: Any, shape: Shape, n: int | None, axis: int, norm: str, xp: Namespace) -> Any:
    return _fitted(transform(dy, n=n, axis=axis, norm=norm), shape[axis], axis, xp)


@primitive(*COMPLEX)
def fft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Array:
    r"""Transform along an axis, cut or filled up to length $n$. $\bar x = \operatorname{fft} \bar y$, likewise."""
    ...


fft.vjp(x=lambda dy, shape, n, axis, norm, xp: _along(dy, xp.fft.fft, shape, n, axis, norm, xp))


@primitive(*COMPLEX)
def ifft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Array:
    r"""Inverse transform along an axis. $\bar x = \operatorname{ifft} \bar y$, filled up or cut."""
    ...


ifft.vjp(x=lambda dy, shape, n, axis, norm, xp: _along(dy, xp.fft.ifft, shape, n, axis, norm, xp))


def _over(dy: Any, transform: Any, shape: Shape, s: Any, axes: Any, norm: str, xp: Namespace) -> Any:
    axes = _axes(len(shape), s, axes)
    dx = transform(dy, axes=axes, norm=norm)
    for axis in axes:
        dx = _fitted(dx, shape[axis], axis, xp)
    return dx


def _axes(ndim: int, s: Sequence[int] | None, axes: Sequence[int] | None) -> tuple[int, ...]:
    if axes is not None:
        return tuple(axes)
    return tuple(range(ndim)) if s is None else tuple(range(-len(s), 0))


@primitive(*COMPLEX_GRID)
def fftn(
    x: Array, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: Norm = "backward"
) -> Array:
    r"""Transform along several axes, or all. $\bar x = \operatorname{fftn} \bar y$, filled up or cut."""
    ...


fftn.vjp(x=lambda dy, shape, s, axes, norm, xp: _over(dy, xp.fft.fftn, shape, s, axes, norm, xp))


@primitive(*COMPLEX_GRID)
def ifftn(
    x: Array, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: Norm = "backward"
) -> Array:
    r"""Inverse transform along several axes, or all. $\bar x = \operatorname{ifftn} \bar y$, filled up or cut."""
    ...


ifftn.vjp(x=lambda dy, shape, s, axes, norm, xp: _over(dy, xp.fft.ifftn, shape, s, axes, norm, xp))


def _rfft(dy: Any, shape: Shape, n: int | None, axis: int, norm: str, xp: Namespace) -> Any:
    # fft fills the missing half of the frequencies with zeros; the engine takes the real part.
    return _along(dy, xp.fft.fft, shape, n or shape[axis], axis, norm, xp)


@primitive(
    Sample(((4,),)),
    Sample(((2, 5),), parameters={"n": 4, "axis": 1}),
    Sample(((3, 2),), parameters={"n": 5, "axis": 0, "norm": "ortho"}),
)
def rfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Array:
    r"""Transform of a real array along an axis: the frequencies that are not negative.
    $\bar x = \operatorname{Re} \operatorname{fft} \bar y$, filled up or cut.
    """
    ...


rfft.vjp(x=_rfft)


def _irfft(dy: Any, shape: Shape, axis: int, norm: Norm, xp: Namespace) -> Any:
    n = dy.shape[axis]
    dx = xp.conj(xp.fft.rfft(dy, axis=axis, norm=OPPOSITE[norm]))
    # Every frequency stands for its negative too, but for 0 and, where n is even, n/2.
    weights = [1.0 if k == 0 or 2 * k == n else 2.0 for k in range(n // 2 + 1)]
    axis %= len(shape)
    column = (-1,) + (1,) * (len(shape) - 1 - axis)
    dx = dx * xp.reshape(xp.asarray(weights, dtype=dy.dtype, device=place(dy)), column)
    return _fitted(dx, shape[axis], axis, xp)


@primitive(
    Sample(((4,),), complex=True),
    Sample(((2, 5),), parameters={"n": 5, "axis": 1}, complex=True),
    Sample(((3, 2),), parameters={"n": 8, "axis": 0, "norm": "ortho"}, complex=True),
)
def irfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Array:
    r"""Inverse of :func:`rfft`, with a real result of length $n$, by default $2(m - 1)$ for $m$ frequencies.
    $\bar x_k = w_k (\operatorname{ifft} \bar y)_k$ with $w_k = 2$, but 1 for $k = 0$ and $k = n/2$.
    """
    ...


irfft.vjp(x=_irfft)


def rfftn(
    x: Tensor, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: Norm = "backward"
) -> Tensor:
    """Return the transform of a real array along several axes, or all: :func:`rfft` of the last, then :func:`fftn`.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.fft.rfftn(dc.ones((2, 2))).tolist()
    [[(4+0j), 0j], [0j, 0j]]
    """
    *others, last = _axes(x.ndim, s, axes)
    y = rfft(x, n=s[-1] if s else None, axis=last, norm=norm)
    return fftn(y, s=tuple(s[:-1]) if s else None, axes=tuple(others), norm=norm) if others else y


def irfftn(
    x: Tensor, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: Norm = "backward"
) -> Tensor:
    """Return the inverse of :func:`rfftn`: :func:`ifftn` over all axes but the last, then :func:`irfft`.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.fft.irfftn(dc.fft.rfftn(dc.ones((2, 2)))).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    *others, last = _axes(x.ndim, s, axes)
    if others:
        x = ifftn(x, s=tuple(s[:-1]) if s else None, axes=tuple(others), norm=norm)
    return irfft(x, n=s[-1] if s else None, axis=last, norm=norm)


def hfft(x: Tensor, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Tensor:
    r"""Return the transform of a Hermitian array, of which half is given: a real array of length $n$.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.fft.hfft(dc.asarray([1 + 0j, 0j])).tolist()
    [1.0, 1.0]
    """
    return irfft(op.conj(x), n=n, axis=axis, norm=_opposite(norm))


def ihfft(x: Tensor, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward") -> Tensor:
    """Return the inverse of :func:`hfft`: half of a Hermitian array.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.fft.ihfft(dc.asarray([1.0, 1.0])).tolist()
    [(1-0j), -0j]
    """
    return op.conj(rfft(x, n=n, axis=axis, norm=_opposite(norm)))


def _opposite(norm: Norm) -> Any:
    if norm not in OPPOSITE:
        msg = f"fft: norm is 'backward', 'ortho' or 'forward', not {norm!r}"
        raise ConfigError(msg)
    return OPPOSITE[norm]
