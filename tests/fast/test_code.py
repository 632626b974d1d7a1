"""Machine code on disk: it is used again, and never trusted when it is damaged."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn, optim

pytest.importorskip("llvmlite", reason="llvmlite is not installed")

from deepcore_llvm import _code, _compiler
from deepcore_numpy import _fast

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "define i32 @answer() { ret i32 42 }"


def test_code_is_kept_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert _compiler.Library(TEXT, ["answer"]).addresses["answer"]
    (path,) = (tmp_path / "deepcore" / "code").iterdir()
    whole = path.read_bytes()
    monkeypatch.setattr(_compiler, "_compiled", lambda text: pytest.fail("there is code on disk"))
    assert _compiler.Library(TEXT, ["answer"]).addresses["answer"]
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for damaged in (b"", whole[:-1], whole[:40] + b"?" + whole[41:]):
        path.write_bytes(damaged)
        assert _compiler.Library(TEXT, ["answer"]).addresses["answer"]
        assert path.read_bytes() == whole


def test_code_of_a_program_is_found_before_it_is_written(unchecked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def computed(scale: float) -> Any:
        f = dc.compile(lambda x: dc.exp(x) * scale)
        return [f(dc.ones(3)).numpy() for _ in range(3)][-1]

    expected = computed(2.0)
    _compiler._writer.cache_clear()
    monkeypatch.setattr(_code.Module, "text", lambda *_, **__: pytest.fail("there is code on disk"))
    monkeypatch.setattr(_compiler, "_compiled", lambda _: pytest.fail("there is code on disk"))
    monkeypatch.setattr(_compiler, "_object", unchecked)
    np.testing.assert_array_equal(computed(2.0), expected)
    with pytest.raises(pytest.fail.Exception):
        computed(3.0)
    monkeypatch.setattr(_compiler, "_writer", lambda: "another version")
    with pytest.raises(pytest.fail.Exception):
        computed(2.0)


def test_every_change_of_the_code_is_a_change_of_what_it_is_found_by(monkeypatch: pytest.MonkeyPatch) -> None:
    modules: list[_code.Module] = []
    compiled = _code.Module.compiled

    def noted(module: _code.Module) -> Any:
        modules.append(module)
        return compiled(module)

    monkeypatch.setattr(_code.Module, "compiled", noted)
    scale = nn.Parameter(dc.ones(256))
    optimizer = optim.SGD([scale], lr=lambda step: 1.0 / (1 + step))

    @dc.compile
    def step(x: Any) -> None:
        optimizer.zero_grad()
        dc.sum(dc.exp(x * scale) @ x.mT).backward()
        optimizer.step()

    for _ in range(4):
        step(dc.ones((64, 256)))
    module = modules[-1]
    changes: dict[str, list[dict[str, Any]]] = {
        "exact": [{"exact": not module.exact}],
        "places": [
            {"places": module.places | {value: place._replace(**{name: getattr(place, name) + 64})}}
            for value, place in module.places.items()
            for name in ("slot", "offset")
        ],
        "numbers": [{"numbers": module.numbers | {key: i + 1}} for key, i in module.numbers.items()],
        "scratch": [{"scratch": module.scratch | {key: i + 1}} for key, i in module.scratch.items()],
        "parts": [{"parts": module.parts[:-1]}],
    }
    found: set[tuple[str, str]] = set()
    monkeypatch.setattr(_code, "Library", lambda source, _names, _symbols, write: found.add((source, write())))
    compiled(module)
    own = {name: getattr(module, name) for name in ("parts", "places", "numbers", "scratch", "exact")}
    for name, several in changes.items():
        assert several, name
        for change in several:
            compiled(_code.Module(**(own | change)))
    sources, texts = zip(*found, strict=True)
    assert len(set(sources)) == len(set(texts)) == len(found) == 1 + sum(map(len, changes.values()))


def test_old_code_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(_compiler, "_KEPT", 3)
    for i in range(6):
        _compiler.Library(TEXT.replace("42", str(i)), ["answer"])
    assert len(list((tmp_path / "deepcore" / "code").iterdir())) == 3


def test_without_a_place_to_keep_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert _compiler.Library(TEXT, ["answer"]).addresses["answer"]


def test_machine_code_is_chosen_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    f = dc.compile(lambda x: dc.exp(x) * 2.0)
    for choice, name in (("0", "Executor"), ("1", "NativeExecutor"), ("", "NativeExecutor")):
        monkeypatch.setenv("DEEPCORE_FAST", choice)
        f.plans.clear()
        for _ in range(3):
            np.testing.assert_allclose(f(dc.ones(3)).numpy(), 2 * np.e, rtol=1e-6)
        ((plan,),) = f.plans.values()
        assert type(plan.run).__name__ == name
    monkeypatch.setenv("DEEPCORE_FAST", "yes")
    f.plans.clear()
    with pytest.raises(dc.ConfigError, match="DEEPCORE_FAST is 0 or 1, not 'yes'"):
        f(dc.ones(3))


@pytest.mark.parametrize("found", ["0.44.0", "1.dev", None])
def test_what_is_too_old_is_passed_over_or_named(found: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if found is None:
            raise PackageNotFoundError(name)
        return found

    monkeypatch.setattr(_fast, "version", version)
    _fast._is_there.cache_clear()
    try:
        monkeypatch.delenv("DEEPCORE_FAST")
        assert _fast.fast_executor() is None
        monkeypatch.setenv("DEEPCORE_FAST", "1")
        with pytest.raises(dc.BackendError, match=r"DEEPCORE_FAST=1 needs llvmlite 0\.45 or newer; .*\[fast\]"):
            _fast.fast_executor()
    finally:
        _fast._is_there.cache_clear()


def test_arrays_of_every_kind_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPCORE_FAST", "1")
    fixed = np.arange(6.0).reshape(2, 3)
    fixed.setflags(write=False)
    for values in (fixed, np.arange(6.0), np.ones((2, 0)), np.broadcast_to(2.0, (3, 2)), np.asarray(3.0)):
        f = dc.compile(lambda x: 2.0 * x + 1.0)
        for _ in range(4):
            np.testing.assert_array_equal(f(dc.asarray(values)).numpy(), 2 * values + 1)
