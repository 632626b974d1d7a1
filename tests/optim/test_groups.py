"""Groups, wrappers, clipping and accumulation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn, optim, train
from deepcore.random import Generator

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore._device import Device


def weights(device: Any = "cpu", dtype: dc.DType = dc.float64) -> list[dc.Tensor]:
    return [dc.asarray(x, dtype=dtype, device=device, requires_grad=True) for x in ([1.0, 2.0], [[3.0, -4.0]])]


def give(parameters: list[dc.Tensor], values: Any = ([0.3, -0.4], [[1.2, 0.0]])) -> None:
    for p, g in zip(parameters, values, strict=True):
        p.grad = dc.asarray(g, dtype=p.dtype, device=p.device)


# ------------------------------------------------------------------------------------------------------------- groups


def test_groups_have_options_of_their_own() -> None:
    a, b = weights()
    c, d = weights()
    both = optim.SGD([{"params": [a], "lr": 0.5, "momentum": 0.5}, {"params": b}], lr=0.1)
    one, two = optim.SGD([c], lr=0.5, momentum=0.5), optim.SGD([d], lr=0.1)
    for _ in range(3):
        give([a, b])
        give([c, d])
        for optimizer in (both, one, two):
            optimizer.step()
    assert (a.tolist(), b.tolist()) == (c.tolist(), d.tolist())
    assert [group.lr for group in both.groups] == [0.5, 0.1]
    both.groups[1].lr = 0.2
    assert [group.lr for group in both.groups] == [0.5, 0.2]
    both.lr = 0.7
    assert [group.lr for group in both.groups] == [0.7, 0.7]


def test_every_layer_may_have_a_method_of_its_own() -> None:
    model = nn.Sequential(*[nn.Dense(3, 3, generator=Generator(i)) for i in range(3)])
    twin = nn.Sequential(*[nn.Dense(3, 3, generator=Generator(i)) for i in range(3)])
    ours = optim.Optimizers(*[optim.Adam(layer.parameters(), lr=0.1 / (1 + i)) for i, layer in enumerate(model.layers)])
    groups = [{"params": layer.parameters(), "lr": 0.1 / (1 + i)} for i, layer in enumerate(twin.layers)]
    theirs = optim.Adam(groups)
    x = dc.asarray(np.random.default_rng(0).normal(size=(4, 3)), dtype=dc.float32)
    for _ in range(3):
        for network, optimizer in ((model, ours), (twin, theirs)):
            optimizer.zero_grad()
            dc.sum(network(x) ** 2).backward()
            optimizer.step()
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        assert p.numpy().tobytes() == q.numpy().tobytes()


def test_names_are_those_of_the_model() -> None:
    model = nn.Dense(2, 1)
    optimizer = optim.Adam(model.named_parameters())
    dc.sum(model(dc.ones((1, 2)))).backward()
    optimizer.step()
    state = optimizer.state_dict()
    assert set(state) == {"iteration", "steps", "lr", "weight.m", "weight.v", "bias.m", "bias.v"}
    other = optim.Adam(model.named_parameters(), lr=0.5)
    other.load_state_dict(state)
    assert other.steps == [1, 1]
    assert other.lr == 0.001
    assert other.state[0]["m"].tolist() == state["weight.m"].tolist()


def test_the_state_does_not_depend_on_the_grouping() -> None:
    a, b = weights()
    one, two = optim.Adam([a, b]), optim.Adam([{"params": [a]}, {"params": [b], "betas": (0.8, 0.99)}])
    give([a, b])
    one.step()
    state = one.state_dict()
    del state["lr"]
    two.load_state_dict(state)
    assert two.steps == [1, 1]
    assert two.state[1]["v"].tolist() == one.state[1]["v"].tolist()


NUMBER: Any = 3.0
ARRAY: Any = np.ones(2)
MISTAKES: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: optim.Adam(dc.ones(2)), dc.ConfigError, "Adam: the parameters are a list of tensors"),
    (lambda: optim.Adam(NUMBER), dc.ConfigError, "a list of tensors, as model.parameters.. returns, not a float"),
    (lambda: optim.Adam([ARRAY]), dc.ConfigError, "Adam: parameter 0 is a ndarray, not a tensor"),
    (lambda: optim.Adam([dc.ones(2, dtype=dc.int64)]), dc.DTypeError, "Adam: parameter 0 is int64, and parameters"),
    (lambda: optim.SGD([dc.ones(2, dtype=dc.complex64)]), dc.DTypeError, "learn its real and imaginary parts as two"),
    (lambda: optim.Adam([{"lr": 0.1}]), dc.ConfigError, "a group is a dictionary with the tensors under 'params'"),
    (lambda: optim.Adam([{"params": []}]), dc.ConfigError, "Adam: there are no parameters to learn"),
    (
        lambda: optim.Adam([{"params": weights(), "beta": 1}]),
        dc.ConfigError,
        "no option 'beta'; the options are lr, betas",
    ),
    (lambda: optim.Adam([{"params": weights(), "lr": -1}]), dc.ConfigError, "Adam: the learning rate is at least 0"),
    (lambda: optim.Muon([dc.ones(2)]), dc.ConfigError, r"parameter 0 has shape \(2,\), and Muon is for matrices"),
    (lambda: optim.Muon([dc.ones((2, 2))], steps=0), dc.ConfigError, "Muon: the number of steps is at least 1"),
    (lambda: optim.Muon([dc.ones((2, 2))], adjustment="x"), dc.ConfigError, "the adjustment is one of 'original'"),
    (lambda: optim.Optimizers(), dc.ConfigError, "Optimizers: there are none"),
    (lambda: optim.Accumulate(optim.SGD(weights()), every=0), dc.ConfigError, "is at least 1, not 0"),
    (lambda: optim.SAM(optim.SGD(weights())).step(), dc.ConfigError, r"needs a closure: optimizer.step\(closure\)"),
    (lambda: optim.LBFGS(weights()).step(), dc.ConfigError, r"needs a closure: optimizer.step\(closure\)"),
    (lambda: optim.LBFGS([dc.ones(1), dc.ones(1, dtype=dc.float64)]), dc.ConfigError, "of one data type"),
    (lambda: optim.LBFGS([{"params": weights(), "lr": 1.0}]), dc.ConfigError, "one group without options"),
    (lambda: optim.LBFGS(weights(), line_search_fn="golden"), dc.ConfigError, "'strong_wolfe' or None, not 'golden'"),
    (lambda: optim.LBFGS(weights(), history_size=0), dc.ConfigError, "history_size is at least 1, not 0"),
    (lambda: optim.AdamW(weights(), weight_decay=-1), dc.ConfigError, "AdamW: weight_decay is at least 0"),
    (lambda: optim.RMSprop(weights(), alpha=1.0), dc.ConfigError, "RMSprop: alpha is from 0 up to"),
    (lambda: optim.Adafactor(weights(), beta2_decay=0.1), dc.ConfigError, "beta2_decay is at most 0"),
    (lambda: optim.Adafactor(weights(), d=0.0), dc.ConfigError, "Adafactor: d is above 0"),
    (
        lambda: optim.clip_grad_norm(weights(), 1.0),
        dc.ConfigError,
        r"no parameter has a gradient; call it after backward",
    ),
    (lambda: optim.clip_grad_norm(weights(), -1.0), dc.ConfigError, "clip_grad_norm: max_norm is at least 0"),
    (lambda: optim.clip_by_value(float("nan")), dc.ConfigError, "max_value is at least 0"),
    (lambda: optim.ExponentialMovingAverage(weights(), 1.1), dc.ConfigError, "decay is from 0 to 1, not 1.1"),
]


@pytest.mark.parametrize(("make", "kind", "message"), MISTAKES)
def test_mistakes(make: Callable[[], object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        make()


def test_a_parameter_is_in_one_group() -> None:
    a, b = weights()
    with pytest.raises(dc.ConfigError, match="Adam: parameter 1 is in two groups, and would be moved twice"):
        optim.Adam([{"params": [a]}, {"params": [a, b]}])
    with pytest.raises(dc.ConfigError, match="a parameter is in two of them"):
        optim.Optimizers(optim.SGD([a, b]), optim.SGD([b]))


def test_gradients_that_do_not_fit_are_named() -> None:
    for wrong, message in (
        (dc.ones(3, dtype=dc.float64), r"the gradient of parameter 0 has shape \(3,\), and the parameter \(2,\)"),
        (dc.ones(2), "the gradient of parameter 0 is float32, and the parameter float64"),
    ):
        a, b = weights()
        before = b.tolist()
        optimizer = optim.SGD([a, b])
        give([a, b])
        a.grad = wrong
        with pytest.raises(dc.DeepcoreError, match=message):
            optimizer.step()
        assert b.tolist() == before


def test_a_chain_without_a_learning_rate_has_none() -> None:
    optimizer = optim.Optimizer(weights(), optim.scale(-0.1))
    with pytest.raises(AttributeError, match="has no learning rate"):
        assert optimizer.lr


def test_the_loss_of_a_closure_is_returned() -> None:
    a, _ = weights()
    optimizer = optim.SGD([a], lr=0.1)

    def closure() -> dc.Tensor:
        optimizer.zero_grad()
        loss = (a * a).sum()
        loss.backward()
        return loss

    with dc.no_grad():
        assert optimizer.step(closure).item() == 5.0
    assert a.tolist() == pytest.approx([0.8, 1.6])


# ----------------------------------------------------------------------------------------------------------- clipping


def test_clipping_is_over_all_types_and_never_lengthens(device: Device) -> None:
    a, b = weights(device)
    c = dc.asarray([0.0], dtype=dc.float32, device=device, requires_grad=True)
    give([a, b, c], ([3.0, 0.0], [[0.0, 4.0]], [12.0]))
    assert optim.clip_grad_norm([a, b, c, a], 26.0).item() == 13.0
    assert a.grad is not None
    assert a.grad.tolist() == [3.0, 0.0]
    assert optim.clip_grad_norm([a, b, c], 6.5).item() == 13.0
    assert a.grad.tolist() == pytest.approx([1.5, 0.0], rel=1e-6)
    assert c.grad is not None
    assert c.grad.tolist() == pytest.approx([6.0], rel=1e-6)
    assert (a.grad.dtype, c.grad.dtype, c.grad.device) == (dc.float64, dc.float32, device)
    optim.clip_grad_value([a, b, c], 1.0)
    assert a.grad.tolist() == [1.0, 0.0]


def test_clipping_in_a_chain_is_over_the_whole_group(device: Device) -> None:
    a, b = weights(device)
    c = dc.asarray([0.0], dtype=dc.float32, device=device, requires_grad=True)
    give([a, b, c], ([3.0, 0.0], [[0.0, 4.0]], [12.0]))
    before = [p.numpy() for p in (a, b, c)]
    chain = optim.chain(optim.clip_by_norm(6.5), optim.scale_by_learning_rate(1.0))
    optim.Optimizer([a, b, c], chain).step()
    for p, start, g in zip((a, b, c), before, ([1.5, 0.0], [[0.0, 2.0]], [6.0]), strict=True):
        np.testing.assert_allclose(p.numpy(), start - np.asarray(g), rtol=1e-6)


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_norms_that_are_no_numbers_are_seen(bad: float) -> None:
    a, _ = weights()
    give([a], [[bad, 1.0]])
    with np.errstate(invalid="ignore"):
        assert not np.isfinite(optim.clip_grad_norm([a], 1.0).item())


# ------------------------------------------------------------------------------------------------------- accumulation


def test_several_batches_are_one_large_one() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 2))
    (w, _), (v, _) = weights(), weights()
    large, small = optim.Adam([w], lr=0.1), optim.Accumulate(optim.Adam([v], lr=0.1), every=3)
    for _ in range(4):
        large.zero_grad()
        dc.mean((dc.asarray(x) @ w) ** 2).backward()
        large.step()
        for part in range(3):
            small.zero_grad()
            dc.mean((dc.asarray(x[4 * part : 4 * part + 4]) @ v) ** 2).backward()
            small.step()
    assert v.numpy() == pytest.approx(w.numpy(), rel=1e-12)
    assert small.lr == 0.1
    assert small.batches == 0


def test_the_trainer_takes_whatever_moves_parameters() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2)).astype(np.float32)
    labels = (x[:, 0] > x[:, 1]).astype(np.int64)
    for wrap in (lambda o: o, lambda o: optim.Accumulate(o, every=2), optim.Optimizers):
        dc.random.seed(0)  # of the order of the samples too
        model = nn.Sequential(nn.Dense(2, 8, activation="tanh", generator=Generator(0)), nn.Dense(8, 2))
        schedule = optim.schedules.LinearWarmup(optim.schedules.CosineDecay(0.1, steps=40), steps=5, start=0.1)
        trainer = train.Trainer(model, nn.CategoricalCrossEntropy(), wrap(optim.AdamW(model.parameters(), lr=schedule)))
        losses = trainer.fit((x, labels), epochs=6, batch_size=10)["loss"]
        assert losses[-1] < 0.3 < losses[0]


# ----------------------------------------------------------------------------------------------------------- averages


@pytest.mark.parametrize("dtype", [dc.float32, dc.bfloat16], ids=str)
def test_averages(dtype: dc.DType, device: Device) -> None:
    if dtype not in device.backend.raw_dtypes:
        pytest.skip(f"{device} has no {dtype}")
    w = weights(device, dtype)
    average = optim.ExponentialMovingAverage(w, decay=0.75)
    for value in (1.0, 2.0, 4.0):
        with dc.no_grad():
            w[0][...] = dc.full_like(w[0], value)
        average.update()
    expected = 0.75 * (0.75 * 1.0 + 0.25 * 2.0) + 0.25 * 4.0
    graph = (w[0] * w[0]).sum()
    with average.swap():
        assert w[0].tolist() == [float(np.asarray(expected, np.float32).astype(w[0].numpy().dtype))] * 2
        assert (w[0].dtype, w[0].requires_grad, w[0].is_leaf) == (dtype, True, True)
    assert w[0].tolist() == [4.0, 4.0]
    graph.backward()
    assert average.averages[0].dtype == dtype
    assert w[0].grad is not None
    assert w[0].grad.tolist() == [8.0, 8.0]


@pytest.mark.parametrize("make", [lambda p: optim.ExponentialMovingAverage(p, 0.7), optim.StochasticWeightAverage])
def test_averages_are_saved(make: Any) -> None:
    model, twin = nn.Dense(2, 2), nn.Dense(2, 2)
    one, two = make(model), make(twin)
    rng = np.random.default_rng(0)

    def moved(network: nn.Module, values: list[Any]) -> None:
        with dc.no_grad():
            for p, x in zip(network.parameters(), values, strict=True):
                p[...] = dc.asarray(x, dtype=p.dtype)

    for _ in range(3):
        moved(model, [rng.normal(size=p.shape) for p in model.parameters()])
        one.update()
    state = one.state_dict()
    assert set(state) == {"updates", "weight", "bias"}
    two.load_state_dict(
        {name: getattr(value, "numpy", lambda v=value: np.asarray(v))() for name, value in state.items()}
    )
    values = [rng.normal(size=p.shape) for p in model.parameters()]
    for network, average in ((model, one), (twin, two)):
        moved(network, values)
        average.update()
        average.copy_to()
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        assert p.numpy().tobytes() == q.numpy().tobytes()
    with pytest.raises(dc.StateError, match="bias, weight is in the state or among the parameters"):
        two.load_state_dict({"updates": 1})
    with pytest.raises(dc.StateError, match=r"weight has shape \(1,\), its parameter \(2, 2\)"):
        two.load_state_dict({**state, "weight": np.ones(1)})
