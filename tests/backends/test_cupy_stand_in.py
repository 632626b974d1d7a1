"""The adapter of CuPy on a machine without a GPU: the same tests, with a stand-in in the place of CuPy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]

# What takes a few seconds. `tox -e cuda-compile` runs every test on the stand-in.
PARITY = "test_forward_equals_numpy or test_float32_stays or test_strided or test_arrays_without"


@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param(("--device", "cuda:0", "--device", "cuda:1", "tests/backends/test_cupy.py"), id="adapter"),
        pytest.param(("--device", "cuda:1", "tests/test_primitives.py", "-k", PARITY), id="parity"),
    ],
)
def test_the_adapter_on_the_stand_in(with_stand_in: Run, host: Any, chosen: tuple[str, ...]) -> None:
    done = with_stand_in("-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    assert " passed" in done.stdout


def test_the_program_that_checks_a_gpu(with_stand_in: Run, host: Any, tmp_path: Path) -> None:
    code = "import sys; sys.path.append('.'); from benchmarks.gpu_check import main; sys.exit(main())"
    done = with_stand_in("-c", code, "--out", str(tmp_path), "--quick", gpus=1)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    found = json.loads((tmp_path / "gpu_check-cuda-0.json").read_text("utf-8"))
    assert found["failures"] == []
    assert found["machine"]["cupy"].endswith("stand.in")
    assert found["machine"]["gpus"] == 1


def test_one_gpu_needs_no_current_device(with_stand_in: Run) -> None:
    code = """
import deepcore as dc
device = dc.device("cuda")
assert device.kernels is device.backend.kernels
x = dc.ones(3, device=device, requires_grad=True)
(x * x).sum().backward()
assert x.grad.tolist() == [2.0, 2.0, 2.0]
"""
    done = with_stand_in("-c", code, gpus=1)
    assert done.returncode == 0, done.stderr


def test_cupy_without_a_driver_is_installed_and_has_no_device(with_stand_in: Run) -> None:
    code = """
import deepcore as dc
from deepcore import _device
from deepcore._backend import backend_for_module
from deepcore.cli.devices import _row
cupy = backend_for_module("cupy")
assert cupy.is_installed
assert cupy.devices == ()
assert _row(cupy) == (cupy.version, "none usable (no driver, or no GPU)")
_device.known_backends = lambda: [cupy]  # the others would be imported, to name theirs
assert dc.devices() == ()
try:
    dc.zeros(2, device="cuda:0")
except dc.DeviceError as error:
    assert "cupy is installed, but has no usable device for 'cuda:0'" in str(error)
else:
    raise SystemExit("there is a device")
"""
    done = with_stand_in("-c", code, gpus=0)
    assert done.returncode == 0, done.stderr


def test_the_stand_in_refuses_what_cupy_refuses(with_stand_in: Run) -> None:
    code = """
import cupy, numpy as np, pytest
x = cupy.ones(3)
with pytest.raises(TypeError):
    x + np.ones(3)
with pytest.raises(TypeError):
    np.asarray(x)
with pytest.raises(TypeError):
    cupy.sum(x, dim=0)
with pytest.raises(TypeError):
    cupy.add(x, [1.0])
with pytest.raises(TypeError):
    cupy.logaddexp(x.astype("complex64"), x)
with cupy.cuda.Device(1):
    with pytest.raises(ValueError):
        cupy.exp(x)
    y = cupy.asarray(x)
with pytest.raises(ValueError):
    y * y
"""
    done = with_stand_in("-c", code)
    assert done.returncode == 0, done.stderr
