"""Compiled functions that several threads call: each call has the numbers that it has alone."""

from __future__ import annotations

import copy
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn, optim
from deepcore._tracing import current

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deepcore._device import Device

THREADS = 5

both = pytest.mark.parametrize("executor", ["numpy", "fast"], indirect=True)


@pytest.fixture(autouse=True)
def _busy() -> Iterator[None]:
    """Threads that interrupt each other a hundred times as often as usual."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(interval / 100)
    yield
    sys.setswitchinterval(interval)


def at_once(function: Callable[[int], Any], threads: int = THREADS) -> list[Any]:
    """Return what a function gives for 0, 1, 2, ..., called in as many threads that begin together."""
    barrier = threading.Barrier(threads)

    def call(i: int) -> Any:
        barrier.wait()
        return function(i)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(call, range(threads)))


def training(device: Device, seed: int) -> Callable[[], list[float]]:
    """Return a function that trains a model of its own and gives the losses."""
    x = np.random.default_rng(seed).normal(size=(12, 8)).astype(np.float32)
    batch = dc.asarray(x, device=device), dc.asarray(np.arange(12) % 3, device=device)
    model = nn.Sequential(
        nn.Dense(8, 6, activation="relu", generator=dc.random.Generator(seed)),
        nn.Dense(6, 3, generator=dc.random.Generator(seed + 1)),
    ).to(device)
    adam, loss = optim.Adam(model.parameters(), lr=0.05), nn.CategoricalCrossEntropy()

    @dc.compile
    def step(x: dc.Tensor, labels: dc.Tensor) -> dc.Tensor:
        adam.zero_grad()
        value = loss(model(x), labels)
        value.backward()
        adam.step()
        return value.detach()

    return lambda: [step(*batch).item() for _ in range(12)]


@both
@pytest.mark.usefixtures("executor")
def test_one_function_in_several_threads(device: Device) -> None:
    """With several shapes, so that it is recorded while it runs."""
    values = np.arange(12.0, dtype=np.float32).reshape(3, 4)  # the tensor is not for other threads while one records
    weight = dc.asarray(values, device=device)

    @dc.compile
    def product(x: dc.Tensor) -> dc.Tensor:
        return (x @ weight + 1.0).sum(axis=0)

    def calls(i: int) -> None:
        for k in range(30):
            x = np.full((2 + (i + k) % 4, 3), float(i + 1), np.float32)
            given = product(dc.asarray(x, device=device)).numpy()
            np.testing.assert_array_equal(given, (x @ values + 1.0).sum(axis=0))

    at_once(calls)
    assert sum(map(len, product.plans.values())) == 4


@both
@pytest.mark.usefixtures("executor")
def test_different_functions_in_several_threads(device: Device) -> None:
    alone = [training(device, seed)() for seed in range(THREADS)]
    functions = [training(device, seed) for seed in range(THREADS)]
    assert at_once(lambda i: functions[i]()) == alone


@both
@pytest.mark.usefixtures("executor")
def test_functions_that_share_a_model(device: Device) -> None:
    """One is recorded while others run, and its wrapped arrays stand in the model that they read."""
    model = nn.Dense(4, 3).to(device)
    weight, bias = (p.numpy() for p in model.parameters())

    def calls(i: int) -> None:
        for _ in range(4):

            @dc.compile
            def predict(x: dc.Tensor) -> dc.Tensor:
                return model(x)

            x = np.full((3, 4), float(i), np.float32)
            with dc.no_grad():
                for _ in range(5):
                    given = predict(dc.asarray(x, device=device)).numpy()
                    np.testing.assert_allclose(given, x @ weight + bias, rtol=1e-5, atol=1e-6)

    at_once(calls)


def test_other_threads_compute_as_ever_while_one_records(device: Device) -> None:
    begun, done = threading.Event(), threading.Event()
    found: list[Any] = []

    def compute() -> None:
        begun.wait(10)
        found.extend((dc.ones(3, device=device) + 1.0).numpy().tolist())
        done.set()

    thread = threading.Thread(target=compute)
    thread.start()

    @dc.compile
    def wait(x: dc.Tensor) -> dc.Tensor:
        begun.set()
        assert done.wait(10)
        trace: Any = current.get()
        assert not trace.program.constants  # nothing of the other thread is in the program
        return x * 2.0

    wait(dc.ones(2, device=device))
    thread.join()
    assert found == [2.0, 2.0, 2.0]
    assert [call.operation for call in wait.graph.calls] == ["multiply"]


def test_an_error_lets_the_others_go_on(device: Device) -> None:
    @dc.compile
    def branch(x: dc.Tensor) -> dc.Tensor:
        return x if float(x.sum()) > 0 else -x

    def calls(i: int) -> None:
        if i == 0:
            with pytest.raises(dc.CompileError):
                branch(dc.ones(2, device=device))
        else:
            assert dc.compile(lambda x: x + 1.0)(dc.ones(2, device=device)).numpy().tolist() == [2.0, 2.0]

    at_once(calls, 3)


def test_a_copy_has_a_turn_of_its_own() -> None:
    function = dc.compile(lambda x: x + 1.0)
    again = copy.deepcopy(function)
    assert again(dc.ones(2)).numpy().tolist() == [2.0, 2.0]
    assert again._turn.lock is not function._turn.lock
