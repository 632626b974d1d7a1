"""The IDX format, in which MNIST and its relatives are published: one array of numbers per file.

A file is a header and the elements, all of it big-endian: two zero bytes, one byte for the type of the elements, one
for the number of dimensions, four bytes for each dimension, and the elements in C order.

Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", section "File formats".
"""

from __future__ import annotations

import gzip
import math
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from .._errors import DataError
from .._files import replacing
from ._files import Gunzipped, read_bytes, reading

if TYPE_CHECKING:
    import os
    from io import BufferedIOBase

    from numpy.typing import NDArray

_DTYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}
_NAMES = ", ".join(dtype.name for dtype in _CODES)
_MAX_NDIM = 64  # NumPy's
_MAX_SIZE = 2**63 - 1  # bytes, in one array
_MAX_RATIO = 1032  # deflate cannot compress better than this
_CHUNK = 1 << 20  # bytes


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read an array from an IDX file, compressed by gzip (whatever its name) or not.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    array
        uint8, int8, int16, int32, float32 or float64, in the byte order of this machine, writable.

    Raises
    ------
    DataError
        For a file that is not in IDX format, is damaged, or is shorter or longer than its header says. A header is not
        believed: memory is taken only for bytes that are there.
    StorageError
        For a file that is missing or cannot be read.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_idx(f"{folder}/x.gz", np.array([[1.5, 2.0]], np.float32))
    ...     read_idx(f"{folder}/x.gz")
    array([[1.5, 2. ]], dtype=float32)
    """
    path = Path(path)
    with reading(path) as stream:
        dtype, shape = _read_header(stream, path)
        size = math.prod(shape) * dtype.itemsize
        says = f"{path} is damaged: its header says {dtype.name} of shape {shape}, which is {size} bytes, but"
        if isinstance(stream, Gunzipped) and path.is_file() and size > path.stat().st_size * _MAX_RATIO:
            message = f"{says} a gzip file of {path.stat().st_size} bytes cannot hold so many; fetch or make it again"
            raise DataError(message)
        data = read_bytes(stream, size)
        if len(data) < size:
            message = f"{says} only {len(data)} follow; fetch or make it again"
            raise DataError(message)
        # Reading on also makes gzip compare its checksum, which it does at the end of the stream.
        if extra := len(read_bytes(stream, _CHUNK)):
            count = f"{size + extra} or more" if extra == _CHUNK else size + extra
            message = f"{says} {count} follow; fetch or make it again"
            raise DataError(message)
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def write_idx(path: str | os.PathLike[str], array: NDArray[Any]) -> None:
    """Write an array to an IDX file, compressed by gzip if its name ends in ``.gz``.

    The same array gives the same bytes, whenever it is written. The file appears when it is complete, and replaces
    one of the same name.

    Parameters
    ----------
    path
        The file.
    array
        uint8, int8, int16, int32, float32 or float64, in any byte order, of at least one dimension.

    Raises
    ------
    DataError
        For an array that the format cannot hold.
    StorageError
        For a file that cannot be written.

    Examples
    --------
    See `read_idx`.
    """
    path = Path(path)
    dtype = array.dtype.newbyteorder(">")
    if dtype not in _CODES:
        message = f"the IDX format holds {_NAMES}, not {array.dtype}; convert the array with astype"
        raise DataError(message)
    if array.ndim == 0 or max(array.shape) >= 2**32:
        message = f"the IDX format holds arrays of 1 or more dimensions below 2**32, not of shape {array.shape}"
        raise DataError(message)
    header = struct.pack(f">HBB{array.ndim}I", 0, _CODES[dtype], array.ndim, *array.shape)
    content = header + array.astype(dtype, copy=False).tobytes()
    with replacing(path) as file:
        if path.suffix != ".gz":
            file.write(content)
        else:
            # neither name nor time, so that equal arrays make equal files
            with gzip.GzipFile("", "wb", compresslevel=9, fileobj=file, mtime=0) as compressed:
                compressed.write(content)


def _read_header(stream: BufferedIOBase, path: Path) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return the type and the shape of the array in an IDX file."""
    magic = read_bytes(stream, 4)
    if len(magic) < 4:
        message = f"{path} is not an IDX file: it has {len(magic)} bytes, and the header begins with 4"
        raise DataError(message)
    zeros, code, ndim = struct.unpack(">HBB", magic)
    if zeros or code not in _DTYPES or not 1 <= ndim <= _MAX_NDIM:
        message = (
            f"{path} is not an IDX file, or is damaged: it begins with the bytes {magic.hex(' ')}, and not with 00 00, "
            f"a type ({', '.join(f'{code:02x}' for code in _DTYPES)}), and a number of dimensions (01 to 40)"
        )
        raise DataError(message)
    sizes = read_bytes(stream, 4 * ndim)
    if len(sizes) < 4 * ndim:
        message = f"{path} is damaged: its header has {4 + len(sizes)} bytes, and {4 + 4 * ndim} are expected"
        raise DataError(message)
    dtype, shape = _DTYPES[code], cast("tuple[int, ...]", struct.unpack(f">{ndim}I", sizes))
    # NumPy limits the product of the dimensions that are not 0, also where one is and the array is empty.
    if math.prod(n or 1 for n in shape) * dtype.itemsize > _MAX_SIZE:
        message = f"{path} is damaged: its header says {dtype.name} of shape {shape}, which no memory can hold"
        raise DataError(message)
    return dtype, shape
