"""Functions of each element on several threads: the bits of the function on all of it at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import deepcore as dc
from deepcore_numpy import _blocks as blocks
from deepcore_numpy import _plan as plan
from deepcore_numpy._blocks import over_elements

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def in_small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays of these sizes are worth threads."""
    monkeypatch.setattr(blocks, "PARALLEL", 1)
    monkeypatch.setattr(blocks, "BLOCK", 10)
    monkeypatch.setattr(blocks, "num_threads", lambda: 3)
    monkeypatch.setattr(plan, "PARALLEL", 1)
    monkeypatch.setenv("DEEPCORE_FAST", "0")


def normal(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(), (1,), (7,), (45,), (5, 9), (0, 3)])
@pytest.mark.parametrize("other", [2.5, np.float32(2.5), np.asarray(2.5, np.float32), None])
def test_every_length(shape: tuple[int, ...], other: Any) -> None:
    x = np.asarray(normal(*shape))
    y = normal(*shape) if other is None else other
    out = np.full(shape, np.nan, np.float32)
    over_elements(np.multiply, x, y, out)
    np.testing.assert_array_equal(out, x * y)


def test_what_is_not_alike_is_computed_at_once() -> None:
    x, row = normal(6, 9), normal(9)
    for a, b, out in (
        (x, row, np.empty_like(x)),
        (row, x, np.empty_like(x)),
        (x.T, x.T, np.empty_like(x.T)),
        (x, x, np.empty((9, 6), np.float32).T),
        (x[:, ::2], x[:, 1::2][:, [0, 1, 2, 3, 0]], np.empty((6, 5), np.float32)),
    ):
        over_elements(np.add, a, b, out)
        np.testing.assert_array_equal(out, a + b)


def test_several_threads_take_part() -> None:
    parts: list[int] = []

    def function(x: Any, *, out: Any) -> None:
        parts.append(len(x))
        np.tanh(x, out=out)

    x = normal(45)
    over_elements(function, x, np.empty_like(x))
    assert sorted(parts) == [10, 15, 20]


def test_compiled_functions_have_the_bits_of_functions_as_they_are_written() -> None:
    def function(x: dc.Tensor, y: dc.Tensor) -> Any:
        z = dc.tanh(x) * y
        return z, dc.exp(z.mT) + 1.0, dc.maximum(z, 0.0), dc.greater(z, y), z * y[0]

    compiled = dc.compile(function)
    for _ in range(3):
        x, y = (dc.asarray(normal(20, 30), device="cpu") for _ in range(2))
        for ours, theirs in zip(compiled(x, y), function(x, y), strict=True):
            np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
