"""NumPy's own formats: NPY, one array, which may stay in its file, and NPZ, several in an archive.

A header is read here rather than by NumPy, because what NumPy raises for a damaged one has no bounds.

Source: NumPy Enhancement Proposal 1, and :mod:`numpy.lib.format`.
"""

from __future__ import annotations

import ast
import math
import re
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._errors import DataError, StorageError
from ._files import read_bytes
from .dataset import Dataset

if TYPE_CHECKING:
    import os
    from typing import IO

    from numpy.typing import NDArray

_MAX_RATIO: Final = 1032  # deflate cannot compress better than this
_MAX_HEADER: Final = 10_000  # bytes, as in NumPy
_MAX_NDIM: Final = 64  # NumPy's
_MAX_SIZE: Final = 2**63 - 1  # bytes, in one array
_NUMBERS: Final = re.compile(r"[<>|=][biufc]\d{1,2}")
_KINDS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what NumPy writes


def read_npy(path: str | os.PathLike[str], *, memory_map: bool = False) -> NDArray[Any]:
    """Read an array from an NPY file, or map the file into memory.

    Parameters
    ----------
    path
        The file, as written by :func:`numpy.save`.
    memory_map
        Whether to leave the array in the file, for reading only. It may then be larger than memory: a data set reads
        the rows of a batch when they are asked for.

    Returns
    -------
    array
        Of numbers, of the type in the file; objects are never unpickled.

    Raises
    ------
    DataError
        For a file that is no such array, is damaged, or is shorter or longer than its header says. A header is not
        believed: memory is taken only for bytes that are there.
    StorageError
        For a file that is missing or cannot be read.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from deepcore.data import Dataset
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/x.npy", np.arange(12.0).reshape(4, 3))
    ...     x = read_npy(f"{folder}/x.npy", memory_map=True)
    ...     Dataset(x, np.arange(4))[[3]][0].tolist()
    [[9.0, 10.0, 11.0]]
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            magic = stream.read(4)
            if magic == b"PK\x03\x04":
                message = f"{path} is an archive of arrays; read it with read_npz"
                raise DataError(message)
            stream.seek(0)
            dtype, shape, fortran = _header(stream, str(path))
            start = stream.tell()
        expected, size = start + math.prod(shape) * dtype.itemsize, path.stat().st_size
        if expected != size:
            message = (
                f"{path} is damaged: its header says {dtype} of shape {shape}, and with this {expected} bytes, but it "
                f"has {size}"
            )
            raise DataError(message)
        mapped = np.memmap(path, dtype, "r", start, shape, "F" if fortran else "C")
    except OSError as error:
        message = f"cannot read {path}: {error.strerror or error}"
        raise StorageError(message) from error
    return mapped if memory_map else np.array(mapped)


def read_npz(
    path: str | os.PathLike[str], *, inputs: str = "inputs", targets: str = "targets", name: str | None = None
) -> Dataset:
    """Read a data set from two arrays of an NPZ archive.

    Parameters
    ----------
    path
        The file, as written by :func:`numpy.savez` or :func:`numpy.savez_compressed`.
    inputs, targets
        The names of the arrays in it.
    name
        What error messages call the data set; the name of the file by default.

    Raises
    ------
    DataError
        For a file that is no such archive or is damaged, arrays that are not there, or do not make a data set. Objects
        are never unpickled, and no memory is taken for more than the file can hold.
    StorageError
        For a file that is missing or cannot be read.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/x.npz", x=np.zeros((4, 3), np.float32), y=np.arange(4))
    ...     read_npz(f"{folder}/x.npz", inputs="x", targets="y")
    Dataset('x.npz', 4 samples, inputs (3,) float32, targets () int64)
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = [_member(archive, path, member) for member in (inputs, targets)]
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        message = f"{path} is not an NPZ archive, or is damaged: {error}"
        raise DataError(message) from error
    except OSError as error:
        message = f"cannot read {path}: {error.strerror or error}"
        raise StorageError(message) from error
    return Dataset(arrays[0], arrays[1], name=path.name if name is None else name)


def _member(archive: zipfile.ZipFile, path: Path, name: str) -> NDArray[Any]:
    """Read one array of an archive."""
    try:
        info = archive.getinfo(f"{name}.npy")
    except KeyError:
        there = ", ".join(repr(member.removesuffix(".npy")) for member in archive.namelist()[:20])
        message = f"{path} has no array {name!r}; its arrays are: {there or 'none'}"
        raise DataError(message) from None
    if info.compress_type not in _KINDS:
        message = f"{name!r} in {path} is compressed by another method than NumPy uses"
        raise DataError(message)
    with archive.open(info) as stream:
        dtype, shape, fortran = _header(stream, f"{name!r} in {path}")
        size = math.prod(shape) * dtype.itemsize
        says = f"{name!r} in {path} is damaged: its header says {dtype} of shape {shape}, which is {size} bytes, but"
        if size > info.compress_size * _MAX_RATIO:
            message = f"{says} {info.compress_size} bytes in the archive cannot hold so many"
            raise DataError(message)
        data = read_bytes(stream, size)
        if len(data) < size or stream.read(1):
            message = f"{says} {'only ' if len(data) < size else 'more than '}{len(data)} follow"
            raise DataError(message)
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _header(stream: IO[bytes], what: str) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    """Return the type and the shape of an array, and whether its elements are in Fortran order."""
    start = stream.read(8)
    widths = {b"\x93NUMPY\x01\x00": 2, b"\x93NUMPY\x02\x00": 4}  # version 3.0 has names of fields in Unicode
    if start not in widths:
        message = f"{what} is not an array in NPY format: it begins with {start.hex(' ')}"
        raise DataError(message)
    length = int.from_bytes(stream.read(widths[start]), "little")
    text = stream.read(min(length, _MAX_HEADER + 1))
    try:
        fields: Any = ast.literal_eval(text.decode("latin-1").strip()) if len(text) == length <= _MAX_HEADER else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        fields = None
    found: dict[Any, Any] = fields if isinstance(fields, dict) else {}
    descr, fortran, shape = found.get("descr"), found.get("fortran_order"), found.get("shape")
    is_tuple = isinstance(shape, tuple) and len(shape) <= _MAX_NDIM and all(type(n) is int and n >= 0 for n in shape)
    if len(found) != 3 or not isinstance(fortran, bool) or shape is None or not is_tuple:
        message = f"{what} is not an array in NPY format, or is damaged: its header is {text[:80]!r}"
        raise DataError(message)
    try:
        dtype = np.dtype(descr) if isinstance(descr, str) and _NUMBERS.fullmatch(descr) else None
    except TypeError:
        dtype = None
    if dtype is None:
        message = f"{what} holds elements of type {descr!r}, and not numbers; objects and texts are not read"
        raise DataError(message)
    # NumPy limits the product of the dimensions that are not 0, also where one is and the array is empty.
    if math.prod(n or 1 for n in shape) * dtype.itemsize > _MAX_SIZE:
        message = f"{what} is damaged: its header says {dtype} of shape {shape}, which no memory can hold"
        raise DataError(message)
    return dtype, shape, fortran
