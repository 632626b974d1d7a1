"""Embeddings: rows by number, gradients of rows that occur twice, padding, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn, optim
from deepcore.random import Generator

if TYPE_CHECKING:
    from deepcore._device import Device

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)


def embedding(device: Device, padding_idx: int | None = None) -> nn.Embedding:
    return nn.Embedding.from_rows(dc.asarray(ROWS), padding_idx=padding_idx).to(device)


@pytest.mark.parametrize("indices", [2, [3, 0, 3], [[1, 2], [2, 2], [0, 3]], []])
@pytest.mark.parametrize("dtype", [dc.int64, dc.int32, dc.uint8], ids=str)
def test_rows_by_number(indices: Any, dtype: dc.DType, device: Device) -> None:
    y = embedding(device)(dc.asarray(indices, dtype=dtype, device=device))
    assert (y.dtype, y.device) == (dc.float32, device)
    np.testing.assert_array_equal(y.numpy(), ROWS[np.asarray(indices, np.int64)])


@pytest.mark.parametrize("padding", [None, 2, -4])
def test_gradients_of_a_row_add_up_and_padding_has_none(padding: int | None, device: Device) -> None:
    layer = embedding(device, padding)
    indices = np.array([[1, 2, 1], [3, 1, 0]])
    weights = np.random.default_rng(0).normal(size=(2, 3, 3)).astype(np.float32)
    y = layer(dc.asarray(indices, device=device))
    np.testing.assert_array_equal(y.numpy(), ROWS[indices])
    (y * dc.asarray(weights, device=device)).sum().backward()
    expected = np.zeros_like(ROWS)
    np.add.at(expected, indices, weights)
    if padding is not None:
        expected[padding] = 0
    assert layer.weight.grad is not None
    np.testing.assert_allclose(layer.weight.grad.numpy(), expected, rtol=1e-6, atol=1e-6)


def test_repeated_rows_are_added_in_the_same_order_every_time(device: Device) -> None:
    layer = embedding(device)
    indices = dc.asarray(np.random.default_rng(0).integers(0, 4, 300), device=device)
    weights = dc.asarray(np.random.default_rng(1).normal(size=(300, 3)).astype(np.float32), device=device)
    found: list[bytes] = []
    for _ in range(3):
        layer.zero_grad()
        (layer(indices) * weights).sum().backward()
        assert layer.weight.grad is not None
        found.append(layer.weight.grad.numpy().tobytes())
    assert found[0] == found[1] == found[2]


def test_a_table_is_learned_but_for_its_padding(device: Device) -> None:
    layer = nn.Embedding(5, 2, padding_idx=0, generator=Generator(0)).to(device)
    assert layer.weight.numpy()[0].tolist() == [0.0, 0.0]
    optimizer = optim.SGD(layer.parameters(), lr=0.5)
    indices = dc.asarray([0, 1, 4, 1], device=device)
    target = dc.ones((4, 2), device=device)
    for _ in range(20):
        optimizer.zero_grad()
        nn.MSE()(layer(indices), target).backward()
        optimizer.step()
    weight = layer.weight.numpy()
    assert weight[0].tolist() == [0.0, 0.0]
    np.testing.assert_allclose(weight[[1, 4]], 1.0, atol=0.2)


def test_initial_rows_are_standard_normal_or_as_asked() -> None:
    weight = nn.Embedding(500, 40, generator=Generator(0)).weight.numpy()
    assert (weight.mean(), weight.std()) == (pytest.approx(0, abs=0.02), pytest.approx(1, abs=0.02))
    assert np.array_equal(nn.Embedding(500, 40, generator=Generator(0)).weight.numpy(), weight)
    assert not nn.Embedding(2, 3, initializer="zeros").weight.numpy().any()


def test_given_rows_are_copied_and_may_be_frozen() -> None:
    rows = dc.asarray(ROWS.copy())
    layer, frozen = nn.Embedding.from_rows(rows), nn.Embedding.from_rows(rows, frozen=True)
    assert (layer.weight.requires_grad, frozen.weight.requires_grad) == (True, False)
    with dc.no_grad():
        layer.weight[0] = 7.0
    assert rows.tolist() == frozen.weight.tolist() == ROWS.tolist()
    assert not frozen(dc.asarray([1])).requires_grad
    with pytest.raises(dc.ShapeError, match=r"not of shape \(2,\)"):
        nn.Embedding.from_rows(dc.ones(2))


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([1, 4, 9], r"Embedding\(4 × 3\): index 4 at 1 is not from 0 to 3"),
        ([[0, 1], [-1, 0]], r"index -1 at \(1, 0\) is not from 0 to 3"),
        (7, "index 7 is not from 0 to 3"),
    ],
)
def test_an_index_out_of_range_is_named(indices: Any, message: str) -> None:
    layer = nn.Embedding(4, 3)
    with pytest.raises(dc.BoundsError, match=message):
        layer(dc.asarray(indices))
    with pytest.raises(IndexError):
        layer(dc.asarray(indices))


def test_indices_are_whole_numbers() -> None:
    with pytest.raises(dc.DTypeError, match=r"expected whole numbers, got float32; use indices.astype"):
        nn.Embedding(4, 3)(dc.ones(2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Embedding(0, 3), "at least 1, not 0 and 3"),
        (lambda: nn.Embedding(3, 0), "at least 1, not 3 and 0"),
        (lambda: nn.Embedding(3, 2, padding_idx=3), "no row 3 among 3"),
        (lambda: nn.Embedding(3, 2, padding_idx=-4), "no row -4 among 3"),
        (lambda: nn.EmbeddingBag(3, 2, mode="median"), "unknown mode 'median'; the known ones are mean, sum, max"),
    ],
)
def test_options_are_checked(make: Any, message: str) -> None:
    with pytest.raises(dc.ConfigError, match=message):
        make()


@pytest.mark.parametrize("mode", ["mean", "sum", "max"])
def test_bags(mode: str, device: Device) -> None:
    layer = nn.EmbeddingBag(4, 3, mode=mode, padding_idx=0).to(device)
    with dc.no_grad():
        layer.weight._rebind(dc.asarray(ROWS - 6, device=device))
    bags = [[1, 3], [2], []]
    padded = dc.asarray([[1, 0, 3], [2, 0, 0], [0, 0, 0]], device=device)
    y = layer(padded)
    expected = [getattr(np, mode)(ROWS[bag] - 6, axis=0) if bag else np.zeros(3) for bag in bags]
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-6)
    y.sum().backward()
    assert layer.weight.grad is not None
    counts = {"mean": [0, 0.5, 1, 0.5], "sum": [0, 1, 1, 1], "max": [0, 0, 1, 1]}[mode]
    np.testing.assert_allclose(layer.weight.grad.numpy(), np.repeat(np.array(counts)[:, None], 3, axis=1))
    assert layer(dc.zeros((2, 0), dtype=dc.int64, device=device)).tolist() == [[0.0] * 3] * 2


def test_bags_are_rows_and_weights_are_for_sums() -> None:
    with pytest.raises(dc.ShapeError, match=r"shape \(batch, number\), got \(3,\)"):
        nn.EmbeddingBag(4, 3)(dc.asarray([1, 2, 3]))
    with pytest.raises(dc.ConfigError, match="weights are for mode='sum'"):
        nn.EmbeddingBag(4, 3)(dc.asarray([[1, 2]]), dc.ones((1, 2)))
    with pytest.raises(dc.ConfigError, match=r"of shape \(1, 2\), got \(2, 1\)"):
        nn.EmbeddingBag(4, 3, mode="sum")(dc.asarray([[1, 2]]), dc.ones((2, 1)))
