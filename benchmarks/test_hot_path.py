"""How fast is the hot path on each backend? The kernels are those of ``deepcore bench``, one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import deepcore as dc
from deepcore.bench.floor import Products
from deepcore.bench.hot_path import operation_call, product_floor, update_call
from deepcore.bench.nets import parse_net
from deepcore.bench.operations import Operation, operations
from deepcore.bench.overhead import fast_devices
from deepcore.bench.subjects import Deepcore

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

DEVICES = fast_devices()
NETS = ["784-100-50-10", "784-512-512-10"]

on_devices = pytest.mark.parametrize("device", DEVICES)


def waiting(call: Callable[[], Any], device: str) -> Callable[[], Any]:
    """Return a call that is over when the device is done."""

    def run() -> Any:
        result = call()
        dc.synchronize(device)
        return result

    return run


@on_devices
@pytest.mark.parametrize("n", [128, 1024])
def test_matmul(benchmark: BenchmarkFixture, n: int, device: str) -> None:
    benchmark.group = f"matmul {n}"
    a = dc.ones((n, n), dtype=dc.float32, device=device)
    benchmark(waiting(lambda: dc.matmul(a, a), device))


@pytest.mark.parametrize("n", [128, 1024])
def test_floor_of_matmul(benchmark: BenchmarkFixture, n: int) -> None:
    benchmark.group = f"matmul {n}"
    benchmark(product_floor([((n, n), (n, n))]))


@on_devices
@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.name)
def test_operation(benchmark: BenchmarkFixture, operation: Operation, device: str) -> None:
    benchmark.group = f"{operation.name}, forward and backward"
    call = waiting(operation_call(operation, dc.device(device)), device)
    benchmark.pedantic(call, rounds=5, warmup_rounds=1)


@on_devices
def test_optimizer_update(benchmark: BenchmarkFixture, device: str) -> None:
    benchmark.group = "Adam of 100,000 parameters"
    benchmark(waiting(update_call(100_000, dc.device(device)), device))


@on_devices
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("net", NETS)
def test_training_step(benchmark: BenchmarkFixture, net: str, compiled: bool, device: str) -> None:
    benchmark.group = f"training step {net}"
    subject = Deepcore(parse_net(net), dc.device(device), compiled=compiled)
    subject.losses()
    benchmark.pedantic(waiting(subject.step, device), rounds=20, warmup_rounds=3)


@pytest.mark.parametrize("net", NETS)
def test_floor_of_a_training_step(benchmark: BenchmarkFixture, net: str) -> None:
    benchmark.group = f"training step {net}"
    benchmark.pedantic(Products(parse_net(net), dc.device("cpu")), rounds=20, warmup_rounds=3)
