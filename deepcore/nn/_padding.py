"""What surrounds an array that a kernel slides over, where that is not zeros."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._errors import ShapeError
from ..ops.manipulation import broadcast_to, concat, flip, moveaxis

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._tensor import Tensor


def _reflected(x: Tensor, before: int, after: int) -> list[Tensor]:
    n = x.shape[-1]
    return [flip(x[..., 1 : before + 1], axis=-1), x, flip(x[..., n - 1 - after : n - 1], axis=-1)]


def _replicated(x: Tensor, before: int, after: int) -> list[Tensor]:
    lead = x.shape[:-1]
    return [broadcast_to(x[..., :1], (*lead, before)), x, broadcast_to(x[..., -1:], (*lead, after))]


def _circular(x: Tensor, before: int, after: int) -> list[Tensor]:
    n = x.shape[-1]
    return [x[..., n - before :], x, x[..., :after]]


MODES: Final[dict[str, tuple[Callable[[Tensor, int, int], list[Tensor]], Callable[[int], int]]]] = {
    "reflect": (_reflected, lambda n: n - 1),
    "replicate": (_replicated, lambda n: 10**9 if n else 0),
    "circular": (_circular, lambda n: n),
}
"""For each mode the parts that make up an axis, and the most that can be added at either end of one of n elements."""


def surrounded(x: Tensor, pairs: tuple[tuple[int, int], ...], mode: str, name: str) -> Tensor:
    """Return an array with elements added before and after each of its last axes.

    Raises
    ------
    ShapeError
        If an axis is too short to give as many.
    """
    parts, limit = MODES[mode]
    for i, (before, after) in enumerate(pairs):
        axis = x.ndim - len(pairs) + i
        if max(before, after) > limit(x.shape[axis]):
            msg = f"{name}: {mode} padding of {(before, after)} is more than an axis of {x.shape[axis]} elements has"
            raise ShapeError(msg)
        if before or after:
            joined = [part for part in parts(moveaxis(x, axis, -1), before, after) if part.shape[-1]]
            x = moveaxis(concat(joined, axis=-1), -1, axis)
    return x
