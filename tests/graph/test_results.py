"""Large results of compiled functions: in memory of their own, which is used again when nobody holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE = 300
BOTH = pytest.mark.parametrize("executor", ["numpy", "fast"], indirect=True)
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "elementwise": lambda x: dc.exp(x) * 2.0,
    "of an argument's transpose": lambda x: dc.exp(x.mT) + 1.0,
    "product": lambda x: x @ x.mT,
    "product of what is computed": lambda x: dc.tanh(x) @ x,
    "row by row": lambda x: dc.softmax(x, axis=-1),
    "reshaped": lambda x: dc.reshape(dc.exp(x), (-1,)),
    "transposed": lambda x: dc.exp(x).mT,
    "transposed and reshaped": lambda x: dc.reshape(dc.exp(x).mT, (-1,)),
    "read again": lambda x: (y := dc.exp(x), dc.sum(y.mT @ x, axis=0), dc.sum(y) * 2.0),
    "twice": lambda x: (y := dc.exp(x), y),
    "whole and in part": lambda x: (y := dc.exp(x), y[1:], y[0]),
    "most of it": lambda x: dc.exp(x)[1:],
    "several": lambda x: (dc.exp(x), dc.sin(x), dc.max(x, axis=0)),
    "the argument": lambda x: (x, x.mT, dc.exp(x)),
    "put together": lambda x: dc.concat([dc.exp(x[0]) for _ in range(SIDE)]),
    "of whole numbers": lambda x: dc.astype(dc.round(x), dc.int32) + 1,
}


def square(seed: int) -> dc.Tensor:
    return dc.asarray(np.random.default_rng(seed).normal(size=(SIDE, SIDE)).astype(np.float32), device="cpu")


def shared(x: Any) -> Any:
    """Return the memory of a tensor as an array of NumPy's."""
    return np.from_dlpack(x)


@BOTH
@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_that_are_held_stay_as_they_are(name: str, alike: Callable[[Any, Any], None]) -> None:
    function = FUNCTIONS[name]
    compiled = dc.compile(function)
    arguments = [square(i) for i in range(6)]
    held = [compiled(x) for x in arguments]
    for x, result in zip(arguments, held, strict=True):
        alike(result, function(x))


@BOTH
def test_results_feed_the_next_run(alike: Callable[[Any, Any], None]) -> None:
    compiled = dc.compile(lambda x: dc.tanh(x) + 0.1)
    x = y = square(0)
    for _ in range(6):
        x, y = compiled(compiled(x)), dc.tanh(dc.tanh(y) + 0.1) + 0.1
        alike(x, y)


HOLDERS: dict[str, Callable[[dc.Tensor], Any]] = {
    "all": shared,
    "a part": lambda y: shared(y)[1:, ::2].T,
    "a view": lambda y: dc.reshape(y[1:], (-1,)),
    "a buffer": lambda y: memoryview(shared(y)),
    "a row": lambda y: shared(y)[-1],
}


@BOTH
@pytest.mark.parametrize("name", HOLDERS)
def test_whoever_holds_a_part_holds_all(name: str) -> None:
    compiled = dc.compile(lambda x: dc.exp(x) + 1.0)
    hold = HOLDERS[name]
    for i in range(3):
        compiled(square(i))
    held = [hold(compiled(square(i))) for i in range(5)]
    for i, part in enumerate(held):
        np.testing.assert_allclose(np.asarray(part), np.asarray(hold(dc.exp(square(i)) + 1.0)), rtol=1e-6)


@BOTH
def test_memory_is_used_again() -> None:
    compiled = dc.compile(lambda x: dc.exp(x) + 1.0)
    x = square(0)
    y, addresses = compiled(x), list[int]()
    for _ in range(10):
        y = compiled(x)  # while there is still the y before
        addresses.append(shared(y).ctypes.data)
    assert len(set(addresses[-8:])) == 2  # after the runs that were recorded
    assert not any(address % 64 for address in addresses[-8:])


@BOTH
def test_a_result_can_be_written_to() -> None:
    compiled = dc.compile(lambda x: dc.exp(x) + 1.0)
    x = square(0)
    compiled(x)
    y = compiled(x)
    shared(y)[...] = 0.0
    z = compiled(x)
    assert not y.numpy().any()
    assert z.numpy().all()


@BOTH
@pytest.mark.parametrize("name", ["twice", "whole and in part", "the argument"])
def test_results_are_apart_from_each_other(name: str) -> None:
    compiled = dc.compile(FUNCTIONS[name])
    x = square(0)
    compiled(x)
    first, *others = compiled(x)
    before = [y.numpy().copy() for y in others]
    shared(first)[...] = 0.0
    for y, values in zip(others, before, strict=True):
        np.testing.assert_array_equal(y.numpy(), values)
