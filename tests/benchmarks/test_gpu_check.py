"""The program that checks a GPU, on the devices that are here."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deepcore._primitive import registry

if TYPE_CHECKING:
    from deepcore._device import Device

SOURCE = Path(__file__).parent.parent.parent / "benchmarks" / "gpu_check.py"


@pytest.fixture
def gpu_check() -> Any:
    spec = importlib.util.spec_from_file_location("gpu_check", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(gpu_check: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, device: str) -> tuple[int, dict[str, Any]]:
    monkeypatch.setattr(sys, "argv", ["gpu_check", "--out", str(folder), "--device", device, "--quick"])
    status = gpu_check.main()
    (path,) = folder.iterdir()
    return status, json.loads(path.read_text("utf-8"))


def test_a_device_passes(
    gpu_check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: Device, thrifty: bool
) -> None:
    if thrifty or device.backend.name == "array_api_strict":
        pytest.skip("compiles, or computes, too slowly to be measured")
    status, found = run(gpu_check, tmp_path / "new", monkeypatch, str(device))
    assert found["failures"] == []
    assert status == 0
    assert found["device"] == str(device)
    assert found["machine"][device.backend.name] == device.backend.version
    assert found["checks"]["parity"]["passed"] == 2 * sum(len(p.samples) for p in registry.values())
    assert all(section["passed"] > 5 for section in found["checks"].values())
    assert all(value > 0 for value in found["checks"]["times"]["measured"].values())


def test_what_fails_is_listed_and_the_rest_goes_on(
    gpu_check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cpu: Any = gpu_check.dc.device("cpu")
    tanh, scatter, rng = np.tanh, cpu.kernels.scatter, np.random.default_rng(0)

    def wrong(x: Any) -> Any:
        return tanh(x) * (1 if x.dtype == np.float64 else 0.999)

    def atomic(x: Any, /, **parameters: Any) -> Any:  # in another order every time
        return scatter(x, **parameters) * (1 + 1e-7 * rng.normal())

    monkeypatch.setitem(cpu.kernels, "tanh", wrong)
    monkeypatch.setitem(cpu.kernels, "scatter", atomic)
    status, found = run(gpu_check, tmp_path, monkeypatch, "cpu")
    assert status == 1
    failed = {(failure["section"], failure["check"]): failure["message"] for failure in found["failures"]}
    assert "tanh on cpu in float32, result: values differ" in failed["parity", "tanh-0 float32"]
    assert ("parity", "tanh-0 float64") not in failed
    assert ("parity", "exp-0 float32") not in failed
    assert any(section == "scatter" for section, _ in failed)
    assert found["checks"]["times"]["passed"] > 5
    assert "FAILED parity: tanh-0 float32" in capsys.readouterr().out


def test_a_device_that_is_not_there(gpu_check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit):
        run(gpu_check, tmp_path, monkeypatch, "cpu:3")
