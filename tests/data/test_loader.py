from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepcore import ConfigError
from deepcore.data import DataLoader, Dataset


def make(n: int) -> Dataset:
    return Dataset(np.arange(2 * n, dtype=np.float32).reshape(n, 2), np.arange(n), name="toy")


def rows(loader: DataLoader) -> list[int]:
    return [int(t) for _, targets in loader for t in targets]


@given(n=st.integers(1, 40), size=st.integers(1, 45), shuffle=st.booleans(), drop=st.booleans(), seed=st.integers(0, 9))
def test_an_epoch_has_each_sample_once(n: int, size: int, shuffle: bool, drop: bool, seed: int) -> None:
    if drop and size > n:
        return
    loader = DataLoader(make(n), batch_size=size, shuffle=shuffle, seed=seed, drop_last=drop)
    batches = list(loader)
    assert len(batches) == len(loader)
    lengths = [len(targets) for _, targets in batches]
    assert lengths == [size] * (n // size) + ([n % size] if n % size and not drop else [])
    for inputs, targets in batches:
        assert inputs.dtype == np.float32
        np.testing.assert_array_equal(inputs[:, 0], 2 * targets)
    seen = np.concatenate([targets for _, targets in batches])
    assert len(set(seen.tolist())) == len(seen)
    if not shuffle:
        np.testing.assert_array_equal(seen, np.arange(len(seen)))


def test_unshuffled_batches_are_views() -> None:
    data = make(10)
    assert all(np.shares_memory(inputs, data.inputs) for inputs, _ in DataLoader(data, batch_size=4))
    assert not any(np.shares_memory(inputs, data.inputs) for inputs, _ in DataLoader(data, shuffle=True))


def test_each_epoch_has_its_order_and_the_number_decides() -> None:
    loader = DataLoader(make(50), shuffle=True, seed=5)
    first, second = rows(loader), rows(loader)
    assert first != second
    assert loader.epoch == 2
    resumed = DataLoader(make(50), shuffle=True, seed=5)
    resumed.epoch = 1
    assert rows(resumed) == second
    loader.epoch = 0
    assert rows(loader) == first == loader.order(0).tolist()
    assert rows(DataLoader(make(50), shuffle=True, seed=6)) != first
    assert DataLoader(make(3)).order(4).tolist() == [0, 1, 2]


def test_the_order_does_not_depend_on_the_batches() -> None:
    assert rows(DataLoader(make(50), batch_size=7, shuffle=True)) == rows(DataLoader(make(50), shuffle=True))


def test_epochs_may_overlap() -> None:
    loader = DataLoader(make(20), batch_size=5, shuffle=True)
    one, two = iter(loader), iter(loader)
    assert loader.epoch == 2
    found = np.array([(a[1], b[1]) for a, b in zip(one, two, strict=True)])
    np.testing.assert_array_equal(found[:, 0].ravel(), loader.order(0))
    np.testing.assert_array_equal(found[:, 1].ravel(), loader.order(1))


def test_the_global_generator_is_left_alone() -> None:
    legacy: Any = importlib.import_module("numpy.random")
    state = legacy.get_state(legacy=False)
    rows(DataLoader(make(20), shuffle=True))
    np.testing.assert_equal(legacy.get_state(legacy=False), state)


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"batch_size": 2.0}, {"batch_size": -1}, {"seed": -1}])
def test_options_out_of_range(options: Any) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(options))} is an integer from"):
        DataLoader(make(4), **options)


def test_epochs_out_of_range() -> None:
    loader: Any = DataLoader(make(4), shuffle=True)
    for epoch in (-1, 2**32, 0.5):
        with pytest.raises(ConfigError, match="epoch is an integer"):
            loader.epoch = epoch
        with pytest.raises(ConfigError, match="epoch is an integer"):
            loader.order(epoch)


def test_nothing_to_serve() -> None:
    with pytest.raises(ConfigError, match=r"4 samples, fewer than batch_size=5"):
        DataLoader(make(4), batch_size=5, drop_last=True)
