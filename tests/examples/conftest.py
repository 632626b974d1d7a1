"""Examples are scripts, not modules of a package: tests import them by path."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import deepcore as dc
from deepcore.random import default_generator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str) -> Any:
    """Return the module of an example."""
    spec = importlib.util.spec_from_file_location(f"examples.{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def example() -> Iterator[Callable[[str], Any]]:
    """The function that imports an example; afterwards, what examples set for everybody is as it was."""
    generator = default_generator()
    seed, draw, dtype = generator.seed, generator.draw, dc.default_dtype()
    yield load
    generator.seed, generator.draw = seed, draw
    dc.set_default_dtype(dtype)
