"""Optimizers and their learning rates by name."""

from __future__ import annotations

import inspect
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from .. import optim
from .._errors import ConfigError
from ..optim import schedules

if TYPE_CHECKING:
    from collections.abc import Callable

    from .. import nn
    from .settings import Settings

OPTIMIZERS: Final[dict[str, Callable[..., optim.BaseOptimizer]]] = {
    "adam": optim.Adam,
    "sgd": optim.SGD,
    "adamw": optim.AdamW,
    "rmsprop": optim.RMSprop,
    "adagrad": optim.Adagrad,
    "adadelta": optim.Adadelta,
    "adamax": optim.Adamax,
    "nadam": optim.NAdam,
    "radam": optim.RAdam,
    "adafactor": optim.Adafactor,
    "lamb": optim.LAMB,
    "lbfgs": optim.LBFGS,
    "lion": optim.Lion,
    "muon": optim.Muon,
    "sam": optim.SAM,
}
MOMENTUM: Final = 0.9
"""Of sgd, which has none by default."""

SCHEDULES: Final[dict[str, Callable[[float, int, int], optim.schedules.Schedule]]] = {
    "constant": lambda lr, steps, epoch: schedules.Constant(lr),
    "cosine": lambda lr, steps, epoch: schedules.CosineDecay(lr, steps=steps),
    "linear": lambda lr, steps, epoch: schedules.PolynomialDecay(lr, steps=steps),
    "step": lambda lr, steps, epoch: schedules.StepDecay(lr, every=max(1, math.ceil(steps / 3))),
    "exponential": lambda lr, steps, epoch: schedules.ExponentialDecay(lr, factor=0.01 ** (1 / steps)),
    "inverse-time": lambda lr, steps, epoch: schedules.InverseTimeDecay(lr, rate=1 / epoch),
    "one-cycle": lambda lr, steps, epoch: schedules.OneCycle(lr, steps=steps),
    "warm-restarts": lambda lr, steps, epoch: schedules.WarmRestarts(lr, period=epoch, factor=2),
    "plateau": lambda lr, steps, epoch: schedules.ReduceOnPlateau(lr, patience=5),
}
"""A schedule for a learning rate, the number of all steps, and of those of an epoch."""


def chosen(settings: Settings) -> Settings:
    """Return settings with what the optimizer has by default where they do not say.

    Raises
    ------
    ConfigError
        For an optimizer or a schedule that there is not, or an option that it has not.
    """
    name = settings.optimizer
    if name not in OPTIMIZERS:
        msg = f"unknown optimizer {name!r}; the known ones are {', '.join(OPTIMIZERS)}"
        raise ConfigError(msg)
    if settings.schedule not in SCHEDULES:
        msg = f"unknown schedule {settings.schedule!r}; the known ones are {', '.join(SCHEDULES)}"
        raise ConfigError(msg)
    known = _options(name)
    for option in ("momentum", "weight_decay"):
        if getattr(settings, option) is not None and option not in known:
            having = ", ".join(other for other in OPTIMIZERS if option in _options(other))
            msg = f"--{option.replace('_', '-')} is an option of {having}, and not of {name}"
            raise ConfigError(msg)
    if name == "lbfgs" and (settings.schedule != "constant" or settings.warmup):
        msg = "lbfgs searches for its own steps; leave --schedule and --warmup out"
        raise ConfigError(msg)
    momentum = settings.momentum
    if momentum is None and name in ("sgd", "sam"):
        momentum = MOMENTUM
    lr = float(known["lr"]) if settings.lr is None else settings.lr
    if not (math.isfinite(lr) and lr > 0):
        msg = f"--lr is a number above 0, not {lr}"
        raise ConfigError(msg)
    if settings.warmup < 0:
        msg = f"--warmup is a number of epochs from 0, not {settings.warmup}"
        raise ConfigError(msg)
    return replace(settings, lr=lr, momentum=momentum)


def _options(name: str) -> dict[str, Any]:
    """Return the options of an optimizer with their defaults. SAM is that of SGD."""
    maker = optim.SGD if name == "sam" else OPTIMIZERS[name]
    return {key: parameter.default for key, parameter in inspect.signature(maker).parameters.items()}


def rate(settings: Settings, steps_of_epoch: int) -> optim.schedules.Schedule | float:
    """Return the learning rate, which a schedule lets depend on the step."""
    lr, epochs = settings.lr or 0.0, settings.epochs or 1
    if settings.schedule == "constant" and not settings.warmup:
        return lr
    warmup = settings.warmup * steps_of_epoch
    steps = max(1, epochs * steps_of_epoch - warmup)
    schedule = SCHEDULES[settings.schedule](lr, steps, steps_of_epoch)
    return schedules.LinearWarmup(schedule, steps=warmup) if warmup else schedule


def plateau_in(lr: optim.schedules.Schedule | float) -> schedules.ReduceOnPlateau | None:
    """Return the schedule that has to be told what was measured, if there is one among a schedule and its parts."""
    if isinstance(lr, schedules.ReduceOnPlateau):
        return lr
    parts = (part for part in lr.parts() if isinstance(part, schedules.Schedule)) if callable(lr) else ()
    return next((found for part in parts if (found := plateau_in(part)) is not None), None)


def optimizer(settings: Settings, model: nn.Module, lr: optim.schedules.Schedule | float) -> optim.BaseOptimizer:
    """Return the optimizer of a model's parameters."""
    options: dict[str, Any] = {"lr": lr}
    for name in ("momentum", "weight_decay"):
        value = getattr(settings, name)
        if value is not None:
            options[name] = value
    if settings.optimizer == "lbfgs":
        options["line_search_fn"] = "strong_wolfe"
    if settings.optimizer == "sam":
        return optim.SAM(optim.SGD(model.parameters(), **options))
    if settings.optimizer == "muon":
        # Muon is for matrices; the others are moved by AdamW, as its authors do.
        matrices = [p for p in model.parameters() if p.ndim == 2]
        others = [p for p in model.parameters() if p.ndim != 2]
        muon = optim.Muon(matrices, **options)
        return optim.Optimizers(muon, optim.AdamW(others, lr=lr)) if others else muon
    return OPTIMIZERS[settings.optimizer](model.parameters(), **options)
