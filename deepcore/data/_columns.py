"""Columns of tables: which are inputs, which targets, and what targets become."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .._errors import ConfigError, DataError
from .dataset import Dataset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike, NDArray

    Column: TypeAlias = "str | int"


def choose(
    names: Sequence[str], target: Column | Sequence[Column], inputs: Sequence[Column] | None, where: str
) -> tuple[list[int], list[int]]:
    """Return the positions of the inputs and of the targets among the columns."""
    targets = [position(names, column, where) for column in _listed(target)]
    if inputs is None:
        chosen = [i for i in range(len(names)) if i not in targets]
    else:
        chosen = [position(names, column, where) for column in inputs]
    if not chosen or not targets:
        message = f"{where} has {len(names)} columns, of which {len(chosen)} are inputs and {len(targets)} targets"
        raise ConfigError(message)
    return chosen, targets


def _listed(target: Column | Sequence[Column]) -> Sequence[Column]:
    return [target] if isinstance(target, (str, int)) else target


def position(names: Sequence[str], column: Column, where: str) -> int:
    """Return the position of a column that is named, or counted from the front or the back."""
    if isinstance(column, str):
        if names.count(column) == 1:
            return names.index(column)
    elif -len(names) <= column < len(names):
        return column % len(names)
    shown = ", ".join(repr(name) for name in names[:20])
    message = f"{where} has no column {column!r}, or several; its {len(names)} columns are: {shown}"
    raise ConfigError(message)


def floating(dtype: DTypeLike) -> np.dtype[Any]:
    """Return the type of inputs, or raise ConfigError."""
    found = np.dtype(dtype)
    if found.kind != "f":
        message = f"inputs are read as a floating-point type, not {found}; convert them with Dataset.map"
        raise ConfigError(message)
    return found


def cast(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return numbers in a type, infinite where they are too large, which Dataset.check_finite finds."""
    with np.errstate(over="ignore"):
        return values.astype(dtype)


def made(inputs: NDArray[Any], targets: Any, name: str, classes: tuple[str, ...] | None) -> Dataset:
    """Return the data set, in which one column of texts is a column of classes."""
    if isinstance(targets, np.ndarray):
        return Dataset(inputs, targets, name=name)
    known = tuple(sorted(set(targets))) if classes is None else tuple(classes)
    labels = {text: label for label, text in enumerate(known)}
    if strange := next((text for text in targets if text not in labels), None):
        message = f"{name!r} has a target {strange!r} in sample {targets.index(strange)}, which is none of {known}"
        raise DataError(message)
    return Dataset(inputs, np.array([labels[text] for text in targets]), name=name, classes=known)
