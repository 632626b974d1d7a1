"""Functions in single precision: the elementary ones within 2 units in the last place, at every exponent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc

if TYPE_CHECKING:
    from collections.abc import Callable

special = pytest.importorskip("scipy.special", reason="SciPy is the oracle here")

FUNCTIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "erf": (dc.special.erf, special.erf),
    "exp": (dc.exp, np.exp),
    "expm1": (dc.expm1, np.expm1),
    "log": (dc.log, np.log),
    "log1p": (dc.log1p, np.log1p),
    "ndtr": (dc.special.ndtr, special.ndtr),
    "sigmoid": (dc.sigmoid, special.expit),
    "tanh": (dc.tanh, np.tanh),
}
UNITS = {"ndtr": 7.0}  # its tail is a product; as NumPy computes it call by call, it is as far away


def arguments() -> Any:
    """Return numbers of every exponent and sign, and many where the functions are not constant."""
    rng = np.random.default_rng(0)
    mantissas = np.concatenate([[0, 1, 2**23 - 1], rng.integers(0, 2**23, 600)]).astype(np.uint32)
    everywhere = (np.arange(256, dtype=np.uint32)[:, None] << 23 | mantissas).ravel().view(np.float32)
    dense = [np.linspace(-r, r, 200_003, dtype=np.float32) for r in (1, 5, 110)]
    return np.concatenate([everywhere, -everywhere, *dense])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_within_some_units_in_the_last_place(name: str, both: Callable[..., Any]) -> None:
    function, reference = FUNCTIONS[name]
    x = arguments()
    ((ours,), _) = both(function, x)
    with np.errstate(all="ignore"):
        exact = reference(x.astype(np.float64))
        rounded = exact.astype(np.float32)
    finite = np.isfinite(rounded)
    unit = np.spacing(np.abs(rounded[finite])).astype(np.float64)
    assert (np.abs(ours[finite].astype(np.float64) - exact[finite]) / unit).max() <= UNITS.get(name, 2.0)
    np.testing.assert_array_equal(ours[~finite], rounded[~finite])
    zeros = rounded == 0
    np.testing.assert_array_equal(np.signbit(ours[zeros]), np.signbit(rounded[zeros]))
