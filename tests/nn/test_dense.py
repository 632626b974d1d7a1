"""Dense layers, flattening, and the messages about shapes that do not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn
from deepcore.random import Generator
from deepcore.testing import assert_close, check_grads

if TYPE_CHECKING:
    from deepcore._device import Device

RNG = np.random.default_rng(0)
W, B = RNG.normal(size=(4, 3)), RNG.normal(size=3)


def dense(
    device: Device, dtype: dc.DType = dc.float64, *, activation: str | None = None, use_bias: bool = True
) -> nn.Dense:
    layer = nn.Dense(4, 3, activation=activation, use_bias=use_bias)
    for parameter, values in zip(layer.parameters(), (W, B), strict=False):
        parameter.requires_grad = False
        parameter._rebind(dc.asarray(values, dtype=dtype, device=device))
        parameter._device = device
        parameter.requires_grad = True
    return layer


@pytest.mark.parametrize("shape", [(4,), (5, 4), (2, 3, 4), (0, 4)])
@pytest.mark.parametrize("use_bias", [True, False])
def test_values(shape: tuple[int, ...], use_bias: bool, device: Device) -> None:
    x = RNG.normal(size=shape)
    y = dense(device, use_bias=use_bias)(dc.asarray(x, device=device))
    assert_close(y.numpy(), x @ W + (B if use_bias else 0.0), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("activation", [None, "tanh", "sigmoid", "softmax"])
def test_gradients(activation: str | None, device: Device) -> None:
    layer = dense(device, activation=activation)
    x = dc.asarray(RNG.normal(size=(5, 4)), device=device)

    def apply(x: dc.Tensor, weight: dc.Tensor, bias: dc.Tensor) -> dc.Tensor:
        y = dc.matmul(x, weight) + bias
        return y if layer.activation is None else layer.activation(y)

    assert layer.bias is not None
    check_grads(layer, x)
    expected = dc.grad(lambda *args: (apply(*args) ** 2).sum(), (0, 1, 2))(
        x, layer.weight.detach(), layer.bias.detach()
    )
    leaf = dc.asarray(x, requires_grad=True)
    (layer(leaf) ** 2).sum().backward()
    for actual, desired in zip((leaf.grad, layer.weight.grad, layer.bias.grad), expected, strict=True):
        assert_close(actual, desired, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", [dc.float32, dc.float64])
def test_data_type_is_kept(dtype: dc.DType, device: Device) -> None:
    layer = dense(device, dtype, activation="relu")
    y = layer(dc.ones((2, 4), dtype=dtype, device=device))
    y.sum().backward()
    assert y.dtype is dtype
    assert y.device is device
    for parameter in layer.parameters():
        assert parameter.grad is not None
        assert (parameter.grad.dtype, parameter.grad.device) == (dtype, device)


def test_the_bias_begins_at_zero_and_can_be_left_out() -> None:
    assert nn.Dense(2, 3).bias.tolist() == [0.0, 0.0, 0.0]  # type: ignore[union-attr]
    assert [name for name, _ in nn.Dense(2, 3, use_bias=False).named_parameters()] == ["weight"]
    assert nn.Dense(2, 3, use_bias=False).bias is None


def test_shape_error_names_the_layer_and_both_shapes() -> None:
    with pytest.raises(dc.ShapeError) as caught:
        nn.Dense(3, 2)(dc.ones((5, 4)))
    assert str(caught.value) == "Dense(3 → 2): expected an input of shape (..., 3), got (5, 4)"


def test_shape_error_proposes_a_flatten() -> None:
    with pytest.raises(dc.ShapeError, match=r"got \(5, 8, 8\); put a Flatten before it$"):
        nn.Dense(64, 2)(dc.ones((5, 8, 8)))
    with pytest.raises(dc.ShapeError, match=r"got \(\)$"):
        nn.Dense(64, 2)(dc.asarray(1.0))


def test_shape_error_in_a_sequential_names_the_position() -> None:
    inner = nn.Sequential(nn.Dense(3, 2), nn.ReLU(), nn.Dense(3, 1))
    with pytest.raises(dc.ShapeError) as caught:
        nn.Sequential(nn.Identity(), inner)(dc.ones((5, 3)))
    assert str(caught.value).startswith("Dense(3 → 1): expected an input of shape (..., 3), got (5, 2)")
    first, second = caught.value.__notes__
    assert first == "in layer 2 of 3, Dense(3 → 1)"
    assert second.startswith("in layer 1 of 2, Sequential(")


@pytest.mark.parametrize("features", [(0, 3), (3, 0), (-1, 3)])
def test_features_are_at_least_one(features: tuple[int, int]) -> None:
    with pytest.raises(dc.ConfigError, match="at least 1"):
        nn.Dense(*features)


def test_unknown_options_are_refused() -> None:
    with pytest.raises(dc.ConfigError, match="unknown initializer 'glorot'; the known ones are glorot_uniform"):
        nn.Dense(2, 3, initializer="glorot")
    with pytest.raises(dc.ConfigError, match="unknown activation 'x'"):
        nn.Dense(2, 3, activation="x")


@pytest.mark.parametrize("shape", [(5, 2, 3), (5, 6), (5,), (0, 2, 3)])
def test_flatten(shape: tuple[int, ...], device: Device) -> None:
    x = dc.asarray(np.arange(float(np.prod(shape))).reshape(shape), device=device)
    y = nn.Flatten()(x)
    assert y.shape == (shape[0], int(np.prod(shape[1:])))
    assert y.numpy().ravel().tolist() == x.numpy().ravel().tolist()
    if x.size:
        check_grads(nn.Flatten(), x)


def test_flatten_needs_samples() -> None:
    with pytest.raises(dc.ShapeError, match=r"Flatten.*shape \(\)"):
        nn.Flatten()(dc.asarray(1.0))


# ------------------------------------------------------------------------------------------------------ initial values

INITIALIZERS = ["glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal"]


@pytest.mark.parametrize("name", [*INITIALIZERS, "zeros", "ones"])
def test_initial_weights_are_bit_identical_everywhere(name: str, device: Device) -> None:
    there: list[bytes] = []
    for place in ("cpu", device):
        with dc.use_device(place):
            layer = nn.Dense(5, 7, initializer=name, generator=Generator(3))
            assert layer.weight.device == str(place)
            assert layer.weight.dtype is dc.float32
            there.append(layer.weight.numpy().tobytes())
    assert there[0] == there[1]


def test_the_default_generator_decides_unless_one_is_given() -> None:
    def weights(seed: int) -> list[float]:
        dc.random.seed(seed)
        return nn.Dense(2, 2).weight.tolist()

    assert weights(1) == weights(1) != weights(2)
    dc.random.seed(0)
    before = dc.random.default_generator().draw
    nn.Dense(2, 2, generator=Generator(0))
    assert dc.random.default_generator().draw == before


@pytest.mark.parametrize("name", INITIALIZERS)
def test_variance_of_the_initial_weights(name: str) -> None:
    n, m = 300, 200
    values = nn.Dense(n, m, initializer=name, generator=Generator(0)).weight.numpy()
    scale, _, kind = name.partition("_")
    variance = {"glorot": 2 / (n + m), "he": 2 / n, "lecun": 1 / n}[scale]
    assert values.var() == pytest.approx(variance, rel=0.02)
    assert abs(values.mean()) < 4 * (variance / values.size) ** 0.5
    if kind == "uniform":
        assert np.abs(values).max() <= (3 * variance) ** 0.5 * (1 + 1e-6)


def test_an_initializer_may_be_a_function() -> None:
    layer = nn.Dense(2, 3, initializer=lambda shape, generator: dc.full(shape, 0.5) * (1 + generator.draw))
    assert set(layer.weight.numpy().ravel().tolist()) == {0.5 * (1 + dc.random.default_generator().draw)}


def test_an_initializer_that_needs_fans_says_so() -> None:
    from deepcore.nn.initializers import initial

    with pytest.raises(dc.ConfigError, match=r"needs the inputs and outputs of a weight.*\(3,\)"):
        initial("he_normal", (3,))
