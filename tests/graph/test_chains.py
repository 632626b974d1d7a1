"""Chains of functions on large arrays: block by block, on several threads, they have the bits of the functions."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
import deepcore_numpy._blocks as blocks
import deepcore_numpy._chain as chain
from deepcore import graph
from deepcore_numpy._chain import Chain

if TYPE_CHECKING:
    from collections.abc import Callable

RNG = np.random.default_rng(0)
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "one result": lambda x, y: dc.exp(-(x * x)) * y + 1.0,
    "one in between is a result too": lambda x, y: (z := dc.tanh(x), dc.sin(z * y) - z),
    "numbers of their own": lambda x, y: (x + 0.5) / (dc.abs(y) + 2.0),
    "truth values": lambda x, y: dc.logical_and(x > y, dc.logical_not(x < 0.0)),
    "kernels": lambda x, y: dc.relu(dc.sigmoid(x) - dc.silu(y)) + dc.gelu(x) * dc.gelu_tanh(y),
    "rows": lambda x, y: dc.softmax(x * 2.0, axis=-1) + dc.log_softmax(y, axis=-1),
    "read by something else": lambda x, y: (z := dc.exp(x), dc.sum(z + y, axis=0), dc.cos(z)),
    "transposed in between": lambda x, y: dc.sin(dc.sin(x - y) * 2.0).mT - dc.cos(dc.exp(x) * 2.0).mT,
    "an array of one number": lambda x, y: (z := dc.sum(y), dc.sin(x * z) - z),
    "of a transpose": lambda x, y: dc.exp(x.mT) * 2.0 + y,
    "part of another": lambda x, y: (z := dc.exp(x), dc.sin(z) + y, z[1:] * 2.0),
    "the same twice": lambda x, y: (z := dc.exp(x) + 1.0, z, z * z),
}


@pytest.fixture(autouse=True, params=[1, 3], ids=["one thread", "three threads"])
def small_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks so small that the arrays here have many, and arrays that are large."""
    monkeypatch.setattr(blocks, "BLOCK", 70)
    monkeypatch.setattr(blocks, "PARALLEL", 1)
    monkeypatch.setattr(blocks, "num_threads", lambda: request.param)
    monkeypatch.setattr(chain, "SMALLEST", 50)
    monkeypatch.setenv("DEEPCORE_FAST", "0")


@pytest.fixture
def lengths(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of calls of the chains that are made."""
    found: list[int] = []
    make = Chain.__init__

    def noted(self: Chain, calls: Any, kept: Any) -> None:
        found.append(len(calls))
        make(self, calls, kept)

    monkeypatch.setattr(Chain, "__init__", noted)
    return found


def normal(side: int, dtype: str) -> dc.Tensor:
    return dc.asarray(RNG.normal(size=(side, side)).astype(dtype), device="cpu")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_bits(name: str, dtype: str, lengths: list[int], alike: Callable[[Any, Any], None]) -> None:
    function = FUNCTIONS[name]
    compiled = dc.compile(function)
    for _ in range(4):
        x, y = normal(23, dtype), normal(23, dtype)
        alike(compiled(x, y), function(x, y))
    if name == "transposed in between":
        assert not lengths  # a block of the transpose is in every block of what it is of
    else:
        assert min(lengths) > 1


def test_gradients(alike: Callable[[Any, Any], None], lengths: list[int]) -> None:
    def step(x: dc.Tensor, w: dc.Tensor) -> Any:
        x = dc.asarray(x, requires_grad=True)
        y = dc.gelu(dc.tanh(x) @ w)
        dc.sum(y * dc.sigmoid(y)).backward()
        return x.grad

    compiled = dc.compile(step)
    for _ in range(4):
        x, w = normal(23, "float32"), normal(23, "float32")
        alike(compiled(x, w), step(x, w))
    assert lengths


def training(start: dc.Tensor) -> tuple[Callable[[], dc.Tensor], dc.Tensor]:
    w = dc.nn.Parameter(dc.asarray(start, copy=True))
    sgd = dc.optim.SGD([w], lr=0.1, momentum=0.9, weight_decay=0.01)

    def step() -> dc.Tensor:
        sgd.zero_grad()
        loss = dc.sum(dc.tanh(w * w))
        loss.backward()
        sgd.step()
        return loss.detach()

    return step, w


def test_state_is_written_in_place(alike: Callable[[Any, Any], None], lengths: list[int]) -> None:
    start = normal(23, "float32")
    (one, v), (two, w) = training(start), training(start)
    compiled = dc.compile(one)
    for _ in range(6):
        alike(compiled(), two())
        alike(v.detach(), w.detach())
    assert lengths


def test_memory_that_is_used_again_elsewhere_ends_a_chain(alike: Callable[[Any, Any], None]) -> None:
    """A result of half as wide numbers may be where an operand was, whose other blocks are still to be read."""

    def function(x: dc.Tensor) -> Any:
        z = dc.sum(x.mT @ x) + x @ x
        return dc.sum(dc.astype(z > 0.0, dc.float32)), dc.sum(dc.astype((z - 1.0) * 2.0 > z, dc.float32), axis=0)

    compiled = dc.compile(function)
    for _ in range(4):
        x = normal(23, "float64")
        alike(compiled(x), function(x))


def test_what_is_in_between_has_no_memory_of_its_own() -> None:
    program = graph.traced(lambda x: dc.exp(dc.sin(x) * 2.0), normal(23, "float32"))
    (calls,) = chain.chains(program, {}, [call.results[0] for call in program.calls])
    found = Chain(calls, program.outputs)
    assert found.given == [*program.inputs, *program.outputs]
    x, out = RNG.normal(size=(23, 23)).astype(np.float32), np.empty((23, 23), np.float32)
    found(x, out)
    np.testing.assert_array_equal(out, np.exp(np.sin(x) * np.float32(2)))


class Early:
    """Threads that are done before the one that asks has begun."""

    def submit(self, function: Callable[..., Any], *given: Any) -> Future[Any]:
        """Do something now."""
        future: Future[Any] = Future()
        future.set_result(function(*given))
        return future


def test_memory_that_is_used_again_in_other_places(
    monkeypatch: pytest.MonkeyPatch, alike: Callable[[Any, Any], None]
) -> None:
    monkeypatch.setattr(blocks, "_pool", Early)

    def function(x: dc.Tensor, y: dc.Tensor) -> Any:
        a = x @ y
        c = a > 0.0
        d = dc.logical_not(c)  # where a was, whose numbers are four times as long
        return dc.logical_and(c, x > y), dc.logical_and(d, x > y)

    compiled = dc.compile(function)
    for _ in range(4):
        x, y = normal(23, "float32"), normal(23, "float32")
        alike(compiled(x, y), function(x, y))
