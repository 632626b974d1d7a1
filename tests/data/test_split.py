from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepcore import ConfigError, DataError
from deepcore.data import Dataset, digits, train_test_split


def make(targets: Any) -> Dataset:
    targets = np.asarray(targets)
    return Dataset(np.arange(len(targets)), targets, name="toy")


@pytest.mark.parametrize(
    ("size", "count"), [(0.2, 20), (0.501, 50), (0.015, 2), (1, 1), (99, 99), (np.int8(7), 7), (np.float32(0.5), 50)]
)
@pytest.mark.parametrize("stratify", [False, True])
def test_both_parts_together_are_the_whole(size: float, count: int, stratify: bool) -> None:
    data = make(np.zeros(100, int))
    train, test = train_test_split(data, test_size=size, stratify=stratify)
    assert (len(train), len(test)) == (100 - count, count)
    both = np.concatenate([train.inputs, test.inputs])
    np.testing.assert_array_equal(np.sort(both), np.arange(100))
    assert not np.array_equal(both, np.arange(100))


def test_inputs_stay_with_their_targets() -> None:
    data = Dataset(np.arange(50), np.arange(50) * 10)
    for part in train_test_split(data, seed=3):
        np.testing.assert_array_equal(part.inputs * 10, part.targets)


def test_the_seed_decides() -> None:
    data = make(np.zeros(50, int))
    splits = [train_test_split(data, seed=seed)[1].inputs for seed in (0, 0, 1, 2**64 - 1)]
    np.testing.assert_array_equal(splits[0], splits[1])
    assert not np.array_equal(splits[0], splits[2])
    assert not np.array_equal(splits[0], splits[3])


def test_the_split_is_the_same_for_ever() -> None:
    np.testing.assert_array_equal(train_test_split(make(np.zeros(12, int)), test_size=6)[1].inputs, [5, 3, 10, 1, 2, 0])


@given(counts=st.lists(st.integers(2, 30), min_size=1, max_size=6), data=st.data(), seed=st.integers(0, 5))
def test_stratified_parts_have_every_class_in_proportion(counts: list[int], data: st.DataObject, seed: int) -> None:
    names = np.arange(len(counts)) - 2
    labels = np.random.default_rng(seed).permutation(np.repeat(names, counts))
    count = data.draw(st.integers(len(names), len(labels) - len(names)))
    train, test = train_test_split(make(labels), test_size=count, seed=seed, stratify=True)
    assert len(test) == count
    np.testing.assert_array_equal(np.sort(np.concatenate([train.inputs, test.inputs])), np.arange(len(labels)))
    for name, total in zip(names.tolist(), counts, strict=True):
        found = np.count_nonzero(test.targets == name)
        assert 1 <= found <= total - 1
        # one more or less to be whole, and one for each class that must have a sample though its share is less
        assert abs(found - total * count / len(labels)) < 1 + len(names)


def test_stratified_digits_are_within_one_of_their_share() -> None:
    data = digits()
    _, test = train_test_split(data, test_size=0.25, stratify=True)
    share = np.bincount(data.targets) * len(test) / len(data)
    assert np.abs(np.bincount(test.targets) - share).max() < 1
    _, plain = train_test_split(data, test_size=0.25)
    assert np.abs(np.bincount(plain.targets) - share).max() > 1


@pytest.mark.parametrize("size", [0, 10, -1, 0.0, 1.0, 1.5, -0.2, float("nan"), True, "half", None, 0.01, 0.99])
def test_sizes_out_of_range(size: Any) -> None:
    with pytest.raises(ConfigError, match=r"test_size.* 1 to 9"):
        train_test_split(make(np.zeros(10, int)), test_size=size)


@pytest.mark.parametrize("seed", [-1, 2**64, 0.5, None])
def test_seeds_out_of_range(seed: Any) -> None:
    with pytest.raises(ConfigError, match="seed is an integer"):
        train_test_split(make([0, 1]), test_size=1, seed=seed)


def test_data_that_cannot_be_split() -> None:
    with pytest.raises(DataError, match="one sample"):
        train_test_split(make([0]))
    with pytest.raises(DataError, match=r"class 7 .* one sample only"):
        train_test_split(make([0, 0, 7, 1, 1]), stratify=True)
    with pytest.raises(DataError, match="float64"):
        train_test_split(make([0.5, 0.5]), test_size=1, stratify=True)
    with pytest.raises(ConfigError, match="test_size from 2 to 2"):
        train_test_split(make([0, 0, 1, 1]), test_size=1, stratify=True)


@pytest.mark.parametrize("stratify", [False, True])
@pytest.mark.parametrize("sizes", [(0.6, 0.3, 0.1), (50, 30, 20), (0.5, 0.5), (0.25, 0.25, 0.25, 0.25)])
def test_several_parts_are_the_whole(sizes: tuple[float, ...], stratify: bool) -> None:
    data = make(np.arange(100) % 5)
    parts = data.split(*sizes, seed=1, stratify=stratify)
    assert [len(part) for part in parts] == [round(size * 100) if size < 1 else size for size in sizes]
    np.testing.assert_array_equal(np.sort(np.concatenate([part.inputs for part in parts])), np.arange(100))
    for part in parts:
        np.testing.assert_array_equal(part.inputs % 5, part.targets)
        if stratify:
            assert np.abs(np.bincount(part.targets, minlength=5) - len(part) / 5).max() < 1
    again = data.split(*sizes, seed=2, stratify=stratify)
    assert not np.array_equal(again[0].inputs, parts[0].inputs)


@given(counts=st.lists(st.integers(3, 12), min_size=1, max_size=5), data=st.data())
def test_three_stratified_parts_have_every_class(counts: list[int], data: st.DataObject) -> None:
    labels, n, c = np.repeat(np.arange(len(counts)), counts), sum(counts), len(counts)
    first = data.draw(st.integers(c, n - 2 * c))
    second = data.draw(st.integers(c, n - first - c))
    for part in make(labels).split(first, second, n - first - second, stratify=True):
        assert np.bincount(part.targets, minlength=c).min() >= 1


@pytest.mark.parametrize(
    "sizes", [(), (1.0,), (10,), (0.5, 0.6), (5, 6), (0, 10), (-1, 11), (1.0, 0.0), (0.99, 0.01), ("a", "b"), (True, 9)]
)
def test_sizes_that_do_not_add_up(sizes: Any) -> None:
    with pytest.raises(ConfigError, match="size"):
        make(np.zeros(10, int)).split(*sizes)


def test_a_class_that_is_too_small_for_three_parts() -> None:
    with pytest.raises(DataError, match=r"class 1 .* 2 samples only, which cannot be in all 3 parts"):
        make([0, 0, 0, 0, 1, 1]).split(2, 2, 2, stratify=True)
