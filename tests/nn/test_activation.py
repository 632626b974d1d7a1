"""Activations: their values, their derivatives, and their data types."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn
from deepcore.random import Generator
from deepcore.testing import assert_close, check_grads

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    from deepcore._device import Device

    Formula = Callable[[NDArray[Any]], NDArray[Any]]

X = np.array([[-2.0, -0.5, 0.25, 1.5], [3.5, -1.25, 0.75, -0.1], [-4.0, 2.5, -2.75, 5.0]])


def sigmoid(x: NDArray[Any]) -> NDArray[Any]:
    return 1 / (1 + np.exp(-x))


def halves(x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    return x[:, :2], x[:, 2:]


CASES: list[Any] = [
    pytest.param(nn.Identity(), lambda x: x, id="identity"),
    pytest.param(nn.Step(), lambda x: (x > 0) * 1.0, id="step"),
    pytest.param(nn.Sigmoid(), sigmoid, id="sigmoid"),
    pytest.param(nn.HardSigmoid(), lambda x: np.clip(x / 6 + 0.5, 0, 1), id="hard_sigmoid"),
    pytest.param(nn.Softsign(), lambda x: x / (1 + np.abs(x)), id="softsign"),
    pytest.param(nn.Gaussian(), lambda x: np.exp(-(x**2)), id="gaussian"),
    pytest.param(nn.Tanh(), np.tanh, id="tanh"),
    pytest.param(nn.ReLU(), lambda x: np.maximum(x, 0), id="relu"),
    pytest.param(nn.LeakyReLU(), lambda x: np.where(x > 0, x, 0.01 * x), id="leaky_relu"),
    pytest.param(nn.LeakyReLU(0.3), lambda x: np.where(x > 0, x, 0.3 * x), id="leaky_relu-0.3"),
    pytest.param(nn.Softmax(), lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True), id="softmax"),
    pytest.param(nn.ReLU(subgradient=1.0), lambda x: np.maximum(x, 0), id="relu-1"),
    pytest.param(nn.LeakyReLU(2.0), lambda x: np.where(x > 0, x, 2 * x), id="leaky_relu-2"),
    pytest.param(nn.RReLU(0.2, 0.4).eval(), lambda x: np.where(x > 0, x, 0.3 * x), id="rrelu"),
    pytest.param(nn.ELU(), lambda x: np.where(x > 0, x, np.exp(x) - 1), id="elu"),
    pytest.param(nn.ELU(0.3), lambda x: np.where(x > 0, x, 0.3 * (np.exp(x) - 1)), id="elu-0.3"),
    pytest.param(
        nn.SELU(),
        lambda x: 1.05070098735548 * np.where(x > 0, x, 1.67326324235438 * (np.exp(x) - 1)),
        id="selu",
    ),
    pytest.param(nn.CELU(), lambda x: np.where(x > 0, x, np.exp(x) - 1), id="celu"),
    pytest.param(nn.CELU(0.4), lambda x: np.where(x > 0, x, 0.4 * (np.exp(x / 0.4) - 1)), id="celu-0.4"),
    pytest.param(nn.Softplus(), lambda x: np.log(1 + np.exp(x)), id="softplus"),
    pytest.param(nn.Softplus(3.0), lambda x: np.log(1 + np.exp(3 * x)) / 3, id="softplus-3"),
    pytest.param(nn.HardSwish(), lambda x: x * np.clip(x / 6 + 0.5, 0, 1), id="hard_swish"),
    pytest.param(nn.SiLU(), lambda x: x * sigmoid(x), id="silu"),
    pytest.param(nn.Swish(), lambda x: x * sigmoid(x), id="swish"),
    pytest.param(nn.Swish(2.0), lambda x: x * sigmoid(2 * x), id="swish-2"),
    pytest.param(nn.Mish(), lambda x: x * np.tanh(np.log(1 + np.exp(x))), id="mish"),
    pytest.param(
        nn.GELU("tanh"),
        lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
        id="gelu-tanh",
    ),
    pytest.param(nn.GELU(), lambda x: x / 2 * np.vectorize(math.erfc)(-x / math.sqrt(2)), id="gelu"),
    pytest.param(nn.GLU(), lambda x: halves(x)[0] * sigmoid(halves(x)[1]), id="glu"),
    pytest.param(nn.SwiGLU(), lambda x: np.prod(halves(x), axis=0) * sigmoid(halves(x)[1]), id="swiglu"),
    pytest.param(nn.LogSoftmax(), lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True)), id="log_softmax"),
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
    assert y.dtype is dtype
    if isinstance(layer, nn.Step):
        assert x.grad is None
        return
    assert x.grad is not None
    assert x.grad.dtype is dtype
    assert x.grad.device is device


@pytest.mark.parametrize(("layer", "formula"), CASES)
@pytest.mark.parametrize("dtype", [dc.float32, dc.float64])
def test_large_arguments_neither_overflow_nor_warn(
    layer: nn.Module, formula: Formula, dtype: dc.DType, device: Device
) -> None:
    x = dc.asarray([[-1e4, -800.0, 800.0, 1e4], [1e4, 90.0, -90.0, -1e4]], dtype=dtype, device=device)
    x.requires_grad = True
    with np.errstate(all="raise", under="ignore"):
        y = layer(x)
        y.sum().backward()
    assert np.isfinite(y.numpy()).all()
    if not isinstance(layer, nn.Step):
        assert x.grad is not None
        assert np.isfinite(x.grad.numpy()).all()


LIMITS: list[Any] = [  # the values and slopes at -1e4 and 1e4
    (nn.Sigmoid(), (0, 1), (0, 0)),
    (nn.HardSigmoid(), (0, 1), (0, 0)),
    (nn.Gaussian(), (0, 0), (0, 0)),
    (nn.ELU(0.3), (-0.3, 1e4), (0, 1)),
    (nn.CELU(0.3), (-0.3, 1e4), (0, 1)),
    (nn.SELU(), (-1.7580993, 10507.01), (0, 1.050701)),
    (nn.Softplus(2.0), (0, 1e4), (0, 1)),
    (nn.HardSwish(), (0, 1e4), (0, 1)),
    (nn.SiLU(), (0, 1e4), (0, 1)),
    (nn.Swish(3.0), (0, 1e4), (0, 1)),
    (nn.Mish(), (0, 1e4), (0, 1)),
    (nn.GELU(), (0, 1e4), (0, 1)),
    (nn.GELU("tanh"), (0, 1e4), (0, 1)),
]


@pytest.mark.parametrize(("layer", "values", "slopes"), LIMITS, ids=lambda x: type(x).__name__)
def test_limits(layer: nn.Module, values: tuple[float, float], slopes: tuple[float, float], device: Device) -> None:
    x = dc.asarray([-1e4, 1e4], device=device, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert x.grad is not None
    assert y.tolist() == pytest.approx(values)
    assert x.grad.tolist() == pytest.approx(slopes)


@pytest.mark.parametrize("subgradient", [0.0, 0.5, 1.0])
def test_the_subgradient_of_the_rectifier_is_chosen(subgradient: float, device: Device) -> None:
    x = dc.asarray([-1.0, 0.0, -0.0, 1.0], device=device, requires_grad=True)
    nn.ReLU(subgradient=subgradient)(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, subgradient, subgradient, 1.0]


@pytest.mark.parametrize("at_zero", [0.0, 0.5, 1.0])
def test_the_value_of_the_step_at_zero_is_chosen(at_zero: float, device: Device) -> None:
    x = dc.asarray([-1.0, 0.0, -0.0, 1.0], device=device)
    assert nn.Step(at_zero)(x).tolist() == [0.0, at_zero, at_zero, 1.0]


@pytest.mark.parametrize(("shape", "axis"), [((2, 3), 1), ((2, 3, 4), 1), ((4, 3), -1), ((2, 3, 4, 5), -3)])
def test_learned_slopes(shape: tuple[int, ...], axis: int, device: Device) -> None:
    values = np.random.default_rng(0).normal(size=shape).astype("f")
    layer = nn.PReLU(3, axis=axis).to(device)
    x = dc.asarray(values, device=device, requires_grad=True)
    slopes = np.array([0.1, 0.2, 0.3], "f")
    layer.load_state_dict({"slope": slopes})
    layer(x).sum().backward()
    along = np.moveaxis(np.broadcast_to(slopes, (*np.delete(shape, axis), 3)), -1, axis)
    assert_close(layer(x).numpy(), np.where(values > 0, values, along * values), rtol=1e-6)
    assert layer.slope.grad is not None
    assert x.grad is not None
    assert_close(x.grad.numpy(), np.where(values > 0, np.float32(1), along), rtol=1e-6)
    others = tuple(i for i in range(len(shape)) if i != axis % len(shape))
    assert_close(layer.slope.grad.numpy(), np.minimum(values, 0).sum(others), rtol=1e-5)


def test_random_slopes_are_drawn_while_training_and_come_again_from_the_same_seed(device: Device) -> None:
    x = dc.full((1000,), -1.0, device=device)
    first = nn.RReLU(0.25, 0.5, generator=Generator(1))
    slopes = -first(x).numpy()
    assert slopes.dtype == np.float32
    assert 0.25 <= slopes.min() < 0.26
    assert 0.49 < slopes.max() <= 0.5
    assert (slopes == -nn.RReLU(0.25, 0.5, generator=Generator(1))(x).numpy()).all()
    assert (slopes != -first(x).numpy()).any()
    assert_close(first(-x).numpy(), np.ones(1000, "f"))
    leaf = dc.asarray(x, requires_grad=True)
    y = first(leaf)
    y.sum().backward()
    assert leaf.grad is not None
    assert (leaf.grad.numpy() == -y.numpy()).all()


def test_a_learned_beta() -> None:
    layer = nn.Swish(learned=True)
    assert [name for name, _ in layer.named_parameters()] == ["beta"]
    x = dc.asarray(X)

    def swish(beta: dc.Tensor) -> dc.Tensor:
        return x * dc.sigmoid(beta * x)

    assert_close(layer(x).numpy(), swish(dc.ones((), dtype=dc.float64)).numpy(), rtol=1e-12)
    check_grads(swish, dc.ones((), dtype=dc.float64))


def test_maxout_is_the_largest_of_its_maps(device: Device) -> None:
    layer = nn.Maxout(3, 2, pieces=4, generator=Generator(0)).to(device)
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("f")
    W, b = layer.dense.weight.numpy(), np.arange(8, dtype="f") / 10
    layer.load_state_dict({"dense.weight": W, "dense.bias": b})
    pieces = np.stack([x @ W[:, k::4] + b[k::4] for k in range(4)])
    given = dc.asarray(x, device=device, requires_grad=True)
    y = layer(given)
    assert_close(y.numpy(), pieces.max(0), rtol=1e-5, atol=1e-6)
    y.sum().backward()
    assert given.grad is not None
    winners = np.eye(4)[pieces.argmax(0)].reshape(2, 5, 8)
    assert_close(given.grad.numpy(), (winners @ W.T).astype("f"), rtol=1e-5, atol=1e-6)
    assert layer.n_parameters == 3 * 8 + 8
    assert "3 → 2, 4 pieces" in repr(layer)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.ReLU(subgradient=2.0), "ReLU: a subgradient at 0 is from 0 to 1, not 2.0"),
        (lambda: nn.PReLU(0), "PReLU: the number of slopes is at least 1, not 0"),
        (lambda: nn.RReLU(0.5, 0.2), "RReLU: the lower slope, 0.5, is above the upper one, 0.2"),
        (lambda: nn.GELU("fast"), "unknown approximation 'fast'; the known ones are none, tanh"),
        (lambda: nn.CELU(0.0), "CELU: alpha is above 0"),
        (lambda: nn.Softplus(-1.0), "Softplus: beta is above 0"),
        (
            lambda: nn.Maxout(3, 2, 0),
            "Maxout: the numbers of inputs, outputs and pieces are at least 1, not 3, 2 and 0",
        ),
    ],
)
def test_options_are_checked(make: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(dc.ConfigError, match=message):
        make()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.GLU(), r"GLU\(axis -1\): axis -1 is split into values and gates, so its length is even; .*\(2, 3\)"),
        (nn.SwiGLU(axis=2), r"SwiGLU\(axis 2\): there is no axis 2 in an input of shape \(2, 3\)"),
        (nn.Softmax(axis=2), r"Softmax.*there is no axis 2"),
        (nn.LogSoftmax(axis=-3), r"LogSoftmax.*there is no axis -3"),
        (nn.PReLU(4), r"PReLU\(4\): expected 4 features along axis 1, got an input of shape \(2, 3\)"),
        (nn.Maxout(4, 2), r"expected an input of shape \(..., 4\), got \(2, 3\)"),
    ],
    ids=lambda x: type(x).__name__,
)
def test_shapes_are_checked_at_the_door(layer: nn.Module, message: str) -> None:
    with pytest.raises(dc.ShapeError, match=message):
        layer(dc.ones((2, 3)))


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
        "log_softmax": nn.LogSoftmax,
        "gelu": nn.GELU,
        "prelu": nn.PReLU,
        "swiglu": nn.SwiGLU,
    }.items():
        assert type(nn.activation_named(name)) is kind


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(dc.ConfigError, match=r"unknown activation 'rellu'.*identity, sigmoid, tanh, relu, leaky_relu"):
        nn.activation_named("rellu")
