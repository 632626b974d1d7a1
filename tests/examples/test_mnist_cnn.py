"""The example of a convolutional network learns to read digits."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "mnist_cnn.py"
MNIST = Path(os.environ.get("DEEPCORE_MNIST") or ROOT.parent / "shared" / "data" / "mnist")

pytestmark = pytest.mark.skipif(not MNIST.is_dir(), reason=f"there is no MNIST in {MNIST}; set DEEPCORE_MNIST")


def accuracy(epochs: int, samples: int) -> float:
    found: float = runpy.run_path(str(EXAMPLE))["main"](str(MNIST), epochs, samples)
    return found


def test_a_tenth_of_an_epoch_reaches_85_percent() -> None:
    assert accuracy(epochs=1, samples=6_000) > 0.85


@pytest.mark.exhaustive
def test_three_epochs_reach_98_and_a_half_percent() -> None:
    assert accuracy(epochs=3, samples=60_000) > 0.985
