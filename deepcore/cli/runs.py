"""A run on the disk: what it was trained with, what it found its data to be, and its weights.

The folder of a run has ``config.toml``, every option as it took effect; ``data.json``, what the model has to know of
the data; ``history.csv``, what was measured; and ``checkpoints``, the snapshots with which training is resumed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .. import __version__, float64
from .._errors import ConfigError, DataError, StorageError
from ..checkpoint import CheckpointFolder, load_weights, replace_file
from . import models
from . import settings as options
from .preprocessing import NONE, Preprocessing

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from .. import nn
    from .settings import Settings

CONFIG: Final = "config.toml"
FACTS: Final = "data.json"
HISTORY: Final = "history.csv"
CHECKPOINTS: Final = "checkpoints"
CLASSIFICATION, REGRESSION = TASKS = ("classification", "regression")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a run has found its data to be.

    Parameters
    ----------
    task
        ``"classification"`` or ``"regression"``.
    input_shape
        The shape of a sample.
    n_outputs
        The number of classes, or of numbers that are predicted.
    classes
        The names of the classes; none of a regression.
    columns, targets
        The columns of a table that are inputs and targets, by name, or by position where they have no names.
    n_columns
        How many columns the table has; 0, if the data are none.
    inputs
        What is done to inputs.
    outputs
        What is done to the targets of a regression.
    folder
        Where the model's module is imported from.
    """

    task: str
    input_shape: tuple[int, ...]
    n_outputs: int
    classes: tuple[str, ...] = ()
    columns: tuple[str | int, ...] = ()
    targets: tuple[str | int, ...] = ()
    n_columns: int = 0
    inputs: Preprocessing = NONE
    outputs: Preprocessing = NONE
    folder: str = ""


@dataclass(frozen=True)
class Run:
    """A run that was trained before.

    Parameters
    ----------
    path
        Its folder.
    config
        What it was trained with.
    facts
        What its data are.
    weights
        The file of its weights, where it has no snapshots.
    """

    path: Path
    config: Settings
    facts: Facts
    weights: Path | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of a sample."""
        return self.facts.input_shape

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; none of a regression."""
        return self.facts.classes

    @property
    def checkpoints(self) -> CheckpointFolder:
        """The snapshots."""
        return CheckpointFolder(self.path / CHECKPOINTS)

    def preprocess(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return samples, (n, ...), as the model is to have them.

        Raises
        ------
        DataError
            If they have another shape than those that it was trained with.
        """
        if x.shape[1:] != self.input_shape:
            msg = f"the model of {self.path} takes samples of shape {self.input_shape}, and these have {x.shape[1:]}"
            raise DataError(msg)
        return self.facts.inputs(x)

    def model(self, name: str | None = None) -> nn.Module:
        """Return the model with the weights of a snapshot, in evaluation mode, on the CPU.

        Parameters
        ----------
        name
            ``"best"`` or ``"last"``; by default the best, if there is one. Of averaged weights it is the average.

        Raises
        ------
        StorageError
            If there is no snapshot, or it cannot be read.
        DataError
            If it is damaged.
        StateError
            If the model that the configuration names is not that of the snapshot.
        """
        model = build(self.config, self.facts)
        if self.weights is not None:
            load_weights(self.weights, model)
            return model.eval()
        folder = self.checkpoints
        if name is None:
            name = "best" if "best" in folder.names() else "last"
        state = folder.load(name)
        weights: dict[str, Any] = dict(state["model"])
        average = state.get("average", {"updates": 0})
        if average["updates"]:
            weights |= {key: value for key, value in average.items() if key != "updates"}
        model.load_state_dict(weights)
        return model.eval()


def build(settings: Settings, facts: Facts) -> nn.Module:
    """Return the model of a run with new weights."""
    model = models.build(settings, facts.input_shape, facts.n_outputs, folder=facts.folder)
    return model.astype(float64) if settings.precision == "float64" else model


def open_run(path: str | os.PathLike[str]) -> Run:
    """Return the run in a folder that ``deepcore train --checkpoint`` has written.

    Raises
    ------
    StorageError
        If there is none, or it cannot be read.
    ConfigError
        If its configuration is damaged.
    DataError
        If what it knows of its data is damaged.
    """
    folder = Path(path)
    for name in (CONFIG, FACTS):
        if not (folder / name).is_file():
            msg = f"there is no run in {folder}: it has no {name}; deepcore train --checkpoint {folder} makes one"
            raise StorageError(msg)
    return Run(folder, options.read(folder / CONFIG), _facts(folder / FACTS))


def create(path: Path, settings: Settings, facts: Facts) -> Run:
    """Make the folder of a run, or go on with the one that is there.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"cannot save to {path}: {error.strerror or error}"
        raise StorageError(msg) from error
    options.write(path / CONFIG, settings, comment=f"deepcore {__version__}: deepcore train --config {CONFIG}")
    content = {"deepcore": __version__, **asdict(facts)}
    replace_file(path / FACTS, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
    return Run(path, settings, facts)


def check_unused(path: Path) -> None:
    """Raise a ConfigError if there is a run in a folder, and a StorageError if it is no folder."""
    if path.exists() and not path.is_dir():
        msg = f"cannot save to {path}: it is a file; --checkpoint is a folder"
        raise StorageError(msg)
    if (path / CONFIG).exists():
        msg = (
            f"there is a run in {path} already; go on with it by --resume {path}, give another folder to --checkpoint, "
            "or remove this one"
        )
        raise ConfigError(msg)


def _facts(path: Path) -> Facts:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise StorageError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"{path} is damaged: {error}"
        raise DataError(msg) from error
    try:
        given = {field.name: content[field.name] for field in fields(Facts)}
        for name in ("input_shape", "classes", "columns", "targets"):
            given[name] = tuple(given[name])
        for name in ("inputs", "outputs"):
            given[name] = Preprocessing(**given[name])
            np.dtype(given[name].dtype)
        return Facts(**given)
    except (KeyError, TypeError) as error:
        msg = f"{path} is damaged, or of another version of deepcore: {error!r}"
        raise DataError(msg) from error
