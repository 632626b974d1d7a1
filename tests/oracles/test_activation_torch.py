"""Activations against PyTorch: values, first and second derivatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn

if TYPE_CHECKING:
    from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

TOLERANCES = {"float32": 1e-5, "float64": 1e-10}

PAIRS: list[Any] = [
    (nn.HardSigmoid(), lambda x: torch.nn.functional.relu6(x + 3) / 6),  # Hardsigmoid has 1/6 as a float32
    (nn.Softsign(), torch.nn.Softsign()),
    (nn.RReLU(0.1, 0.3).eval(), torch.nn.RReLU(0.1, 0.3).eval()),
    (nn.ELU(), torch.nn.ELU()),
    (nn.ELU(0.4), torch.nn.ELU(0.4)),
    (nn.SELU(), torch.nn.SELU()),
    (nn.CELU(), torch.nn.CELU()),
    (nn.CELU(0.5), torch.nn.CELU(0.5)),  # PyTorch divides by a float32, here one that is exact
    (nn.Softplus(), torch.nn.Softplus(threshold=80)),  # by default PyTorch's is x itself from 20 on
    (nn.Softplus(2.5), torch.nn.Softplus(2.5, threshold=80)),
    (nn.HardSwish(), torch.nn.Hardswish()),
    (nn.SiLU(), torch.nn.SiLU()),
    (nn.Mish(), torch.nn.Mish()),
    (nn.GELU(), torch.nn.GELU()),
    (nn.GELU("tanh"), torch.nn.GELU(approximate="tanh")),
    (nn.GLU(), torch.nn.GLU()),
    (nn.GLU(axis=1), torch.nn.GLU(dim=1)),
    (nn.LogSoftmax(), torch.nn.LogSoftmax(dim=-1)),
    (nn.LogSoftmax(axis=0), torch.nn.LogSoftmax(dim=0)),
    (nn.ReLU(), torch.nn.ReLU()),
    (nn.LeakyReLU(1.5), torch.nn.LeakyReLU(1.5)),
]


def assert_equal(ours: dc.Tensor | None, theirs: Any) -> None:
    assert ours is not None
    desired = np.asarray(theirs.detach())
    assert ours.dtype.name == desired.dtype.name
    tolerance = TOLERANCES[desired.dtype.name]
    np.testing.assert_allclose(ours.numpy(), desired, rtol=tolerance, atol=tolerance)


def points(dtype: str) -> NDArray[Any]:
    values = (3 * np.random.default_rng(0).normal(size=(5, 4, 6))).astype(dtype)
    values[0, 0] = [0.0, -50.0, 50.0, -3.0, 3.0, -0.0]
    return values


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda layer: repr(layer))
def test_activations(ours: nn.Module, theirs: Any, dtype: str) -> None:
    values = points(dtype)
    x, x_torch = dc.asarray(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    y, y_torch = ours(x), theirs(x_torch)
    assert_equal(y, y_torch)
    weights = np.random.default_rng(1).uniform(size=y.shape).astype(dtype)
    (y * dc.asarray(weights)).sum().backward()
    (y_torch * torch.tensor(weights)).sum().backward()
    assert_equal(x.grad, x_torch.grad)


@pytest.mark.parametrize(("ours", "theirs"), [p for p in PAIRS if "ReLU" not in repr(p[0])], ids=repr)
def test_second_derivatives(ours: nn.Module, theirs: Any) -> None:
    values = points("float64")
    weights = np.random.default_rng(2).uniform(size=values.shape)

    def slope_of(y: Any, w: Any) -> Any:
        return (y * y).sum() if w is None else (y * w).sum()

    x_torch = torch.tensor(values[1:], requires_grad=True)
    (dx_torch,) = torch.autograd.grad(slope_of(theirs(x_torch), None), x_torch, create_graph=True)
    (dx_torch * torch.tensor(weights[1:])).sum().backward()
    w = dc.asarray(weights[1:])
    second = dc.grad(lambda x: (dc.grad(lambda x: slope_of(ours(x), None))(x) * w).sum())(dc.asarray(values[1:]))
    assert_equal(second, x_torch.grad)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("n", [1, 4])
def test_learned_slopes(n: int, dtype: str) -> None:
    values = points(dtype)
    ours, theirs = nn.PReLU(n, initial=0.3), torch.nn.PReLU(n, init=0.3).to(getattr(torch, dtype))
    slopes = np.linspace(0.1, 0.7, n).astype(dtype)
    ours.slope.requires_grad = False
    ours.slope._rebind(dc.asarray(slopes))
    ours.slope.requires_grad = True
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor(slopes))
    x, x_torch = dc.asarray(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    y, y_torch = ours(x), theirs(x_torch)
    assert_equal(y, y_torch)
    y.sum().backward()
    y_torch.sum().backward()
    assert_equal(x.grad, x_torch.grad)
    assert_equal(ours.slope.grad, theirs.weight.grad)
