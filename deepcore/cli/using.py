"""What evaluation and prediction have in common: options, a run or a file of weights, and its model on a device."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from .. import optim
from .._device import device as find_device
from .._errors import ConfigError, StorageError
from ..train import Trainer
from . import runs
from .measures import loss_of, metrics_of
from .parts import prepare
from .settings import settled
from .training import filled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .runs import Run

SNAPSHOTS: Final = ("best", "last")

RunOrWeights: TypeAlias = Annotated[Path, typer.Argument(help="Folder of a run, or file of weights.")]
SnapshotOption: TypeAlias = Annotated[
    str | None, typer.Option(help="best or last. Default: the best by validation, else the last.")
]
DeviceOption: TypeAlias = Annotated[str | None, typer.Option(help="Device. Default: DEEPCORE_DEVICE, else cpu.")]
DataFolder: TypeAlias = Annotated[
    Path | None, typer.Option(help="Folder of the files of a data set that is downloaded.")
]
WeightsConfig: TypeAlias = Annotated[
    Path | None, typer.Option("--config", help="For a file of weights: TOML file of the options of its training.")
]
WeightsModel: TypeAlias = Annotated[str | None, typer.Option(help="For a file of weights: its model (mlp).")]
WeightsHidden: TypeAlias = Annotated[str | None, typer.Option(help="For a file of weights: its hidden layers.")]
WeightsActivation: TypeAlias = Annotated[str | None, typer.Option(help="For a file of weights: its activation.")]


def check_snapshot(snapshot: str | None) -> None:
    """See to it that a snapshot is one that there may be.

    Raises
    ------
    ConfigError
        If it is not.
    """
    if snapshot is not None and snapshot not in SNAPSHOTS:
        msg = f"unknown snapshot {snapshot!r}; the known ones are {', '.join(SNAPSHOTS)}"
        raise ConfigError(msg)


def opened(path: Path, *, config: Path | None, given: Mapping[str, Any]) -> Run:
    """Return a run in a folder; or of a file of weights, with the settings that it was trained with.

    Parameters
    ----------
    path
        The folder, or the file.
    config
        A TOML file of the settings that go with a file of weights.
    given
        Further settings, of which those that are None are left out, and paths are as good as their names.

    Raises
    ------
    ConfigError
        For settings where the run has its own.
    StorageError
        If there is nothing of that name.
    """
    chosen: dict[str, Any] = {name: str(x) if isinstance(x, Path) else x for name, x in given.items() if x is not None}
    if not path.exists():
        msg = f"cannot read {path}: there is no folder of a run, and no file of weights of this name"
        raise StorageError(msg)
    if path.is_dir():
        own = [f"--{name.replace('_', '-')}" for name in chosen if name != "data_dir"]
        own += [] if config is None else ["--config"]
        if own:
            msg = f"the run in {path} has its own configuration; {', '.join(own)} is for files of weights"
            raise ConfigError(msg)
        found = runs.open_run(path)
        return replace(found, config=replace(found.config, **chosen))
    settings, parts = prepare(filled(replace(settled(config, chosen), device=None)))  # which may be another machine's
    facts = replace(parts.facts, folder=str(Path.cwd()))
    return runs.Run(path, settings, facts, weights=path)


def trainer_of(run: Run, *, device: str | None = None, snapshot: str | None = None) -> Trainer:
    """Return what evaluates the model of a run, and predicts.

    Raises
    ------
    ConfigError
        For a snapshot that there is not.
    """
    check_snapshot(snapshot)
    model = run.model(snapshot).to(find_device(device))
    precision = "float32" if run.config.precision == "float64" else run.config.precision
    return Trainer(
        model,
        loss_of(run.facts),
        optim.SGD(model.parameters()),  # which is not used
        metrics=metrics_of(run.facts),
        precision=precision,
    )
