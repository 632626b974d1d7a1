"""How much memory compiled steps need: parameters, two moments and gradients are four times the parameters."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn, optim
from deepcore.bench.memory import peak_of

WIDTH, ROWS = 1500, 4


class Training:
    """A network whose weights are most of what it needs."""

    def __init__(self) -> None:
        self.model = nn.Sequential(nn.Dense(WIDTH, WIDTH, activation="relu"), nn.Dense(WIDTH, WIDTH))
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.01)
        self.step, self.predict = dc.compile(self._step), dc.compile(self._predict)
        self.x = dc.asarray(np.random.default_rng(0).normal(size=(ROWS, WIDTH)).astype(np.float32))

    @property
    def unit(self) -> int:
        return sum(p.size * 4 for p in self.model.parameters())

    def _step(self, x: dc.Tensor) -> dc.Tensor:
        self.optimizer.zero_grad()
        loss = (self.model(x) ** 2).mean()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def _predict(self, x: dc.Tensor) -> dc.Tensor:
        with dc.no_grad():
            y: dc.Tensor = self.model(x)
        return y


def steps(training: Training) -> None:
    """Let functions be recorded, in turns."""
    for _ in range(3):
        training.step(training.x)
        training.predict(training.x)


@pytest.fixture
def traced(executor: str) -> Any:
    """What begins and ends the counting of allocated bytes, after what is done once."""
    steps(Training())
    gc.collect()
    tracemalloc.start()
    yield None
    tracemalloc.stop()


@pytest.mark.parametrize("executor", ["numpy", "fast"], indirect=True)
@pytest.mark.usefixtures("traced")
def test_the_state_is_in_one_place() -> None:
    training = Training()
    for _ in range(3):
        training.step(training.x)
    for _ in range(2):
        now, peak = in_a_run(training)
        assert now < 4.4 * training.unit
        assert peak < 4.4 * training.unit


@pytest.mark.parametrize("executor", ["numpy", "fast"], indirect=True)
@pytest.mark.usefixtures("traced")
def test_another_function_that_is_recorded_leaves_the_state_in_its_place() -> None:
    training = Training()
    for _ in range(3):
        training.step(training.x)
    places = [p._data.__array_interface__["data"][0] for p in training.model.parameters()]
    for _ in range(3):
        training.predict(training.x)
    _, peak = in_a_run(training)
    assert peak < 4.4 * training.unit
    assert [p._data.__array_interface__["data"][0] for p in training.model.parameters()] == places


@pytest.mark.parametrize("executor", ["numpy", "fast"], indirect=True)
@pytest.mark.usefixtures("traced")
def test_a_recording_needs_the_state_twice() -> None:
    """What was before may have to be put back, so that nothing is lost if the function cannot be compiled."""
    training = Training()
    training.step(training.x)
    tracemalloc.reset_peak()
    training.step(training.x)
    assert tracemalloc.get_traced_memory()[1] < 9.3 * training.unit


def in_a_run(training: Training) -> tuple[int, int]:
    """Return the bytes after a step, and at its peak."""
    tracemalloc.reset_peak()
    training.step(training.x)
    return tracemalloc.get_traced_memory()


def test_memory_that_a_recording_used_goes_back_to_the_system() -> None:
    if peak_of(lambda: 0, lambda _: 0, lambda _: 0)[1] is None:
        pytest.skip("the system does not tell")

    steps(Training())
    _, needed = peak_of(Training, steps, lambda training: training.step(training.x))
    assert needed is not None
    assert needed < 5.5 * 4 * 2 * WIDTH * WIDTH
