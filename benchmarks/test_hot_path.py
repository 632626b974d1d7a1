"""How fast is the hot path: matrix products, activations, losses and whole training steps, on each backend?"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn, optim
from deepcore._backend import known_backends

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

FAST = ("cpu", "cuda:0", "torch:cpu", "jax:cpu")
DEVICES = [name for name in FAST if name in [str(d) for d in dc.devices()]]
NETS = {"784-100-50-10": ((784, 100, 50, 10), 50), "784-512-512-10": ((784, 512, 512, 10), 128)}
ACTIVATIONS = {"relu": dc.relu, "sigmoid": dc.sigmoid, "tanh": dc.tanh, "softmax": dc.softmax}


def array(*shape: int, device: str, requires_grad: bool = False) -> dc.Tensor:
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return dc.asarray(values, device=device, requires_grad=requires_grad)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("n", [128, 1024])
def test_matmul(benchmark: BenchmarkFixture, n: int, device: str) -> None:
    benchmark.group = f"matmul {n}"
    a, b = array(n, n, device=device), array(n, n, device=device)

    def product() -> None:
        dc.matmul(a, b)
        dc.synchronize(device)

    benchmark(product)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(benchmark: BenchmarkFixture, name: str, device: str) -> None:
    benchmark.group = f"{name} 1024x1024, forward and backward"
    x, seed = array(1024, 1024, device=device, requires_grad=True), array(1024, 1024, device=device)

    def both() -> None:
        x.grad = None
        ACTIVATIONS[name](x).backward(seed)
        dc.synchronize(device)

    benchmark(both)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("net", NETS)
def test_training_step(benchmark: BenchmarkFixture, net: str, device: str) -> None:
    benchmark.group = f"training step {net}"
    widths, batch = NETS[net]
    dc.random.seed(0)
    layers: list[nn.Module] = []
    for n, m in itertools.pairwise(widths):
        layers += [nn.Dense(n, m), nn.ReLU()]
    model = nn.Sequential(*layers[:-1]).to(device)
    loss = nn.CategoricalCrossEntropy()
    adam = optim.Adam(model.parameters())
    inputs = array(batch, widths[0], device=device)
    labels = dc.asarray(np.arange(batch) % widths[-1], device=device)

    def step() -> None:
        adam.zero_grad()
        loss(model(inputs), labels).backward()
        adam.step()
        dc.synchronize(device)

    # A fixed number of steps from the same weights: endless steps on one batch end in denormals, which are slow.
    benchmark.pedantic(step, rounds=20, warmup_rounds=3)


@pytest.mark.parametrize("net", NETS)
def test_floor_of_a_training_step(benchmark: BenchmarkFixture, net: str) -> None:
    """The matrix products of the step alone, in NumPy, into memory that is already there."""
    benchmark.group = f"training step {net}"
    widths, batch = NETS[net]
    rng = np.random.default_rng(0)
    values = [rng.normal(size=(batch, n)).astype(np.float32) for n in widths]
    weights = [rng.normal(size=(n, m)).astype(np.float32) for n, m in itertools.pairwise(widths)]
    value_out, weight_out = [np.empty_like(v) for v in values], [np.empty_like(w) for w in weights]

    def products() -> None:
        for i, w in enumerate(weights):
            np.matmul(values[i], w, out=value_out[i + 1])
        for i in reversed(range(len(weights))):
            np.matmul(values[i].T, values[i + 1], out=weight_out[i])
            if i:
                np.matmul(values[i + 1], weights[i].T, out=value_out[i])

    benchmark.pedantic(products, rounds=20, warmup_rounds=3)


def test_every_installed_backend_is_measured() -> None:
    measured = {name.partition(":")[0] for name in FAST}
    names = {"numpy": "cpu", "cupy": "cuda"}
    fast = [names.get(b.name, b.name) for b in known_backends() if b.is_installed and b.devices]
    assert {name for name in fast if name != "array_api_strict"} <= measured
