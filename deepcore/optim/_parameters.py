"""What optimizers are given: tensors, tensors with names, or groups of either."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from .._errors import ConfigError, DTypeError
from .._tensor import Tensor

Parameters: TypeAlias = Iterable[Tensor | tuple[str, Tensor] | Mapping[str, Any]]


def sorted_into_groups(method: str, given: object) -> list[tuple[dict[str, Tensor], dict[str, Any]]]:
    """Return the tensors by name, and the options, of each group. A tensor that is named twice is taken once."""
    if isinstance(given, Tensor) or not isinstance(given, Iterable):
        msg = f"{method}: the parameters are a list of tensors, as model.parameters() returns, not {_kind(given)}"
        raise ConfigError(msg)
    items: list[Any] = list(given)
    if not any(isinstance(item, Mapping) for item in items):
        items = [{"params": items}]
    groups: list[tuple[dict[str, Tensor], dict[str, Any]]] = []
    seen: set[int] = set()
    position = 0
    for item in items:
        if not isinstance(item, Mapping) or "params" not in item:
            msg = f"{method}: a group is a dictionary with the tensors under 'params', and options; not {_kind(item)}"
            raise ConfigError(msg)
        options: dict[str, Any] = dict(item)
        tensors = options.pop("params")
        own: dict[str, Tensor] = {}
        for entry in [tensors] if isinstance(tensors, Tensor) else tensors:
            name, tensor = entry if isinstance(entry, tuple) else (str(position), entry)
            _check(method, name, tensor)
            if id(tensor) in {id(t) for t in own.values()}:
                continue
            if id(tensor) in seen or any(name in names for names, _ in groups):
                msg = f"{method}: parameter {name} is in two groups, and would be moved twice in a step"
                raise ConfigError(msg)
            own[name] = tensor
            position += 1
        seen |= {id(t) for t in own.values()}
        groups.append((own, options))
    if not seen:
        msg = f"{method}: there are no parameters to learn"
        raise ConfigError(msg)
    return groups


def _check(method: str, name: str, tensor: object) -> None:
    if not isinstance(tensor, Tensor):
        msg = f"{method}: parameter {name} is {_kind(tensor)}, not a tensor"
        raise ConfigError(msg)
    if tensor.dtype.kind != "real floating":
        hint = "; learn its real and imaginary parts as two" if tensor.dtype.is_inexact else ""
        msg = f"{method}: parameter {name} is {tensor.dtype}, and parameters are real floating-point tensors{hint}"
        raise DTypeError(msg)


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"
