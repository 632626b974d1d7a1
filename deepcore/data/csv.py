"""Tables in text files: comma-separated values."""

from __future__ import annotations

import codecs
import csv
import io
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast

import numpy as np

from .._errors import ConfigError, DataError
from ._columns import cast as to_dtype
from ._columns import choose, floating, made
from ._files import reading

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from numpy.typing import DTypeLike, NDArray

    from ._columns import Column
    from .dataset import Dataset

_CHUNK: Final = 4096  # lines that are converted at once


def read_csv(
    path: str | os.PathLike[str],
    *,
    target: Column | Sequence[Column] = -1,
    inputs: Sequence[Column] | None = None,
    classes: Sequence[str] | None = None,
    header: bool | None = None,
    delimiter: str = ",",
    missing: Sequence[str] = (),
    dtype: DTypeLike = np.float32,
    encoding: str = "utf-8-sig",
    name: str | None = None,
) -> Dataset:
    r"""Read a data set from a table of comma-separated values, compressed by gzip or not.

    Parameters
    ----------
    path
        The file: RFC 4180, with quotation marks around fields that hold delimiters or line breaks. Empty lines are
        passed over.
    target
        The column that is to be predicted, by its name or its number (from 0, or from -1 backwards), or several
        columns of numbers. One column becomes int64 if all of it are whole numbers, class labels with `classes` if
        any of it is no number, and otherwise has the type of the inputs.
    inputs
        The columns that are given to a model, all of numbers; by default all others.
    classes
        The names of the classes, in the order of their labels. By default they are those in the file, sorted, so that
        a part of a table may have other labels than the whole: name them where a table is in several files.
    header
        Whether the first line has the names of the columns. By default it has, if none of its fields is a number.
    delimiter
        What is between the fields: a character.
    missing
        Texts that stand for a missing number, which becomes NaN, for example ``("", "NA", "?")``.
    dtype
        The type of the inputs, a floating-point type.
    encoding
        That of the file.
    name
        What error messages call the data set; the name of the file by default.

    Raises
    ------
    DataError
        For a field that is no number, a line with too many or too few, an empty file, or one that is damaged. The
        message names the file, the line, the column, and the text.
    ConfigError
        For a column that is not there.
    StorageError
        For a file that is missing or cannot be read.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "fruit.csv")
    ...     _ = path.write_text("weight,size,kind\n150,7.5,apple\n120,6,pear\n")
    ...     fruit = read_csv(path, target="kind")
    >>> fruit
    Dataset('fruit.csv', 2 samples, inputs (2,) float32, targets () int64, 2 classes)
    >>> fruit.classes
    ('apple', 'pear')
    """
    path = Path(path)
    if len(delimiter) != 1 or delimiter in '\r\n"':
        message = f"a delimiter is one character, other than a line break or a quotation mark, not {delimiter!r}"
        raise ConfigError(message)
    number = floating(dtype)
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        message = f"there is no encoding {encoding!r}: {error}"
        raise ConfigError(message) from error
    with reading(path) as stream:
        text = io.TextIOWrapper(cast("IO[bytes]", stream), encoding=encoding, newline="")
        try:
            lines = _lines(csv.reader(text, delimiter=delimiter, strict=True), path)
            table = _Table(path, lines, header)
            chosen, targets = choose(table.names, target, inputs, str(path))
            x, y = table.read(chosen, targets, number, frozenset(missing), named=classes is not None)
        except UnicodeError as error:
            message = f"{path} is not text in {encoding}: {error}; name its encoding"
            raise DataError(message) from error
        finally:
            text.detach()
    return made(x, y, path.name if name is None else name, None if classes is None else tuple(classes))


def _lines(reader: Any, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines of a table that are not empty, each with its number in the file."""
    while True:
        first = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            message = f"{path}, line {first}: {error}"
            raise DataError(message) from error
        if fields is None:
            return
        if fields:
            yield first, fields


class _Table:
    """The lines of a file, of which each has as many fields as the first."""

    def __init__(self, path: Path, lines: Iterator[tuple[int, list[str]]], header: bool | None) -> None:
        self._path, self._lines = path, lines
        first = next(lines, None)
        if first is None:
            message = f"{path} is empty"
            raise DataError(message)
        fields = [field.strip() for field in first[1]]
        has_names = not any(_is_number(field) for field in fields) if header is None else header
        self.names = fields if has_names else [f"column {i}" for i in range(len(fields))]
        self._first = [] if has_names else [first]

    def _chunks(self) -> Iterator[list[tuple[int, list[str]]]]:
        while lines := [*self._first, *islice(self._lines, _CHUNK)]:
            self._first = []
            for number, fields in lines:
                if len(fields) != len(self.names):
                    message = (
                        f"{self._path}, line {number}: {len(fields)} fields, and {len(self.names)} are expected, as in "
                        "the first line"
                    )
                    raise DataError(message)
            yield lines

    def read(
        self, inputs: list[int], targets: list[int], dtype: np.dtype[Any], missing: frozenset[str], *, named: bool
    ) -> tuple[NDArray[Any], Any]:
        """Return the inputs, and the targets: an array, or a list of texts."""
        xs: list[NDArray[Any]] = []
        ys: list[NDArray[Any]] = []
        texts: list[str] = []
        for lines in self._chunks():
            xs.append(self._numbers(lines, inputs, dtype, missing))
            if len(targets) > 1:
                ys.append(self._numbers(lines, targets, dtype, missing))
            else:
                texts.extend(fields[targets[0]].strip() for _, fields in lines)
        if not xs:
            message = f"{self._path} has no lines but the names of the columns"
            raise DataError(message)
        x = np.concatenate(xs)
        if len(targets) > 1:
            return x, np.concatenate(ys)
        return x, texts if named else _target(texts, dtype, missing)

    def _numbers(
        self, lines: list[tuple[int, list[str]]], columns: list[int], dtype: np.dtype[Any], missing: frozenset[str]
    ) -> NDArray[Any]:
        """Return some columns of some lines as numbers."""
        rows = [[fields[i] for i in columns] for _, fields in lines]
        if missing:
            rows = [["nan" if text.strip() in missing else text for text in row] for row in rows]
        try:
            return to_dtype(np.array(rows, np.float64), dtype)
        except ValueError as error:
            for (number, _), row in zip(lines, rows, strict=True):
                for i, text in zip(columns, row, strict=True):
                    if not _is_number(text):
                        shown = text if len(text) <= 40 else f"{text[:40]}..."
                        message = (
                            f"{self._path}, line {number}, column {self.names[i]!r}: {shown!r} is no number; correct "
                            "it, leave the column out of inputs, or name texts for what is missing, as in "
                            "missing=('', 'NA')"
                        )
                        raise DataError(message) from error
            raise


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _target(texts: list[str], dtype: np.dtype[Any], missing: frozenset[str]) -> Any:
    """Return a column of texts as integers, or numbers, or else as it is."""
    try:
        return np.array([int(text) for text in texts], np.int64)
    except (ValueError, OverflowError):
        pass
    try:
        return to_dtype(np.array(["nan" if text in missing else text for text in texts], np.float64), dtype)
    except ValueError:
        return texts
