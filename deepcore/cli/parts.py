"""From data as they are found to what a model is trained and tested on: task, labels, parts, and preprocessing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .. import data
from .._errors import ConfigError, DataError
from . import sources
from .named import named
from .preprocessing import Preprocessing, learned
from .runs import CLASSIFICATION, REGRESSION, TASKS, Facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..data import Dataset
    from .settings import Settings

MOST_CLASSES: Final = 50
"""Whole numbers with more values than this are taken for quantities, unless --task says otherwise."""

TEST_SIZE: Final = 0.2
VALIDATION_SIZE: Final = 0.1


@dataclass(frozen=True)
class Parts:
    """The parts of the data, preprocessed, and what a run remembers of them."""

    training: Dataset
    validation: Dataset | None
    test: Dataset | None
    facts: Facts


def prepare(settings: Settings) -> tuple[Settings, Parts]:
    """Return the data that settings ask for in parts, and the settings with what followed from the data.

    Raises
    ------
    ConfigError, DataError, StorageError
        As :func:`deepcore.cli.sources.load` does, and for options that do not go with the data.
    """
    source = sources.load(settings.data, data_dir=settings.data_dir, target=settings.target, size=settings.size)
    if source.training.inputs.dtype.kind not in "biuf":
        msg = f"the inputs of {source.training.name!r} are {source.training.inputs.dtype}, and not real numbers"
        raise DataError(msg)
    task = _task(settings.task, source.training)
    classes: tuple[str, ...] = ()
    if task == CLASSIFICATION:
        classes = classes_of(source.training)
        if len(classes) < 2:
            msg = f"{source.training.name!r} has samples of one class only, {', '.join(classes)}; there have to be two"
            raise DataError(msg)
    training = with_targets(source.training, task, classes)
    test = None if source.test is None else with_targets(source.test, task, classes)
    facts = Facts(
        task=task,
        input_shape=tuple(training.inputs.shape[1:]),
        n_outputs=len(classes) or int(training.targets.shape[1]),
        classes=classes,
        columns=source.columns,
        targets=source.targets,
        n_columns=source.n_columns,
    )
    if settings.test_data is not None:
        test = again(settings, facts)
    settings, training, validation, test = _split(settings, facts, training, test)
    standardize = source.table or task == REGRESSION if settings.standardize is None else settings.standardize
    settings = replace(settings, task=task, standardize=standardize)
    facts = _learned(settings, facts, training)
    validation, test = (None if part is None else preprocessed(part, facts) for part in (validation, test))
    if test is not None:
        test.check_finite()  # now, and not when the model is trained
    return settings, Parts(preprocessed(training, facts), validation, test, facts)


def again(settings: Settings, facts: Facts, where: str | None = None) -> Dataset:
    """Return data of the same kind as those of a run, for testing, with its labels, and not yet preprocessed."""
    where = where or settings.test_data or settings.data
    if facts.columns and named(where) is None and not Path(where).is_dir():
        path = Path(where)
        if sources.kind_of(path) in (".csv", ".tsv", ".parquet"):
            dataset = sources.read_table(path, inputs=facts.columns, targets=facts.targets)
            return with_targets(_fitting(dataset, facts), facts.task, facts.classes)
    source = sources.load(where, data_dir=settings.data_dir, target=settings.target, size=settings.size)
    dataset = source.training if source.test is None else source.test
    return with_targets(_fitting(dataset, facts), facts.task, facts.classes)


def _fitting(dataset: Dataset, facts: Facts) -> Dataset:
    if tuple(dataset.inputs.shape[1:]) != facts.input_shape:
        msg = f"the samples of {dataset.name!r} have shape {dataset.inputs.shape[1:]}, and not {facts.input_shape}"
        raise DataError(msg)
    return dataset


# ------------------------------------------------------------------------------------------------------------- targets


def _task(wanted: str | None, dataset: Dataset) -> str:
    """Return what is to be learned, which the targets tell, if nobody does."""
    if wanted is not None:
        if wanted not in TASKS:
            msg = f"unknown task {wanted!r}; the known ones are {', '.join(TASKS)}"
            raise ConfigError(msg)
        return wanted
    targets = dataset.targets
    if dataset.classes:
        return CLASSIFICATION
    if targets.dtype.kind in "iub" and (targets.ndim == 1 or targets.shape[1:] == (1,)):
        return CLASSIFICATION if len(np.unique(targets)) <= MOST_CLASSES else REGRESSION
    return REGRESSION


def _labels(dataset: Dataset) -> NDArray[np.int64]:
    """Return the targets as whole numbers."""
    targets = np.asarray(dataset.targets)
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.ndim != 1 or targets.dtype.kind not in "iubf" or not np.all(targets == np.round(targets)):
        msg = (
            f"the targets of {dataset.name!r} are no labels of classes, one whole number or word for each sample, but "
            f"{targets.dtype} of shape {targets.shape}; for a regression, give --task regression"
        )
        raise DataError(msg)
    return targets.astype(np.int64)


def classes_of(dataset: Dataset) -> tuple[str, ...]:
    """Return the names of the classes: those of the data, or else their numbers."""
    return dataset.classes or tuple(map(str, np.unique(_labels(dataset)).tolist()))


def with_targets(dataset: Dataset, task: str, classes: Sequence[str]) -> Dataset:
    """Return the samples with labels that count these classes from 0; or of a regression, with rows of numbers."""
    if task == REGRESSION:
        targets = np.asarray(dataset.targets)
        if targets.ndim > 2:
            msg = (
                f"the targets of {dataset.name!r} have shape {targets.shape}; a regression has rows of numbers, (n, m)"
            )
            raise DataError(msg)
        rows = targets.astype(np.float64).reshape(len(targets), -1)
        return replace(dataset, targets=rows, classes=())
    if dataset.classes == tuple(classes):
        return dataset
    values = _labels(dataset)
    names = [dataset.classes[i] if dataset.classes else str(i) for i in np.unique(values).tolist()]
    if strange := [name for name in names if name not in classes]:
        shown = ", ".join(map(repr, strange[:5]))
        msg = f"{dataset.name!r} has samples of {shown}, and the classes that were trained are {', '.join(classes)}"
        raise DataError(msg)
    codes = np.array([list(classes).index(name) for name in names], np.int64)
    return replace(dataset, targets=codes[np.unique(values, return_inverse=True)[1]], classes=tuple(classes))


# --------------------------------------------------------------------------------------------------------------- parts


def _split(
    settings: Settings, facts: Facts, training: Dataset, test: Dataset | None
) -> tuple[Settings, Dataset, Dataset | None, Dataset | None]:
    """Set samples aside for testing and validation."""
    stratify = settings.stratify
    if stratify is None:
        counts = np.bincount(training.targets) if facts.task == CLASSIFICATION else np.zeros(1)
        # Digits are split as they always were: what is reached with them is known.
        stratify = settings.data != "digits" and int(counts.min()) >= 3
    test_size = settings.test_size
    if test is not None:
        if test_size:
            msg = f"--test-size {test_size}: the samples for testing are known already; leave it out"
            raise ConfigError(msg)
        test_size = None
    else:
        test_size = TEST_SIZE if test_size is None else test_size
        if test_size:
            training, test = _aside(training, "test", test_size, settings.seed, stratify=stratify)
    size = settings.validation_size
    if size is None and settings.patience is not None:
        size = VALIDATION_SIZE
    validation = None
    if size:
        training, validation = _aside(training, "validation", size, settings.seed, stratify=stratify)
    elif settings.patience is not None:
        msg = "--patience stops by the loss on validation data; give --validation-size a number above 0"
        raise ConfigError(msg)
    return (
        replace(settings, stratify=stratify, test_size=test_size, validation_size=size),
        training,
        validation,
        test,
    )


def _aside(dataset: Dataset, what: str, size: float, seed: int, *, stratify: bool) -> tuple[Dataset, Dataset]:
    count = int(size) if size >= 1 and size == int(size) else size
    try:
        return data.train_test_split(dataset, test_size=count, seed=seed, stratify=stratify)
    except (ConfigError, DataError) as error:
        message = str(error).replace("test_size", f"--{what}-size").replace("use stratify=False", "give --no-stratify")
        raise type(error)(message) from error


# ------------------------------------------------------------------------------------------------------- preprocessing


def _learned(settings: Settings, facts: Facts, training: Dataset) -> Facts:
    dtype = "float64" if settings.precision == "float64" else "float32"
    try:
        inputs = learned(training.inputs, dtype=dtype, standardize=bool(settings.standardize))
        outputs = Preprocessing(dtype)
        if facts.task == REGRESSION:
            outputs = learned(training.targets, dtype=dtype, standardize=bool(settings.standardize))
    except DataError as error:
        training.check_finite()  # which knows where
        raise error from None
    return replace(facts, inputs=inputs, outputs=outputs)


def preprocessed(dataset: Dataset, facts: Facts) -> Dataset:
    """Return samples as the model is to have them."""
    inputs: Any = facts.inputs
    if inputs.is_identity and dataset.inputs.dtype == np.dtype(inputs.dtype):
        inputs = None
    return dataset.map(inputs, facts.outputs if facts.task == REGRESSION else None)
