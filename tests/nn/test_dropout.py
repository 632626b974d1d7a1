"""Dropout and its relatives: what is dropped or added, the scale of the rest, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn
from deepcore.random import Generator
from deepcore.testing import assert_close

if TYPE_CHECKING:
    from deepcore._device import Device


LAYERS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "Dropout": (nn.Dropout, (9, 11)),
    "Dropout1d": (nn.Dropout1d, (6, 5, 3)),
    "Dropout2d": (nn.Dropout2d, (6, 5, 2, 3)),
    "Dropout3d": (nn.Dropout3d, (6, 5, 2, 1, 3)),
    "AlphaDropout": (nn.AlphaDropout, (9, 11)),
    "GaussianDropout": (nn.GaussianDropout, (9, 11)),
    "GaussianNoise": (nn.GaussianNoise, (9, 11)),
}
EVERY = pytest.mark.parametrize("name", LAYERS)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [dc.float32, dc.float64])
def test_units_are_dropped_or_scaled_by_the_inverse(p: float, dtype: dc.DType, device: Device) -> None:
    y = nn.Dropout(p, generator=Generator(1))(dc.ones((100, 100), dtype=dtype, device=device))
    values = y.numpy()
    assert (y.dtype, y.device) == (dtype, device)
    kept = values[values != 0]
    assert kept == pytest.approx(1 / (1 - p), rel=1e-6)
    assert kept.size / values.size == pytest.approx(1 - p, abs=0.02)
    assert values.mean() == pytest.approx(1.0, abs=0.05 / (1 - p))


@EVERY
def test_the_mask_is_the_same_everywhere(name: str, device: Device) -> None:
    make, shape = LAYERS[name]
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    here, there = (make(0.3, generator=Generator(7))(dc.asarray(x, device=d)) for d in ("cpu", device))
    assert (there.dtype, there.device) == (dc.float32, device)
    np.testing.assert_allclose(here.numpy(), there.numpy(), rtol=1e-6, atol=1e-6)
    assert np.array_equal(here.numpy() == 0, there.numpy() == 0)


@EVERY
def test_nothing_happens_in_evaluation_or_with_probability_zero(name: str, device: Device) -> None:
    make, shape = LAYERS[name]
    x = dc.ones(shape, device=device)
    assert make(0.9).eval()(x) is x
    assert make(0.0)(x) is x
    assert nn.Sequential(make(0.9)).eval()(x) is x


@EVERY
def test_noise_comes_again_with_the_seed_and_differs_from_call_to_call(name: str) -> None:
    make, shape = LAYERS[name]
    layer, again = (make(0.5, generator=Generator(2)) for _ in range(2))
    first, second = (layer(dc.ones(shape)).tolist() for _ in range(2))
    assert first != second
    assert [again(dc.ones(shape)).tolist() for _ in range(2)] == [first, second]
    dc.random.seed(4)
    third = make(0.5)(dc.ones(shape)).tolist()
    dc.random.seed(4)
    assert make(0.5)(dc.ones(shape)).tolist() == third


def test_the_gradient_goes_through_the_same_mask(device: Device) -> None:
    x = dc.asarray(np.full(64, 3.0), device=device, requires_grad=True)
    y = nn.Dropout(0.5)(x)
    y.sum().backward()
    assert x.grad is not None
    assert_close(x.grad, y.detach() / 3.0)


@pytest.mark.parametrize("name", ["Dropout1d", "Dropout2d", "Dropout3d"])
def test_channels_are_dropped_as_a_whole(name: str, device: Device) -> None:
    make, shape = LAYERS[name]
    values = make(0.4, generator=Generator(0))(dc.ones((200, 50, *shape[2:]), device=device)).numpy()
    channels = values.reshape(200, 50, -1)
    assert (channels == channels[..., :1]).all()
    kept = channels[..., 0] != 0
    assert kept.mean() == pytest.approx(0.6, abs=0.02)
    assert kept.any(axis=0).all(), "each sample has a mask of its own"
    assert values.max() == pytest.approx(1 / 0.6)


@pytest.mark.parametrize("p", [0.05, 0.3, 0.6])
def test_alpha_dropout_keeps_mean_and_variance(p: float) -> None:
    x = Generator(0).normal((400, 1000))
    y = nn.AlphaDropout(p, generator=Generator(1))(x).numpy()
    assert y.mean() == pytest.approx(0.0, abs=0.01)
    assert y.var() == pytest.approx(1.0, abs=0.01)
    values, counts = np.unique(y, return_counts=True)
    assert counts.max() / y.size == pytest.approx(p, abs=0.01), "what is dropped has one value"
    assert values[counts.argmax()] < 0


def test_gaussian_noise_has_its_standard_deviation_and_dropout_the_variance_of_its_factors() -> None:
    x = dc.full((300, 1000), 2.0)
    noise = nn.GaussianNoise(0.3, generator=Generator(0))(x).numpy()
    assert (noise.mean(), noise.std()) == (pytest.approx(2, abs=0.01), pytest.approx(0.3, abs=0.01))
    product = nn.GaussianDropout(0.2, generator=Generator(0))(x).numpy()
    assert (product.mean(), product.std()) == (pytest.approx(2, abs=0.01), pytest.approx(1.0, abs=0.01))


@EVERY
def test_the_gradient_is_the_factor_of_the_same_noise(name: str, device: Device) -> None:
    make, shape = LAYERS[name]
    layer = make(0.5, generator=Generator(3))
    zero = make(0.5, generator=Generator(3))(dc.zeros(shape, device=device))
    x = dc.full(shape, 3.0, device=device, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), (y.numpy() - zero.numpy()) / 3, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (nn.Dropout1d(), (4, 3), r"\(batch, channels, length\), got \(4, 3\); a single sample needs an axis in front"),
        (nn.Dropout2d(), (4, 3), r"Dropout2d\(p = 0.5\): expected \(batch, channels, height, width\), got \(4, 3\)$"),
        (nn.Dropout3d(), (4, 3, 2, 2), r"\(batch, channels, depth, height, width\), got \(4, 3, 2, 2\); a single"),
    ],
)
def test_channels_have_places(layer: nn.Module, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(dc.ShapeError, match=message):
        layer(dc.ones(shape))


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "GaussianNoise"])
@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5, float("nan")])
def test_p_is_a_probability_below_one(p: float, name: str) -> None:
    with pytest.raises(dc.ConfigError, match=f"{name}: p is a probability"):
        LAYERS[name][0](p)


@pytest.mark.parametrize("std", [-0.1, float("inf"), float("nan")])
def test_std_is_a_standard_deviation(std: float) -> None:
    with pytest.raises(dc.ConfigError, match="std is a finite standard deviation"):
        nn.GaussianNoise(std)
