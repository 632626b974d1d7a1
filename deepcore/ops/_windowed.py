"""Arrays as windows: what surrounds an array for the windows that reach beyond it, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._backend import place

if TYPE_CHECKING:
    from .._typing import Namespace
    from .._window import Windows


def padded(x: Any, w: Windows, xp: Namespace, fill: float = 0.0) -> Any:
    """Return an array with all that some window reaches, in Array API terms."""
    if not w.is_padded:
        return x
    shape = (*x.shape[:2], *w.padded)
    if fill == 0.0:
        return xp.setitem(xp.zeros(shape, dtype=x.dtype, device=place(x)), x, key=w.inside)
    return xp.setitem(xp.full(shape, fill, dtype=x.dtype, device=place(x)), x, key=w.inside)


def added(parts: list[Any], w: Windows, xp: Namespace) -> Any:
    """Add up the elements of all windows, given place by place, where they belong: the transpose of reading them."""
    whole: Any = None
    shape = (*parts[0].shape[:2], *w.padded)
    for part, key in zip(parts, w.keys, strict=True):
        spread = xp.scatter(part, shape=shape, key=key)
        whole = spread if whole is None else whole + spread
    return whole[w.inside] if w.is_padded else whole
