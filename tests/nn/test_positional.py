"""Encodings of positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn
from deepcore.testing import assert_close, check_grads

if TYPE_CHECKING:
    from deepcore._device import Device

RNG = np.random.default_rng(0)


def layers(features: int) -> list[Any]:
    return [nn.SinusoidalEncoding(features), nn.LearnedEncoding(20, features), nn.RotaryEncoding(features)]


def test_sinusoids(device: Device) -> None:
    y = nn.SinusoidalEncoding(5, base=100.0)(dc.zeros((2, 7, 5), dtype=dc.float64, device=device)).numpy()
    for p in range(7):
        for i in range(5):
            angle = p / 100.0 ** (2 * (i // 2) / 5)
            expected = np.sin(angle) if i % 2 == 0 else np.cos(angle)
            assert y[:, p, i] == pytest.approx(expected, abs=1e-12)


def test_a_learned_encoding_is_added_and_learned(device: Device) -> None:
    with dc.use_device(device):
        layer = nn.LearnedEncoding(5, 3)
    x = dc.asarray(RNG.normal(size=(2, 2, 3)), dtype=dc.float32, device=device)
    y = layer(x, offset=1)
    assert_close(y.numpy(), x.numpy() + layer.weight.numpy()[1:3], rtol=1e-6, atol=1e-6)
    y.sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.numpy().tolist() == [[0.0] * 3, [2.0] * 3, [2.0] * 3, [0.0] * 3, [0.0] * 3]
    assert nn.LearnedEncoding(300, 200).weight.numpy().std() == pytest.approx(0.02, rel=0.05)
    assert not nn.LearnedEncoding(3, 2, initializer="zeros").weight.numpy().any()


@pytest.mark.parametrize("interleaved", [True, False])
def test_rotation(interleaved: bool, device: Device) -> None:
    """Pairs of features are complex numbers, which are multiplied by a complex number of modulus 1."""
    values = RNG.normal(size=(2, 3, 5, 6))
    y = nn.RotaryEncoding(6, base=50.0, interleaved=interleaved)(dc.asarray(values, device=device), offset=4).numpy()

    def pairs(x: Any) -> Any:
        return x[..., 0::2] + 1j * x[..., 1::2] if interleaved else x[..., :3] + 1j * x[..., 3:]

    angles = np.arange(4, 9)[:, None] * 50.0 ** (-np.arange(3) / 3)
    np.testing.assert_allclose(pairs(y), pairs(values) * np.exp(1j * angles), rtol=1e-12)


@pytest.mark.parametrize("interleaved", [True, False])
def test_the_derivative_of_a_rotation_is_the_inverse_rotation(interleaved: bool, device: Device) -> None:
    layer = nn.RotaryEncoding(4, interleaved=interleaved)
    x = dc.asarray(RNG.normal(size=(2, 3, 6)), device=device, requires_grad=True)
    y = layer(x, offset=2)
    y.backward(y.detach())  # the rotation of x, rotated back
    assert_close(x.grad, x.detach(), rtol=1e-12, atol=1e-12)
    assert_close(y.numpy()[..., 4:], x.numpy()[..., 4:], rtol=0, atol=0)
    check_grads(layer, x.detach(), order=2)


@pytest.mark.parametrize("dtype", [dc.float32, dc.float64])
@pytest.mark.parametrize("k", range(3))
def test_a_part_of_a_sequence_and_its_data_type(k: int, dtype: dc.DType, device: Device) -> None:
    dc.set_default_dtype(dtype)
    with dc.use_device(device):
        layer = layers(6)[k]
    dc.set_default_dtype(dc.float32)
    x = dc.asarray(RNG.normal(size=(2, 9, 6)), dtype=dtype, device=device)
    whole, part = layer(x), layer(x[:, 5:, :], offset=5)
    assert (whole.dtype, whole.device, whole.shape) == (dtype, device, x.shape)
    assert_close(part, whole[:, 5:, :], rtol=1e-6, atol=1e-6)
    assert_close(layer(x[0, ...]), whole[0, ...], rtol=1e-6, atol=1e-6)


def test_late_positions_are_as_accurate_in_float32_as_early_ones() -> None:
    values = RNG.normal(size=(4, 8))
    for layer in (nn.SinusoidalEncoding(8), nn.RotaryEncoding(8)):
        narrow = layer(dc.asarray(values, dtype=dc.float32), offset=1_000_000)
        wide = layer(dc.asarray(values), offset=1_000_000)
        np.testing.assert_allclose(narrow.numpy(), wide.numpy(), atol=1e-6)


@pytest.mark.parametrize("k", range(3))
def test_inputs_that_do_not_fit(k: int) -> None:
    layer = layers(6)[k]
    with pytest.raises(dc.ShapeError, match=r"got \(2, 9, 4\)"):
        layer(dc.ones((2, 9, 4)))
    with pytest.raises(dc.ShapeError, match=r"got \(6,\)"):
        layer(dc.ones(6))
    with pytest.raises(dc.ConfigError, match=r"0 or more, not -1$"):
        layer(dc.ones((2, 9, 6)), offset=-1)


def test_messages_with_a_likely_cause() -> None:
    with pytest.raises(dc.ShapeError, match=r"time is the last axis but one$"):
        nn.SinusoidalEncoding(6)(dc.ones((2, 6, 9)))
    with pytest.raises(dc.ShapeError, match="only 20 were learned"):
        nn.LearnedEncoding(20, 6)(dc.ones((2, 9, 6)), offset=15)


@pytest.mark.parametrize("make", [nn.SinusoidalEncoding, nn.RotaryEncoding, lambda n: nn.LearnedEncoding(n, 3)])
def test_sizes_are_at_least_one(make: Any) -> None:
    with pytest.raises(dc.ConfigError, match="at least 1"):
        make(0)


def test_other_options_that_do_not_fit() -> None:
    with pytest.raises(dc.ConfigError, match=r"in pairs, so their number is even, not 5$"):
        nn.RotaryEncoding(5)
    with pytest.raises(dc.ConfigError, match=r"the base is above 0; got 4 and -1$"):
        nn.SinusoidalEncoding(4, base=-1)


def test_names() -> None:
    halves = nn.RotaryEncoding(6, interleaved=False)
    expected = ["SinusoidalEncoding(6)", "LearnedEncoding(20 × 6)", "RotaryEncoding(6)", "RotaryEncoding(6, in halves)"]
    assert [repr(layer) for layer in (*layers(6), halves)] == expected
