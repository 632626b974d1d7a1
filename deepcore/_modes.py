"""The mode of models, training or evaluation, for the time of a block."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable


@contextmanager
def in_mode(modules: Iterable[Any], *, training: bool) -> Generator[None]:
    """Put modules in a mode; afterwards each is in the one that it was in."""
    before = [(module, module.training) for module in modules]
    try:
        for module, _ in before:
            module.training = training
        yield
    finally:
        for module, mode in before:
            module.training = mode
