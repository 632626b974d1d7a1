"""What does recording an operation cost over the array library's own call, on arrays too small for it to matter?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import deepcore as dc
from deepcore.bench.overhead import OPERATIONS, backward_call, fast_devices, operand, overhead_calls

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

DEVICES = fast_devices()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("variant", ["raw", "deepcore-untracked", "deepcore-recorded"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(benchmark: BenchmarkFixture, name: str, variant: str, device: str) -> None:
    benchmark.group = f"op {name} 8x8 {device}"
    result = benchmark(overhead_calls(name, dc.device(device))[variant])
    assert variant != "deepcore-recorded" or result.requires_grad


@pytest.mark.parametrize("device", DEVICES)
def test_forward_and_backward_of_add(benchmark: BenchmarkFixture, device: str) -> None:
    benchmark.group = "forward and backward of add 8x8"
    assert np.array_equal(benchmark(backward_call(dc.device(device))).numpy(), operand())
