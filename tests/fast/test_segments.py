"""Vectors that are put together for kernels alone: the kernels read their parts, and give the same bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn, optim

pytest.importorskip("llvmlite", reason="llvmlite is not installed")

from deepcore_llvm import _plan
from deepcore_numpy import _plan as _numpy_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    Both = Callable[..., tuple[list[Any], list[Any]]]

RNG = np.random.default_rng(0)
LENGTHS = [(5,), (20_000, 3, 1024), (1, 7, 1, 9000), (64, 64)]


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The concatenations that NumPy computes."""
    found: list[Any] = []
    concatenate = _numpy_plan._concatenate

    def noted(*given: Any) -> None:
        found.append(given[1])
        concatenate(*given)

    monkeypatch.setattr(_numpy_plan, "_concatenate", noted)
    return found


def vectors(lengths: tuple[int, ...], dtype: Any = np.float32) -> list[Any]:
    return [RNG.normal(size=n).astype(dtype) for n in lengths]


def check(both: Both, function: Callable[..., Any], *arrays: Any) -> None:
    ours, theirs = both(function, *arrays)
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.usefixtures("threads")
def test_parts_are_read_where_they_are(lengths: tuple[int, ...], dtype: str, both: Both, joined: list[Any]) -> None:
    def f(x: Any, *parts: Any) -> Any:
        whole = dc.concat(parts, axis=0)
        y = x * 2 + whole
        return y, y * whole

    parts = [(100 * part).astype(dtype) for part in vectors(lengths, np.float64)]
    check(both, f, np.arange(sum(lengths)).astype(dtype), *parts)
    assert not joined


def test_parts_are_matrices_in_any_order(both: Both, joined: list[Any]) -> None:
    def f(x: Any, a: Any, b: Any) -> Any:
        return (x + dc.concat([a.reshape(-1), b.reshape(-1)], axis=0),)

    a, b = (RNG.normal(size=(30, 40)).astype(np.float32) for _ in range(2))
    check(both, f, np.ones(2400, np.float32), a, b)
    check(both, f, np.ones(2400, np.float32), a.T, b[:, ::-1])
    assert not joined


def test_several_vectors_of_one_kernel(both: Both, joined: list[Any]) -> None:
    def f(*parts: Any) -> Any:
        return (dc.concat(parts[:2], axis=0) * dc.concat(parts[2:], axis=0),)

    check(both, f, *vectors((9000, 50, 9000, 50)))
    assert not joined
    check(both, f, *vectors((9000, 50, 8000, 1050)))  # they are cut at different places
    assert joined


OTHERS: dict[str, Callable[..., Any]] = {
    "an output": lambda x, whole: (x * whole, whole),
    "a reduction": lambda x, whole: (dc.sum(x * whole),),
    "a product": lambda x, whole: (x * whole, whole @ x),
    "a view": lambda x, whole: (x * whole, whole[3:] * 2.0),
    "NumPy": lambda x, whole: (x * whole, dc.sort(whole)),
    "another shape": lambda x, whole: (x.reshape(2, -1) + whole[:, None, None],),
}


@pytest.mark.parametrize("others", OTHERS)
def test_vectors_that_others_read_are_put_together(others: str, both: Both, joined: list[Any]) -> None:
    check(both, lambda x, *parts: OTHERS[others](x, dc.concat(parts, axis=0)), *vectors((10_000, 9000, 1000)))
    assert joined


def test_vectors_that_are_broadcast_are_put_together(both: Both, joined: list[Any]) -> None:
    rows = RNG.normal(size=(3, 1000)).astype(np.float32)
    check(both, lambda x, *parts: (x * dc.concat(parts, axis=0),), rows, *vectors((900, 100)))
    assert joined


def test_many_lengths_and_parts_that_are_computed_are_put_together(both: Both, joined: list[Any]) -> None:
    check(both, lambda x, *parts: (x * dc.concat(parts, axis=0),), *vectors((171, *range(18, 0, -1))))
    assert joined
    check(
        both,
        lambda x, a, b: (dc.concat([a @ x, b], axis=0) * 2.0,),
        *vectors((8,)),
        RNG.normal(size=(9, 8)),
        *vectors((5,)),
    )


@pytest.mark.parametrize("make", [optim.Adam, optim.AdamW, optim.SGD, optim.RMSprop], ids=lambda make: make.__name__)
def test_eager_steps_have_the_same_bits(
    make: Callable[..., Any], joined: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    native = 0
    kernel = _plan._kernel

    def counted(*given: Any) -> Any:
        nonlocal native
        native += 1
        return kernel(*given)

    monkeypatch.setattr(_plan, "_kernel", counted)

    def trained() -> list[Any]:
        dc.random.seed(0)
        model = nn.Sequential(nn.Dense(200, 300), nn.ReLU(), nn.Dense(300, 7))
        optimizer = make(model.parameters(), lr=1e-3)
        for _ in range(30):
            optimizer.zero_grad()
            dc.mean(dc.square(model(dc.ones((4, 200))))).backward()
            optimizer.step()
        return [parameter.numpy().copy() for parameter in model.parameters()]

    ours = trained()
    assert native
    assert not joined
    monkeypatch.setenv("DEEPCORE_FAST", "0")
    for a, b in zip(ours, trained(), strict=True):
        np.testing.assert_array_equal(a, b)
