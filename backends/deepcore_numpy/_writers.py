"""Operations of NumPy that write into an array which is there already, by name: what a plan is made of.

Each writer is given the results' arrays and then what the operation is given. It computes exactly what the operation
does, to the last bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from . import _activation
from ._adam import adam_into
from ._cross_entropy import loss_into, loss_vjp_into
from ._normalization import layer_norm_into, layer_norm_vjp_into

if TYPE_CHECKING:
    from collections.abc import Callable

UFUNCS: Final[dict[str, np.ufunc]] = {
    "abs": np.absolute,
    "add": np.add,
    "atan2": np.arctan2,
    "ceil": np.ceil,
    "copysign": np.copysign,
    "cos": np.cos,
    "cosh": np.cosh,
    "divide": np.true_divide,
    "equal": np.equal,
    "exp": np.exp,
    "expm1": np.expm1,
    "floor": np.floor,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "hypot": np.hypot,
    "isfinite": np.isfinite,
    "isinf": np.isinf,
    "isnan": np.isnan,
    "less": np.less,
    "less_equal": np.less_equal,
    "log": np.log,
    "log1p": np.log1p,
    "log2": np.log2,
    "logaddexp": np.logaddexp,
    "logical_and": np.logical_and,
    "logical_not": np.logical_not,
    "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "multiply": np.multiply,
    "negative": np.negative,
    "not_equal": np.not_equal,
    "pow": np.power,
    "reciprocal": np.reciprocal,
    "sign": np.sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "square": np.square,
    "subtract": np.subtract,
    "tan": np.tan,
    "tanh": np.tanh,
}
"""Functions of each element, whose result may take the place of an operand."""

REDUCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "max": np.maximum.reduce,
    "min": np.minimum.reduce,
    "sum": np.add.reduce,
}


def linear(out: Any, x: Any, weight: Any, bias: Any) -> None:
    """Write x W + b."""
    np.matmul(x, weight, out)
    np.add(out, bias, out)


def astype(out: Any, x: Any, dtype: Any, **options: Any) -> None:
    """Write x in another data type."""
    np.copyto(out, x, casting="unsafe")


def mean(out: Any, x: Any, *, axis: Any = None, keepdims: bool = False) -> None:
    """Write the mean."""
    np.add.reduce(x, axis=axis, out=out, keepdims=keepdims)
    np.divide(out, x.size // max(out.size, 1), out, casting="unsafe")


WRITERS: Final[dict[str, Callable[..., None]]] = {
    "astype": astype,
    "layer_norm": layer_norm_into,
    "layer_norm_vjp": layer_norm_vjp_into,
    "linear": linear,
    "mean": mean,
    "softmax_cross_entropy": loss_into,
    "softmax_cross_entropy_vjp": loss_vjp_into,
    "optim.adam": adam_into,
    **_activation.WRITERS,
}
"""Further operations."""

OVERWRITTEN: Final[dict[str, dict[int, int]]] = {"optim.adam": {0: 0, 1: 2, 2: 3}, **_activation.OVERWRITTEN}
"""For operations that may write results over operands: the operand, by position, for each result."""
