from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepcore import ConfigError
from deepcore.data import Draws

WORD = st.integers(0, 2**64 - 1)


@given(seed=WORD, epoch=st.integers(0, 2**32 - 1), rows=st.lists(WORD, min_size=1, max_size=4), repeat=WORD)
def test_the_words_are_those_of_numpy(seed: int, epoch: int, rows: list[int], repeat: int) -> None:
    draws = Draws(seed, epoch, np.array(rows, np.uint64), np.full(len(rows), repeat, np.uint64))
    found = np.concatenate([draws.uniform(5), draws.uniform(2)], axis=1)
    key = np.array([seed, (int.from_bytes(b"tran") << 32) + epoch], np.uint64)
    for row, numbers in zip(rows, found, strict=True):
        words = np.random.Philox(counter=np.array([0, 0, row, repeat], np.uint64), key=key).random_raw(12)
        expected = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
        np.testing.assert_array_equal(numbers, expected[[0, 1, 2, 3, 4, 8, 9]])


def test_they_do_not_depend_on_the_batch() -> None:
    whole = Draws(1, 2, np.arange(10)).uniform(3)
    np.testing.assert_array_equal(Draws(1, 2, [7, 3]).uniform(3), whole[[7, 3]])
    assert len(np.unique(whole)) == 30
    for other in (Draws(2, 2, np.arange(10)), Draws(1, 3, np.arange(10)), Draws(1, 2, np.arange(10), np.ones(10))):
        assert not np.isin(other.uniform(3), whole).any()


def test_they_are_uniform() -> None:
    u = Draws(0, 0, np.arange(20_000)).uniform(2)
    assert u.min() >= 0
    assert u.max() < 1
    counts = np.histogram2d(u[:, 0], u[:, 1], bins=10, range=[[0, 1], [0, 1]])[0]
    assert ((counts - 200) ** 2 / 200).sum() < 170  # χ² with 99 degrees of freedom: p < 1e-5
    np.testing.assert_array_equal(np.unique(Draws(0, 0, np.arange(100)).integers(3, 5)[:, 0]), [0, 1, 2])
    assert Draws(0, 0, np.arange(3)).uniform(0).shape == (3, 0)


def test_seeds_out_of_range() -> None:
    with pytest.raises(ConfigError, match="seed"):
        Draws(-1, 0, [0])
