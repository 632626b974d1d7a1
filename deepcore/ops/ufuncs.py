"""NumPy's universal functions on tensors: ``np.sin(x)`` is ``deepcore.sin(x)``, and its gradient is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._errors import DTypeError
from .._sweep import op

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from .._tensor import Tensor

SAME: Final = frozenset(
    (
        *("add", "bitwise_and", "bitwise_or", "bitwise_xor", "ceil", "copysign"),
        *("cos", "cosh", "divide", "equal", "exp", "expm1"),
        *("floor", "floor_divide", "greater", "greater_equal", "hypot", "isfinite"),
        *("isinf", "isnan", "less", "less_equal", "log", "log10"),
        *("log1p", "log2", "logaddexp", "logical_and", "logical_not", "logical_or"),
        *("logical_xor", "matmul", "maximum", "minimum", "multiply", "negative"),
        *("nextafter", "not_equal", "positive", "reciprocal", "remainder", "sign"),
        *("signbit", "sin", "sinh", "sqrt", "square", "subtract"),
        *("tan", "tanh", "trunc", "vecdot"),
    )
)
"""The functions that NumPy and the standard call the same."""

OTHER: Final = {
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "conjugate": "conj",
    "fabs": "abs",
    "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift",
    "power": "pow",
    "right_shift": "bitwise_right_shift",
    "rint": "round",
}
"""Those that the standard calls otherwise."""


def apply_ufunc(ufunc: np.ufunc, method: str, inputs: Sequence[Any], options: dict[str, Any]) -> Tensor:
    """Return what a universal function of NumPy, called with tensors among its arguments, gives.

    Raises
    ------
    DTypeError
        If there is no such function here, or the result would be written into an array of NumPy.
    """
    if "out" in options:
        msg = (
            f"numpy.{ufunc.__name__}: the result would be written into an array of NumPy, and its gradient lost; "
            "write y = y + x instead of y += x, or convert the tensor with x.detach().numpy()"
        )
        raise DTypeError(msg)
    name = ufunc.__name__ if ufunc.__name__ in SAME else OTHER.get(ufunc.__name__)
    if name is None or method != "__call__" or options:
        call = f"numpy.{ufunc.__name__}" + (f".{method}" if method != "__call__" else "")
        how = f" with {', '.join(options)}" if options else ""
        msg = f"{call}{how} is not for tensors; use a function of deepcore, or convert with x.detach().numpy()"
        raise DTypeError(msg)
    return getattr(op, name)(*inputs)
