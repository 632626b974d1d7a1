"""Optimizers: their equations, options, data types and states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import optim

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore._device import Device

START = np.array([1.0, -2.0, 0.5])
GRADIENTS = np.array([[0.3, -0.1, 0.2], [0.1, 0.4, -0.2], [-0.5, 0.0, 0.1], [0.2, 0.2, 0.2]])

OPTIMIZERS: list[Any] = [
    pytest.param(lambda p: optim.SGD(p, lr=0.1), id="sgd"),
    pytest.param(lambda p: optim.SGD(p, lr=0.1, momentum=0.9), id="momentum"),
    pytest.param(lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True), id="nesterov"),
    pytest.param(lambda p: optim.Adam(p, lr=0.1), id="adam"),
]
EVERY = pytest.mark.parametrize("make", OPTIMIZERS)


def stepped(
    make: Callable[[list[dc.Tensor]], optim.Optimizer], device: Any = "cpu", dtype: dc.DType = dc.float64
) -> dc.Tensor:
    """Return the parameter after steps with given gradients."""
    w = dc.asarray(START, dtype=dtype, device=device, requires_grad=True)
    optimizer = make([w])
    for g in GRADIENTS:
        w.grad = dc.asarray(g, dtype=dtype, device=device)
        optimizer.step()
    return w


def test_plain_descent(device: Device) -> None:
    w = stepped(lambda p: optim.SGD(p, lr=0.1), device)
    assert w.numpy() == pytest.approx(START - 0.1 * GRADIENTS.sum(0), rel=1e-14)


@pytest.mark.parametrize("dampening", [0.0, 0.4])
def test_momentum(dampening: float, device: Device) -> None:
    w, v = START.copy(), GRADIENTS[0]
    w = w - 0.1 * v
    for g in GRADIENTS[1:]:
        v = 0.9 * v + (1 - dampening) * g
        w = w - 0.1 * v
    actual = stepped(lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=dampening), device)
    assert actual.numpy() == pytest.approx(w, rel=1e-13)


def test_nesterov(device: Device) -> None:
    w, v = START.copy(), np.zeros(3)
    for g in GRADIENTS:
        v = 0.9 * v + g
        w = w - 0.1 * (g + 0.9 * v)
    actual = stepped(lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True), device)
    assert actual.numpy() == pytest.approx(w, rel=1e-13)


@pytest.mark.parametrize("bias_correction", [True, False])
def test_adam(bias_correction: bool, device: Device) -> None:
    w, m, v = START.copy(), np.zeros(3), np.zeros(3)
    for t, g in enumerate(GRADIENTS, start=1):
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g**2
        c1, c2 = (1 - 0.8**t, 1 - 0.95**t) if bias_correction else (1.0, 1.0)
        w = w - 0.1 * (m / c1) / (np.sqrt(v / c2) + 1e-4)
    options: dict[str, Any] = {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-4, "bias_correction": bias_correction}
    assert stepped(lambda p: optim.Adam(p, **options), device).numpy() == pytest.approx(w, rel=1e-12)


def test_the_first_step_of_adam_is_the_learning_rate_whatever_the_gradient() -> None:
    w = dc.asarray([1.0, 1.0, 1.0], dtype=dc.float64, requires_grad=True)
    w.grad = dc.asarray([1e-3, -7.0, 0.0], dtype=dc.float64)
    optim.Adam([w], lr=0.01, eps=1e-12).step()
    assert w.tolist() == pytest.approx([0.99, 1.01, 1.0])


@EVERY
@pytest.mark.parametrize("dtype", [dc.float32, dc.float64])
def test_data_type_and_device_are_kept(make: Any, dtype: dc.DType, device: Device) -> None:
    w = dc.asarray(START, dtype=dtype, device=device, requires_grad=True)
    optimizer = make([w])
    for _ in range(2):
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()
    assert (w.dtype, w.device) == (dtype, device)
    assert w.requires_grad
    assert w.is_leaf
    for state in optimizer.state:
        assert {(value.dtype, value.device) for value in state.values()} <= {(dtype, device)}


@EVERY
def test_what_was_given_is_never_written_to(make: Any) -> None:
    array = START.copy()
    w = dc.asarray(array, requires_grad=True)
    w.grad = dc.asarray(GRADIENTS[0])
    make([w]).step()
    assert array.tolist() == START.tolist()
    assert w.tolist() != START.tolist()


@EVERY
def test_it_learns(make: Any) -> None:
    target = np.array([0.3, -0.2])
    w = dc.asarray(np.zeros(2), requires_grad=True)
    optimizer = make([w])
    for _ in range(200):
        optimizer.zero_grad()
        ((w - dc.asarray(target)) ** 2).sum().backward()
        optimizer.step()
    assert w.numpy() == pytest.approx(target, abs=1e-2)


@EVERY
def test_parameters_without_a_gradient_stay(make: Any) -> None:
    a, b = (dc.asarray(START, requires_grad=True) for _ in range(2))
    a.grad = dc.asarray(GRADIENTS[0])
    make([a, b]).step()
    assert a.tolist() != START.tolist() == b.tolist()


def test_zero_grad() -> None:
    w = dc.asarray(START, requires_grad=True)
    (w * w).sum().backward()
    optim.SGD([w]).zero_grad()
    assert w.grad is None


def test_the_learning_rate_is_never_divided_by_the_batch_size() -> None:
    for samples in (1, 10):
        w = dc.asarray(1.0, requires_grad=True)
        (w * dc.ones(samples)).sum().backward()
        optim.SGD([w], lr=0.01).step()
        assert w.item() == pytest.approx(1 - 0.01 * samples)


# -------------------------------------------------------------------------------------------------------------- states


@EVERY
def test_a_run_that_is_resumed_goes_on_as_if_nothing_had_happened(make: Any, device: Device) -> None:
    straight = stepped(make, device)
    w = dc.asarray(START, device=device, requires_grad=True)
    optimizer = make([w])
    for i, g in enumerate(GRADIENTS):
        if i == 2:
            saved = optimizer.state_dict()
            saved = {name: value.numpy() if isinstance(value, dc.Tensor) else value for name, value in saved.items()}
            w = dc.asarray(w.detach(), requires_grad=True)
            optimizer = make([w])
            optimizer.load_state_dict(saved)
            for value in saved.values():
                if isinstance(value, np.ndarray) and value.flags.writeable:
                    value[...] = 99.0  # what was loaded is a copy
        w.grad = dc.asarray(g, device=device)
        optimizer.step()
    assert w.numpy().tobytes() == straight.numpy().tobytes()


def test_states_that_do_not_fit_change_nothing() -> None:
    w = dc.asarray(START, requires_grad=True)
    optimizer = optim.Adam([w])
    w.grad = dc.asarray(GRADIENTS[0])
    optimizer.step()
    before = {name: getattr(value, "tolist", lambda: None)() for name, value in optimizer.state_dict().items()}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"steps": [1], "1.m": np.ones(3)}, r"Adam: the state has '1\.m', but there are 1 parameters"),
        ({"steps": [1], "x.m": np.ones(3)}, r"Adam: the state has 'x\.m'"),
        ({"steps": [1], "0.m": np.ones(2), "0.v": np.ones(3)}, r"Adam: 0\.m has shape \(2,\), not \(3,\)"),
        ({"steps": [1], "0.m": np.ones(3)}, r"Adam: the state has no 0\.v, which this optimizer remembers"),
        ({"steps": [1], "0.z": np.ones(3)}, r"Adam: the state has 0\.z, which this optimizer does not remember"),
        ({"steps": [0], "lr": [0.1, 0.2]}, "Adam: the state has learning rates of 2 groups, not 1"),
        ({"0.m": np.ones(3)}, "Adam: the state has steps of 0 parameters, not 1"),
    ]
    for state, message in wrong:
        with pytest.raises(dc.StateError, match=message):
            optimizer.load_state_dict(state)
    after = {name: getattr(value, "tolist", lambda: None)() for name, value in optimizer.state_dict().items()}
    assert before == after
    assert optimizer.steps == [1]


# ------------------------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
@pytest.mark.parametrize("lr", [-0.1, float("nan"), float("inf")])
def test_learning_rates(kind: Any, lr: float) -> None:
    with pytest.raises(dc.ConfigError, match="the learning rate is at least 0"):
        kind([dc.asarray([1.0], requires_grad=True)], lr=lr)


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_parameters_are_needed(kind: Any) -> None:
    with pytest.raises(dc.ConfigError, match=f"{kind.__name__}: there are no parameters to learn"):
        kind([])


@pytest.mark.parametrize("momentum", [-0.1, 1.0, float("nan")])
def test_momentum_is_below_one(momentum: float) -> None:
    with pytest.raises(dc.ConfigError, match="momentum is from 0"):
        optim.SGD([dc.asarray([1.0], requires_grad=True)], momentum=momentum)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "dampening": 0.1}])
def test_nesterov_needs_momentum_without_dampening(options: dict[str, float]) -> None:
    with pytest.raises(dc.ConfigError, match="nesterov needs momentum > 0 and dampening = 0"):
        optim.SGD([dc.asarray([1.0], requires_grad=True)], nesterov=True, **options)


@pytest.mark.parametrize("betas", [(1.0, 0.9), (0.9, -0.1), (0.9, float("nan"))])
def test_betas_are_below_one(betas: tuple[float, float]) -> None:
    with pytest.raises(dc.ConfigError, match="the betas are from 0"):
        optim.Adam([dc.asarray([1.0], requires_grad=True)], betas=betas)
