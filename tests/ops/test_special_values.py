"""At infinities, NaN and signed zeros the elementwise functions give what the library underneath gives, to the sign."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore._backend import composites
from deepcore._primitive import registry

if TYPE_CHECKING:
    from deepcore._device import Device

REALS = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, math.inf, -math.inf, math.nan]
COMPLEX = [complex(a, b) for a, b in itertools.product(REALS, REALS)]
PAIRS = list(itertools.product(REALS, REALS))

ELEMENTWISE: list[Any] = [
    registry[name]
    for name in sorted(registry)
    if registry[name].chapter in ("elementwise", "logic", "complex_numbers") and name not in composites
]
UNARY = [p for p in ELEMENTWISE if len(p.operands) == 1]
BINARY = [p for p in ELEMENTWISE if len(p.operands) == 2]


def alike(a: Any, b: Any) -> bool:
    """Whether two arrays have the same values, and zeros the same signs. The signs of NaN mean nothing."""
    if not np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"):
        return False
    parts = [(a.real, b.real), (a.imag, b.imag)] if a.dtype.kind == "c" else [(a, b)] if a.dtype.kind == "f" else []
    return all(bool(np.all(np.isnan(x) | (np.signbit(x) == np.signbit(y)))) for x, y in parts)


@pytest.mark.parametrize("numbers", [REALS, COMPLEX], ids=["real", "complex"])
@pytest.mark.parametrize("declared", UNARY, ids=lambda p: p.name)
def test_of_one_operand(declared: Any, numbers: list[Any], device: Device) -> None:
    x = dc.asarray(np.asarray(numbers), device=device, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = getattr(device.backend.namespace, declared.name)(x._data)
        except (TypeError, ValueError, RuntimeError):
            pytest.skip("not defined for these numbers")
        found = declared(x)
    assert alike(np.asarray(device.backend.to_host(found._data)), np.asarray(device.backend.to_host(expected)))


@pytest.mark.parametrize("declared", BINARY, ids=lambda p: p.name)
def test_of_two_operands(declared: Any, device: Device) -> None:
    x, y = (dc.asarray(np.asarray(column), device=device, requires_grad=True) for column in zip(*PAIRS, strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = getattr(device.backend.namespace, declared.name)(x._data, y._data)
        except (TypeError, ValueError, RuntimeError):
            pytest.skip("not defined for these numbers")
        found = declared(x, y)
    assert alike(np.asarray(device.backend.to_host(found._data)), np.asarray(device.backend.to_host(expected)))
