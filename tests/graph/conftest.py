"""What compares a compiled function with the function as it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def executor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The executor of compiled functions on NumPy: its own, unless a test is run with machine code too."""
    kind: str = getattr(request, "param", "numpy")
    if kind == "fast":
        pytest.importorskip("llvmlite", reason="llvmlite is not installed")
    monkeypatch.setenv("DEEPCORE_FAST", "1" if kind == "fast" else "0")
    return kind


@pytest.fixture
def alike(executor: str) -> Callable[[Any, Any], None]:
    """What compares results and states: to the last bit, or to 1e-6 of the largest element with machine code."""
    return exactly_alike if executor == "numpy" else closely_alike


def exactly_alike(ours: Any, theirs: Any) -> None:
    """Everything is the same, to the last bit."""
    for a, b in pairs(ours, theirs):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def closely_alike(ours: Any, theirs: Any) -> None:
    """Arrays differ by rounding."""
    for a, b in ((np.asarray(x), np.asarray(y)) for x, y in pairs(ours, theirs)):
        scale = max(1.0, float(np.abs(b).max(initial=0.0))) if b.dtype.kind == "f" else 0.0
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6 * scale)


def pairs(ours: Any, theirs: Any) -> Any:
    """Yield what is at the same place in two results or states."""
    assert type(ours) is type(theirs)
    if isinstance(ours, dict):
        assert list(ours) == list(theirs)
        for key in ours:
            yield from pairs(ours[key], theirs[key])
    elif isinstance(ours, (list, tuple)):
        for a, b in zip(ours, theirs, strict=True):
            yield from pairs(a, b)
    elif isinstance(ours, (str, bytes, bool, int, type(None))):
        assert ours == theirs
    else:
        yield ours, theirs
