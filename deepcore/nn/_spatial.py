"""What layers with spatial axes have in common: the check at the door, and their words for kernels and options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._errors import ShapeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._tensor import Tensor
    from .._typing import Shape

AXES: Final = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def check_input(name: str, x: Tensor, ndim: int, channels: int | None = None) -> None:
    """Raise a ShapeError unless an input has samples first, channels second, and so many spatial axes."""
    if x.ndim == ndim + 2 and channels in (None, x.shape[1]):
        return
    expected = ("batch", "channels" if channels is None else str(channels), *AXES[ndim])
    msg = f"{name}: expected ({', '.join(expected)}), got {x.shape}{_hint(x.shape, ndim, channels)}"
    raise ShapeError(msg)


def _hint(shape: Shape, ndim: int, channels: int | None) -> str:
    if len(shape) == ndim + 2 and shape[-1] == channels:
        return "; did you pass channels last?"
    if len(shape) == ndim + 1 and shape[0] == channels:
        return "; is it one sample? x[None] is a batch of it"
    if len(shape) == ndim + 1 and channels in (None, 1):
        return "; is the axis of channels missing? x[:, None] has one"
    return ""


def times(lengths: Shape) -> str:
    """Return the shape of a kernel as people write it: ``3×3``."""
    return "×".join(map(str, lengths))


def options(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """Return those options that differ from their defaults: ``", stride 2, groups 3"``."""
    return "".join(f", {name} {value}" for name, value in values.items() if value != defaults[name])
