"""Pooling and upsampling: golden values, where gradients go, and messages about inputs that do not fit."""

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
GOLDEN = [[4.0, 7.0, 1.0, 2.0], [6.0, 3.0, 0.0, 8.0], [9.0, 1.0, 6.0, 0.0], [6.0, 4.0, 1.0, 7.0]]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.AvgPool2d(2), [[5.0, 2.75], [5.0, 3.5]]),
        (nn.MaxPool2d(2), [[7.0, 8.0], [9.0, 7.0]]),
        (nn.AdaptiveAvgPool2d(2), [[5.0, 2.75], [5.0, 3.5]]),
        (nn.AdaptiveMaxPool2d(2), [[7.0, 8.0], [9.0, 7.0]]),
        (nn.AdaptiveMaxPool2d(3), [[7.0, 7.0, 8.0], [9.0, 6.0, 8.0], [9.0, 6.0, 7.0]]),
        (nn.GlobalAvgPool(), 4.0625),
        (nn.GlobalMaxPool(), 9.0),
    ],
    ids=lambda x: repr(x) if isinstance(x, nn.Module) else "",
)
def test_golden_values(layer: nn.Module, expected: Any, device: Device) -> None:
    assert layer(dc.asarray(GOLDEN, device=device)[None, None])[0, 0].tolist() == expected


@pytest.mark.parametrize(
    "layer",
    [nn.MaxPool2d(2, stride=1), nn.MaxPool2d(2), nn.AdaptiveMaxPool2d((2, 1)), nn.AdaptiveMaxPool2d(3)],
    ids=repr,
)
def test_the_first_maximum_gets_the_whole_gradient(layer: nn.Module, device: Device) -> None:
    x = dc.zeros((1, 1, 4, 4), device=device, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert x.grad is not None
    firsts = {(2, 2): [0, 2], (3, 3): [0, 1, 2], (2, 1): [0, 2]}[y.shape[2:]]
    columns = {(2, 2): [0, 2], (3, 3): [0, 1, 2], (2, 1): [0]}[y.shape[2:]]
    expected = np.zeros((4, 4))
    expected[np.ix_(firsts, columns)] = 1.0
    assert x.grad[0, 0].tolist() == expected.tolist()


def test_global_max_pooling_gives_it_to_the_first_too(device: Device) -> None:
    x = dc.ones((1, 2, 3), device=device, requires_grad=True)
    nn.GlobalMaxPool()(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[[1.0, 0.0, 0.0]] * 2]


def test_padding_is_never_a_maximum(device: Device) -> None:
    x = -dc.ones((1, 1, 3, 3), device=device)
    assert set(nn.MaxPool2d(3, stride=1, padding=1)(x).numpy().ravel().tolist()) == {-1.0}


def test_what_is_not_a_number_is_the_maximum(device: Device) -> None:
    x = dc.asarray([[[1.0, float("nan"), 3.0, 4.0]]], device=device, requires_grad=True)
    y = nn.MaxPool1d(2)(x)
    assert np.isnan(y.detach().numpy()[0, 0, 0])
    y.backward(dc.ones_like(y))
    assert x.grad is not None
    assert x.grad.tolist() == [[[0.0, 1.0, 0.0, 1.0]]]


def test_padding_counts_or_does_not(device: Device) -> None:
    x = dc.ones((1, 1, 3), device=device)
    assert nn.AvgPool1d(2, padding=1)(x).tolist() == [[[0.5, 1.0]]]
    assert nn.AvgPool1d(2, padding=1, count_include_pad=False)(x).tolist() == [[[1.0, 1.0]]]
    assert nn.AvgPool1d(2, ceil_mode=True)(x).tolist() == [[[1.0, 1.0]]]


@pytest.mark.parametrize(
    "layer",
    [
        nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True),
        nn.MaxPool2d(3, stride=2, padding=1, dilation=1),
        nn.AdaptiveAvgPool2d((3, 2)),
        nn.AdaptiveMaxPool2d((3, 2)),
        nn.GlobalAvgPool(),
        nn.GlobalMaxPool(),
        nn.Upsample(scale_factor=(2, 1.5)),
        nn.Upsample(size=(7, 3), mode="bilinear"),
        nn.Upsample(size=7, mode="bilinear", align_corners=True),
    ],
    ids=repr,
)
def test_gradients(layer: nn.Module, device: Device) -> None:
    values = RNG.permutation(40).reshape(1, 2, 4, 5) / 10
    check_grads(layer, dc.asarray(values, device=device))


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_linear_upsampling_is_exact_for_lines(ndim: int, device: Device) -> None:
    """With corners aligned, a linear function of the position stays one."""
    shape, larger = (3, 4, 2)[:ndim], (7, 4, 5)[:ndim]
    x, y = (
        sum(np.meshgrid(*[np.linspace(0, i + 1, n) for i, n in enumerate(s)], indexing="ij")) for s in (shape, larger)
    )
    layer = nn.Upsample(size=larger, mode="linear", align_corners=True)
    assert_close(layer(dc.asarray(np.asarray(x)[None, None], device=device)).numpy()[0, 0], np.asarray(y), atol=1e-14)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (nn.MaxPool2d(2), (3, 4, 4), "MaxPool2d(2×2): expected (batch, channels, height, width), got (3, 4, 4)"),
        (nn.MaxPool1d(3, dilation=2), (3, 4, 4), "the kernel (3,) dilated to (5,) is larger than the input (4,)"),
        (nn.AvgPool2d(5, padding=1), (1, 1, 2, 9), "AvgPool2d(5×5, padding 1): the kernel (5, 5) is larger"),
        (nn.AdaptiveAvgPool2d(2), (3, 4), "AdaptiveAvgPool2d(2×2): expected (batch, channels, height, width)"),
        (nn.GlobalAvgPool(), (3, 4), "GlobalAvgPool(): expected (batch, channels, length, ...)"),
        (nn.GlobalMaxPool(), (3, 4, 0), "with at least one element each, got (3, 4, 0)"),
        (nn.Upsample(2, mode="bilinear"), (3, 4, 5), "expected (batch, channels, height, width)"),
        (nn.Upsample((2, 3)), (3, 4, 5), "the input has 1 spatial axes, and (2, 3) is for 2"),
    ],
    ids=lambda x: repr(x) if isinstance(x, nn.Module) else "",
)
def test_inputs_that_do_not_fit(layer: nn.Module, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(dc.ShapeError) as caught:
        layer(dc.ones(shape))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.MaxPool2d(0), "kernel_size is a whole number of at least 1"),
        (lambda: nn.MaxPool2d(2, padding=2)(dc.ones((1, 1, 5, 5))), r"more than half of kernel_size \(2, 2\)"),
        (lambda: nn.AdaptiveAvgPool2d((1, 2, 3)), "output_size is a number of windows, at least 1, or 2 of them"),
        (lambda: nn.AdaptiveMaxPool1d(0), "at least 1"),
        (lambda: nn.Upsample(), "give size or scale_factor, one of them"),
        (lambda: nn.Upsample(2, 2.0), "give size or scale_factor, one of them"),
        (lambda: nn.Upsample(2, mode="cubic"), "unknown mode 'cubic'; the known ones are nearest, linear"),
        (lambda: nn.Upsample(2, align_corners=True), "align_corners is for the linear modes"),
        (lambda: nn.Upsample(0), "size and scale_factor are above 0"),
    ],
)
def test_options_that_are_refused(make: Any, message: str) -> None:
    with pytest.raises(dc.ConfigError, match=message):
        make()
