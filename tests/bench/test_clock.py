"""Clocks: what is timed, how often, in what order, and what is made of it."""

from __future__ import annotations

import time

import numpy as np
import pytest

from deepcore.bench.clock import Rounds, Timer, Timing, spread, timer


def test_the_spread_is_that_of_numpy() -> None:
    values = list(np.random.default_rng(0).exponential(size=15))
    assert spread(values) == pytest.approx(tuple(np.quantile(values, (0.25, 0.5, 0.75))))


def test_ratios_are_those_within_a_round() -> None:
    slow, fast = Timing([2.0, 20.0, 200.0], 1), Timing([1.0, 10.0, 100.0], 1)
    assert slow.ratio_to(fast) == (2, 2, 2)


def test_a_timer_computes_as_often_as_it_is_asked_and_waits_once_for_the_last() -> None:
    done, waited = [0], list[int]()

    def compute() -> int:
        done[0] += 1
        return done[0]

    assert timer(compute, waited.append)(7) > 0
    assert done == [7]
    assert waited == [7]


def test_seconds_are_seconds() -> None:
    assert 0.02 <= timer(lambda: time.sleep(0.01))(2) < 1


def test_each_is_once_in_every_round_in_shuffled_order() -> None:
    order: list[str] = []

    def noting(name: str) -> Timer:
        def seconds(repeats: int) -> float:
            order.append(name)
            return 1.0

        return seconds

    names = "abcd"
    rounds = Rounds({name: noting(name) for name in names}, sample_seconds=0.0)
    rounds.warm_up()
    order.clear()
    rounds.run(20)
    turns = ["".join(order[i : i + 4]) for i in range(0, 80, 4)]
    assert all(sorted(turn) == list(names) for turn in turns)
    assert len(set(turns)) > 5
    assert {len(timing.seconds) for timing in rounds.timings().values()} == {20}


def test_samples_are_long_enough_and_the_mean_of_their_computations() -> None:
    asked: list[int] = []

    def a_millisecond_each(repeats: int) -> float:
        asked.append(repeats)
        return repeats * 1e-3

    rounds = Rounds({"x": a_millisecond_each}, sample_seconds=0.05)
    rounds.run(3)
    assert asked[-3:] == [50] * 3
    assert rounds.timings()["x"].spread() == pytest.approx((1e-3,) * 3)
    assert rounds.timings()["x"].repeats == 50


def test_an_interrupted_round_does_not_count() -> None:
    calls = [0]

    def interrupted(repeats: int) -> float:
        calls[0] += 1
        if calls[0] == 6:
            raise KeyboardInterrupt
        return 1.0

    rounds = Rounds({"a": lambda repeats: 1.0, "b": interrupted}, sample_seconds=0.0)
    with pytest.raises(KeyboardInterrupt):
        rounds.run(10)
    found = {name: len(timing.seconds) for name, timing in rounds.timings().items()}
    assert found == {"a": 3, "b": 3}
    assert Rounds({"a": interrupted}).timings() == {}
