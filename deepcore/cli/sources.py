"""Data from wherever ``--data`` says: sets by name, archives and arrays of NumPy, tables, and folders of images."""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from .. import data
from .._errors import ConfigError, DataError, StorageError
from ..data._files import reading
from ..data._optional import parquet
from .console import errors
from .named import COMPACT, DEFAULTS, DOWNLOADED, TABLES, named
from .progress import DownloadProgress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO

    from ..data import Dataset

    Column = str | int

PAIRS: Final = (("inputs", "targets"), ("X", "y"), ("x", "y"))
SPLITS: Final = (("X_train", "y_train", "X_test", "y_test"), ("x_train", "y_train", "x_test", "y_test"))
SUFFIXES: Final = (".csv", ".tsv", ".parquet", ".npz", ".npy")


@dataclass(frozen=True)
class Source:
    """Data as they were found.

    Parameters
    ----------
    training
        All samples, or those for training, where the data were published in two parts.
    test
        Those for testing, where they were.
    columns, targets
        Of a table, those that are inputs and targets: names, or positions where they have no names.
    n_columns
        How many columns it has.
    table
        Whether the samples are rows of a table, whose features have units of their own.
    """

    training: Dataset
    test: Dataset | None = None
    columns: tuple[Column, ...] = ()
    targets: tuple[Column, ...] = ()
    n_columns: int = 0
    table: bool = False


def load(
    where: str, *, data_dir: str | None = None, target: Sequence[str] | None = None, size: str | None = None
) -> Source:
    """Return the data of a name or a path.

    Parameters
    ----------
    where
        A data set of :func:`deepcore.data.load` by its name; or a file ``.csv``, ``.tsv`` (compressed by gzip or not),
        ``.parquet``, ``.npz`` or ``.npy``; or a folder with a folder of images for each class.
    data_dir
        Where the files of a data set that is downloaded are.
    target
        The columns of a table that are to be predicted, the array of an archive, or the file of targets of an NPY file.
    size
        What images are resized to: ``"64"``, or height and width, ``"48x64"``.

    Raises
    ------
    ConfigError
        For a name that is none, or an option that does not go with the data.
    DataError
        For data that are damaged or cannot be used.
    StorageError
        For what is missing or cannot be read.
    """
    name, path = named(where), Path(where)
    if name is None and not path.exists():
        msg = f"unknown data {where!r}; the known ones are {', '.join(DEFAULTS)}, and there is no file or folder of it"
        raise ConfigError(msg)
    is_folder = name is None and path.is_dir()
    _check_options(where, name, is_folder=is_folder, data_dir=data_dir, target=target, size=size)
    if name is not None:
        return _named(name, data_dir)
    if is_folder:
        return Source(data.image_folder(path, size=_size(size)))
    kind = kind_of(path)
    if kind == ".npz":
        return _archive(path, target)
    if kind == ".npy":
        return _array(path, target)
    return _table(path, target)


def kind_of(path: Path) -> str:
    """Return the suffix that says how a file is read."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else suffixes[-1] if suffixes else ""
    if kind not in SUFFIXES:
        msg = f"{path} is a file of no known kind; the known ones are {', '.join(SUFFIXES)}, and folders of images"
        raise ConfigError(msg)
    return kind


def _check_options(
    where: str,
    name: str | None,
    *,
    is_folder: bool,
    data_dir: str | None,
    target: Sequence[str] | None,
    size: str | None,
) -> None:
    if data_dir is not None and name not in DOWNLOADED:
        msg = f"--data-dir is for the data sets that are downloaded, {', '.join(DOWNLOADED)}, and not for {where}"
        raise ConfigError(msg)
    if target and (name is not None or is_folder):
        msg = f"--target is for files of tables and arrays; the targets of {where} are known"
        raise ConfigError(msg)
    if size is not None and not is_folder:
        msg = f"--size is for folders of images, and {where} is none"
        raise ConfigError(msg)


def _named(name: str, data_dir: str | None) -> Source:
    if name in DOWNLOADED:
        with DownloadProgress(errors) as progress:
            options = {"compact": True} if name in COMPACT else {}
            found = data.load(name, data_dir=data_dir, progress=progress, **options)
            training, test = cast("tuple[Dataset, Dataset]", found)
        return Source(training, test)
    return Source(cast("Dataset", data.load(name)), table=name in TABLES)


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() and 0 < int(part) < 2**16 for part in parts):
        msg = f"--size is a whole number of pixels, or height and width such as 48x64, not {text!r}"
        raise ConfigError(msg)
    height, width = int(parts[0]), int(parts[-1])
    return height, width


# ------------------------------------------------------------------------------------------------------------- NumPy's


def names_in(path: Path) -> list[str]:
    """Return the names of the arrays in an NPZ archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except zipfile.BadZipFile as error:
        msg = f"{path} is not an NPZ archive, or is damaged: {error}"
        raise DataError(msg) from error
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise StorageError(msg) from error


def inputs_among(names: Sequence[str], path: Path) -> str:
    """Return the array of an archive that has the inputs."""
    for name in ("inputs", "X", "x"):
        if name in names:
            return name
    if len(names) == 1:
        return names[0]
    msg = f"{path} has no array named inputs, X or x; its arrays are {', '.join(names) or 'none'}"
    raise DataError(msg)


def _archive(path: Path, target: Sequence[str] | None) -> Source:
    names = names_in(path)
    if target:
        (wanted,) = _one(target, f"the array of {path}")
        return Source(data.read_npz(path, inputs=inputs_among([n for n in names if n != wanted], path), targets=wanted))
    for x, y, x_test, y_test in SPLITS:
        if {x, y, x_test, y_test} <= set(names):
            training, test = (data.read_npz(path, inputs=a, targets=b) for a, b in ((x, y), (x_test, y_test)))
            return Source(training, test)
    for x, y in PAIRS:
        if {x, y} <= set(names):
            return Source(data.read_npz(path, inputs=x, targets=y))
    pairs = ", ".join(f"{x} and {y}" for x, y in PAIRS)
    msg = (
        f"{path} has no arrays for training: looked for are {pairs}, and with a part for testing x_train, y_train, "
        f"x_test and y_test; its arrays are {', '.join(names) or 'none'}; --target NAME names the targets"
    )
    raise DataError(msg)


def _array(path: Path, target: Sequence[str] | None) -> Source:
    if not target:
        msg = f"{path} has the inputs alone; give the file of the targets: --target targets.npy"
        raise ConfigError(msg)
    (file,) = _one(target, "the file of targets")
    return Source(data.Dataset(data.read_npy(path), data.read_npy(file), name=path.name))


def _one(target: Sequence[str], what: str) -> Sequence[str]:
    if len(target) != 1:
        msg = f"--target names {what}, and is given once, not {len(target)} times"
        raise ConfigError(msg)
    return target


# -------------------------------------------------------------------------------------------------------------- tables


def columns_of(path: Path) -> tuple[list[str], bool]:
    """Return the columns of a table, and whether they have names; their numbers stand for these otherwise."""
    if kind_of(path) == ".parquet":
        return list(_schema(path).names), True
    with reading(path) as stream:
        text = io.TextIOWrapper(cast("IO[bytes]", stream), encoding="utf-8-sig", newline="")
        try:
            first = next((line for line in csv.reader(text, delimiter=delimiter_of(path)) if line), [])
        except (csv.Error, UnicodeError) as error:
            msg = f"{path} is not a table of text in UTF-8: {error}"
            raise DataError(msg) from error
        finally:
            text.detach()
    fields = [field.strip() for field in first]
    if not fields:
        msg = f"{path} is empty"
        raise DataError(msg)
    has_names = not any(map(_is_number, fields))
    return (fields if has_names else [str(i) for i in range(len(fields))]), has_names


def delimiter_of(path: Path) -> str:
    """Return what is between the fields of a table."""
    return "\t" if kind_of(path) == ".tsv" else ","


def read_table(path: Path, *, inputs: Sequence[Column], targets: Sequence[Column]) -> Dataset:
    """Return the samples of a table."""
    target: Any = list(targets) if len(targets) > 1 else targets[0]
    if kind_of(path) == ".parquet":
        return data.read_parquet(path, target=target, inputs=inputs, dtype=np.float64)
    return data.read_csv(path, target=target, inputs=inputs, delimiter=delimiter_of(path), dtype=np.float64)


def _table(path: Path, target: Sequence[str] | None) -> Source:
    names, has_names = columns_of(path)
    chosen = [_position(path, names, text, has_names=has_names) for text in target or ["-1"]]
    if len(set(chosen)) < len(chosen) or len(chosen) == len(names):
        msg = f"{path}: of its {len(names)} columns, {len(chosen)} are targets, of which one is named twice or all are"
        raise ConfigError(msg)
    others = [i for i in range(len(names)) if i not in chosen]

    def called(columns: list[int]) -> tuple[Column, ...]:
        return tuple(names[i] for i in columns) if has_names else tuple(columns)

    columns, targets = called(others), called(chosen)
    dataset = read_table(path, inputs=columns, targets=targets)
    return Source(dataset, columns=columns, targets=targets, n_columns=len(names), table=True)


def _position(path: Path, names: list[str], text: str, *, has_names: bool) -> int:
    """Return the position of a column, which is named or counted from 0, or backwards from -1."""
    if has_names and names.count(text) == 1:
        return names.index(text)
    try:
        if -len(names) <= int(text) < len(names):
            return int(text) % len(names)
    except ValueError:
        pass
    shown = ", ".join(names[:20]) if has_names else f"0 to {len(names) - 1}, which have no names"
    msg = f"--target: {path} has no column {text!r}, or several; its columns are {shown}"
    raise ConfigError(msg)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _schema(path: Path) -> Any:
    failure: tuple[type[Exception], ...] = (ValueError,)  # pyarrow's error of a damaged file is one
    try:
        with path.open("rb") as stream:
            return parquet.read_schema(stream)
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise StorageError(msg) from error
    except failure as error:
        msg = f"{path} is not in Parquet format, or is damaged: {error}"
        raise DataError(msg) from error
