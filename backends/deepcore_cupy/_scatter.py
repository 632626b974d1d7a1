r"""Adding and writing at repeated positions, in an order that is always the same.

CuPy's own ``scatter_add`` adds atomically, in whatever order threads arrive in, and where an index names an element
twice its ``x[index] = v`` keeps either value. Here both go through a stable sort of the positions, and give what NumPy
gives: :func:`numpy.add.at`, bit for bit, and the last of the values.

An index is first brought into one form. Its slices, new axes and ellipsis are a view; its arrays $i_1, \dots, i_k$ name
rows of the view's axes $n_1, \dots, n_k$ that they index, row $(i_1 n_2 + i_2) n_3 + \cdots$.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ._library import cupy, kernel, launch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deepcore._typing import Raw, Shape

# What sums are accumulated in, by data type; whole numbers and truth values in int64.
WIDE: Final = {
    "bfloat16": "float32",
    "float16": "float32",
    "float32": "float32",
    "float64": "float64",
    "complex64": "float32",
    "complex128": "float64",
}


def scatter(x: Raw, /, *, shape: Shape, key: Any) -> Raw:
    """Return zeros of a shape with x added at an index."""
    y = cupy.zeros(shape, dtype=x.dtype)
    parts = list(key) if isinstance(key, tuple) else [key]
    if not has_positions(parts):
        y[key] = x  # names no element twice
        return y
    view, taken, _, values = _as_rows(y, parts, x)
    _add_rows(view, taken, values)
    return y


def setitem(x: Raw, value: Any, /, *, key: Any) -> Raw:
    """Return an array with the elements at an index replaced: by the last value, where it names one twice."""
    y = x.copy()
    parts = list(key) if isinstance(key, tuple) else [key]
    if not has_positions(parts):
        y[key] = value
        return y
    _write_rows(*_as_rows(y, parts, cupy.asarray(value, dtype=x.dtype)))
    return y


def has_positions(parts: Sequence[Any]) -> bool:
    """Whether an index holds an array of whole numbers. Only those can name an element twice."""
    return any(hasattr(part, "dtype") and part.dtype.kind in "iu" for part in parts)


def _as_rows(y: Raw, parts: list[Any], x: Raw) -> tuple[Raw, Raw, list[int], Raw]:
    """Bring an index into one form.

    Returns
    -------
    view
        Of y: first the axes that arrays index, then the others.
    rows
        The row of the view that each element of the index names.
    lengths
        Those of the axes that arrays index.
    values
        What x has for each of these rows.
    """
    arrays, axes, basic, leading = _split(y, parts)
    view = y[tuple(basic)]
    others = [axis for axis in range(view.ndim) if axis not in axes]
    lengths = [view.shape[axis] for axis in axes]
    together = cupy.broadcast_arrays(*arrays)
    rows = cupy.zeros(together[0].shape, dtype="int64")
    for positions, length in zip(together, lengths, strict=True):
        # A remainder, as CuPy reads: negative positions count from the end, and none is outside.
        rows = rows * length + positions.astype("int64") % max(length, 1)
    first = 0 if leading else sum(axis < axes[0] for axis in others)
    kept = [view.shape[axis] for axis in others]
    shape = (*kept[:first], *rows.shape, *kept[first:])
    x = cupy.broadcast_to(x.reshape(x.shape[max(x.ndim - len(shape), 0) :]), shape)  # without leading ones
    batch = range(first, first + rows.ndim)
    x = cupy.transpose(x, (*batch, *(axis for axis in range(x.ndim) if axis not in batch)))
    return cupy.transpose(view, (*axes, *others)), rows.reshape(-1), lengths, x.reshape(rows.size, *kept)


def _split(y: Raw, parts: list[Any]) -> tuple[list[Raw], list[int], list[Any], bool]:
    """Split an index into arrays of positions and the rest.

    Returns
    -------
    arrays
        The arrays of positions, a mask as those of its true elements.
    axes
        The axis that each array indexes, of the view that the rest gives.
    basic
        The index with the whole axis in the place of each array.
    leading
        Whether NumPy puts the axes of the arrays first: something else stands between two of them.
    """
    taken = sum(_axes_taken(part) for part in parts)
    if not any(part is ... for part in parts):
        parts = [*parts, ...]
    arrays: list[Raw] = []
    axes: list[int] = []
    basic: list[Any] = []
    runs, last = 0, False
    for part in parts:
        is_array = hasattr(part, "dtype") or isinstance(part, int)
        runs += is_array and not last
        last = is_array
        if part is ...:
            basic += [slice(None)] * (y.ndim - taken)
        elif is_array:
            positions = _positions(part)
            axes += range(len(basic), len(basic) + len(positions))
            basic += [slice(None)] * len(positions)
            arrays += positions
        else:
            basic.append(part)
    return arrays, axes, basic, runs > 1


def _axes_taken(part: Any) -> int:
    if part is None or part is ...:
        return 0
    return part.ndim if _is_mask(part) else 1


def _is_mask(part: Any) -> bool:
    return hasattr(part, "dtype") and part.dtype.kind == "b"


def _positions(part: Any) -> list[Raw]:
    return list(cupy.nonzero(part)) if _is_mask(part) else [cupy.asarray(part)]


def _sorted(taken: Raw) -> tuple[Raw, Raw]:
    order = cupy.argsort(taken, kind="stable")
    return taken[order], order


def _add_rows(view: Raw, taken: Raw, x: Raw) -> None:
    """Add rows of x to those rows of a view that are named."""
    if not (x.size and view.size):
        return
    dtype = view.dtype
    name = WIDE.get(dtype.name, "int64")
    own = dtype if dtype.kind == "c" else np.dtype(name)  # a complex number is a pair of reals, not a wider number
    values = cupy.ascontiguousarray(x.astype(own, copy=False)).view(name)
    sums = view if view.flags.c_contiguous and dtype == own else cupy.zeros(view.shape, dtype=own)
    target, order = _sorted(taken)
    columns = values.size // taken.size
    parameters = (np.int64(taken.size), np.int64(columns))
    launch(kernel("scatter.cu", f"add_rows_{name}"), values.size, sums, values, target, order, *parameters)
    if sums is not view:
        view[...] = sums.astype(dtype, copy=False)


def _write_rows(view: Raw, taken: Raw, lengths: Sequence[int], x: Raw) -> None:
    """Write rows of x to those rows of a view that are named."""
    if not (x.size and view.size):
        return
    target, order = _sorted(taken)
    last = cupy.searchsorted(target, target, side="right") - 1  # of those that name the same row
    view[cupy.unravel_index(target, tuple(lengths))] = x[order[last]]  # each of them writes the same
