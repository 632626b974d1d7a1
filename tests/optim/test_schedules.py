"""Schedules: where they begin and end, what they refuse, and what they remember."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import optim
from deepcore.optim import schedules

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY: dict[str, schedules.Schedule] = {
    "Constant": schedules.Constant(0.5),
    "StepDecay": schedules.StepDecay(1.0, every=3, factor=0.5),
    "MultiStepDecay": schedules.MultiStepDecay(1.0, (2, 2, 5), factor=0.5),
    "ExponentialDecay": schedules.ExponentialDecay(1.0, 0.9),
    "InverseTimeDecay": schedules.InverseTimeDecay(1.0, 0.5, power=0.7),
    "PolynomialDecay": schedules.PolynomialDecay(1.0, 20, power=2.0, end=0.1),
    "CosineDecay": schedules.CosineDecay(1.0, 20, end=0.1),
    "WarmRestarts": schedules.WarmRestarts(1.0, 5, factor=2, end=0.1),
    "OneCycle": schedules.OneCycle(1.0, 20),
    "LinearWarmup": schedules.LinearWarmup(schedules.CosineDecay(1.0, 15), 5, start=0.1),
    "Chained": schedules.Chained((0.3, schedules.ExponentialDecay(1.0, 0.9)), (4,)),
    "PerEpoch": schedules.PerEpoch(schedules.ExponentialDecay(1.0, 0.5), steps=4),
    "ReduceOnPlateau": schedules.ReduceOnPlateau(1.0),
}


def test_every_schedule_is_in_the_table() -> None:
    kinds = {name for name in dir(schedules) if hasattr(getattr(schedules, name), "load_state_dict")}
    assert kinds == {"Schedule", *EVERY}


@pytest.mark.parametrize("schedule", EVERY.values(), ids=EVERY)
def test_learning_rates_are_numbers_that_do_not_depend_on_the_order_of_asking(schedule: schedules.Schedule) -> None:
    forwards = [schedule(t) for t in range(60)]
    assert forwards == [schedule(t) for t in reversed(range(60))][::-1]
    assert {type(lr) for lr in forwards} == {float}
    assert all(0.0 <= lr <= 1.0 for lr in forwards)


@pytest.mark.parametrize("schedule", EVERY.values(), ids=EVERY)
def test_an_optimizer_asks_with_the_number_of_steps_taken(schedule: schedules.Schedule) -> None:
    w = dc.asarray([0.0], dtype=dc.float64, requires_grad=True)
    optimizer = optim.SGD([w], lr=schedule)
    expected = 0.0
    for step in range(8):
        assert optimizer.lr == schedule(step)
        w.grad = dc.ones(1, dtype=dc.float64)
        optimizer.step()
        expected -= schedule(step)
    assert w.item() == pytest.approx(expected, rel=1e-15)


def test_any_function_will_do_and_each_group_has_its_own() -> None:
    a, b = (dc.asarray([0.0], dtype=dc.float64, requires_grad=True) for _ in range(2))
    half = schedules.ExponentialDecay(0.5, 0.5)
    optimizer = optim.SGD([{"params": [a], "lr": half}, {"params": [b]}], lr=lambda step: 1.0 + step)
    for _ in range(2):
        a.grad = b.grad = dc.ones(1, dtype=dc.float64)
        optimizer.step()
    assert (a.item(), b.item()) == (-0.75, -3.0)


def test_a_frozen_parameter_does_not_stop_the_clock() -> None:
    a, b = (dc.asarray([0.0], dtype=dc.float64, requires_grad=True) for _ in range(2))
    optimizer = optim.SGD([a, b], lr=schedules.ExponentialDecay(1.0, 0.5))
    for step in range(3):
        a.grad = dc.ones(1, dtype=dc.float64)
        b.grad = dc.ones(1, dtype=dc.float64) if step == 2 else None
        optimizer.step()
    assert (a.item(), b.item()) == (-1.75, -0.25)


def test_momentum_may_have_a_schedule_too() -> None:
    w = dc.asarray([0.0], dtype=dc.float64, requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0, momentum=lambda step: 0.5 if step < 2 else 0.0)
    expected = [-1.0, -2.5, -3.5]
    for value in expected:
        w.grad = dc.ones(1, dtype=dc.float64)
        optimizer.step()
        assert w.item() == value
    with pytest.raises(dc.ConfigError, match=r"momentum is from 0 up to, but without, 1, not 1\.5"):
        optim.SGD([w], momentum=lambda step: 1.5)


def test_beyond_the_end() -> None:
    assert schedules.PolynomialDecay(1.0, 10, end=0.2)(1000) == pytest.approx(0.2)
    assert schedules.CosineDecay(1.0, 10, end=0.2)(1000) == pytest.approx(0.2)
    assert schedules.OneCycle(1.0, 20)(1000) == pytest.approx(1 / 25 / 1e4)
    assert schedules.WarmRestarts(1.0, 7)(7 * 10**9) == 1.0


# ---------------------------------------------------------------------------------------------------------- plateaus


def plateau_then(values: list[float], **options: Any) -> float:
    plateau = schedules.ReduceOnPlateau(1.0, **options)
    for value in values:
        plateau.observe(value)
    return plateau(0)


def test_a_plateau() -> None:
    assert plateau_then([1.0] * 3, patience=2, factor=0.5) == 1.0
    assert plateau_then([1.0] * 4, patience=2, factor=0.5) == 0.5
    assert plateau_then([1.0] * 7, patience=2, factor=0.5) == 0.25
    assert plateau_then([1.0] * 7, patience=2, factor=0.5, min_lr=0.3) == 0.3
    assert plateau_then([1.0] * 7, patience=2, factor=0.5, cooldown=3) == 0.5
    assert plateau_then([math.nan] * 4, patience=2, factor=0.5) == 0.5
    assert plateau_then([0.1, 0.2, 0.3], patience=0, factor=0.5, largest=True) == 1.0
    assert plateau_then([0.3, 0.2, 0.1], patience=0, factor=0.5, largest=True) == 0.25


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: schedules.LinearWarmup(s, 3)], ids=["plain", "inside"])
def test_what_a_plateau_remembers_is_saved_with_the_optimizer(wrap: Callable[[Any], Any]) -> None:
    def made() -> tuple[schedules.ReduceOnPlateau, optim.Optimizer]:
        plateau = schedules.ReduceOnPlateau(0.1, patience=1, cooldown=2)
        return plateau, optim.Adam([dc.zeros(2, requires_grad=True)], lr=wrap(plateau))

    one, first = made()
    for value in (3.0, 2.0, 2.0):
        one.observe(value)
    saved = {name: np.asarray(value) for name, value in first.state_dict().items()}
    two, second = made()
    second.load_state_dict(saved)
    assert two.state_dict() == one.state_dict()
    for plateau in (one, two):
        plateau.observe(2.0)
    assert one.lr == two.lr == pytest.approx(0.01)
    with pytest.raises(dc.StateError, match=r"remember|the state has lr, best, waiting, cooling, not worst"):
        second.load_state_dict({"steps": [0], "schedule.0.worst": 1.0})


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES: list[tuple[Callable[[], object], str]] = [
    (lambda: schedules.Constant(-1.0), "the learning rate is at least 0 and finite, not -1"),
    (lambda: schedules.StepDecay(1.0, every=0), "every is at least 1, not 0"),
    (lambda: schedules.StepDecay(1.0, every=1, factor=1.1), "factor is from 0 to 1, not 1.1"),
    (lambda: schedules.MultiStepDecay(1.0, (3, 2)), r"the milestones are in order, not \(3, 2\)"),
    (lambda: schedules.ExponentialDecay(1.0, -0.1), "factor is from 0 to 1"),
    (lambda: schedules.InverseTimeDecay(1.0, math.nan), "rate is at least 0"),
    (lambda: schedules.PolynomialDecay(1.0, 0), "steps is at least 1"),
    (lambda: schedules.CosineDecay(math.inf, 5), "the learning rate is at least 0 and finite, not inf"),
    (lambda: schedules.WarmRestarts(1.0, 5, factor=0), "factor is at least 1"),
    (lambda: schedules.OneCycle(1.0, 3), r"steps \* rise is above 1"),
    (lambda: schedules.OneCycle(1.0, 30, shape="square"), "shape is 'cosine' or 'linear', not 'square'"),
    (lambda: schedules.OneCycle(1.0, 30, rise=0.6, three_phases=True), "with three phases rise is below 0.5"),
    (lambda: schedules.LinearWarmup(0.1, 0), "steps is at least 1"),
    (lambda: schedules.Chained((0.1, 0.2), ()), "2 schedules need one milestone less, not 0"),
    (lambda: schedules.Chained((0.1, 0.2, 0.3), (5, 5)), "the milestones are above 0 and in order"),
    (lambda: schedules.ReduceOnPlateau(1.0, factor=1.0), "factor is below 1"),
    (lambda: schedules.ReduceOnPlateau(1.0, patience=-1), "patience is at least 0"),
]


@pytest.mark.parametrize(("make", "message"), MISTAKES)
def test_mistakes(make: Callable[[], object], message: str) -> None:
    with pytest.raises(dc.ConfigError, match=message):
        make()
