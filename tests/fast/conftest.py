"""What runs a function as machine code, next to its program call by call."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import graph
from deepcore.graph.replay import replay

pytest.importorskip("llvmlite", reason="llvmlite is not installed")

from deepcore_llvm import NativeExecutor

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs become machine code."""
    monkeypatch.setenv("DEEPCORE_FAST", "1")


@pytest.fixture(params=[1, 2, 5], ids=lambda n: f"{n}-threads")
def threads(request: pytest.FixtureRequest) -> Any:
    """So many threads, more than there are cores among them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="JAX keeps the threads", category=UserWarning)
        with dc.use_threads(request.param) as n:
            yield n


@pytest.fixture
def both() -> Callable[..., tuple[list[Any], list[Any]]]:
    """What gives the results of a function as machine code, and call by call."""
    return results


def results(function: Callable[..., Any], *arrays: Any) -> tuple[list[Any], list[Any]]:
    """Return the results as machine code, and call by call."""
    with np.errstate(all="ignore"):
        program = graph.traced(function, *map(dc.asarray, arrays))
        native = NativeExecutor(program)
        return list(native(arrays)), list(replay(program)(arrays))
