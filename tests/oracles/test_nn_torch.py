"""Layers and losses against PyTorch: the same weights give the same results and gradients."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn

if TYPE_CHECKING:
    from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
F = torch.nn.functional

TOLERANCES = {"float32": 1e-5, "float64": 1e-10}
DTYPES = pytest.mark.parametrize("dtype", TOLERANCES)
REDUCTIONS = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def assert_equal(ours: dc.Tensor | None, theirs: Any) -> None:
    assert ours is not None
    desired = np.asarray(theirs.detach() if isinstance(theirs, torch.Tensor) else theirs)
    assert ours.dtype.name == desired.dtype.name
    assert ours.shape == desired.shape
    tolerance = TOLERANCES[desired.dtype.name]
    np.testing.assert_allclose(ours.numpy(), desired, rtol=tolerance, atol=tolerance)


def both(values: NDArray[Any]) -> tuple[dc.Tensor, Any]:
    return dc.asarray(values.copy(), requires_grad=True), torch.tensor(values, requires_grad=True)


@DTYPES
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (nn.Sigmoid(), torch.nn.Sigmoid()),
        (nn.Tanh(), torch.nn.Tanh()),
        (nn.ReLU(), torch.nn.ReLU()),
        (nn.LeakyReLU(), torch.nn.LeakyReLU()),
        (nn.LeakyReLU(0.2), torch.nn.LeakyReLU(0.2)),
        (nn.Softmax(), torch.nn.Softmax(dim=-1)),
        (nn.Softmax(axis=0), torch.nn.Softmax(dim=0)),
        (nn.Flatten(), torch.nn.Flatten()),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers(ours: nn.Module, theirs: Any, dtype: str) -> None:
    values = (3 * rng().normal(size=(5, 4, 3))).astype(dtype)
    values[0, 0] = [0.0, -50.0, 50.0]
    weights = rng().uniform(size=values.shape).astype(dtype)
    x, x_torch = both(values)
    y, y_torch = ours(x), theirs(x_torch)
    assert_equal(y, y_torch)
    (y * dc.asarray(weights.reshape(y.shape))).sum().backward()
    (y_torch * torch.tensor(weights.reshape(y.shape))).sum().backward()
    assert_equal(x.grad, x_torch.grad)


@DTYPES
def test_a_multilayer_perceptron(dtype: str) -> None:
    sizes = [7, 16, 9, 4]
    source = rng()
    ours = nn.Sequential(*[layer for n, m in itertools.pairwise(sizes) for layer in (nn.Dense(n, m), nn.Tanh())])
    theirs = torch.nn.Sequential(
        *[layer for n, m in itertools.pairwise(sizes) for layer in (torch.nn.Linear(n, m), torch.nn.Tanh())]
    ).to(getattr(torch, dtype))
    for name, parameter in ours.named_parameters():
        values = source.normal(size=parameter.shape).astype(dtype)
        parameter.requires_grad = False
        parameter._rebind(dc.asarray(values))
        parameter.requires_grad = True
        with torch.no_grad():
            theirs.get_parameter(name).copy_(torch.tensor(values.T))  # PyTorch's weight is the transpose
    x, x_torch = both(source.normal(size=(6, 7)).astype(dtype))
    labels = source.integers(0, 4, 6)
    loss = nn.CategoricalCrossEntropy()(ours(x), dc.asarray(labels))
    loss_torch = F.cross_entropy(theirs(x_torch), torch.tensor(labels))
    assert_equal(loss, loss_torch)
    loss.backward()
    loss_torch.backward()
    assert_equal(x.grad, x_torch.grad)
    for name, parameter in ours.named_parameters():
        assert_equal(parameter.grad, theirs.get_parameter(name).grad.numpy().T)


def compare(ours: Any, theirs: Any, prediction: NDArray[Any], target: NDArray[Any]) -> None:
    z, z_torch = both(prediction)
    loss, loss_torch = ours(z, dc.asarray(target)), theirs(z_torch, torch.tensor(target))
    assert_equal(loss, loss_torch)
    loss.sum().backward()
    loss_torch.sum().backward()
    assert_equal(z.grad, z_torch.grad)


@DTYPES
@REDUCTIONS
def test_squared_error(reduction: str, dtype: str) -> None:
    z, t = rng().normal(size=(2, 6, 4)).astype(dtype)
    compare(nn.MSE(reduction=reduction), lambda a, b: F.mse_loss(a, b, reduction=reduction), z, t)


@DTYPES
@REDUCTIONS
def test_binary_cross_entropy(reduction: str, dtype: str) -> None:
    z = (4 * rng().normal(size=(6, 4))).astype(dtype)
    z[0] = [-800, 800, -20, 20]
    t = rng().uniform(size=z.shape).astype(dtype)
    compare(
        nn.BinaryCrossEntropy(reduction=reduction),
        lambda a, b: F.binary_cross_entropy_with_logits(a, b, reduction=reduction),
        z,
        t,
    )
    p = rng().uniform(0.01, 0.99, size=z.shape).astype(dtype)
    compare(
        nn.BinaryCrossEntropy(from_logits=False, reduction=reduction),
        lambda a, b: F.binary_cross_entropy(a, b, reduction=reduction),
        p,
        t,
    )


@DTYPES
def test_certain_mistakes_cost_what_they_do_in_pytorch(dtype: str) -> None:
    z, z_torch = both(np.array([0.0, 1.0]).astype(dtype))
    loss = nn.BinaryCrossEntropy(from_logits=False, reduction="none")(z, dc.asarray(np.array([1.0, 0.0], dtype)))
    loss_torch = F.binary_cross_entropy(z_torch, torch.tensor(np.array([1.0, 0.0], dtype)), reduction="none")
    assert_equal(loss, loss_torch)
    loss.sum().backward()
    loss_torch.sum().backward()
    assert z.grad is not None
    np.testing.assert_allclose(z.grad.numpy(), z_torch.grad.numpy(), rtol=1e-6)


@DTYPES
@REDUCTIONS
def test_categorical_cross_entropy(reduction: str, dtype: str) -> None:
    z = (5 * rng().normal(size=(8, 5))).astype(dtype)
    z[0] = [-800, 800, 0, 1, 2]
    labels = rng().integers(0, 5, 8)
    soft = rng().dirichlet(np.ones(5), 8).astype(dtype)
    for target in (labels, soft):
        compare(
            nn.CategoricalCrossEntropy(reduction=reduction),
            lambda a, b: F.cross_entropy(a, b, reduction=reduction),
            z,
            target,
        )
    p = rng().dirichlet(np.ones(5), 8).astype(dtype)
    compare(
        nn.CategoricalCrossEntropy(from_logits=False, reduction=reduction),
        lambda a, b: F.nll_loss(torch.log(a), b, reduction=reduction),
        p,
        labels,
    )


def test_initial_weights_have_pytorchs_limits() -> None:
    weight = nn.Dense(50, 30, initializer="glorot_uniform").weight.numpy()
    theirs = torch.empty(30, 50)
    torch.nn.init.xavier_uniform_(theirs)
    assert np.abs(weight).max() == pytest.approx(theirs.abs().max().item(), rel=0.02)
    weight = nn.Dense(50, 30, initializer="he_normal").weight.numpy()
    torch.nn.init.kaiming_normal_(theirs)
    assert weight.std() == pytest.approx(theirs.std().item(), rel=0.1)
