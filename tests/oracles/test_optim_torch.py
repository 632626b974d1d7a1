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
    pytest.param("SGD", {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1}, id="sgd-decay"),
    pytest.param("Adam", {"lr": 0.02, "amsgrad": True, "betas": (0.9, 0.8)}, id="amsgrad"),
    pytest.param("Adam", {"lr": 0.02, "weight_decay": 0.1}, id="adam-decay"),
    pytest.param("AdamW", {"lr": 0.02}, id="adamw"),
    pytest.param("AdamW", {"lr": 0.02, "weight_decay": 0.5, "amsgrad": True, "betas": (0.9, 0.8)}, id="adamw-amsgrad"),
    pytest.param("Adagrad", {"lr": 0.1}, id="adagrad"),
    pytest.param(
        "Adagrad",
        {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3},
        id="adagrad-options",
    ),
    pytest.param("Adadelta", {}, id="adadelta"),
    pytest.param("Adadelta", {"lr": 2.0, "rho": 0.8, "eps": 1e-4, "weight_decay": 0.1}, id="adadelta-options"),
    pytest.param("RMSprop", {"lr": 0.01}, id="rmsprop"),
    pytest.param("RMSprop", {"lr": 0.01, "momentum": 0.9, "alpha": 0.9, "eps": 1e-4}, id="rmsprop-momentum"),
    pytest.param(
        "RMSprop", {"lr": 0.01, "momentum": 0.5, "centered": True, "weight_decay": 0.1}, id="rmsprop-centered"
    ),
    pytest.param("Adamax", {"lr": 0.02}, id="adamax"),
    pytest.param("Adamax", {"lr": 0.02, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}, id="adamax-options"),
    pytest.param("NAdam", {"lr": 0.02}, id="nadam"),
    pytest.param("NAdam", {"lr": 0.02, "weight_decay": 0.1, "momentum_decay": 0.1}, id="nadam-decay"),
    pytest.param(
        "NAdam", {"lr": 0.02, "weight_decay": 0.1, "decoupled_weight_decay": True, "eps": 1e-4}, id="nadam-decoupled"
    ),
    pytest.param("RAdam", {"lr": 0.02}, id="radam"),
    pytest.param("RAdam", {"lr": 0.02, "weight_decay": 0.1, "betas": (0.8, 0.9)}, id="radam-decay"),
    pytest.param(
        "RAdam", {"lr": 0.02, "weight_decay": 0.1, "decoupled_weight_decay": True, "eps": 1e-4}, id="radam-decoupled"
    ),
    pytest.param("Adafactor", {"lr": 0.1}, id="adafactor"),
    pytest.param(
        "Adafactor",
        {"lr": 0.5, "weight_decay": 0.1, "beta2_decay": -0.5, "eps": (1e-4, 0.1), "d": 1.1},
        id="adafactor-options",
    ),
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

        def closure(step: int = step) -> dc.Tensor:
            optimizer.zero_grad()
            x = dc.tanh(dc.asarray(inputs[step]) @ W1 + b1)
            value = loss(x @ W2 + b2, dc.asarray(labels[step]))
            value.backward()
            return value

        if change is not None:
            change(optimizer, step)
        optimizer.step(closure)
    assert all(p.dtype.name == dtype for p in parameters)
    return [p.numpy() for p in parameters]


def trained_there(kind: str, options: dict[str, Any], dtype: str, *, change: Any = None) -> list[NDArray[Any]]:
    weights, inputs, labels = problem(dtype)
    W1, b1, W2, b2 = parameters = [torch.tensor(w, requires_grad=True) for w in weights]
    usual = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))  # in which it counts, where it counts in tensors
    optimizer = getattr(torch.optim, kind)(parameters, **options)
    for step in range(STEPS):

        def closure(step: int = step) -> Any:
            optimizer.zero_grad()
            x = torch.tanh(torch.tensor(inputs[step]) @ W1 + b1)
            value = torch.nn.functional.cross_entropy(x @ W2 + b2, torch.tensor(labels[step]))
            value.backward()
            return value

        if change is not None:
            change(optimizer, step)
        optimizer.step(closure)
    torch.set_default_dtype(usual)
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


QUASI_NEWTON: list[Any] = [
    pytest.param({"lr": 0.5, "max_iter": 1}, 20, 20, id="lbfgs"),
    pytest.param({"lr": 0.5, "max_iter": 7, "history_size": 3}, 3, 1, id="lbfgs-short"),
    pytest.param({"line_search_fn": "strong_wolfe", "max_iter": 1, "max_eval": 9}, 20, 5, id="lbfgs-wolfe"),
    pytest.param({"line_search_fn": "strong_wolfe", "lr": 8.0, "max_iter": 5}, 3, 1, id="lbfgs-zoom"),
    pytest.param({"line_search_fn": "strong_wolfe", "lr": 0.01, "max_iter": 9, "max_eval": 6}, 4, 2, id="lbfgs-limits"),
]


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize(("options", "steps", "early"), QUASI_NEWTON)
def test_quasi_newton(options: dict[str, Any], steps: int, early: int, dtype: str) -> None:
    # One batch throughout: the methods are for functions without noise, and on others amplify rounding without bound.
    _, inputs, labels = problem(dtype)
    start = np.random.default_rng(1).normal(size=(5, 3)).astype(dtype)
    W, V = dc.asarray(start, requires_grad=True), torch.tensor(start, requires_grad=True)
    here, there = optim.LBFGS([W], **options), torch.optim.LBFGS([V], **options)
    losses: tuple[list[float], list[float]] = ([], [])

    def ours() -> dc.Tensor:
        here.zero_grad()
        x, y = dc.asarray(inputs.reshape(-1, 5)), dc.asarray(labels.reshape(-1))
        loss = nn.CategoricalCrossEntropy()(x @ W, y) + 0.05 * (W * W).sum()
        loss.backward()
        losses[0].append(loss.item())
        return loss

    def theirs() -> Any:
        there.zero_grad()
        x, y = torch.tensor(inputs.reshape(-1, 5)), torch.tensor(labels.reshape(-1))
        loss = torch.nn.functional.cross_entropy(x @ V, y) + 0.05 * (V * V).sum()
        loss.backward()
        losses[1].append(loss.item())
        return loss

    # Near the minimum the differences of gradients are rounding: float32 is compared on the way there.
    for _ in range(steps if dtype == "float64" else min(steps, early)):
        assert here.step(ours).item() == pytest.approx(there.step(theirs).item(), rel=TOLERANCES[dtype])
    assert_same([W.numpy()], [V.detach().numpy()], dtype)
    if dtype == "float64":  # the same points were tried on the way
        assert losses[0] == pytest.approx(losses[1], rel=1e-10)
        assert here.func_evals == there.state_dict()["state"][0]["func_evals"]


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize(
    ("here", "there"),
    [
        ({"lr": 0.02}, {"lr": 0.02}),
        (
            {"lr": 0.05, "nesterov": False, "weight_decay": 0.3, "momentum": 0.8, "adjustment": "match_rms_adamw"},
            {"lr": 0.05, "nesterov": False, "weight_decay": 0.3, "momentum": 0.8, "adjust_lr_fn": "match_rms_adamw"},
        ),
    ],
    ids=["default", "options"],
)
def test_muon(here: dict[str, Any], there: dict[str, Any], dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # PyTorch's matrices have a row per output, and it iterates in bfloat16; both are undone here.
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape).astype(dtype) for shape in ((5, 8), (8, 3), (4, 4))]
    gradients = [[rng.normal(size=w.shape).astype(dtype) for w in weights] for _ in range(STEPS)]
    ours = [dc.asarray(w, requires_grad=True) for w in weights]
    theirs = [torch.tensor(w.T.copy(), requires_grad=True) for w in weights]
    one, two = optim.Muon(ours, **here), torch.optim.Muon(theirs, **there)
    for step in gradients:
        for p, q, g in zip(ours, theirs, step, strict=True):
            p.grad, q.grad = dc.asarray(g), torch.tensor(g.T.copy())
        one.step()
        two.step()
    assert_same([p.numpy() for p in ours], [q.detach().numpy().T for q in theirs], dtype)


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


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("bound", [0.5, 5.0, 500.0])
def test_clipping(bound: float, dtype: str) -> None:
    rng = np.random.default_rng(0)
    gradients = [rng.normal(size=shape).astype(dtype) for shape in ((5, 8), (8,), ())]
    ours = [dc.zeros(g.shape, dtype=getattr(dc, dtype), requires_grad=True) for g in gradients]
    theirs = [torch.zeros(g.shape, dtype=getattr(torch, dtype), requires_grad=True) for g in gradients]
    for p, q, g in zip(ours, theirs, gradients, strict=True):
        p.grad, q.grad = dc.asarray(g), torch.tensor(g)
    norm = optim.clip_grad_norm(ours, bound)
    assert norm.item() == pytest.approx(torch.nn.utils.clip_grad_norm_(theirs, bound).item(), rel=TOLERANCES[dtype])
    assert_same([p.grad.numpy() for p in ours if p.grad is not None], [q.grad.numpy() for q in theirs], dtype)
    optim.clip_grad_value(ours, 0.1)
    torch.nn.utils.clip_grad_value_(theirs, 0.1)
    assert_same([p.grad.numpy() for p in ours if p.grad is not None], [q.grad.numpy() for q in theirs], dtype)


@pytest.mark.parametrize("kind", ["exponential", "equal"])
def test_averages(kind: str) -> None:
    utils: Any = torch.optim.swa_utils
    theirs = torch.nn.Linear(3, 2).double()
    ours = [dc.asarray(p.detach().numpy().copy(), requires_grad=True) for p in theirs.parameters()]
    if kind == "exponential":
        one: Any = optim.ExponentialMovingAverage(ours, 0.8)
        two = utils.AveragedModel(theirs, multi_avg_fn=utils.get_ema_multi_avg_fn(0.8))
    else:
        one, two = optim.StochasticWeightAverage(ours), utils.AveragedModel(theirs)
    rng = np.random.default_rng(0)
    for _ in range(10):
        for p, q in zip(ours, theirs.parameters(), strict=True):
            value = rng.normal(size=p.shape)
            with dc.no_grad():
                p[...] = dc.asarray(value)
            q.data = torch.tensor(value)
        one.update()
        two.update_parameters(theirs)
    averages = [p.detach().numpy() for p in two.module.parameters()]
    assert_same([a.numpy() for a in one.averages], averages, "float64")
