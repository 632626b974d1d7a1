"""The example of a transformer keeps its word."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

PATH = Path(__file__).parents[2] / "examples" / "transformer_reverse.py"


def example() -> Any:
    specification = importlib.util.spec_from_file_location(PATH.stem, PATH)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_short_sequences_are_reversed(monkeypatch: pytest.MonkeyPatch) -> None:
    module = example()
    monkeypatch.setattr(module, "LENGTH", 4)
    assert module.main("reverse", 5) < 0.1
    assert module.main("reverse", 100) > 0.99


@pytest.mark.exhaustive
@pytest.mark.parametrize("task", ["reverse", "sort"])
def test_sequences_are_reversed_and_sorted(task: str) -> None:
    assert example().main(task) > 0.99
