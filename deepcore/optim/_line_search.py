"""Steps along a line that make a function smaller by enough, and its slope too: the strong Wolfe conditions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._typing import Raw

DECREASE = 1e-4
CURVATURE = 0.9


@dataclass(frozen=True)
class Point:
    """A point of the line: where, the function, its slope along the line, and its gradient."""

    t: float
    f: float
    slope: float
    gradient: Raw


def cubic_minimum(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """Return where the cubic through two points with their slopes is smallest, within bounds.

    Reference: J. Nocedal and S. J. Wright, *Numerical Optimization*, 2nd edition, Springer 2006, equation 3.59.
    """
    low, high = bounds or (min(a.t, b.t), max(a.t, b.t))
    if a.t > b.t:
        a, b = b, a
    d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2
    d2 = math.sqrt(square)
    divisor = b.slope - a.slope + 2 * d2
    if divisor == 0:
        return (low + high) / 2
    return min(max(b.t - (b.t - a.t) * ((b.slope + d2 - d1) / divisor), low), high)


def strong_wolfe(
    evaluate: Callable[[float], Point], start: Point, t: float, *, longest: float, tolerance: float, limit: int
) -> tuple[Point, int]:
    """Return a point that fulfils the strong Wolfe conditions, or the best one found, and the number of evaluations.

    Parameters
    ----------
    evaluate
        Returns the point at a distance.
    start
        The point at 0, where the slope is negative.
    t
        The first distance to try.
    longest
        The largest element of the direction.
    tolerance
        The search ends when nothing moves by more than this.
    limit
        The number of further points to try.

    References
    ----------
    J. Nocedal and S. J. Wright, *Numerical Optimization*, 2nd edition, Springer 2006, algorithms 3.5 and 3.6. The
    safeguards are those of M. Schmidt's minFunc, which PyTorch has too.
    """
    new, previous = evaluate(t), start
    used = 0
    bracket: list[Point] = []
    while used < limit:
        is_above = not _decreases(new, start) or (used > 1 and new.f >= previous.f)
        if not is_above and _is_flat(new, start):
            return new, used + 1
        if is_above or new.slope >= 0:
            bracket = [previous, new]
            break
        bounds = (new.t + 0.01 * (new.t - previous.t), 10 * new.t)
        t = cubic_minimum(previous, new, bounds)
        new, previous = evaluate(t), new
        used += 1
    bracket = bracket or [start, new]
    return _zoom(evaluate, start, bracket, used, longest=longest, tolerance=tolerance, limit=limit)


def _decreases(new: Point, start: Point) -> bool:
    return not new.f > start.f + DECREASE * new.t * start.slope


def _is_flat(new: Point, start: Point) -> bool:
    return abs(new.slope) <= -CURVATURE * start.slope


def _zoom(
    evaluate: Callable[[float], Point], start: Point, bracket: list[Point], used: int, **options: Any
) -> tuple[Point, int]:
    """Make a bracket smaller until a point in it fulfils the conditions."""
    low, high = bracket if bracket[0].f <= bracket[1].f else bracket[::-1]
    is_slow = False
    while used < options["limit"] and abs(high.t - low.t) * options["longest"] >= options["tolerance"]:
        t, is_slow = _inside(low, high, is_slow=is_slow)
        new = evaluate(t)
        used += 1
        if not _decreases(new, start) or new.f >= low.f:
            high = new
            if low.f > high.f:
                low, high = high, low
            continue
        if _is_flat(new, start):
            return new, used + 1
        if new.slope * (high.t - low.t) >= 0:
            high = low
        low = new
    return low, used + 1


def _inside(low: Point, high: Point, *, is_slow: bool) -> tuple[float, bool]:
    """Return the next point of a bracket to try, and whether it is near the border, for the first time."""
    t = cubic_minimum(low, high)
    left, right = min(low.t, high.t), max(low.t, high.t)
    margin = 0.1 * (right - left)
    if min(right - t, t - left) >= margin:
        return t, False
    if not is_slow and left < t < right:
        return t, True
    return (right - margin if abs(t - right) < abs(t - left) else left + margin), False
