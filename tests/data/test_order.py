from __future__ import annotations

import numpy as np

from deepcore.data._order import Purpose, random_order


def test_it_is_a_permutation() -> None:
    for n in (1, 2, 1000):
        np.testing.assert_array_equal(np.sort(random_order(n, seed=1, purpose=Purpose.SHUFFLE)), np.arange(n))


def test_seed_purpose_and_index_all_matter() -> None:
    orders = [
        random_order(20, seed=0, purpose=Purpose.SHUFFLE),
        random_order(20, seed=1, purpose=Purpose.SHUFFLE),
        random_order(20, seed=0, purpose=Purpose.SPLIT),
        random_order(20, seed=0, purpose=Purpose.SHUFFLE, index=1),
    ]
    assert len({order.tobytes() for order in orders}) == 4


def test_it_is_the_order_of_philox_with_the_documented_key() -> None:
    key = np.array([7, (0x73687566 << 32) + 3], np.uint64)
    numbers = np.random.Philox(key=key).random_raw(30)
    order = random_order(30, seed=7, purpose=Purpose.SHUFFLE, index=3)
    assert (np.diff(numbers[order].astype(object)) > 0).all()


def test_every_place_is_equally_likely() -> None:
    n, repeats = 5, 4000
    orders = np.array([random_order(n, seed=s, purpose=Purpose.SPLIT) for s in range(repeats)])
    counts = np.array([np.bincount(orders[:, place], minlength=n) for place in range(n)])
    expected = repeats / n
    assert ((counts - expected) ** 2 / expected).sum() < 50  # χ² with 16 degrees of freedom: p < 1e-4
