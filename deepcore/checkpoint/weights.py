"""Weights in files, in safetensors format: nothing is ever unpickled, and a file is replaced whole or not at all."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import safetensors
from safetensors import SafetensorError
from safetensors.numpy import save

from .._errors import DataError, StorageError
from .._files import replacing

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from ..nn import Module

FORMAT = {"format": "deepcore weights 1"}  # one entry: safetensors writes several in random order
_deserialize: Any = safetensors.deserialize  # it has no types
_TYPES: dict[str, Any] = {
    "BOOL": np.bool_,
    "F16": np.float16,
    "F32": np.float32,
    "F64": np.float64,
    "C64": np.complex64,
    "I8": np.int8,
    "I16": np.int16,
    "I32": np.int32,
    "I64": np.int64,
    "U8": np.uint8,
    "U16": np.uint16,
    "U32": np.uint32,
    "U64": np.uint64,
    "BF16": ml_dtypes.bfloat16,  # which safetensors.numpy saves, and does not load
}


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise a StorageError unless a file can be written there. Ask before training, not after."""
    target = _file(path)
    # The name is known before there is a file, so that not even Ctrl-C can leave one behind.
    probe = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    try:
        probe.open("xb").close()
    except OSError as error:
        msg = f"cannot save to {target}: {error.strerror or error}"
        raise StorageError(msg) from error
    finally:
        with suppress(OSError):
            probe.unlink()


def _file(path: str | os.PathLike[str]) -> Path:
    """Return a path that is a file or can become one."""
    target = Path(path)
    problem = ""
    try:
        if target.is_dir():
            problem = "it is a folder; give the name of a file in it"
        elif target.exists() and not target.is_file():
            problem = "it is a device or a pipe, which a file would replace"
    except OSError as error:
        problem = error.strerror or str(error)
    if problem:
        msg = f"cannot save to {target}: {problem}"
        raise StorageError(msg)
    return target


def save_weights(path: str | os.PathLike[str], model: Module) -> None:
    """Save the parameters and buffers of a model.

    Parameters
    ----------
    path
        The file. What was there stays whole until the new content is on the disk.
    model
        The model.

    Raises
    ------
    StorageError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from deepcore import nn
    >>> from deepcore.checkpoint import load_weights, save_weights
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "line.safetensors"
    >>> save_weights(path, nn.Dense(2, 1))
    >>> load_weights(path, nn.Dense(2, 1))
    """
    arrays = {name: value.numpy().copy(order="C") for name, value in model.state_dict().items()}
    replace_file(path, save(arrays, metadata=FORMAT))


def replace_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that at every moment either the old or the new content is there, whole."""
    with replacing(_file(path)) as file:
        file.write(content)


def load_weights(path: str | os.PathLike[str], model: Module, *, strict: bool = True) -> None:
    """Set the parameters and buffers of a model from a file.

    Parameters
    ----------
    path
        The file.
    model
        The model.
    strict
        Whether every name must be in both. If not, what is in only one of them is left alone.

    Raises
    ------
    StorageError
        If the file cannot be read.
    DataError
        If it is no safetensors file, or is damaged.
    StateError
        If it does not fit the model.
    """
    model.load_state_dict(read_arrays(path), strict=strict)


def read_arrays(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """Return the arrays of a safetensors file by name. They cannot be written to.

    Raises
    ------
    StorageError
        If the file cannot be read.
    DataError
        If it is no safetensors file, or is damaged.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise StorageError(msg) from error
    try:
        return arrays_in(content)
    except (SafetensorError, ValueError, KeyError) as error:
        msg = f"{path} is not a safetensors file, or is damaged: {error}"
        raise DataError(msg) from error


def arrays_in(content: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays in the content of a safetensors file by name."""
    return {
        name: np.frombuffer(entry["data"], _TYPES[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in _deserialize(content)
    }
