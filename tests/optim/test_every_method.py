"""What is required of every method: data types, devices, states, parameters that come, go and are set."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.numpy import load, save

import deepcore as dc
from deepcore import optim

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from deepcore._device import Device

    Make = Callable[[Any], optim.BaseOptimizer]


def custom(parameters: Any) -> optim.Optimizer:
    parts = [optim.add_sign(0.01), optim.scale_by_momentum(0.5), optim.clip_adaptively(0.5), optim.scale_by_adam()]
    rest = [optim.scale_by_momentum(0.9), optim.clip_by_value(3.0), optim.scale(0.5), optim.clip_by_norm(2.0)]
    return optim.Optimizer(parameters, optim.chain(*parts, *rest, optim.scale_by_learning_rate(0.02)))


def no_number(step: int) -> float:
    return float("nan")


def slower(step: int) -> float:
    return 0.05 / (1 + step)


METHODS: dict[str, Make] = {
    "sgd": lambda p: optim.SGD(p, lr=0.02),
    "momentum": lambda p: optim.SGD(p, lr=0.02, momentum=0.9, dampening=0.2, weight_decay=0.01),
    "nesterov": lambda p: optim.SGD(p, lr=0.02, momentum=0.9, nesterov=True),
    "adam": lambda p: optim.Adam(p, lr=0.05),
    "adam-schedule": lambda p: optim.Adam(p, lr=slower),
    "amsgrad": lambda p: optim.Adam(p, lr=0.05, amsgrad=True),
    "adamw": lambda p: optim.AdamW(p, lr=0.05),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.1, lr_decay=0.01, initial_accumulator_value=0.1),
    "adadelta": lambda p: optim.Adadelta(p, lr=2.0),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.02, momentum=0.5, centered=True),
    "adamax": lambda p: optim.Adamax(p, lr=0.05),
    "nadam": lambda p: optim.NAdam(p, lr=0.05),
    "radam": lambda p: optim.RAdam(p, lr=0.05),
    "lion": lambda p: optim.Lion(p, lr=0.01, weight_decay=0.1),
    "lamb": lambda p: optim.LAMB(p, lr=0.05, weight_decay=0.01),
    "adafactor": lambda p: optim.Adafactor(p, lr=0.1, weight_decay=0.01),
    "muon": lambda p: optim.Muon(p, lr=0.05),
    "lbfgs": lambda p: optim.LBFGS(p, lr=0.3, max_iter=2, history_size=2),
    "lbfgs-wolfe": lambda p: optim.LBFGS(p, max_iter=3, line_search_fn="strong_wolfe"),
    "sam": lambda p: optim.SAM(optim.Adam(p, lr=0.05), rho=0.1),
    "asam": lambda p: optim.SAM(optim.SGD(p, lr=0.02, momentum=0.5), rho=0.5, adaptive=True),
    "custom": custom,
    "optimizers": lambda p: optim.Optimizers(optim.Adam(list(p)[:1], lr=0.05), optim.SGD(list(p)[1:], lr=0.02)),
}
EVERY = pytest.mark.parametrize("make", METHODS.values(), ids=METHODS)
STARTS = [np.linspace(-1, 1, 6).reshape(2, 3), np.linspace(1.5, -0.5, 12).reshape(3, 4)]
TARGETS = [np.full((2, 3), 0.25), np.linspace(-0.5, 0.5, 12).reshape(3, 4)]


def tensors(device: Any = "cpu", dtype: dc.DType = dc.float64) -> list[dc.Tensor]:
    return [dc.asarray(x.copy(), dtype=dtype, device=device, requires_grad=True) for x in STARTS]


def loss_of(optimizer: optim.BaseOptimizer, parameters: list[dc.Tensor]) -> Callable[[], dc.Tensor]:
    targets = [dc.asarray(t, dtype=p.dtype, device=p.device) for p, t in zip(parameters, TARGETS, strict=True)]

    def closure() -> dc.Tensor:
        optimizer.zero_grad()
        a, b = (p - t for p, t in zip(parameters, targets, strict=True))
        loss = (a * a).sum() + (b * b * (b * b + 1.0)).sum() + 0.3 * dc.sum(dc.matmul(a, b))
        loss.backward()
        return loss

    return closure


def run(optimizer: optim.BaseOptimizer, parameters: list[dc.Tensor], steps: int) -> list[float]:
    closure = loss_of(optimizer, parameters)
    return [float(optimizer.step(closure)) for _ in range(steps)]


def bits(parameters: list[dc.Tensor]) -> list[bytes]:
    return [p.numpy().tobytes() for p in parameters]


@EVERY
def test_the_loss_falls_and_the_tensors_stay_the_same_objects(make: Make, device: Device) -> None:
    for dtype in (dc.float32, dc.float64):
        w = tensors(device, dtype)
        optimizer = make(w)
        losses = run(optimizer, w, 12)
        assert losses[-1] < 0.9 * losses[0]
        assert all(a is b for a, b in zip(optimizer.parameters, w, strict=True))
        assert {(p.dtype, p.device, p.requires_grad, p.is_leaf) for p in w} == {(dtype, device, True, True)}
        for value in optimizer.state_dict().values():
            if isinstance(value, dc.Tensor):
                assert (value.dtype, value.device) == (dtype, device)


@EVERY
def test_every_library_moves_alike(make: Make, device: Device) -> None:
    here, there = tensors("cpu"), tensors(device)
    run(make(here), here, 5)
    run(make(there), there, 5)
    for a, b in zip(here, there, strict=True):
        np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-9, atol=1e-9)


@EVERY
@pytest.mark.parametrize("dtype", [dc.bfloat16, dc.float16], ids=str)
def test_types_of_16_bits_are_updated_in_float32_and_rounded(make: Make, dtype: dc.DType, device: Device) -> None:
    if dtype not in device.backend.raw_dtypes:
        pytest.skip(f"{device} has no {dtype}")
    narrow, wide = tensors(device, dtype), tensors(device, dc.float32)
    one, two = make(narrow), make(wide)
    for _ in range(3):
        for i, (p, q) in enumerate(zip(narrow, wide, strict=True)):
            g = np.linspace(-0.3, 0.2, p.size).reshape(p.shape) * (1 + i)
            p.grad = dc.asarray(g, dtype=dtype, device=device)
            with dc.no_grad():
                q[...] = p.detach().astype(dc.float32)
            q.grad = p.grad.astype(dc.float32)
        for optimizer in (one, two):
            optimizer.step(lambda: 0.0)
        assert [p.dtype for p in narrow] == [dtype] * 2
        for p, q in zip(narrow, wide, strict=True):
            np.testing.assert_array_equal(
                p.numpy().astype(np.float32), q.detach().astype(dtype).numpy().astype(np.float32)
            )


@EVERY
def test_what_was_given_is_never_written_to(make: Make) -> None:
    arrays = [x.copy() for x in STARTS]
    w = [dc.asarray(x, requires_grad=True) for x in arrays]
    optimizer = make(w)
    closure = loss_of(optimizer, w)
    held: list[Any] = []
    for _ in range(4):
        closure()
        graph = (w[0] * w[0]).sum()  # saves the present array
        kept = [p._data for p in w] + [p.grad._data for p in w if p.grad is not None]
        held.append((graph, w[0].numpy().copy(), [(x, x.copy()) for x in kept]))
        optimizer.step(closure)
    for x, start in zip(arrays, STARTS, strict=True):
        assert x.tobytes() == start.tobytes()
    for _, _, pairs in held:
        for now, before in pairs:
            assert now.tobytes() == before.tobytes()
    graph, value, _ = held[1]
    optimizer.zero_grad()
    graph.backward()
    assert w[0].grad is not None
    np.testing.assert_array_equal(w[0].grad.numpy(), 2 * value)


@EVERY
def test_gradients_of_zero_are_no_trouble(make: Make, device: Device) -> None:
    w = tensors(device, dc.float32)
    optimizer = make(w)
    for _ in range(2):
        for p in w:
            p.grad = dc.zeros_like(p)
        optimizer.step(lambda: 0.0)
    assert all(np.isfinite(p.numpy()).all() for p in w)


@EVERY
def test_parameters_without_elements(make: Make, device: Device) -> None:
    w = [*tensors(device, dc.float32), dc.zeros((0, 3), device=device, requires_grad=True)]
    optimizer = make(w)

    def closure() -> dc.Tensor:
        optimizer.zero_grad()
        loss = (w[0] * w[0]).sum() + (w[1] * w[1]).sum() + w[2].sum()
        loss.backward()
        return loss

    for _ in range(2):
        optimizer.step(closure)
    assert w[2].shape == (0, 3)
    assert w[0].numpy().tobytes() != STARTS[0].astype(np.float32).tobytes()


# ------------------------------------------------------------------------------------------------------------- states


def through_a_file(state: dict[str, Any]) -> dict[str, NDArray[Any]]:
    values = {name: value.numpy() if isinstance(value, dc.Tensor) else value for name, value in state.items()}
    return dict(load(save({name: np.ascontiguousarray(value) for name, value in values.items()})))


@EVERY
def test_going_on_after_loading_is_as_never_having_stopped(make: Make, device: Device) -> None:
    w = tensors(device)
    optimizer = make(w)
    run(optimizer, w, 3)
    state = optimizer.state_dict()
    saved = through_a_file(state)
    copies = [dc.asarray(p.numpy().copy(), device=device, requires_grad=True) for p in w]
    second = run(optimizer, w, 3)
    other = make(copies)
    other.load_state_dict(saved)
    assert run(other, copies, 3) == second
    assert bits(copies) == bits(w)
    for name, value in through_a_file(state).items():  # what was returned does not change with later steps
        assert value.tobytes() == saved[name].tobytes()
    final, other_final = through_a_file(optimizer.state_dict()), through_a_file(other.state_dict())
    assert {k: v.tobytes() for k, v in final.items()} == {k: v.tobytes() for k, v in other_final.items()}


@EVERY
def test_states_are_flat_and_readable(make: Make) -> None:
    w = tensors()
    optimizer = make(w)
    run(optimizer, w, 2)
    for name, value in optimizer.state_dict().items():
        assert isinstance(value, (dc.Tensor, int, float, list))
        if isinstance(value, dc.Tensor):
            position = name.rpartition(".")[0].rpartition(".")[2]
            assert position in ("0", "1")


# ---------------------------------------------------------------------------------- parameters that come, go, are set


def without(*names: str) -> pytest.MarkDecorator:
    chosen = {name: make for name, make in METHODS.items() if name not in names}
    return pytest.mark.parametrize("make", chosen.values(), ids=chosen)


CHAINS = without("lbfgs", "lbfgs-wolfe")


def gradient(p: dc.Tensor, step: int) -> dc.Tensor:
    values = np.cos(np.arange(p.size) * (step + 1.0) + 0.5).reshape(p.shape)
    return dc.asarray(values, dtype=p.dtype, device=p.device)


# Left out are those in which parameters depend on each other, or on the time.
@without("lbfgs", "lbfgs-wolfe", "sam", "asam", "custom", "adam-schedule")
def test_parameters_without_a_gradient_stay_and_do_not_age(make: Make) -> None:
    a, b = tensors()
    alone = tensors()[1]
    optimizer, other = make([a, b]), make([dc.asarray(STARTS[0], requires_grad=True), alone])
    for step in range(6):
        a.grad = gradient(a, step)
        b.grad = None if step in (0, 3) else gradient(b, step)
        before = b.numpy().tobytes()
        optimizer.step(lambda: 0.0)
        assert (b.numpy().tobytes() == before) == (step in (0, 3))
    for step in (1, 2, 4, 5):
        alone.grad = gradient(alone, step)
        other.step(lambda: 0.0)
    np.testing.assert_allclose(b.numpy(), alone.numpy(), rtol=1e-14)


@CHAINS
def test_frozen_parameters_stay(make: Make) -> None:
    a, b = tensors()
    optimizer = make([a, b])
    run(optimizer, [a, b], 2)
    b.requires_grad = False
    before = b.numpy().tobytes()
    a.grad, b.grad = gradient(a, 0), gradient(b, 0)
    optimizer.step(lambda: 0.0)
    assert b.numpy().tobytes() == before
    assert not b.requires_grad


@CHAINS
def test_parameters_that_are_set_between_steps_are_seen(make: Make) -> None:
    a, b = tensors()
    optimizer = make([a, b])
    for step in range(4):
        if step == 2:
            with dc.no_grad():
                a[...] = dc.zeros_like(a)
        a.grad, b.grad = gradient(a, step), gradient(b, step)
        before = a.numpy().copy()
        optimizer.step(lambda: 0.0)
        assert np.abs(a.numpy() - before).max() < 1.0
    assert np.abs(a.numpy()).max() < 1.0


@EVERY
def test_a_model_that_moves_takes_its_state_along(make: Make, device: Device) -> None:
    here, mover = tensors("cpu"), tensors("cpu")
    one, two = make(here), make(mover)
    for target in ("cpu", device, "cpu"):
        for p in mover:
            moved = p.detach().to_device(target)
            p._data, p._device, p._node = moved._data, moved._device, None
            p.requires_grad = True
        run(one, here, 2)
        run(two, mover, 2)
    for a, b in zip(here, mover, strict=True):
        np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-9, atol=1e-12)


@CHAINS
def test_the_learning_rate_is_read_and_written(make: Make) -> None:
    w = tensors()
    optimizer = make(w)
    assert 0 < optimizer.lr < 3
    optimizer.lr = 0.0
    assert optimizer.lr == 0.0
    before = bits(w)
    run(optimizer, w, 2)
    assert bits(w) == before
    with pytest.raises(dc.ConfigError, match=r"\w+: the learning rate is at least 0 and finite, not -1"):
        optimizer.lr = -1.0
    with pytest.raises(dc.ConfigError, match=r"\w+: the learning rate is at least 0 and finite, not nan"):
        optimizer.lr = no_number


def test_data_types_and_shared_tensors_side_by_side() -> None:
    a, b = dc.ones(2, requires_grad=True), dc.ones(3, dtype=dc.float64, requires_grad=True)
    optimizer = optim.Adam([a, b, a], lr=0.1)
    assert len(optimizer.parameters) == 2
    for _ in range(2):
        a.grad, b.grad = dc.ones(2), dc.ones(3, dtype=dc.float64)
        optimizer.step()
    assert a.numpy() == pytest.approx(0.8, rel=1e-6)
    assert b.numpy() == pytest.approx(0.8, rel=1e-7)  # as far as eps allows
    assert (a.dtype, b.dtype) == (dc.float32, dc.float64)


def test_every_method_has_its_options_by_name() -> None:
    for name in ("SGD", "Adam", "AdamW", "Adagrad", "Adadelta", "RMSprop", "Adamax", "NAdam", "RAdam", "Lion", "LAMB"):
        parameters = list(inspect.signature(getattr(optim, name)).parameters.values())
        assert [p.kind for p in parameters[1:]] == [inspect.Parameter.KEYWORD_ONLY] * (len(parameters) - 1)
