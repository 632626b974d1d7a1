"""What evaluation and prediction have in common: the model of a run on a device, in the precision of its training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .. import optim
from .._device import device as find_device
from .._errors import ConfigError
from ..train import Trainer
from .measures import loss_of, metrics_of

if TYPE_CHECKING:
    from .runs import Run

SNAPSHOTS = ("best", "last")


def with_options(run: Run, data_dir: Path | None) -> Run:
    """Return a run whose data are in another folder."""
    return run if data_dir is None else replace(run, config=replace(run.config, data_dir=str(data_dir)))


def trainer_of(run: Run, *, device: str | None = None, snapshot: str | None = None) -> Trainer:
    """Return what evaluates the model of a run, and predicts.

    Raises
    ------
    ConfigError
        For a snapshot that there is not.
    """
    if snapshot is not None and snapshot not in SNAPSHOTS:
        msg = f"unknown snapshot {snapshot!r}; the known ones are {', '.join(SNAPSHOTS)}"
        raise ConfigError(msg)
    model = run.model(snapshot).to(find_device(device))
    precision = "float32" if run.config.precision == "float64" else run.config.precision
    return Trainer(
        model,
        loss_of(run.facts),
        optim.SGD(model.parameters()),  # which is not used
        metrics=metrics_of(run.facts),
        precision=precision,
    )
