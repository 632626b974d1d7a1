"""Reports on units: gradients against the engine's, dead and saturated units against those made on purpose."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn
from deepcore.nn._module import observers
from deepcore.random import Generator

if TYPE_CHECKING:
    from deepcore._device import Device

RNG = np.random.default_rng(0)
X, T = RNG.normal(size=(6, 3)), RNG.uniform(size=(6, 2))


def on(device: Device, values: object) -> dc.Tensor:
    return dc.asarray(values, dtype=dc.float32, device=device)


def model(device: Device) -> nn.Sequential:
    g = Generator(3)
    layers = (
        nn.Dense(3, 4, activation="relu", generator=g),
        nn.Dropout(0.5, generator=g),
        nn.Dense(4, 5, generator=g),
        nn.Tanh(),
        nn.Dense(5, 2, activation="sigmoid", generator=g),
    )
    return nn.Sequential(*layers).to(device)


def set_bias(layer: nn.Module, values: list[float]) -> None:
    assert isinstance(layer, nn.Dense)
    assert layer.bias is not None
    layer.load_state_dict({"bias": np.asarray(values)}, strict=False)


class Skip(nn.Module):
    """A layer whose result goes two ways, inside a module with a parameter of its own."""

    def __init__(self) -> None:
        self.inner = nn.Dense(2, 2, use_bias=False, generator=Generator(0))
        self.scale = nn.Parameter(dc.asarray([2.0, -3.0]))

    def forward(self, x: dc.Tensor) -> dc.Tensor:
        y = self.inner(x)
        return y * self.scale + self.inner(y)


def test_rows_are_layers_with_their_activations(device: Device) -> None:
    report = nn.unit_report(model(device), nn.MSE(), on(device, X), on(device, T))
    rows = [(layer.path, layer.kind, layer.n_units) for layer in report.layers]
    assert rows == [("0", "Dense", 4), ("1", "Dropout", 4), ("2", "Dense", 5), ("3", "Tanh", 5), ("4", "Dense", 2)]
    assert report["3"] is report.layers[3]
    with pytest.raises(KeyError, match=r"'5' is not in the report; the layers are 0, 1, 2, 3, 4"):
        report["5"]


def test_gradients_are_those_of_shifts_of_the_results(device: Device) -> None:
    net, x, t = model(device), on(device, X), on(device, T)
    report = nn.unit_report(net, nn.MSE(), x, t)

    def loss(shifts: dict[str, dc.Tensor]) -> dc.Tensor:
        y = x
        for i, layer in enumerate(net.eval()):
            y = layer(y) + shifts[str(i)]
        return nn.MSE()(y, t)

    widths = {"0": 4, "1": 4, "2": 5, "3": 5, "4": 2}
    zeros = {path: dc.zeros((6, width), device=device) for path, width in widths.items()}
    value, gradients = dc.value_and_grad(loss)(zeros)
    assert report.loss == pytest.approx(value.item(), rel=1e-6)
    for path, gradient in gradients.items():
        if path != "0":  # dropout returns the very same tensor in evaluation, and both rows are of it
            assert report[path].gradient == pytest.approx(np.mean(np.abs(gradient.numpy())), rel=1e-5)
    assert report["0"].gradient == report["1"].gradient == pytest.approx(np.mean(np.abs(gradients["0"].numpy())))


def test_gradients_of_parameters_are_those_of_backward_and_leave_no_trace(device: Device) -> None:
    net, x, t = model(device), on(device, X), on(device, T)
    report = nn.unit_report(net, nn.MSE(), x, t)
    assert all(p.grad is None for p in net.parameters())
    assert all(module.training for _, module in net.named_modules())
    nn.MSE()(net.eval()(x), t).backward()
    for path in ("0", "2", "4"):
        layer = net[int(path)]
        both = np.concatenate([p.grad.numpy().ravel() for p in layer.parameters() if p.grad is not None])
        assert report[path].parameter_gradient == pytest.approx(np.mean(np.abs(both)), rel=1e-5)
    assert math.isnan(report["3"].parameter_gradient)


def test_dead_units_are_zero_for_every_sample(device: Device) -> None:
    net = model(device)
    set_bias(net[0], [-100.0, 100.0, -100.0, 100.0])
    report = nn.unit_report(net, nn.MSE(), on(device, X), on(device, T))
    assert report["0"].dead == 0.5
    assert report["2"].dead == report["4"].dead == 0.0
    alive = on(device, np.vstack([X, [[1000.0] * 3], [[-1000.0] * 3]]))
    again = nn.unit_report(net, nn.MSE(), alive, dc.zeros((8, 2), device=device))
    assert again["0"].dead < 0.5  # one sample is enough


def test_saturated_values_are_near_an_end(device: Device) -> None:
    net = model(device)
    set_bias(net[2], [100.0, -100.0, 100.0, -100.0, 0.0])
    report = nn.unit_report(net, nn.MSE(), on(device, X), on(device, T))
    assert report["3"].saturated == pytest.approx(0.8)
    assert report["4"].saturated == 0.0
    assert math.isnan(report["0"].saturated)  # ReLU has no upper end
    values = np.linspace(-4.0, 4.0, 101)
    for activation, low, high, margin in (
        (nn.Sigmoid(), 0.0, 1.0, 0.1),
        (nn.Tanh(), -1.0, 1.0, 0.01),
        (nn.Softsign(), -1.0, 1.0, 0.2),
        (nn.HardSigmoid(), 0.0, 1.0, 0.01),
    ):
        inputs = on(device, values[:, None])
        y = activation(inputs).numpy()
        expected = np.mean((y < low + margin * (high - low)) | (y > high - margin * (high - low)))
        assert 0.0 < expected < 1.0
        only = nn.unit_report(nn.Sequential(activation), nn.MSE(), inputs, inputs, margin=margin).layers[0]
        assert only.saturated == pytest.approx(expected)


def test_results_that_go_two_ways_and_layers_that_are_applied_twice() -> None:
    net, x = Skip(), dc.asarray([[1.0, 2.0]])
    report = nn.unit_report(net, lambda y, _: y.sum(), x, None)
    W, scale = net.inner.weight.numpy(), net.scale.numpy()
    through = scale + W @ np.ones(2)  # ∂L/∂(x W), along both ways
    assert report["inner"].gradient == pytest.approx((np.mean(np.abs(through)) + 1.0) / 2, rel=1e-6)
    assert report[""].gradient == 1.0
    assert report[""].parameter_gradient == pytest.approx(np.mean(np.abs(x.numpy() @ W)), rel=1e-6)


def test_what_has_no_gradient() -> None:
    net = nn.Sequential(nn.Dense(2, 2), nn.Step(), nn.Dense(2, 1))
    net[2].freeze()
    x = dc.ones((3, 2))
    report = nn.unit_report(net, nn.MSE(), x, dc.ones((3, 1)))
    assert report["0"].gradient == report["0"].parameter_gradient == 0.0
    assert math.isnan(report["2"].parameter_gradient)
    constant = nn.unit_report(net, lambda y, t: t.sum(), x, dc.ones((3, 1), requires_grad=True))
    assert [layer.gradient for layer in constant.layers] == [0.0, 0.0, 0.0]
    frozen = nn.unit_report(net.freeze(), nn.MSE(), x, dc.ones((3, 1)))
    assert all(math.isnan(layer.gradient) for layer in frozen.layers)
    assert str(frozen).splitlines()[1].split() == ["0", "Dense", "2", "0%"]


def test_nothing_of_the_model_is_left_changed_by_an_error() -> None:
    net = nn.Sequential(nn.Dense(2, 2), nn.Dense(3, 1))
    with pytest.raises(dc.ShapeError):
        nn.unit_report(net, nn.MSE(), dc.ones((3, 2)), dc.ones((3, 1)))
    assert all(module.training for _, module in net.named_modules())
    assert observers == []


def test_numpy_arrays_are_moved_to_the_model(device: Device) -> None:
    net, x, t = model(device), X.astype(np.float32), T.astype(np.float32)
    assert nn.unit_report(net, nn.MSE(), x, t).loss == nn.unit_report(net, nn.MSE(), on(device, X), on(device, T)).loss


def test_results_that_are_no_units_have_no_row() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            self.dense = nn.Dense(2, 2)
            self.parts = [nn.Identity(), nn.Identity(), nn.Identity()]

        def forward(self, x: dc.Tensor) -> dc.Tensor:
            y = self.dense(x)
            number, (_, whole) = self.parts[0](y.sum()), self.parts[1]((y, dc.astype(y, dc.int64)))
            return number + dc.sum(self.parts[2](whole))

    report = nn.unit_report(Both(), lambda y, _: y, dc.ones((3, 2)), None)
    assert [layer.path for layer in report.layers] == ["dense"]


def test_the_loss_is_one_number() -> None:
    net, x = nn.Sequential(nn.Dense(2, 1)), dc.ones((3, 2))

    def number(y: dc.Tensor, _: object) -> Any:
        return 1.0

    with pytest.raises(dc.GradientError, match=r"a tensor of one element, and it returned a tensor of shape \(3, 1\)"):
        nn.unit_report(net, lambda y, _: y, x, None)
    with pytest.raises(dc.GradientError, match="it returned a float"):
        nn.unit_report(net, number, x, None)


def test_under_no_grad_gradients_are_there_too() -> None:
    net = nn.Sequential(nn.Dense(2, 1))
    with dc.no_grad():
        report = nn.unit_report(net, nn.MSE(), dc.ones((3, 2)), dc.zeros((3, 1)))
    assert report["0"].gradient > 0.0


@pytest.mark.parametrize("margin", [-0.1, 0.5, math.nan])
def test_margins(margin: float) -> None:
    with pytest.raises(dc.ConfigError, match="margin is a share of the range"):
        nn.unit_report(nn.Sequential(nn.Tanh()), nn.MSE(), dc.ones((1, 1)), dc.ones((1, 1)), margin=margin)
