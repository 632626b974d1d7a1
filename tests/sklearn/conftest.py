"""What the tests of estimators share: scikit-learn, without which there are none, and data of three kinds."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the libraries that scikit-learn imports
    pytest.importorskip("sklearn.neural_network", reason="scikit-learn is not installed")


@pytest.fixture(autouse=True)
def _short_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fit that ends at max_iter says so by a warning; most of these are short on purpose."""
    warnings.filterwarnings("ignore", message="Maximum iterations")
    warnings.filterwarnings("ignore", message="Stochastic Optimizer: Maximum iterations")


@pytest.fixture
def blobs() -> tuple[Any, Any]:
    """Samples of three classes that hardly overlap."""
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    X = rng.normal(size=(90, 4))
    X[:, 0] += 4.0 * (y == 1)
    X[:, 1] += 4.0 * (y == 2)
    return X, y
