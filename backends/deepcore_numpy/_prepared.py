"""Calls with everything but the numbers decided beforehand: where operands and results are, and memory in between.

A small computation takes NumPy less time than it takes Python to look at its operands, to find memory for what is in
between, and to turn numbers into arrays. A plan knows all of that before it runs.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deepcore._tracing import Number

from ._activation import ELEMENTWISE, ROWWISE, fits, scratch
from ._adam import Adam, threads
from ._blocks import rows_of_a_block
from ._cross_entropy import prepared_loss, prepared_loss_vjp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deepcore.graph.program import Call, Value

    Array = np.ndarray[Any, Any]


def prepared(call: Call, arrays: Mapping[Value, Array]) -> tuple[Callable[..., object], list[Value]] | None:
    """Return a function that computes a call and writes its results, and the operands that it is given in each run.

    Parameters
    ----------
    call
        The call.
    arrays
        The arrays of values that are in the same place in every run; nothing is prepared without those of its results.

    Returns
    -------
    function, operands
        None where nothing would be saved, or not enough is known. The function takes parameters by their names.
    """
    make = _MAKERS.get(call.operation)
    if make is None or not all(value in arrays for value in call.results):
        return None
    places = [arrays[value] for value in call.results]
    operands = list(call.operands())
    labels = _LABELS.get(call.operation)
    given = [] if labels is None else [operands.pop(labels)]
    if not all(value in arrays for value in operands):
        return None
    function = make(call, *places, *[arrays[value] for value in operands])
    return None if function is None else (function, given)


def _relu(call: Call, out: Array, x: Array) -> Callable[..., object] | None:
    if out.size > rows_of_a_block(1):
        return None
    return partial(np.maximum, x, np.zeros_like(x), out=out)  # NumPy compares with an array faster than with a number


def _relu_vjp(call: Call, out: Array, dy: Array, y: Array) -> Callable[..., object] | None:
    if out.size > rows_of_a_block(1) or not fits(out, dy, y):
        return None
    positive, zero = np.empty(out.shape, np.bool_), np.zeros((), out.dtype)
    greater, multiply = np.greater, np.multiply

    def compute() -> None:
        greater(y, zero, positive)
        multiply(dy, positive, out)

    return compute


def _elementwise(call: Call, out: Array, *operands: Array) -> Callable[..., object] | None:
    if out.size > rows_of_a_block(1) or not fits(out, *operands):
        return None
    return partial(ELEMENTWISE[call.operation], out, scratch(ELEMENTWISE[call.operation], out), *operands)


def _rowwise(call: Call, out: Array, *operands: Array) -> Callable[..., object] | None:
    axis = call.parameters.get("axis", -1)
    if out.size > rows_of_a_block(1) or axis not in (-1, out.ndim - 1) or not fits(out, *operands):
        return None
    rows = [a.reshape(-1, out.shape[-1]) for a in (out, np.empty_like(out), *operands)]
    return partial(ROWWISE[call.operation], *rows)


def _mean(call: Call, out: Array, x: Array) -> Callable[..., object] | None:
    axis, keepdims = call.parameters.get("axis"), call.parameters.get("keepdims", False)
    count = np.asarray(x.size // out.size, out.dtype)
    summed: Any = np.add.reduce  # whose types do not know the parameters by position

    def compute() -> None:
        summed(x, axis, None, out, keepdims)
        np.divide(out, count, out)

    return compute


def _loss(call: Call, out: Array, logits: Array) -> Callable[..., object] | None:
    return prepared_loss(out, logits) if _is_plain(out, logits) else None


def _loss_vjp(call: Call, out: Array, dy: Array, logits: Array, y: Array) -> Callable[..., object] | None:
    is_known = _is_plain(out, logits, y) and dy.dtype == out.dtype and (dy.ndim == 1 or dy.flags.c_contiguous)
    return prepared_loss_vjp(out, dy, logits, y) if is_known else None


def _is_plain(out: Array, *operands: Array) -> bool:
    return all(x.size and x.dtype == out.dtype and x.flags.c_contiguous for x in (out, *operands))


def _adam(call: Call, *vectors: Array) -> Callable[..., object] | None:
    if threads(vectors[0].size) > 1 or not _is_plain(*vectors):
        return None
    known = {key: x for key, x in call.parameters.items() if not isinstance(x, Number)}
    return Adam(*vectors, **known)


_LABELS: Final = {"softmax_cross_entropy": 1, "softmax_cross_entropy_vjp": 2}
"""Where the operand is that is another array in each run."""

_MAKERS: Final[dict[str, Callable[..., Callable[..., object] | None]]] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    **dict.fromkeys(ROWWISE, _rowwise),
    "mean": _mean,
    "optim.adam": _adam,
    "relu": _relu,
    "relu_vjp": _relu_vjp,
    "softmax_cross_entropy": _loss,
    "softmax_cross_entropy_vjp": _loss_vjp,
}
