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

from deepcore_llvm import NativeExecutor, _compiler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Programs become machine code, which each test compiles: many change what it is written from."""
    monkeypatch.setenv("DEEPCORE_FAST", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def written() -> dict[str, str]:
    """The modules that tests have written, by what they are written from."""
    return {}


@pytest.fixture(autouse=True)
def unchecked(written: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., bytes]:
    """See that modules depend on nothing but what they say, and return what gives their code without a look."""
    found = _compiler._object

    def checked(source: str, write: Callable[[], str] | None) -> bytes:
        if write is not None:
            module = write()
            assert written.setdefault(source, module) == module
        return found(source, write)

    monkeypatch.setattr(_compiler, "_object", checked)
    return found


@pytest.fixture
def rewritten(
    written: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], None]]:
    """What forgets all modules, and their code on disk, before what writes them is changed."""

    def forget() -> None:
        written.clear()
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))

    yield forget
    forget()


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
