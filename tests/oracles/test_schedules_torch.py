"""Schedules against PyTorch: the same learning rate at every step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deepcore.optim import schedules

if TYPE_CHECKING:
    from collections.abc import Callable

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

N = 40
L: Any = torch.optim.lr_scheduler

PAIRS: dict[str, tuple[schedules.Schedule, Callable[[Any], Any]]] = {
    "step": (schedules.StepDecay(0.5, 7, 0.3), lambda o: L.StepLR(o, 7, 0.3)),
    "multistep": (schedules.MultiStepDecay(0.5, (3, 3, 20), 0.3), lambda o: L.MultiStepLR(o, [3, 3, 20], 0.3)),
    "exponential": (schedules.ExponentialDecay(0.5, 0.9), lambda o: L.ExponentialLR(o, 0.9)),
    "inverse time": (schedules.InverseTimeDecay(0.5, 0.2), lambda o: L.LambdaLR(o, lambda t: 1 / (1 + 0.2 * t))),
    "polynomial": (schedules.PolynomialDecay(0.5, 25, 1.7), lambda o: L.PolynomialLR(o, 25, 1.7)),
    "cosine": (schedules.CosineDecay(0.5, N, 0.01), lambda o: L.CosineAnnealingLR(o, N, 0.01)),
    "restarts": (schedules.WarmRestarts(0.5, 6, 1, 0.01), lambda o: L.CosineAnnealingWarmRestarts(o, 6, 1, 0.01)),
    "longer": (schedules.WarmRestarts(0.5, 3, 2, 0.01), lambda o: L.CosineAnnealingWarmRestarts(o, 3, 2, 0.01)),
    "cycle": (schedules.OneCycle(0.5, N + 1), lambda o: L.OneCycleLR(o, 0.5, total_steps=N + 1)),
    "cycle of three": (
        schedules.OneCycle(0.5, N + 1, 0.2, 10.0, 50.0, "linear", three_phases=True),
        lambda o: L.OneCycleLR(
            o,
            0.5,
            total_steps=N + 1,
            pct_start=0.2,
            div_factor=10.0,
            final_div_factor=50.0,
            anneal_strategy="linear",
            three_phase=True,
        ),
    ),
    "warm-up": (schedules.LinearWarmup(0.5, 8, 0.25), lambda o: L.LinearLR(o, 0.25, 1.0, 8)),
    "constant": (schedules.Chained((0.1, 0.5), (5,)), lambda o: L.ConstantLR(o, 0.2, 5)),
    "chained": (
        schedules.Chained((schedules.ExponentialDecay(0.5, 0.9), schedules.StepDecay(0.5, 4, 0.5)), (11,)),
        lambda o: L.SequentialLR(o, [L.ExponentialLR(o, 0.9), L.StepLR(o, 4, 0.5)], [11]),
    ),
}


@pytest.mark.parametrize(("ours", "theirs"), PAIRS.values(), ids=PAIRS)
def test_learning_rates(ours: schedules.Schedule, theirs: Callable[[Any], Any]) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    scheduler = theirs(optimizer)
    expected: list[float] = []
    for _ in range(N + 1):
        expected.append(optimizer.param_groups[0]["lr"])
        if len(expected) <= N:
            optimizer.step()
            scheduler.step()
    assert [ours(t) for t in range(N + 1)] == pytest.approx(expected, rel=1e-12, abs=1e-17)


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("cooldown", [0, 3])
def test_plateaus(largest: bool, relative: bool, cooldown: int) -> None:
    options: dict[str, Any] = {"factor": 0.5, "patience": 2, "threshold": 0.05, "cooldown": cooldown, "min_lr": 1e-3}
    ours = schedules.ReduceOnPlateau(0.5, largest=largest, relative=relative, **options)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    modes = {"mode": "max" if largest else "min", "threshold_mode": "rel" if relative else "abs"}
    theirs = L.ReduceLROnPlateau(optimizer, **modes, **options)
    falls = 0
    values = 2.0 + np.random.default_rng(0).normal(size=80).cumsum() / 10
    for value in [*values, math.nan, math.nan]:
        before = ours(0)
        ours.observe(float(value))
        theirs.step(float(value))
        assert ours(0) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-14)
        falls += ours(0) < before
    assert falls > 4
