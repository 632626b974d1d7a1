"""What tells steps of a program apart that are computed by different functions."""

from __future__ import annotations

import itertools
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from deepcore._tracing import Number
from deepcore.graph.program import Call, Value

if TYPE_CHECKING:
    from collections.abc import Iterable


def description(*parts: Any) -> str:
    """Return a text that is the same for what is the same but for which values and numbers of the host it is about.

    A value is described by its kind, and by where it came up first. What has no text of its own is like nothing else.
    """
    found: dict[int, str] = {}

    def text(part: Any) -> str:
        if isinstance(part, (Value, Number)):
            kind = part.kind if isinstance(part, Value) else "number"
            return found.setdefault(id(part), f"%{len(found)}:{kind}")
        parts = _parts(part)
        return repr(part) if parts is None else f"{type(part).__name__}({','.join(map(text, parts))})"

    return text(parts)


def _parts(whole: Any) -> Iterable[Any] | None:
    """Return what something consists of, if it is described by that."""
    if isinstance(whole, Call):
        return whole.operation, whole.arguments, whole.parameters, whole.results
    if isinstance(whole, (list, tuple)):
        return whole
    if isinstance(whole, dict):
        return itertools.chain.from_iterable(whole.items())
    if isinstance(whole, slice):
        return whole.start, whole.stop, whole.step
    if is_dataclass(whole):
        return [getattr(whole, field.name) for field in fields(whole)]
    return None
