"""States as trees of dictionaries and lists, taken apart into arrays and JSON, and put together again."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._errors import DataError, StateError
from .._tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

ARRAY: Final = "$array"  # the name of an array that stands here
COMPLEX: Final = "$complex"  # the same for complex128, which safetensors files do not have
NUMBER: Final = "$number"  # nan, inf and -inf, which JSON does not have


def taken_apart(state: Any) -> tuple[dict[str, NDArray[Any]], bytes]:
    """Return the arrays of a tree by name, and the rest as JSON.

    Tensors become arrays, and tuples lists.

    Raises
    ------
    StateError
        If there is something in it that neither of the two can hold.
    """
    arrays: dict[str, NDArray[Any]] = {}
    tree = _plain(state, "", arrays)
    return arrays, json.dumps(tree, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()


def put_together(arrays: Mapping[str, NDArray[Any]], content: bytes) -> Any:
    """Return the tree of what :func:`taken_apart` returned.

    Raises
    ------
    DataError
        If the two do not go together, or the second is not JSON.
    """
    try:
        return _whole(json.loads(content), arrays)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        msg = f"not a state of deepcore: {error}"
        raise DataError(msg) from error


def _plain(x: Any, path: str, arrays: dict[str, NDArray[Any]]) -> Any:
    if x is None or isinstance(x, (bool, str)):
        return x
    if isinstance(x, (Tensor, np.ndarray, np.generic)):
        return _stored(x.numpy() if isinstance(x, Tensor) else np.asarray(x), path, arrays)
    if isinstance(x, int):
        return int(x)
    if isinstance(x, float):
        return float(x) if math.isfinite(x) else {NUMBER: repr(float(x))}
    if isinstance(x, (list, tuple)):
        return [_plain(item, f"{path}/{i}", arrays) for i, item in enumerate(x)]
    if isinstance(x, dict):
        strange = [key for key in x if not isinstance(key, str) or key.startswith("$")]
        if strange:
            msg = f"a state has names that do not begin with $, and {strange[0]!r} in {path or 'it'} is none"
            raise StateError(msg)
        return {key: _plain(item, f"{path}/{key}", arrays) for key, item in x.items()}
    msg = (
        f"{path or 'the state'} is a {type(x).__name__}, which cannot be saved; a state is made of tensors, arrays, "
        "numbers, strings, lists and dictionaries"
    )
    raise StateError(msg)


def _stored(x: NDArray[Any], path: str, arrays: dict[str, NDArray[Any]]) -> dict[str, str]:
    """Put an array among the others, under a name of its own, and return what stands for it."""
    name = path.removeprefix("/")
    while name in arrays:
        name += "'"
    if x.dtype == np.complex128:
        arrays[name] = np.stack((np.real(x), np.imag(x)), axis=-1).copy(order="C")
        return {COMPLEX: name}
    arrays[name] = x.copy(order="C")
    return {ARRAY: name}


def _whole(x: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if isinstance(x, list):
        return [_whole(item, arrays) for item in x]
    if not isinstance(x, dict):
        return x
    if ARRAY in x:
        return arrays[x[ARRAY]].copy()
    if COMPLEX in x:
        return arrays[x[COMPLEX]].view(np.complex128)[..., 0].copy()
    if NUMBER in x:
        return float(x[NUMBER])
    return {key: _whole(item, arrays) for key, item in x.items()}
