from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepcore import ConfigError, DataError
from deepcore.data import (
    DataLoader,
    Dataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    StratifiedSampler,
    SubsetSampler,
    WeightedSampler,
)


def order(sampler: Sampler, *, seed: int = 0, epoch: int = 0, batch_size: int = 8) -> Any:
    return sampler.order(seed=seed, epoch=epoch, batch_size=batch_size)


def make(n: int) -> Dataset:
    return Dataset(np.arange(n), np.arange(n) % 3)


def test_sequential_and_random_are_what_shuffle_means() -> None:
    for sampler, shuffle in ((SequentialSampler(20), False), (RandomSampler(20), True)):
        by_sampler = DataLoader(make(20), sampler=sampler, seed=3)
        by_shuffle = DataLoader(make(20), shuffle=shuffle, seed=3)
        for _ in range(2):
            np.testing.assert_array_equal(next(iter(by_sampler))[0], next(iter(by_shuffle))[0])


SAMPLERS = {
    "random": RandomSampler(30),
    "subset": SubsetSampler(np.arange(10, 25)),
    "weighted": WeightedSampler(np.arange(30)),
    "without": WeightedSampler(np.arange(30), 20, replacement=False),
    "stratified": StratifiedSampler(np.arange(30) % 4),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_seed_and_epoch_decide(name: str) -> None:
    sampler = SAMPLERS[name]
    first = order(sampler)
    assert first.shape == (len(sampler),)
    np.testing.assert_array_equal(first, order(sampler))
    assert not np.array_equal(first, order(sampler, seed=1))
    assert not np.array_equal(first, order(sampler, epoch=1))
    if name != "weighted":
        assert len(set(first.tolist())) == len(first)


def test_a_subset() -> None:
    rows = [4, 9, 2]
    assert sorted(order(SubsetSampler(rows))) == [2, 4, 9]
    assert order(SubsetSampler(rows, shuffle=False)).tolist() == rows
    loader = DataLoader(make(10), sampler=SubsetSampler(rows), batch_size=2)
    assert len(loader) == 2
    assert sorted(int(x) for inputs, _ in loader for x in inputs) == [2, 4, 9]
    for wrong in ([], [0.5], [[1]]):
        with pytest.raises(ConfigError, match="subset"):
            SubsetSampler(wrong)


def test_weights_are_frequencies() -> None:
    weights = np.array([0, 1, 2, 5])
    counts = np.bincount(order(WeightedSampler(weights, 40_000)), minlength=4)
    assert counts[0] == 0
    expected = 40_000 * weights[1:] / 8
    assert ((counts[1:] - expected) ** 2 / expected).sum() < 25  # χ² with 2 degrees of freedom: p < 1e-5


def test_without_replacement_heavy_ones_come_first() -> None:
    sampler = WeightedSampler([1, 1, 1, 7], 3, replacement=False)
    first = [order(sampler, epoch=epoch)[0] for epoch in range(2000)]
    assert abs(np.mean(np.array(first) == 3) - 0.7) < 0.04


def test_balanced_classes() -> None:
    labels = np.repeat([3, 9, 0], [900, 90, 10])
    drawn = labels[order(WeightedSampler.balanced(labels, 9000))]
    for label in (0, 3, 9):
        assert abs(np.count_nonzero(drawn == label) - 3000) < 250


@pytest.mark.parametrize(
    ("weights", "options"),
    [
        ([], {}),
        ([0, 0], {}),
        ([-1, 2], {}),
        ([np.nan, 1], {}),
        ([np.inf, 1], {}),
        (["a"], {}),
        ([[1, 2]], {}),
        ([1, 0], {"n_samples": 2, "replacement": False}),
        ([1, 1], {"n_samples": 0}),
    ],
)
def test_weights_that_are_none(weights: Any, options: Any) -> None:
    with pytest.raises(ConfigError, match="weights"):
        WeightedSampler(weights, **options)


def test_huge_and_tiny_weights() -> None:
    assert set(order(WeightedSampler([1e308, 1e308, 1e-308], 50)).tolist()) == {0, 1}


@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    size=st.integers(1, 40),
    seed=st.integers(0, 3),
    epoch=st.integers(0, 3),
)
def test_stratified_batches_have_every_class_in_proportion(counts: list[int], size: int, seed: int, epoch: int) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    found = order(StratifiedSampler(labels), seed=seed, epoch=epoch, batch_size=size)
    n = len(labels)
    np.testing.assert_array_equal(np.sort(found), np.arange(n))
    whole, rest = divmod(n, size)
    share = np.bincount(labels) / n
    for i in range(whole):
        batch = np.bincount(labels[found[i * size : (i + 1) * size]], minlength=len(counts))
        # dealing rounds by less than one, and what was set aside for the last batch by another 1/whole
        assert (np.abs(batch - size * share) < 1 + (1 / whole if rest else 0) + 1e-9).all()
    if rest:
        assert (
            np.abs(np.bincount(labels[found[whole * size :]], minlength=len(counts)) - rest * share) < 1 + 1e-9
        ).all()


def test_stratified_is_random_within_the_proportions() -> None:
    labels = np.repeat([0, 1], [30, 10])
    orders = np.array([order(StratifiedSampler(labels), epoch=epoch) for epoch in range(3000)])
    counts = np.array([np.bincount(orders[:, place], minlength=40) for place in (0, 7, 39)])
    assert (((counts - 75) ** 2 / 75).sum(axis=1) < 95).all()  # χ² with 39 degrees of freedom: p < 1e-6


def test_a_million_classes() -> None:
    labels = np.arange(1_000_000)
    assert len(np.unique(order(StratifiedSampler(labels), batch_size=1000))) == 1_000_000
    assert len(WeightedSampler.balanced(labels)) == 1_000_000


def test_labels_that_are_none() -> None:
    for labels in ([0.5], [], [[1]], ["a"]):
        with pytest.raises(DataError, match="label"):
            StratifiedSampler(labels)


def test_one_decides_on_the_order() -> None:
    with pytest.raises(ConfigError, match="leave out shuffle"):
        DataLoader(make(4), shuffle=True, sampler=SequentialSampler(4))


class Wrong(Sampler):
    def __init__(self, rows: Any, n: int = 3) -> None:
        self.rows, self.n = rows, n

    def __len__(self) -> int:
        return self.n

    def order(self, *, seed: int, epoch: int, batch_size: int) -> Any:
        return np.array(self.rows)


@pytest.mark.parametrize("rows", [[0, 1, 4], [0, -1, 2], [0, 1], [0.0, 1.0, 2.0], [[0, 1, 2]]])
def test_a_sampler_that_is_wrong(rows: Any) -> None:
    with pytest.raises(DataError, match=r"the sampler gave .* not 3 rows of 'data', from 0 to 3"):
        next(iter(DataLoader(make(4), sampler=Wrong(rows))))
