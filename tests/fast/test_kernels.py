"""Kernels: rows and their reductions, what is broadcast and transposed, at any length, on any number of threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn

pytest.importorskip("llvmlite", reason="llvmlite is not installed")

from deepcore_llvm import _plan, _points
from deepcore_llvm._memory import stream_value

if TYPE_CHECKING:
    from collections.abc import Callable

    Both = Callable[..., Any]

RNG = np.random.default_rng(0)


def normal(*shape: int, dtype: str = "float32") -> Any:
    return RNG.normal(size=shape).astype(dtype)


def check(both: Both, function: Any, *arrays: Any, tolerance: float = 1e-6) -> None:
    for ours, theirs in zip(*both(function, *arrays), strict=True):
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype
        scale = float(np.abs(theirs).max(initial=1.0)) if theirs.dtype.kind == "f" else 0.0
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 100, 1023, 1024, 1025, 3000, 70_001])
def test_every_length(length: int, threads: int, both: Both) -> None:
    x = normal(length)
    check(both, lambda x: (dc.exp(x) * 2.0 + 1.0, dc.sum(x * x), dc.max(x), dc.mean(x)), x)
    check(both, lambda x: dc.softmax(x, axis=-1), normal(3, length))


@pytest.mark.parametrize("rows", [1, 2, 50, 301])
@pytest.mark.parametrize("columns", [1, 3, 10, 65, 512])
def test_rows_and_what_is_summed_over_them(rows: int, columns: int, threads: int, both: Both) -> None:
    x, b = normal(rows, columns), normal(columns)

    def f(x: Any, b: Any) -> Any:
        y = dc.log_softmax(x + b, axis=-1)
        z = dc.exp(y) * x
        return y, z, dc.sum(z, axis=0), dc.sum(z), dc.mean(z, axis=-1), dc.max(y, axis=0), dc.mean(dc.sum(z, axis=1))

    check(both, f, x, b, tolerance=2e-6)


def test_what_is_broadcast(threads: int, both: Both) -> None:
    x = normal(5, 6, 7, 8)
    for shape in ((8,), (7, 1), (6, 1, 1), (5, 1, 1, 1), (1, 6, 1, 8), (5, 1, 7, 1), (), (1, 1, 1, 1)):
        check(both, lambda x, y: (x * y + 1.0) / (dc.abs(y) + 2.0), x, normal(*shape))
    check(both, lambda x, y: x * y, normal(5, 1), normal(1, 7))
    check(both, lambda x: dc.sum(x * 2.0, axis=(0, 2, 3)), x)
    check(both, lambda x: dc.sum(x * 2.0, axis=1), x)
    check(both, lambda x: x - dc.mean(x, axis=(2, 3), keepdims=True), x)


def test_views_and_transposed_arrays(threads: int, both: Both) -> None:
    x = normal(6, 35)
    check(both, lambda x: dc.exp(x.mT) * 2.0, x)
    check(both, lambda x: dc.exp(x.mT) * dc.reshape(x, (35, 6)), x)
    check(both, lambda x: dc.softmax(x.mT, axis=-1), x)
    check(both, lambda x: dc.sum(dc.permute_dims(dc.reshape(x, (6, 5, 7)), (2, 0, 1)) * 2.0, axis=0), x)
    check(both, lambda x: (x[1:4] * x[2:5] + x[0], x[:, ::2] * 3.0, x[:, 3] + x[::-1, 4]), x)
    check(both, lambda x: dc.reshape(dc.permute_dims(dc.reshape(x, (6, 5, 7)), (1, 0, 2)), (30, 7)) + 1.0, x)
    check(both, lambda x: dc.exp(x), np.asfortranarray(x))
    check(both, lambda x: dc.exp(x) + 1.0, normal(6, 70)[:, ::2])


def test_products(threads: int, both: Both) -> None:
    a, b = normal(33, 40), normal(40, 21)
    check(both, lambda a, b: dc.exp(a @ b * 0.1) @ b.mT, a, b)
    check(both, lambda a, b: (a.mT @ a, b @ b.mT, (a @ b).mT @ a), a, b, tolerance=2e-6)
    c, d = normal(2, 3, 20, 50), normal(3, 50, 30)
    check(both, lambda c, d: (c @ d * 1.0, c @ d[0], c @ c.mT), c, d, tolerance=2e-6)
    check(both, lambda a: (a @ a[0], a[0] @ a.mT, a[:1] @ a.mT, a @ a[:1].mT), a, tolerance=2e-6)
    big, other = normal(300, 200), normal(200, 90)
    check(both, lambda a, b: (a @ b, b.mT @ a.mT), big, other, tolerance=2e-6)
    check(both, lambda a, b: a @ b, big.astype("float64"), other.astype("float64"), tolerance=1e-14)


def test_arrays_without_elements_and_numbers(threads: int, both: Both) -> None:
    check(both, lambda x: (dc.exp(x), dc.sum(x), x @ dc.ones((3, 2))), normal(0, 3))
    check(both, lambda x: (dc.exp(x) + 1.0, dc.sum(x), -x), normal())


def test_sums_are_accurate(both: Both) -> None:
    x = RNG.random(3_000_000).astype(np.float32)
    ((total, mean), _) = both(lambda x: (dc.sum(x), dc.mean(x)), x)
    exact = x.sum(dtype=np.float64)
    assert abs(total - exact) <= 1e-7 * exact
    assert abs(mean - exact / x.size) <= 1e-7


def test_the_same_bits_in_every_run(threads: int) -> None:
    model = nn.Sequential(nn.Dense(60, 70, activation="gelu"), nn.LayerNorm(70), nn.Dense(70, 3))
    x = dc.asarray(normal(130, 60))
    with dc.no_grad():
        f = dc.compile(model)
        results = [f(x).numpy() for _ in range(20)][3:]  # the first ones are recorded
    assert all((y == results[0]).all() for y in results)


def test_labels_outside_the_classes() -> None:
    loss = nn.CategoricalCrossEntropy()
    f = dc.compile(lambda z, y: loss(z, y))
    z, y = dc.asarray(normal(4, 3)), dc.asarray([0, 1, 2, 1])
    values = [f(z, y).item() for _ in range(3)]
    assert values == pytest.approx([loss(z, y).item()] * 3, rel=1e-6)
    with pytest.raises(IndexError, match="such as a label, is not within the axis"):
        f(z, dc.asarray([0, 1, 3, 1]))
    assert f(z, y).item() == values[-1]


def test_results_that_are_written_past_the_caches(threads: int, both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    streamed: list[int] = []

    def noted(lanes: Any, *others: Any) -> None:
        streamed.append(lanes.width)
        stream_value(lanes, *others)

    monkeypatch.setattr(_plan, "STREAMED", 1)
    monkeypatch.setattr(_points, "stream_value", noted)
    check(both, lambda x: dc.relu(x) * 2.0, normal(300, 1000))  # large enough to be given away
    check(both, lambda x: x - dc.mean(x, axis=-1, keepdims=True), normal(30, 64))
    check(both, lambda x: dc.astype(x, dc.float64) * 2.0, normal(30, 64))
    check(both, lambda x: dc.sum(x * 2.0 + 1.0, axis=0) @ (x * 2.0 + 1.0).mT, normal(64, 80), tolerance=2e-6)
    assert set(streamed) == {8, 16}
    streamed.clear()
    check(both, lambda x: x - dc.max(x, axis=-1, keepdims=True), normal(30, 63))  # rows begin within lines
    check(both, lambda x: dc.concat([x[0, :3], dc.relu(x[1]), x[2] * 2.0]), normal(3, 64))
    check(both, lambda x: (dc.exp(x), x.mT * 2.0 > 0.0), normal(32, 64))
    check(both, lambda x: (dc.relu(x), dc.relu(x) * 2.0), normal(300, 1000))
    assert not streamed
