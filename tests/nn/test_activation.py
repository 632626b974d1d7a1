"""Activations: their values, their derivatives, and their data types."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn
from deepcore.testing import assert_close, check_grads

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    from deepcore._device import Device

    Formula = Callable[[NDArray[Any]], NDArray[Any]]

X = np.array([[-2.0, -0.5, 0.25, 1.5], [3.0, -1.25, 0.75, -0.1]])

CASES: list[Any] = [
    pytest.param(nn.Identity(), lambda x: x, id="identity"),
    pytest.param(nn.Sigmoid(), lambda x: 1 / (1 + np.exp(-x)), id="sigmoid"),
    pytest.param(nn.Tanh(), np.tanh, id="tanh"),
    pytest.param(nn.ReLU(), lambda x: np.maximum(x, 0), id="relu"),
    pytest.param(nn.LeakyReLU(), lambda x: np.where(x > 0, x, 0.01 * x), id="leaky_relu"),
    pytest.param(nn.LeakyReLU(0.3), lambda x: np.where(x > 0, x, 0.3 * x), id="leaky_relu-0.3"),
    pytest.param(nn.Softmax(), lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True), id="softmax"),
    pytest.param(nn.Softmax(axis=0), lambda x: np.exp(x) / np.exp(x).sum(0, keepdims=True), id="softmax-columns"),
]


@pytest.mark.parametrize(("layer", "formula"), CASES)
def test_values(layer: nn.Module, formula: Formula, device: Device) -> None:
    x = dc.asarray(X, device=device)
    assert_close(layer(x).numpy(), formula(X), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("layer", "formula"), CASES)
def test_gradients(layer: nn.Module, formula: Formula, device: Device) -> None:
    check_grads(layer, dc.asarray(X, device=device), order=2)


@pytest.mark.parametrize(("layer", "formula"), CASES)
@pytest.mark.parametrize("dtype", [dc.float32, dc.float64])
def test_data_type_is_kept(layer: nn.Module, formula: Formula, dtype: dc.DType, device: Device) -> None:
    x = dc.asarray(X, dtype=dtype, device=device, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert x.grad is not None
    assert y.dtype is dtype
    assert x.grad.dtype is dtype
    assert x.grad.device is device


@pytest.mark.parametrize(("layer", "formula"), CASES)
@pytest.mark.parametrize("dtype", [dc.float32, dc.float64])
def test_large_arguments_neither_overflow_nor_warn(
    layer: nn.Module, formula: Formula, dtype: dc.DType, device: Device
) -> None:
    x = dc.asarray([[-1e4, -800.0, 800.0, 1e4]], dtype=dtype, device=device, requires_grad=True)
    with np.errstate(all="raise", under="ignore"):
        y = layer(x)
        y.sum().backward()
    assert x.grad is not None
    assert np.isfinite(y.numpy()).all()
    assert np.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize("layer", [nn.ReLU(), nn.LeakyReLU(0.25)])
def test_rectifiers_at_zero(layer: nn.Module, device: Device) -> None:
    x = dc.asarray([0.0], device=device, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad is not None
    assert x.grad.item() == (0.0 if isinstance(layer, nn.ReLU) else 0.25)


def test_by_name() -> None:
    for name, kind in {
        "identity": nn.Identity,
        "sigmoid": nn.Sigmoid,
        "tanh": nn.Tanh,
        "relu": nn.ReLU,
        "leaky_relu": nn.LeakyReLU,
        "softmax": nn.Softmax,
    }.items():
        assert type(nn.activation_named(name)) is kind


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(dc.ConfigError, match=r"unknown activation 'rellu'.*identity, sigmoid, tanh, relu, leaky_relu"):
        nn.activation_named("rellu")
