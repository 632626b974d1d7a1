"""Numbers that stay finite: nothing here may overflow, divide by zero or warn, in the value or in the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore.testing import assert_close

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deepcore._device import Device

FAR = [-1e4, -800.0, -100.0, -1.0, 0.0, 1.0, 100.0, 800.0, 1e4]
TYPES = [dc.float32, dc.float64]


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    # Underflow to zero is what is wanted of e**-800.
    with np.errstate(all="raise", under="ignore"):
        yield


def value_and_gradient(function: Callable[..., dc.Tensor], x: dc.Tensor) -> tuple[list[Any], list[Any]]:
    leaf = dc.asarray(x, requires_grad=True)
    y = function(leaf)
    y.sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.dtype is y.dtype is x.dtype
    assert np.isfinite(y.numpy()).all()
    assert np.isfinite(leaf.grad.numpy()).all()
    return y.tolist(), leaf.grad.tolist()


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_sigmoid(dtype: Any, device: Device) -> None:
    y, dx = value_and_gradient(dc.sigmoid, dc.asarray(FAR, dtype=dtype, device=device))
    assert (y[0], y[1], y[4], y[-2], y[-1]) == (0.0, 0.0, 0.5, 1.0, 1.0)
    assert (dx[0], dx[4], dx[-1]) == (0.0, 0.25, 0.0)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_softplus(dtype: Any, device: Device) -> None:
    y, dx = value_and_gradient(dc.softplus, dc.asarray(FAR, dtype=dtype, device=device))
    assert (y[0], y[-2], y[-1]) == (0.0, 800.0, 1e4)
    assert (dx[0], dx[4], dx[-1]) == (0.0, 0.5, 1.0)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_softmax(dtype: Any, device: Device) -> None:
    rows = [[1e4, -1e4, 0.0], [0.0, 1e4, 1e4], [-1e4, -1e4, -1e4]]
    y, _ = value_and_gradient(lambda x: dc.softmax(x)[:, 0], dc.asarray(rows, dtype=dtype, device=device))
    assert_close(y, [1.0, 0.0, 1 / 3], rtol=1e-6)
    y, dx = value_and_gradient(lambda x: dc.log_softmax(x)[:, 0], dc.asarray(rows, dtype=dtype, device=device))
    assert_close(y, [0.0, -1e4 - np.log(2), -np.log(3)], rtol=1e-6)
    assert_close(dx, [[0, 0, 0], [1, -0.5, -0.5], [2 / 3, -1 / 3, -1 / 3]], atol=1e-6)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_softmax_cross_entropy(dtype: Any, device: Device) -> None:
    logits = dc.asarray([[1e4, -1e4, 0.0], [1e4, -1e4, 0.0], [0.0, 0.0, 0.0]], dtype=dtype, device=device)
    labels = dc.asarray([0, 1, 2], device=device)
    y, dx = value_and_gradient(lambda z: dc.softmax_cross_entropy(z, labels), logits)
    assert_close(y, [0.0, 2e4, np.log(3)], rtol=1e-6)
    assert_close(dx, [[0, 0, 0], [1, -1, 0], [1 / 3, 1 / 3, -2 / 3]], atol=1e-6)


@pytest.mark.parametrize("n", [2, 4])
def test_softmax_cross_entropy_of_fewer_or_more_labels(n: int, device: Device) -> None:
    with pytest.raises(dc.ShapeError):
        dc.softmax_cross_entropy(dc.zeros((3, 2), device=device), dc.zeros(n, dtype=dc.int64, device=device))


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_sigmoid_cross_entropy(dtype: Any, device: Device) -> None:
    logits = dc.asarray([1e4, 1e4, -1e4, -1e4, 0.0], dtype=dtype, device=device)
    targets = dc.asarray([1.0, 0.0, 0.0, 1.0, 1.0], dtype=dtype, device=device)
    y, dx = value_and_gradient(lambda z: dc.sigmoid_cross_entropy(z, targets), logits)
    assert_close(y, [0.0, 1e4, 0.0, 1e4, np.log(2)], rtol=1e-6)
    assert_close(dx, [0.0, 1.0, 0.0, -1.0, -0.5], atol=1e-6)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_logaddexp_and_tanh(dtype: Any, device: Device) -> None:
    x = dc.asarray(FAR, dtype=dtype, device=device)
    y, dx = value_and_gradient(lambda v: dc.logaddexp(v, 0.0), x)
    assert (y[0], y[-1], dx[0], dx[-1]) == (0.0, 1e4, 0.0, 1.0)
    y, dx = value_and_gradient(dc.tanh, x)
    assert (y[0], y[-1], dx[0], dx[-1]) == (-1.0, 1.0, 0.0, 0.0)


def test_products_with_zeros_do_not_divide(device: Device) -> None:
    x = dc.asarray([[0.0, 2.0, 3.0], [0.0, 0.0, 5.0]], device=device)
    _, dx = value_and_gradient(lambda v: dc.prod(v, axis=1), x)
    assert dx == [[6, 0, 0], [0, 0, 0]]
    _, dx = value_and_gradient(lambda v: dc.cumulative_prod(v, axis=1), x)
    assert dx == [[1 + 2 + 6, 0, 0], [1, 0, 0]]


def test_powers_at_zero(device: Device) -> None:
    x = dc.asarray([0.0, 2.0], device=device)
    for exponent, slope in ((0, [0, 0]), (1, [1, 1]), (2, [0, 4]), (3, [0, 12])):
        assert value_and_gradient(lambda v, exponent=exponent: v**exponent, x)[1] == slope
    exponents = dc.asarray([2.0, 3.0], device=device)
    assert value_and_gradient(lambda v: dc.pow(dc.asarray([0.0, 1.0], device=device), v), exponents)[1] == [0, 0]
