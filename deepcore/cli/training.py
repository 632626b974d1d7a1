"""A run from its settings: data, model, training, and what came of it."""

from __future__ import annotations

import math
import shlex
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .. import ops, optim, random
from .._device import device as find_device
from .._device import use_device
from .._errors import BackendError, ConfigError, StateError, StorageError
from ..checkpoint import check_writable, save_weights
from ..graph import compile as compiled
from ..train import (
    Callback,
    Checkpoint,
    CSVLogger,
    EarlyStopping,
    History,
    ObservePlateau,
    SaveWeights,
    TensorBoard,
    Trainer,
)
from . import models, optimizers, runs
from .console import output
from .interruption import StopAfterBatch
from .measures import loss_of, metrics_of
from .named import defaults_of
from .parts import Parts, prepare
from .progress import TrainingProgress
from .reporting import write_report
from .settings import Settings, absolute

if TYPE_CHECKING:
    from .. import nn
    from .._device import Device

PRECISIONS: Final = ("float32", "float64", "bfloat16", "float16")
PICTURES: Final = (".png", ".svg", ".pdf")
NEEDS_MATPLOTLIB: Final = "{} needs Matplotlib; install it with: pip install 'deepcore-xp[plot]'"


@dataclass(frozen=True)
class Training:
    """Everything that a run is made of.

    Parameters
    ----------
    settings
        Every option as it took effect.
    parts
        The data.
    model
        The model.
    trainer
        What trains it.
    """

    settings: Settings
    parts: Parts
    model: nn.Module
    trainer: Trainer


def filled(settings: Settings) -> Settings:
    """Return settings with what follows from the names in them, before any data are loaded.

    Raises
    ------
    ConfigError
        For a name that there is not, or a number out of range.
    """
    known = models.is_known(settings.model)
    settings = optimizers.chosen(settings)
    if settings.precision not in PRECISIONS:
        msg = f"unknown precision {settings.precision!r}; the known ones are {', '.join(PRECISIONS)}"
        raise ConfigError(msg)
    for name in ("hidden", "activation"):
        if getattr(settings, name) is not None and (not known or (name == "activation" and settings.model == "lstm")):
            msg = f"--{name} is not for --model {settings.model}, which decides on that itself"
            raise ConfigError(msg)
    _in_range(settings)
    defaults = defaults_of(settings.data)
    hidden = {"mlp": defaults.hidden, "cnn": models.CHANNELS, "lstm": models.UNITS}.get(settings.model)
    if settings.hidden is None and hidden is not None:
        settings = replace(settings, hidden=list(hidden))
    if settings.activation is None and settings.model in ("mlp", "cnn"):
        settings = replace(settings, activation="relu")
    return replace(
        settings,
        device=str(find_device(settings.device)),
        epochs=settings.epochs or defaults.epochs,
        batch_size=settings.batch_size or (None if settings.optimizer == "lbfgs" else defaults.batch_size),
        # What float16 scales its loss by is looked at, and LBFGS looks at the loss.
        compile=settings.precision != "float16" and settings.optimizer != "lbfgs"
        if settings.compile is None
        else settings.compile,
    )


def _in_range(settings: Settings) -> None:
    """Raise a ConfigError for a number that an option cannot have."""
    for name, least in (("epochs", 1), ("batch_size", 1), ("accumulate", 1), ("patience", 1), ("seed", 0)):
        value = getattr(settings, name)
        if value is not None and value < least:
            msg = f"--{name.replace('_', '-')} is a whole number from {least}, not {value}"
            raise ConfigError(msg)
    for name in ("test_size", "validation_size"):
        size = getattr(settings, name)
        if size is not None and not (0 <= size < 1 or (math.isfinite(size) and size >= 1 and size == int(size))):
            msg = (
                f"--{name.replace('_', '-')} is a share of the samples, such as 0.2, a number of them, or 0 for none, "
                f"not {size}"
            )
            raise ConfigError(msg)
    if not 0 <= settings.dropout < 1:
        msg = f"--dropout is a share from 0 to below 1, not {settings.dropout}"
        raise ConfigError(msg)
    if settings.ema is not None and not 0 < settings.ema < 1:
        msg = f"--ema is a decay between 0 and 1, such as 0.999, not {settings.ema}"
        raise ConfigError(msg)
    if settings.clip_norm is not None and not (math.isfinite(settings.clip_norm) and settings.clip_norm > 0):
        msg = f"--clip-norm is a number above 0, not {settings.clip_norm}"
        raise ConfigError(msg)
    if any(width < 1 for width in settings.hidden or []):
        msg = f"--hidden is whole numbers from 1, not {settings.hidden}"
        raise ConfigError(msg)


def check_files(settings: Settings, *, resuming: bool) -> None:
    """Raise an error unless everything that is to be written can be, before anything takes time."""
    for path in (settings.save, settings.json, settings.csv, settings.plot, settings.report):
        if path is not None:
            check_writable(path)
    if settings.plot is not None and Path(settings.plot).suffix.lower() not in PICTURES:
        msg = f"--plot is a file {', '.join(PICTURES)}, not {settings.plot}"
        raise ConfigError(msg)
    for name, path in (("--plot", settings.plot), ("--report", settings.report)):
        if path is not None and find_spec("matplotlib") is None:
            raise BackendError(NEEDS_MATPLOTLIB.format(name))
    events = None if settings.tensorboard is None else Path(settings.tensorboard)
    if events is not None and events.exists() and not events.is_dir():
        msg = f"cannot save to {events}: it is a file; --tensorboard is a folder"
        raise StorageError(msg)
    if settings.checkpoint is not None and not resuming:
        runs.check_unused(Path(settings.checkpoint))


def prepared(settings: Settings, *, resuming: bool = False, console: Any = None) -> Training:
    """Return a run that can begin.

    Parameters
    ----------
    settings
        Every option, filled.
    resuming
        Whether the folder of the run has one that is gone on with.
    console
        Where progress is shown, if anywhere.
    """
    with ThreadPoolExecutor(1) as other:
        if settings.compile:
            other.submit(_first_program, find_device(settings.device))
        settings, parts = prepare(settings)
    if settings.batch_size is None:  # LBFGS searches along a line, on which the loss has to stay the same function
        settings = replace(settings, batch_size=len(parts.training))
    if not models.is_known(settings.model):
        parts = replace(parts, facts=replace(parts.facts, folder=str(Path.cwd())))
    random.seed(settings.seed)
    with use_device(settings.device):
        model = runs.build(settings, parts.facts)
    steps = math.ceil(math.ceil(len(parts.training) / (settings.batch_size or 1)) / settings.accumulate)
    rate = optimizers.rate(settings, steps)
    model = model.to(find_device(settings.device))
    trainer = Trainer(
        model,
        loss_of(parts.facts),
        optimizers.optimizer(settings, model, rate),
        metrics=metrics_of(parts.facts),
        device=settings.device,
        callbacks=_callbacks(settings, parts, rate, console),
        accumulate=settings.accumulate,
        clip_norm=settings.clip_norm,
        average=None if settings.ema is None else optim.ExponentialMovingAverage(model, settings.ema),
        precision="float32" if settings.precision == "float64" else settings.precision,
        compile=bool(settings.compile),
    )
    if settings.checkpoint is not None:
        folder = Path(settings.checkpoint)
        if resuming and (before := runs.open_run(folder).facts) != replace(parts.facts, folder=before.folder):
            msg = (
                f"the data are not those that the run in {folder} was trained with; resume it with the same data, or "
                "begin another run"
            )
            raise StateError(msg)
        runs.create(folder, absolute(replace(settings, checkpoint=None, quiet=False)), parts.facts)
    return Training(settings, parts, model, trainer)


def _first_program(device: Device) -> None:
    """Compile something small, so that what compiles is there, and begun, when data have been read."""
    zeros = ops.zeros(1, device=device)
    compiled(ops.negative)(zeros)


def _callbacks(
    settings: Settings, parts: Parts, rate: optim.schedules.Schedule | float, console: Any
) -> list[Callback]:
    found: list[Callback] = [] if console is None else [TrainingProgress(console)]
    validates = parts.validation is not None
    plateau = optimizers.plateau_in(rate)
    if plateau is not None:
        found.append(ObservePlateau(plateau, "val_loss" if validates else "loss"))
    if validates:
        # Without --patience nothing stops, but the weights of the best epoch are kept.
        found.append(EarlyStopping("val_loss", patience=settings.patience or 2**31, restore_best=True))
    if settings.save is not None:
        found.append(SaveWeights(Path(settings.save)))
    if settings.csv is not None:
        found.append(CSVLogger(settings.csv))
    if settings.tensorboard is not None:
        found.append(TensorBoard(settings.tensorboard))
    if settings.checkpoint is not None:
        folder = Path(settings.checkpoint)
        found += [
            CSVLogger(folder / runs.HISTORY),
            Checkpoint(folder / runs.CHECKPOINTS, best="val_loss" if validates else None),
        ]
    return [*found, StopAfterBatch()]


def fit(training: Training, *, resuming: bool) -> tuple[History, float]:
    """Train, and return what was measured, and how many seconds that took."""
    settings, parts = training.settings, training.parts
    start = time.perf_counter()
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # the trainer looks at the loss
        history = training.trainer.fit(
            parts.training,
            epochs=settings.epochs or 1,
            batch_size=settings.batch_size or 1,
            validation=parts.validation,
            seed=settings.seed,
            resume=resuming,
        )
    return history, time.perf_counter() - start


def results(training: Training, history: History, seconds: float) -> dict[str, Any]:
    """Return what came of it: what was measured last, or in the best epoch, and of the samples for testing."""
    settings, parts, trainer = training.settings, training.parts, training.trainer
    epoch = history.last
    found: dict[str, Any] = {}
    if parts.validation is not None:
        # The model has the weights of its best epoch now, and those of an average, if there is one.
        epoch = history.best("val_loss")
        trainer = Trainer(
            training.model,
            trainer.loss,
            trainer.optimizer,
            metrics=trainer.metrics,
            device=settings.device,
            precision="float32" if settings.precision == "float64" else settings.precision,
        )
    if parts.test is not None:
        found = {f"test_{name}": value for name, value in trainer.evaluate(parts.test).items()}
    names = ["loss", *(metric.name for metric in trainer.metrics)]
    found |= {f"train_{name}": epoch[name] for name in names}
    if parts.validation is not None:
        found |= {f"validation_{name}": epoch[f"val_{name}"] for name in names}
        found["best_epoch"] = epoch["epoch"]
    if settings.save is not None:
        with trainer.averaged():
            save_weights(settings.save, training.model)
    if settings.plot is not None:
        history.plot(path=settings.plot)
    if settings.report is not None:
        write_report(settings.report, trainer, parts.test or parts.validation, settings, parts.facts, history=history)
    return found | {
        "epochs": len(history),
        "seconds": seconds,
        "samples_per_second": sum(history["samples"]) / sum(history["seconds"]),
        "parameters": training.model.n_parameters,
    }


def resume_command(path: str) -> str:
    """Return the command that goes on with a run."""
    return f"deepcore train --resume {shlex.quote(path)}"


def say_data(training: Training) -> None:
    """Print what is trained on, and the model."""
    settings, parts = training.settings, training.parts
    others = ((parts.validation, "validate"), (parts.test, "test"))
    sizes = [f"{len(parts.training):,} samples to train", *(f"{len(x):,} to {what}" for x, what in others if x)]
    output.print(f"{settings.data}: {', '.join(sizes)}; on {settings.device}", markup=False, soft_wrap=True)
