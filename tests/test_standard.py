"""The law of coverage: every function of the standard is there, and has a derivative or a reason why it has none."""

from __future__ import annotations

import inspect
from operator import attrgetter
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest

import deepcore as dc
from deepcore._backend import EXTENSIONS
from deepcore._primitive import Primitive, registry
from deepcore.testing import check_grads

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore._device import Device

ELEMENTWISE: Final = """
    abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_invert bitwise_left_shift bitwise_or
    bitwise_right_shift bitwise_xor ceil clip conj copysign cos cosh divide equal exp expm1 floor floor_divide greater
    greater_equal hypot imag isfinite isinf isnan less less_equal log log1p log2 log10 logaddexp logical_and logical_not
    logical_or logical_xor maximum minimum multiply negative nextafter not_equal positive pow real reciprocal remainder
    round sign signbit sin sinh sqrt square subtract tan tanh trunc
"""
STATISTICAL: Final = "cumulative_prod cumulative_sum max mean min prod std sum var"
MANIPULATION: Final = """
    broadcast_arrays broadcast_to concat expand_dims flip moveaxis permute_dims repeat reshape roll squeeze stack tile
    unstack
"""
INDEXING: Final = "take take_along_axis"
SEARCHING: Final = "argmax argmin count_nonzero nonzero searchsorted where argsort sort"
SETS: Final = "isin unique_all unique_counts unique_inverse unique_values"
PRODUCTS: Final = "matmul matrix_transpose tensordot vecdot"
UTILITY: Final = "all any diff"
TYPES: Final = "astype meshgrid tril triu"
LINALG: Final = """
    cholesky cross det diagonal eig eigh eigvals eigvalsh inv matmul matrix_norm matrix_power matrix_rank
    matrix_transpose outer pinv qr slogdet solve svd svdvals tensordot trace vecdot vector_norm
"""
FFT: Final = "fft ifft fftn ifftn rfft irfft rfftn irfftn hfft ihfft fftshift ifftshift"
CREATING: Final = """
    arange asarray empty empty_like eye from_dlpack full full_like linspace ones ones_like zeros zeros_like
    fft.fftfreq fft.rfftfreq
"""
INSPECTING: Final = "can_cast finfo iinfo isdtype result_type broadcast_shapes __array_namespace_info__"
CONSTANTS: Final = "e inf nan newaxis pi"
DATA_TYPES: Final = """
    bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128
"""

OF_ARRAYS: Final = [
    *f"{ELEMENTWISE} {STATISTICAL} {MANIPULATION} {INDEXING} {SEARCHING} {SETS} {PRODUCTS} {UTILITY} {TYPES}".split(),
    *[f"linalg.{name}" for name in LINALG.split()],
    *[f"fft.{name}" for name in FFT.split()],
]
"""The functions that take arrays: those that gradients could flow through."""

OTHERS: Final = f"{CREATING} {INSPECTING} {CONSTANTS} {DATA_TYPES}".split()

COMPOSED: Final[dict[str, Callable[[dc.Tensor], Any]]] = {
    "astype": lambda x: dc.astype(x, dc.float64, copy=True) * x,
    "broadcast_arrays": lambda x: dc.broadcast_arrays(x, x[:1]),
    "diff": lambda x: dc.diff(x, n=2, prepend=x[:, :1], append=x[:, :2]),
    "meshgrid": lambda x: dc.meshgrid(x[0], x[1]),
    "unstack": lambda x: dc.unstack(x, axis=1),
    "linalg.matrix_norm": lambda x: [
        dc.linalg.matrix_norm(x, ord=p) for p in ("fro", "nuc", 1, -1, 2, -2, dc.inf, -dc.inf)
    ],
    "linalg.matrix_power": lambda x: [dc.linalg.matrix_power(x, n) for n in (-2, -1, 1, 2, 5)],
    "linalg.outer": lambda x: dc.linalg.outer(x[0], x[1]),
    "linalg.trace": lambda x: dc.linalg.trace(x, offset=1),
    "fft.fftshift": lambda x: dc.fft.fftshift(x),
    "fft.ifftshift": lambda x: dc.fft.ifftshift(x),
    "fft.hfft": lambda x: dc.fft.hfft(x[0] + 1j * x[1], n=5, norm="ortho"),
    "fft.ihfft": lambda x: dc.fft.ihfft(x, n=4),
    "fft.rfftn": lambda x: dc.fft.rfftn(x, s=(3, 4)),
    "fft.irfftn": lambda x: dc.fft.irfftn(x + 1j * x.mT, axes=(1, 0), norm="forward"),
}
"""Functions that are made of others, and an example of each that is differentiated here."""

NO_DERIVATIVE: Final = {"nonzero": "positions"}
"""Functions that are no primitives and give whole numbers."""


@pytest.mark.parametrize("name", [*OF_ARRAYS, *OTHERS])
def test_every_name_of_the_standard_exists(name: str, xp: Any) -> None:
    attrgetter(name)(dc)
    attrgetter(name)(xp)


@pytest.mark.parametrize("name", OF_ARRAYS)
def test_every_function_of_arrays_has_a_derivative_or_a_reason(name: str) -> None:
    if name in COMPOSED or name in NO_DERIVATIVE:
        return
    function = attrgetter(name)(dc)
    assert isinstance(function, Primitive), "not an operation, nor in the table of functions that are made of others"
    assert (
        function.complete
        or function.reason
        or set(function.operands) - function.rules.keys() <= {"condition", "indices"}
    )


@pytest.mark.parametrize("name", COMPOSED)
def test_functions_made_of_others_are_differentiated(name: str, device: Device, thrifty: bool) -> None:
    rng = np.random.default_rng(3)
    x = dc.asarray(rng.uniform(0.5, 1.5, (3, 3)) + 2 * np.eye(3), device=device)
    check_grads(COMPOSED[name], x, order=1 if thrifty else 2)


def test_the_list_is_that_of_array_api_strict() -> None:
    strict = pytest.importorskip("array_api_strict")
    names = {
        n for n in strict.__all__ if n not in ("linalg", "fft") and not n.startswith(("__", "set_", "reset_", "get_"))
    }
    names -= {"ArrayAPIStrictFlags", "Device"}
    for extension in ("linalg", "fft"):
        names |= {f"{extension}.{n}" for n in getattr(strict, extension).__all__}
    missing = {n for n in names if n not in OF_ARRAYS and n not in OTHERS and not n.startswith("_")}
    assert not missing


def test_every_operation_of_the_extensions_is_where_its_name_says() -> None:
    for name, declared in registry.items():
        extension, _, own = name.rpartition(".")
        if extension:
            assert extension in EXTENSIONS
            assert inspect.getmodule(declared.function) is not None
            assert isinstance(getattr(dc, extension), ModuleType)
            assert getattr(getattr(dc, extension), own) is declared
