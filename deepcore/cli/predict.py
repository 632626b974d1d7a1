"""``deepcore predict``."""

from __future__ import annotations

import csv
import io
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import typer

from .. import data
from .._errors import ConfigError, DataError, StorageError
from ..checkpoint import check_writable, replace_file
from ..data.images import SUFFIXES as IMAGES
from ..data.images import ImageRows
from . import sources, using
from .console import errors
from .named import named
from .runs import CLASSIFICATION
from .settings import widths

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from .runs import Run

STANDARD: Final = "-"
OUTPUTS: Final = (".csv", ".tsv", ".npz", ".npy")


def predict(
    run: using.RunOrWeights,
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="File .csv, .tsv, .parquet, .npz or .npy, an image, a folder of images, or a data set by its name; "
            "- for CSV or NPZ from stdin.",
        ),
    ] = STANDARD,
    result: Annotated[
        str, typer.Option("--output", "-o", help="File .csv, .tsv, .npz or .npy; - for CSV to stdout.")
    ] = STANDARD,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", "-p", help="Add the probability of every class.")
    ] = False,
    snapshot: using.SnapshotOption = None,
    device: using.DeviceOption = None,
    data_dir: using.DataFolder = None,
    trained_with: Annotated[
        str | None, typer.Option("--data", help="For a file of weights: the data that it was trained with (digits).")
    ] = None,
    weights_config: using.WeightsConfig = None,
    model: using.WeightsModel = None,
    hidden: using.WeightsHidden = None,
    activation: using.WeightsActivation = None,
) -> None:
    """Predict classes or numbers for new samples, with what was done to the inputs in training.

    A table needs the columns that the run was trained with, in any order; others are passed over.

    Examples
    --------
      deepcore predict runs/houses new-houses.csv

      deepcore predict runs/digits scans.npz --probabilities --output classes.csv

      cut -d, -f2- new-houses.csv | deepcore predict runs/houses > prices.csv
    """
    given = {"data": trained_with, "model": model, "hidden": widths(hidden), "activation": activation}
    found = using.opened(run, config=weights_config, given={**given, "data_dir": data_dir})
    if result != STANDARD:
        _check_output(Path(result))
    if probabilities and found.facts.task != CLASSIFICATION:
        msg = f"the run in {run} predicts numbers, which have no probabilities; leave --probabilities out"
        raise ConfigError(msg)
    with _input(source) as path:
        names, samples = _samples(found, path)
        columns = _predicted(found, samples, probabilities=probabilities, snapshot=snapshot, device=device)
    if names:
        columns = {"file": np.asarray(names), **columns}
    _write(columns, result)


# --------------------------------------------------------------------------------------------------------------- input


@contextmanager
def _input(source: str) -> Generator[str]:
    """Yield a data set's name, or the path of what is read, into which standard input is copied."""
    if source != STANDARD:
        yield source
        return
    if sys.stdin.isatty():
        msg = "there is no input: name a file, or send one to standard input, as in `deepcore predict RUN < new.csv`"
        raise ConfigError(msg)
    content = sys.stdin.buffer.read()
    if not content:
        msg = "standard input is empty; it has to be a table of comma-separated values, or an NPZ or Parquet file"
        raise DataError(msg)
    magic = {b"PK\x03\x04": ".npz", b"\x93NUM": ".npy", b"PAR1": ".parquet"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"stdin{magic.get(content[:4], '.csv')}")
        path.write_bytes(content)
        yield str(path)


def _samples(run: Run, where: str) -> tuple[list[str], Any]:
    """Return the samples, as the model is to have them, and the names of files of images."""
    path = Path(where)
    if named(where) is None and not path.exists():
        msg = f"cannot read {where}: there is no file or folder of this name"
        raise StorageError(msg)
    if named(where) is not None:
        found = sources.load(where, data_dir=run.config.data_dir)
        return [], run.preprocess(np.asarray((found.test or found.training).inputs))
    if path.is_dir() or path.suffix.lower() in IMAGES:
        return _images(run, path)
    kind = sources.kind_of(path)
    if kind == ".npz":
        # The array is read as a data set's inputs and targets both.
        name = sources.inputs_among(sources.names_in(path), path)
        return [], run.preprocess(np.asarray(data.read_npz(path, inputs=name, targets=name).inputs))
    if kind == ".npy":
        return [], run.preprocess(data.read_npy(path))
    return [], _rows(run, path)


def _images(run: Run, path: Path) -> tuple[list[str], Any]:
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in IMAGES) if path.is_dir() else [path]
    shape = run.input_shape
    if len(shape) != 3 or shape[0] != 3:
        msg = f"the model of {run.path} takes samples of shape {shape}, and no images of three colours"
        raise DataError(msg)
    if not files:
        msg = f"there are no images in {path}, which are files with one of the suffixes {', '.join(IMAGES)}"
        raise DataError(msg)
    images = ImageRows(files, size=shape[1:])
    return [str(file) for file in files], run.preprocess(np.asarray(images))


def _rows(run: Run, path: Path) -> Any:
    """Return the rows of a table."""
    facts = run.facts
    names, has_names = sources.columns_of(path)
    columns: tuple[str | int, ...] = facts.columns or tuple(range(len(names)))
    if isinstance(columns[0], str) and has_names:
        if missing := [column for column in columns if column not in names]:
            shown = ", ".join(map(str, missing[:10]))
            msg = f"{path} has no column {shown}, which the model needs; its columns are {', '.join(names[:20])}"
            raise DataError(msg)
    elif len(names) == len(columns):
        columns = tuple(range(len(names)))  # the inputs alone, in their order
    elif len(names) != facts.n_columns or isinstance(columns[0], str):
        msg = (
            f"{path} has {len(names)} columns, and the model takes {len(columns)}: {', '.join(map(str, columns[:20]))}"
        )
        raise DataError(msg)
    # Any column of numbers will do as the target, which is not looked at.
    return run.preprocess(sources.read_table(path, inputs=columns, targets=columns[:1]).inputs)


# -------------------------------------------------------------------------------------------------------------- output


def _predicted(
    run: Run, samples: Any, *, probabilities: bool, snapshot: str | None, device: str | None
) -> dict[str, NDArray[Any]]:
    """Return the columns of the result by their names."""
    facts = run.facts
    finite = np.isfinite(samples).reshape(len(samples), -1).all(axis=1)
    if not finite.all():
        msg = f"sample {int(np.argmin(finite))} has a value that is NaN or infinite; fill it in, or remove the sample"
        raise DataError(msg)
    scores = using.trainer_of(run, device=device, snapshot=snapshot).predict(samples).astype(np.float64)
    if facts.task != CLASSIFICATION:
        values = facts.outputs.inverse(scores)
        names = [str(name) if isinstance(name, str) else f"target {name}" for name in facts.targets]
        if len(names) != values.shape[1]:
            names = ["prediction"] if values.shape[1] == 1 else [f"prediction {i}" for i in range(values.shape[1])]
        return {name: values[:, i] for i, name in enumerate(names)}
    (target,) = [name for name in facts.targets if isinstance(name, str)] or ["class"]
    columns: dict[str, NDArray[Any]] = {target: np.asarray(facts.classes)[scores.argmax(axis=1)]}
    if probabilities:
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        columns |= {f"p({name})": shares[:, i] for i, name in enumerate(facts.classes)}
    return columns


def _check_output(path: Path) -> None:
    if path.suffix.lower() not in OUTPUTS:
        msg = f"--output is a file {', '.join(OUTPUTS)}, or - for standard output, not {path}"
        raise ConfigError(msg)
    check_writable(path)


def _write(columns: dict[str, NDArray[Any]], result: str) -> None:
    kind = ".csv" if result == STANDARD else Path(result).suffix.lower()
    if kind == ".npz":
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **columns)
        replace_file(result, content.getvalue())
        return
    if kind == ".npy":
        content = io.BytesIO()
        values = [column for name, column in columns.items() if name != "file"]
        np.save(content, values[0] if len(values) == 1 else np.stack(values, axis=1), allow_pickle=False)
        replace_file(result, content.getvalue())
        return
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t" if kind == ".tsv" else ",", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(map(_field, column.tolist()) for column in columns.values()), strict=True))
    if result == STANDARD:
        typer.echo(text.getvalue(), nl=False)
    else:
        replace_file(result, text.getvalue().encode())
        errors.print(f"predictions: {result}", markup=False, soft_wrap=True)


def _field(value: Any) -> str:
    """Return a number in the digits that it has in single precision, and a word as it is."""
    return value if isinstance(value, str) else f"{value:.7g}"
