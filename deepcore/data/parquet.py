"""Tables in Parquet files, read by pyarrow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import DataError, StorageError
from ._columns import cast, choose, floating, made
from ._optional import arrow, parquet

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import DTypeLike, NDArray

    from ._columns import Column
    from .dataset import Dataset


def read_parquet(
    path: str | os.PathLike[str],
    *,
    target: Column | Sequence[Column] = -1,
    inputs: Sequence[Column] | None = None,
    classes: Sequence[str] | None = None,
    dtype: DTypeLike = np.float32,
    name: str | None = None,
) -> Dataset:
    """Read a data set from a Parquet file, by pyarrow: ``pip install 'deepcore-xp[parquet]'``.

    Parameters
    ----------
    path
        The file.
    target
        The column that is to be predicted, by its name or its number, or several columns of numbers. One column of
        integers or truth values becomes int64, one of texts class labels, and one of other numbers has the type of the
        inputs.
    inputs
        The columns that are given to a model, all of numbers; by default all others.
    classes
        The names of the classes, in the order of their labels; by default those in the file, sorted.
    dtype
        The type of the inputs, a floating-point type.
    name
        What error messages call the data set; the name of the file by default.

    Raises
    ------
    DataError
        For a file that is not in Parquet format or is damaged, a column that does not hold numbers, and values that are
        missing. The message names the file, the column, and the row.
    ConfigError
        For a column that is not there.
    StorageError
        For a file that is missing or cannot be read.
    BackendError
        If pyarrow is not installed.

    Examples
    --------
    >>> data = read_parquet("measurements.parquet", target="kind")  # doctest: +SKIP
    """
    path, number = Path(path), floating(dtype)
    table = _read(path)
    names: list[str] = list(table.column_names)
    chosen, wanted = choose(names, target, inputs, str(path))
    if not table.num_rows:
        message = f"{path} has no rows"
        raise DataError(message)
    x = np.empty((table.num_rows, len(chosen)), number)
    for i, column in enumerate(chosen):
        x[:, i] = cast(_numbers(table.column(column), path, names[column]), number)
    if len(wanted) > 1:
        y: Any = np.stack([cast(_numbers(table.column(i), path, names[i]), number) for i in wanted], axis=1)
    else:
        y = _target(table.column(wanted[0]), path, names[wanted[0]], number, named=classes is not None)
    return made(x, y, path.name if name is None else name, None if classes is None else tuple(classes))


def _read(path: Path) -> Any:
    """Return the table in a file."""
    failure: type[Exception] = arrow.ArrowException
    try:
        with path.open("rb") as stream:
            return parquet.read_table(stream)
    except OSError as error:
        if error.errno is not None:
            message = f"cannot read {path}: {error.strerror or error}"
            raise StorageError(message) from error
        message = f"{path} is damaged: {error}"  # as pyarrow says
        raise DataError(message) from error
    except failure as error:
        message = f"{path} is not in Parquet format, or is damaged: {error}"
        raise DataError(message) from error


def _numbers(column: Any, path: Path, name: str) -> NDArray[Any]:
    """Return a column of numbers, or raise DataError."""
    _check_complete(column, path, name)
    values = np.asarray(column.to_numpy())
    if values.dtype.kind not in "biuf":
        message = f"{path}, column {name!r}: it holds {column.type}, and not numbers; leave it out of inputs"
        raise DataError(message)
    return values


def _check_complete(column: Any, path: Path, name: str) -> None:
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        message = (
            f"{path}, column {name!r}, row {row}: the value is missing, as are {column.null_count} in this column; "
            "fill them in, or remove these rows"
        )
        raise DataError(message)


def _target(column: Any, path: Path, name: str, dtype: np.dtype[Any], *, named: bool) -> Any:
    """Return a column as integers, or numbers, or else as texts."""
    _check_complete(column, path, name)
    if str(column.type).startswith("dictionary"):
        column = column.cast(column.type.value_type)
    if named or str(column.type) in ("string", "large_string", "string_view"):
        return [str(text) for text in column.to_pylist()]
    values = _numbers(column, path, name)
    return cast(values, dtype) if values.dtype.kind == "f" else values.astype(np.int64)
