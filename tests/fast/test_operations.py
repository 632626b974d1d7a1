"""Operations of each element: the numbers of NumPy, for every data type that there are instructions for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc

pytest.importorskip("llvmlite", reason="llvmlite is not installed")

from deepcore import graph
from deepcore_llvm._arithmetic import COMPARISONS, FLOATING, LOGICAL, NUMERIC, QUESTIONS
from deepcore_llvm._operations import is_native

if TYPE_CHECKING:
    from collections.abc import Callable

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1.5, 2.5, 1e-30, -1e30, math.inf, -math.inf, math.nan]
BINARY = {
    "add",
    "atan2",
    "copysign",
    "divide",
    "hypot",
    "logaddexp",
    "maximum",
    "minimum",
    "multiply",
    "pow",
    "subtract",
}
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def named(name: str) -> Any:
    return getattr(dc.special, name.removeprefix("special.")) if "." in name else getattr(dc, name)


def floats(dtype: str) -> tuple[Any, Any]:
    """Return pairs of special numbers, and of others."""
    rng = np.random.default_rng(0)
    pairs = np.array([(a, b) for a in SPECIAL for b in SPECIAL])
    x, y = np.concatenate([pairs, rng.normal(size=(1000, 2)) * 3]).astype(dtype).T.copy()
    return x, y


def check(both: Callable[..., Any], function: Any, *arrays: Any, tolerance: float) -> None:
    with np.errstate(all="ignore"):
        program = graph.traced(function, *map(dc.asarray, arrays))
    assert any(is_native(call) for call in graph.expanded(program, keep=is_native).calls)
    for ours, theirs in zip(*both(function, *arrays), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted({*FLOATING, *NUMERIC, *QUESTIONS}))
def test_floating_point_numbers(name: str, dtype: str, both: Callable[..., Any]) -> None:
    x, y = floats(dtype)
    function = named(name)
    units = 8 if name == "special.ndtr" else 4  # whose parts are themselves far away: tests/fast/test_elementary.py
    check(both, function, *((x, y) if name in BINARY else (x,)), tolerance=units * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", sorted(NUMERIC))
def test_integers(name: str, dtype: str, both: Callable[..., Any]) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0 if dtype[0] == "u" else -100, 100, (2, 300)).astype(dtype)
    check(both, named(name), *((x, y) if name in BINARY else (x,)), tolerance=0)


@pytest.mark.parametrize("dtype", ["float32", "float64", *INTEGERS])
@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons(name: str, dtype: str, both: Callable[..., Any]) -> None:
    x, y = floats(dtype) if dtype[0] == "f" else np.random.default_rng(0).integers(0, 4, (2, 100)).astype(dtype)
    check(both, named(name), x, y, tolerance=0)
    check(both, lambda x: named(name)(x, 1), x, tolerance=0)


@pytest.mark.parametrize("name", LOGICAL)
def test_logic(name: str, both: Callable[..., Any]) -> None:
    x, y = np.random.default_rng(0).random((2, 77)) < 0.5
    check(both, named(name), *((x,) if name == "logical_not" else (x, y)), tolerance=0)


@pytest.mark.parametrize("target", ["bool", "float32", "float64", *INTEGERS])
@pytest.mark.parametrize("source", ["bool", "float32", "float64", *INTEGERS])
def test_conversions(source: str, target: str, both: Callable[..., Any]) -> None:
    x = np.arange(50).astype(source)
    if source != target:
        check(both, lambda x: dc.astype(x, getattr(dc, target)), x, tolerance=0)


def test_numbers_conditions_and_bounds(both: Callable[..., Any]) -> None:
    x, y = floats("float32")
    check(both, lambda x, y: dc.where(x > y, x, 2.0 * y), x, y, tolerance=0)
    check(both, lambda x: dc.clip(x, -1.0, 2.0), x, tolerance=0)
    check(both, lambda x: dc.clip(x, max=0.5), x, tolerance=0)
    check(both, dc.relu, x, tolerance=0)
    for exponent in (2, 3, 0.5, 1.7, -1):
        check(both, lambda x, p=exponent: dc.abs(x) ** p, np.abs(x[np.isfinite(x)]), tolerance=4e-7)
