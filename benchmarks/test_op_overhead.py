"""What does recording an operation cost over the bare NumPy call, on arrays too small for the computation to matter?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

A = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)
CALLS: dict[str, tuple[Callable[..., Any], Callable[..., Any], int]] = {
    "add": (np.add, dc.add, 2),
    "multiply": (np.multiply, dc.multiply, 2),
    "matmul": (np.matmul, dc.matmul, 2),
    "exp": (np.exp, dc.exp, 1),
    "sum": (np.sum, dc.sum, 1),
}


@pytest.mark.parametrize("name", CALLS)
def test_numpy(benchmark: BenchmarkFixture, name: str) -> None:
    benchmark.group = f"op {name} 8x8"
    function, _, n = CALLS[name]
    benchmark(function, *[A] * n)


@pytest.mark.parametrize("name", CALLS)
def test_untracked(benchmark: BenchmarkFixture, name: str) -> None:
    benchmark.group = f"op {name} 8x8"
    _, function, n = CALLS[name]
    benchmark(function, *[dc.asarray(A)] * n)


@pytest.mark.parametrize("name", CALLS)
def test_recorded(benchmark: BenchmarkFixture, name: str) -> None:
    benchmark.group = f"op {name} 8x8"
    _, function, n = CALLS[name]
    result = benchmark(function, *[dc.asarray(A, requires_grad=True)] * n)
    assert result.requires_grad


def test_forward_and_backward_of_add(benchmark: BenchmarkFixture) -> None:
    benchmark.group = "forward and backward of add 8x8"
    x, y, seed = dc.asarray(A, requires_grad=True), dc.asarray(A, requires_grad=True), dc.asarray(A)

    def both() -> None:
        x.grad = y.grad = None
        dc.add(x, y).backward(seed)

    benchmark(both)
    assert x.grad is not None
    assert np.array_equal(x.grad.numpy(), A)
