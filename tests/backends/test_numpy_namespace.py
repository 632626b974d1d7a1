"""NumPy's namespace: what it has of its own does what NumPy's functions do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import deepcore as dc

XP = dc.device("cpu").backend.namespace
VALUES: list[Any] = [np.float32(3), np.float64(3), np.complex64(3j), np.int64(3), np.asarray(3.0), np.ones((3, 1))]


@pytest.mark.parametrize("x", VALUES, ids=str)
def test_broadcast_to(x: Any) -> None:
    shapes: list[tuple[int, ...]] = [(3, 2), (3, 0), (2, 3, 4)] if np.ndim(x) else [(), (4,), (3, 2), (0,)]
    for shape in shapes:
        y = XP.broadcast_to(x, shape)
        assert (type(y), y.shape, y.dtype, y.strides) == (np.ndarray, shape, x.dtype, np.broadcast_to(x, shape).strides)
        assert not y.flags.writeable
        np.testing.assert_array_equal(y, np.broadcast_to(x, shape))


@pytest.mark.parametrize("x", VALUES, ids=str)
@pytest.mark.parametrize("options", [{}, {"dtype": np.dtype(np.int32)}], ids=str)
def test_ones_like(x: Any, options: dict[str, Any]) -> None:
    y, desired = XP.ones_like(x, **options), np.ones_like(x, **options)
    assert (type(y), y.shape, y.dtype) == (np.ndarray, desired.shape, desired.dtype)
    np.testing.assert_array_equal(y, desired)
