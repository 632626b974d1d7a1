r"""Rotation of pairs of features, by which attention sees how far apart two positions are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._primitive import Sample
from .._record import composite

if TYPE_CHECKING:
    from .._typing import Array, Namespace


def _split(x: Any, interleaved: bool, xp: Namespace) -> tuple[Any, Any]:
    half = x.shape[-1] // 2
    if interleaved:
        pairs = xp.reshape(x, (*x.shape[:-1], half, 2))
        return pairs[..., 0], pairs[..., 1]
    return x[..., :half], x[..., half:]


def _joined(a: Any, b: Any, interleaved: bool, xp: Namespace) -> Any:
    if interleaved:
        return xp.reshape(xp.stack([a, b], axis=-1), (*a.shape[:-1], 2 * a.shape[-1]))
    return xp.concat([a, b], axis=-1)


@composite(
    Sample(((2, 3, 4), (3, 2))),
    Sample(((3, 6), (3, 3)), parameters={"interleaved": False}),
    Sample(((2, 2), (2, 1, 1))),
)
def rotary(xp: Namespace, x: Array, angles: Array, /, *, interleaved: bool = True) -> Any:
    r"""Pairs of features, rotated. $y_1 = x_1 \cos\theta - x_2 \sin\theta$ and $y_2 = x_1 \sin\theta + x_2 \cos\theta$;
    $\bar x$ is $\bar y$ rotated by $-\theta$, and $\bar\theta = y_1 \bar y_2 - y_2 \bar y_1$.

    A pair is two neighbours or, where ``interleaved`` is False, the same place of both halves of the last axis. There
    are half as many angles as features; they broadcast.

    Source: J. Su et al., RoFormer: enhanced transformer with rotary position embedding, arXiv:2104.09864, 2021,
    equation 34.
    """
    a, b = _split(x, interleaved, xp)
    cosine, sine = xp.cos(angles), xp.sin(angles)
    return _joined(a * cosine - b * sine, a * sine + b * cosine, interleaved, xp)


def _angles(dy: Any, y: Any, interleaved: bool, xp: Namespace) -> Any:
    (a, b), (da, db) = _split(y, interleaved, xp), _split(dy, interleaved, xp)
    return a * db - b * da


rotary.vjp(
    x=lambda dy, angles, interleaved, xp: xp.rotary(dy, -angles, interleaved=interleaved),
    angles=lambda dy, y, interleaved, xp: _angles(dy, y, interleaved, xp),
)
