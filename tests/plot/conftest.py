"""Plots are drawn on no screen, and pyplot keeps none of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.fixture(autouse=True)
def closed() -> Generator[None]:
    """Forget the figures of a test."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
