"""The character-level LSTM learns; as long as its claim needs, in the exhaustive run."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE = Path(__file__).parents[2] / "examples" / "character_lstm.py"


@pytest.fixture
def run() -> Callable[..., tuple[float, float, float]]:
    """The example's main function."""
    if not EXAMPLE.exists():
        pytest.skip("the examples are not here")
    main: Callable[..., tuple[float, float, float]] = runpy.run_path(str(EXAMPLE))["main"]
    return main


def test_perplexity_falls(run: Callable[..., tuple[float, float, float]]) -> None:
    before, after, _ = run(steps=80)
    assert 40 < before < 50, "before training it is the number of characters, 46"
    assert after < 10


@pytest.mark.exhaustive
def test_it_recites_the_poem(
    run: Callable[..., tuple[float, float, float]], capsys: pytest.CaptureFixture[str]
) -> None:
    _, after, share = run()
    assert after < 1.1
    assert share > 0.99
    assert "The frumious Bandersnatch!" in capsys.readouterr().out
