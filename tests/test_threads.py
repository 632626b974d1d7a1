"""The number of threads: of BLAS, of the array libraries, and of our own work, set together."""

from __future__ import annotations

import subprocess
import sys
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import threadpoolctl

import deepcore as dc
import deepcore_numpy._blocks as blocks
from deepcore._threads import usable_cores

if TYPE_CHECKING:
    from deepcore._device import Device


def of_blas() -> set[int]:
    return {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def _nobody_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPCORE_THREADS", raising=False)
    if "jax" in sys.modules:
        warnings.filterwarnings("ignore", message="JAX keeps the threads", category=UserWarning)


def test_blas_and_our_own_threads_are_set_together_and_return() -> None:
    before = of_blas()
    assert dc.num_threads() == usable_cores()
    with dc.use_threads(3) as n:
        assert n == dc.num_threads() == 3
        assert of_blas() == {3}
        with dc.use_threads(2):
            assert of_blas() == {2}
        assert of_blas() == {3}
        with pytest.raises(ZeroDivisionError), dc.use_threads(1):
            _ = 1 / 0
        assert of_blas() == {3}
        with dc.use_threads(None) as initial:
            assert initial == usable_cores()
            assert of_blas() == before
    assert of_blas() == before
    assert dc.num_threads() == usable_cores()


def test_a_number_that_stays() -> None:
    before = of_blas()
    dc.set_num_threads(np.int64(2))
    try:
        assert dc.num_threads() == 2
        assert of_blas() == {2}
    finally:
        dc.set_num_threads(None)
    assert of_blas() == before


@pytest.mark.parametrize("n", [0, -1, 1.5, "2", True])
def test_a_number_of_threads_is_whole_and_positive(n: Any) -> None:
    before = of_blas()
    with pytest.raises(dc.ConfigError, match=f"a number of threads is a whole number, at least 1, not {n!r}"):
        dc.set_num_threads(n)
    assert dc.num_threads() == usable_cores()
    assert of_blas() == before


def test_the_library_of_a_device_is_told(device: Device) -> None:
    if device.backend.name == "jax":
        with pytest.warns(UserWarning, match="JAX keeps the threads that it began with"), dc.use_threads(61):
            pass
        return
    before = device.backend.num_threads
    with dc.use_threads(1):
        assert device.backend.num_threads in (1, None)
    with dc.use_threads(2):
        assert device.backend.num_threads in (2, None)
    assert device.backend.num_threads == before


def noted(ranges: list[tuple[int, int]], start: int, stop: int) -> None:
    ranges.append((start, stop))


def test_work_in_blocks_keeps_to_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "PARALLEL", 1)
    for n in (1, 3):
        ranges: list[tuple[int, int]] = []
        with dc.use_threads(n):
            blocks.over_blocks(partial(noted, ranges), 10, 1, 1)
        assert len(ranges) == n


@pytest.mark.parametrize("given", ["none", "0", "1.5"])
def test_the_variable_is_checked(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPCORE_THREADS", given)
    with pytest.raises(dc.ConfigError, match=f"DEEPCORE_THREADS is a whole number, at least 1, not '{given}'"):
        dc.num_threads()


BEGINNING = """
import deepcore, threadpoolctl
deepcore.zeros(1)
blas = {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}
assert blas == {3} and deepcore.num_threads() == 3, blas
deepcore.set_num_threads(2)
assert deepcore.num_threads() == 2
deepcore.set_num_threads(None)
assert deepcore.num_threads() == 3, "the variable is what the process began with"
"""


def test_the_variable_holds_from_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPCORE_THREADS", "3")
    subprocess.run([sys.executable, "-c", BEGINNING], check=True)


TORCH_RETURNS = """
import deepcore, torch
before = torch.get_num_threads()
x = deepcore.ones(2, device="torch:cpu")
with deepcore.use_threads(before + 1):
    assert torch.get_num_threads() == before + 1
assert torch.get_num_threads() == before
"""


def test_pytorch_has_its_threads_again_although_it_shares_them() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    subprocess.run([sys.executable, "-c", TORCH_RETURNS], check=True)


JAX_BEGINS = """
import deepcore, os, warnings
warnings.simplefilter("error")
x = deepcore.ones((8, 8), device="jax:cpu")
names = [open(f"/proc/self/task/{task}/comm").read().strip() for task in os.listdir("/proc/self/task")]
assert x.device.backend.num_threads == 3
assert names.count("tf_XLAEigen") == 3, names
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux names the threads of a process")
def test_jax_begins_with_the_number(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    if device.backend.name != "jax":
        pytest.skip("of JAX")
    monkeypatch.setenv("DEEPCORE_THREADS", "3")
    subprocess.run([sys.executable, "-c", JAX_BEGINS], check=True)
