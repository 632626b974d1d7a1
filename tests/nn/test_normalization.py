"""Normalisation: what the layers compute, their running statistics, and what they say at the door."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn
from deepcore.checkpoint import load_weights, save_weights

if TYPE_CHECKING:
    from pathlib import Path

    from deepcore._device import Device

SHAPES: dict[str, tuple[int, ...]] = {
    "BatchNorm1d": (4, 6, 5),
    "BatchNorm2d": (4, 6, 2, 3),
    "BatchNorm3d": (2, 6, 2, 1, 3),
    "InstanceNorm1d": (4, 6, 5),
    "InstanceNorm2d": (4, 6, 2, 3),
    "InstanceNorm3d": (2, 6, 2, 1, 3),
    "GroupNorm": (4, 6, 5),
    "LayerNorm": (4, 5, 6),
    "RMSNorm": (4, 5, 6),
}
AXES: dict[str, Any] = {"B": lambda n: (0, *range(2, n)), "I": lambda n: tuple(range(2, n)), "L": lambda n: (-1,)}
LAYERS = pytest.mark.parametrize("name", SHAPES)


def made(name: str, device: Device, **options: Any) -> Any:
    arguments = (3, 6) if name == "GroupNorm" else (6,)
    return getattr(nn, name)(*arguments, **options).to(device)


def values(shape: tuple[int, ...], seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(2.0, 3.0, shape).astype(np.float32)


def near(actual: Any, desired: Any, *, rtol: float, atol: float) -> None:
    actual = actual.numpy() if isinstance(actual, dc.Tensor) else actual
    np.testing.assert_allclose(actual, desired, rtol=rtol, atol=atol)


def standardised(x: np.ndarray[Any, Any], axes: tuple[int, ...], eps: float = 1e-5) -> np.ndarray[Any, Any]:
    x = x.astype(np.float64)
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


@LAYERS
def test_the_layers_are_their_equations(name: str, device: Device) -> None:
    x = values(SHAPES[name])
    if name == "RMSNorm":
        expected = x / np.sqrt(np.mean(np.square(x, dtype=np.float64), -1, keepdims=True))
    elif name == "GroupNorm":
        expected = standardised(x.reshape(4, 3, 10), (-1,)).reshape(x.shape)
    else:
        expected = standardised(x, AXES[name[0]](x.ndim))
    layer = made(name, device)
    given = dc.asarray(x, device=device, requires_grad=True)
    y = layer(given)
    assert (y.dtype, y.device) == (dc.float32, device)
    near(y, expected, rtol=2e-5, atol=2e-5)
    y.sum().backward()
    for leaf in (given, *layer.parameters()):
        assert leaf.grad is not None
        assert (leaf.grad.dtype, leaf.grad.shape, leaf.grad.device) == (dc.float32, leaf.shape, device)


@LAYERS
def test_numbers_far_from_zero_keep_their_digits(name: str, device: Device) -> None:
    """The variance is of what is left without the mean: the mean of the squares less its square would be 0 here."""
    x = 5000 + values(SHAPES[name])
    layer = made(name, device)
    if name.startswith("Batch"):
        layer.momentum = 1.0
    y = layer(dc.asarray(x, device=device))
    wide = layer(dc.asarray(x.astype(np.float64), device=device))
    near(y, wide.numpy(), rtol=0, atol=2e-3)
    if name.startswith("Batch"):
        n = x.size // 6
        given = layer.eval()(dc.asarray(x, device=device)).numpy() * np.sqrt(n / (n - 1))
        near(given, wide.numpy(), rtol=0, atol=2e-3)


@pytest.mark.parametrize("axes", [1, 2])
def test_constant_rows_are_zero(axes: int, device: Device) -> None:
    x = dc.full((2, 3, 4), 7.0, device=device, requires_grad=True)
    y = dc.layer_norm(x, axes=axes)
    (y * y + y).sum().backward()
    assert y.tolist() == np.zeros((2, 3, 4)).tolist()
    assert x.grad is not None
    assert bool(dc.all(dc.isfinite(x.grad)))


# --------------------------------------------------------------------------------------------------- running statistics


def running(layer: Any) -> list[dc.Tensor]:
    return [layer.running_mean, layer.running_var, layer.num_batches_tracked]


def test_running_statistics_are_buffers(device: Device) -> None:
    layer = made("BatchNorm1d", device)
    model = nn.Sequential(layer)
    before = running(layer)
    assert [name for name, _ in model.named_tensors()] == [
        *("0.weight", "0.bias", "0.running_mean", "0.running_var", "0.num_batches_tracked")
    ]
    assert len(model.parameters()) == 2
    x = dc.asarray(values((8, 6)), device=device, requires_grad=True)
    model(x).sum().backward()
    assert all(a is b for a, b in zip(running(layer), before, strict=True))
    assert not any(t.requires_grad for t in before)
    near(layer.running_mean, 0.1 * x.numpy().mean(0), rtol=1e-5, atol=1e-6)
    near(layer.running_var, 0.9 + 0.1 * x.numpy().var(0, ddof=1), rtol=1e-5, atol=1e-6)
    assert layer.num_batches_tracked.item() == 1
    model.to("cpu")
    assert all(a is b and str(a.device) == "cpu" for a, b in zip(running(layer), before, strict=True))


def test_running_statistics_change_in_training_alone(device: Device) -> None:
    layer = made("BatchNorm1d", device)
    x = dc.asarray(values((8, 6)), device=device)
    with dc.no_grad():
        layer(x)
    kept = [t.tolist() for t in running(layer)]
    y = layer.eval()(x)
    assert [t.tolist() for t in running(layer)] == kept
    scale = 1 / np.sqrt(layer.running_var.numpy() + 1e-5)
    near(y, (x.numpy() - layer.running_mean.numpy()) * scale, rtol=1e-5, atol=1e-5)
    layer.reset_running_stats()
    assert [t.tolist() for t in running(layer)] == [[0.0] * 6, [1.0] * 6, 0]


def test_the_mean_over_all_batches(device: Device) -> None:
    layer = made("BatchNorm1d", device, momentum=None)
    batches = [values((8, 6), seed) for seed in range(3)]
    for x in batches:
        layer(dc.asarray(x, device=device))
    near(layer.running_mean, np.mean([x.mean(0) for x in batches], 0), rtol=1e-5, atol=1e-6)
    near(layer.running_var, np.mean([x.var(0, ddof=1) for x in batches], 0), rtol=1e-5, atol=1e-6)


def test_running_statistics_are_saved(tmp_path: Path, device: Device) -> None:
    model, other = (nn.Sequential(made("BatchNorm1d", device), nn.Dense(6, 2).to(device)) for _ in range(2))
    x = dc.asarray(values((8, 6)), device=device)
    model(x)
    save_weights(tmp_path / "model", model)
    load_weights(tmp_path / "model", other)
    assert other.eval()(x).tolist() == model.eval()(x).tolist()
    copied = pickle.loads(pickle.dumps(model))
    assert copied(x).tolist() == model(x).tolist()


def test_instances_without_running_statistics_are_alike_in_evaluation(device: Device) -> None:
    layer = made("InstanceNorm1d", device)
    x = dc.asarray(values((2, 6, 5)), device=device)
    assert layer(x).tolist() == layer.eval()(x).tolist()
    assert layer.state_dict() == {}


# ----------------------------------------------------------------------------------------------- statistics, once more


def test_updating_leaves_modes_and_momenta_as_they_were_when_a_batch_fails() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2, momentum=0.3), nn.Sequential(nn.Dropout(0.1).eval(), nn.BatchNorm1d(2)))
    model[1].training = False
    with pytest.raises(dc.ShapeError):
        nn.update_batch_norm(model, [dc.ones((3, 2)), dc.ones((3, 4))])
    inner: Any = model[1]
    assert (model[0].training, inner.training, inner[0].training, inner[1].training) == (True, False, False, True)
    outer: Any = model[0]
    assert (outer.momentum, inner[1].momentum) == (0.3, 0.1)


def test_updating_needs_batches() -> None:
    layer = nn.BatchNorm1d(1)
    layer(dc.asarray([[1.0], [3.0]]))
    kept = [t.tolist() for t in running(layer)]
    with pytest.raises(dc.DataError, match="there are no batches"):
        nn.update_batch_norm(nn.Sequential(layer), [])
    assert [t.tolist() for t in running(layer)] == kept


def test_updating_a_model_without_batch_norm_does_nothing() -> None:
    batches = iter([dc.ones((1, 1))])
    nn.update_batch_norm(nn.Sequential(nn.Dense(1, 1), nn.BatchNorm1d(1, track_running_stats=False)), batches)
    assert next(batches).shape == (1, 1), "nobody has asked for it"


# ---------------------------------------------------------------------------------------------------------- the door


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (
            nn.BatchNorm2d(3),
            (32, 28, 28, 3),
            "BatchNorm2d(3): expected (batch, 3, height, width), got (32, 28, 28, 3); did you pass channels last?",
        ),
        (nn.BatchNorm2d(3), (32, 3), "BatchNorm2d(3): expected (batch, 3, height, width), got (32, 3)"),
        (
            nn.BatchNorm2d(3),
            (3, 28, 28),
            "(batch, 3, height, width), got (3, 28, 28); a single sample needs an axis in front, x[None]",
        ),
        (nn.BatchNorm1d(3), (3,), "expected (batch, 3) or (batch, 3, length), got (3,); a single sample needs"),
        (nn.BatchNorm1d(3), (2, 4), "BatchNorm1d(3): expected (batch, 3) or (batch, 3, length), got (2, 4)"),
        (
            nn.BatchNorm3d(3),
            (2, 3, 4, 4),
            "BatchNorm3d(3): expected (batch, 3, depth, height, width), got (2, 3, 4, 4)",
        ),
        (nn.InstanceNorm1d(3), (2, 7, 3), "expected (batch, 3, length), got (2, 7, 3); did you pass channels last?"),
        (
            nn.GroupNorm(2, 4),
            (3, 5, 4),
            "GroupNorm(2 groups of 4): expected (batch, 4, ...), got (3, 5, 4); did you pass",
        ),
        (nn.GroupNorm(2, 4), (4,), "expected (batch, 4, ...), got (4,)"),
        (nn.LayerNorm(5), (2, 4), "LayerNorm(5): expected (..., 5), got (2, 4)"),
        (nn.LayerNorm(5), (), "LayerNorm(5): expected (..., 5), got ()"),
        (nn.LayerNorm((2, 5)), (5,), "LayerNorm(2, 5): expected (..., 2, 5), got (5,)"),
        (nn.LayerNorm(5), (2, 5, 7), "got (2, 5, 7); channels on the second axis are for GroupNorm(1, channels)"),
        (nn.RMSNorm(5), (2, 4), "RMSNorm(5): expected (..., 5), got (2, 4)"),
    ],
)
def test_shapes_that_do_not_fit_say_why(layer: nn.Module, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(dc.ShapeError) as caught:
        layer(dc.zeros(shape))
    found = str(caught.value)
    assert found.startswith(repr(layer))
    assert message in found
    assert (";" in message) == (";" in found)


@pytest.mark.parametrize("layer", [nn.BatchNorm1d(2), nn.GroupNorm(1, 2), nn.LayerNorm(2), nn.RMSNorm(2)], ids=repr)
def test_whole_numbers_are_refused(layer: nn.Module) -> None:
    with pytest.raises(dc.DTypeError, match=r"floating-point numbers, got int64; use x.astype\(deepcore.float32\)"):
        layer(dc.ones((3, 2), dtype=dc.int64))


def test_one_value_has_no_variance() -> None:
    x = dc.ones((1, 2))
    with pytest.raises(dc.ShapeError, match=r"BatchNorm1d\(2\).* more than one value .*\(1, 2\) has 1; .* use eval"):
        nn.BatchNorm1d(2)(x)
    with pytest.raises(dc.ShapeError, match="more than one value"):
        nn.BatchNorm1d(2)(dc.ones((0, 2)))
    with pytest.raises(dc.ShapeError, match="more than one value"):
        nn.BatchNorm1d(2, track_running_stats=False).eval()(x)
    with pytest.raises(dc.ShapeError, match="more than one value of each channel in each sample"):
        nn.InstanceNorm2d(2)(dc.ones((8, 2, 1, 1)))
    assert nn.BatchNorm1d(2).eval()(x).shape == (1, 2)
    assert nn.BatchNorm2d(2)(dc.ones((1, 2, 3, 3))).shape == (1, 2, 3, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.BatchNorm1d(0), "at least 1, not 0"),
        (lambda: nn.BatchNorm1d(2, momentum=1.5), "momentum is the share of the new batch, from 0 to 1"),
        (lambda: nn.BatchNorm1d(2, eps=-1.0), "BatchNorm1d: eps is added to the variance, and at least 0, not -1.0"),
        (lambda: nn.LayerNorm(2, eps=float("nan")), "LayerNorm: eps"),
        (lambda: nn.RMSNorm(2, eps=-1.0), "RMSNorm: eps"),
        (lambda: nn.GroupNorm(2, 4, eps=-1.0), "GroupNorm: eps"),
        (lambda: nn.GroupNorm(3, 4), "4 channels cannot be divided into 3 groups"),
        (lambda: nn.GroupNorm(0, 4), "0 groups"),
        (lambda: nn.LayerNorm(()), r"each at least 1, not \(\)"),
        (lambda: nn.RMSNorm((2, 0)), r"each at least 1, not \(2, 0\)"),
    ],
)
def test_options_are_checked(make: Any, message: str) -> None:
    with pytest.raises(dc.ConfigError, match=message):
        make()
