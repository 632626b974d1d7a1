"""Optimizers against PyTorch: the same parameters after twenty steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn, optim

if TYPE_CHECKING:
    from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

STEPS = 20
TOLERANCES = {"float32": 1e-5, "float64": 1e-10}

OPTIMIZERS: list[Any] = [
    pytest.param("SGD", {"lr": 0.05}, id="sgd"),
    pytest.param("SGD", {"lr": 0.05, "momentum": 0.9}, id="momentum"),
    pytest.param("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3}, id="dampening"),
    pytest.param("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True}, id="nesterov"),
    pytest.param("Adam", {"lr": 0.01}, id="adam"),
    pytest.param("Adam", {"lr": 0.02, "betas": (0.7, 0.95), "eps": 1e-3}, id="adam-betas"),
]


def problem(dtype: str) -> tuple[list[NDArray[Any]], NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape).astype(dtype) for shape in ((5, 8), (8,), (8, 3), (3,))]
    return weights, rng.normal(size=(STEPS, 10, 5)).astype(dtype), rng.integers(0, 3, (STEPS, 10))


def trained_here(kind: str, options: dict[str, Any], dtype: str, *, change: Any = None) -> list[NDArray[Any]]:
    weights, inputs, labels = problem(dtype)
    W1, b1, W2, b2 = parameters = [dc.asarray(w.copy(), requires_grad=True) for w in weights]
    optimizer = getattr(optim, kind)(parameters, **options)
    loss = nn.CategoricalCrossEntropy()
    for step in range(STEPS):
        if change is not None:
            change(optimizer, step)
        optimizer.zero_grad()
        x = dc.tanh(dc.asarray(inputs[step]) @ W1 + b1)
        loss(x @ W2 + b2, dc.asarray(labels[step])).backward()
        optimizer.step()
    assert all(p.dtype.name == dtype for p in parameters)
    return [p.numpy() for p in parameters]


def trained_there(kind: str, options: dict[str, Any], dtype: str, *, change: Any = None) -> list[NDArray[Any]]:
    weights, inputs, labels = problem(dtype)
    W1, b1, W2, b2 = parameters = [torch.tensor(w, requires_grad=True) for w in weights]
    optimizer = getattr(torch.optim, kind)(parameters, **options)
    for step in range(STEPS):
        if change is not None:
            change(optimizer, step)
        optimizer.zero_grad()
        x = torch.tanh(torch.tensor(inputs[step]) @ W1 + b1)
        torch.nn.functional.cross_entropy(x @ W2 + b2, torch.tensor(labels[step])).backward()
        optimizer.step()
    return [p.detach().numpy() for p in parameters]


def assert_same(ours: list[NDArray[Any]], theirs: list[NDArray[Any]], dtype: str) -> None:
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=TOLERANCES[dtype], atol=TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS)
def test_parameters_after_twenty_steps(kind: str, options: dict[str, Any], dtype: str) -> None:
    start = problem(dtype)[0]
    ours, theirs = trained_here(kind, options, dtype), trained_there(kind, options, dtype)
    assert all(np.abs(a - b).max() > 1e-2 for a, b in zip(ours, start, strict=True))
    assert_same(ours, theirs, dtype)


def test_a_learning_rate_that_changes() -> None:
    def here(optimizer: optim.Optimizer, step: int) -> None:
        optimizer.lr = 0.1 / (1 + step)

    def there(optimizer: Any, step: int) -> None:
        optimizer.param_groups[0]["lr"] = 0.1 / (1 + step)

    options = {"lr": 0.1, "momentum": 0.9}
    ours = trained_here("SGD", options, "float64", change=here)
    assert_same(ours, trained_there("SGD", options, "float64", change=there), "float64")


def test_a_parameter_that_begins_to_learn_late() -> None:
    def thaw(parameters: list[Any], step: int) -> None:
        parameters[0].requires_grad = step >= 10

    ours = trained_here("Adam", {"lr": 0.01}, "float64", change=lambda o, step: thaw(o.parameters, step))
    theirs = trained_there("Adam", {"lr": 0.01}, "float64", change=lambda o, s: thaw(o.param_groups[0]["params"], s))
    assert_same(ours, theirs, "float64")
