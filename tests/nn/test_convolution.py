"""Convolutional layers: values, shapes, gradients, messages about inputs that do not fit, and initial weights."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn
from deepcore._backend import composites
from deepcore._window import rest_of
from deepcore.random import Generator
from deepcore.testing import assert_close, check_grads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deepcore._device import Device

RNG = np.random.default_rng(0)


def placed(layer: nn.Module, device: Device, dtype: dc.DType = dc.float64) -> Any:
    for parameter in layer.parameters():
        values = RNG.normal(size=parameter.shape)
        parameter.requires_grad = False
        parameter._rebind(dc.asarray(values, dtype=dtype, device=device))
        parameter._device = device
        parameter.requires_grad = True
    return layer


def slow(x: NDArray[Any], w: NDArray[Any], stride: int, padding: int, dilation: int, groups: int) -> NDArray[Any]:
    """Compute a two-dimensional convolution by its definition."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    (n, _, *size), (outputs, inner, *kernel) = x.shape, w.shape
    number = [(m - dilation * (k - 1) - 1) // stride + 1 for m, k in zip(size, kernel, strict=True)]
    y = np.zeros((n, outputs, *number))
    for o, c, i, j, k, m in itertools.product(*map(range, (outputs, inner, *number, *kernel))):
        channel = o // (outputs // groups) * inner + c
        y[:, o, i, j] += x[:, channel, i * stride + k * dilation, j * stride + m * dilation] * w[o, c, k, m]
    return y


@pytest.mark.parametrize(
    "options",
    [
        {"stride": 1, "padding": 0, "dilation": 1, "groups": 1},
        {"stride": 2, "padding": 1, "dilation": 1, "groups": 2},
        {"stride": 1, "padding": 2, "dilation": 2, "groups": 4},
    ],
    ids=str,
)
def test_values_are_those_of_the_definition(options: dict[str, int], device: Device) -> None:
    x, w = RNG.normal(size=(2, 4, 6, 7)), RNG.normal(size=(8, 4 // options["groups"], 3, 2))
    y = dc.convolution(dc.asarray(x, device=device), dc.asarray(w, device=device), **options)
    assert_close(y.numpy(), slow(x, w, **options), rtol=1e-12, atol=1e-12)


def test_the_kernel_is_not_reversed(device: Device) -> None:
    x = dc.asarray([[[0.0, 0.0, 1.0, 0.0, 0.0]]], device=device)
    y = dc.convolution(x, dc.asarray([[[1.0, 2.0, 3.0]]], device=device))
    assert y.tolist() == [[[3.0, 2.0, 1.0]]]


def test_large_and_many_images_are_computed_in_parts(device: Device) -> None:
    """Blocks of rows of an image, and blocks of samples, give what a whole does: the sum over the kernel is one."""
    for shape in ((1, 40, 70, 90), (70, 12, 20, 22)):
        x = dc.asarray(RNG.normal(size=shape).astype(np.float32), device=device, requires_grad=True)
        w = np.zeros((2, shape[1], 3, 3), np.float32)
        w[0, 0, 1, 1], w[1, 1, 0, 2] = 1.0, 2.0
        weight = dc.asarray(w, device=device, requires_grad=True)
        y = dc.convolution(x, weight, padding=1)
        values = x.detach().numpy()
        assert np.array_equal(y.detach().numpy()[:, 0], values[:, 0])
        assert np.array_equal(y.detach().numpy()[:, 1, 1:, :-1], 2 * values[:, 1, :-1, 1:])
        y.backward(dc.ones_like(y))
        assert x.grad is not None
        assert weight.grad is not None
        inside = x.grad.numpy()[:, :, 1:-1, 1:-1]
        assert np.array_equal(np.unique(inside[:, 0]), [1.0])
        assert np.array_equal(np.unique(inside[:, 1]), [2.0])
        assert not inside[:, 2:].any()
        middle = weight.grad.numpy()[:, :, 1, 1]
        total = values.sum(axis=(0, 2, 3), dtype=np.float64)
        assert_close(middle, np.stack([total, total]).astype(np.float32), rtol=1e-4, atol=2e-2)


LARGE: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((2, 40, 81, 60), (4, 40, 3, 3), {"stride": 2, "padding": 1}),
    ((3, 40, 40, 60), (4, 10, 3, 4), {"dilation": (2, 1), "groups": 4, "padding": ((0, 2), (3, 0))}),
    ((40, 16, 14, 14), (4, 16, 7, 7), {"padding": 3}),
    ((3, 20, 5000), (40, 20, 9), {"stride": 1}),
    ((2, 6, 20, 18, 24), (5, 6, 3, 3, 3), {"padding": 1}),
    ((2, 6, 20, 18, 24), (5, 6, 3, 3, 3), {"padding": 1, "stride": (1, 2, 3)}),
    ((9, 8, 20, 30), (5, 8, 1, 1), {}),
]


@pytest.mark.parametrize(("shape", "kernel", "options"), LARGE)
def test_kernels_of_a_backend_equal_the_bodies(
    shape: tuple[int, ...], kernel: tuple[int, ...], options: dict[str, Any], device: Device, thrifty: bool
) -> None:
    """Shapes that are too large for one block: of rows, or of samples."""
    if thrifty and len(shape) != 4:
        pytest.skip("tested on other devices")
    xp, host = device.kernels, device.backend.to_host

    def raw(*lengths: int) -> Any:
        return xp.asarray(RNG.uniform(-1, 1, lengths).astype(np.float32), device=device.raw)

    x, weight, bias = raw(*shape), raw(*kernel), raw(kernel[0])
    y = composites["convolution"](xp, x, weight, bias, **options)
    size, places = shape[2:], kernel[2:]
    plain = {"stride": 1, "padding": 0, "dilation": 1} | {k: v for k, v in options.items() if k != "groups"}
    rest = rest_of(size, places, **plain)
    dy = raw(*y.shape)
    calls: list[tuple[str, list[Any], dict[str, Any]]] = [
        ("convolution", [x, weight, bias], options),
        ("convolution", [x, weight], options),
        ("convolution_weight", [x, dy], options | {"kernel_size": places}),
        ("convolution_transpose", [dy, weight], options | {"output_padding": rest}),
        ("convolution_transpose", [dy, weight, raw(shape[1])], options | {"output_padding": rest}),
    ]
    for name, operands, given in calls:
        found, expected = host(xp[name](*operands, **given)), host(composites[name](xp, *operands, **given))
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() < 2e-5 * np.abs(expected).max()


LAYERS: list[tuple[Any, tuple[int, ...], tuple[int, ...]]] = [
    (lambda: nn.Conv1d(2, 4, 3), (3, 2, 8), (3, 4, 6)),
    (lambda: nn.Conv1d(2, 4, 4, padding="same"), (3, 2, 8), (3, 4, 8)),
    (lambda: nn.Conv2d(2, 4, (3, 1), stride=(2, 1), padding=(1, 0)), (3, 2, 5, 4), (3, 4, 3, 4)),
    (lambda: nn.Conv2d(2, 4, 2, padding=((1, 0), (0, 1))), (3, 2, 3, 4), (3, 4, 3, 4)),
    (lambda: nn.Conv2d(2, 2, 3, padding=2, padding_mode="reflect"), (1, 2, 4, 3), (1, 2, 6, 5)),
    (lambda: nn.Conv3d(2, 2, 2, groups=2, activation="tanh"), (1, 2, 2, 3, 2), (1, 2, 1, 2, 1)),
    (lambda: nn.ConvTranspose1d(2, 4, 3, stride=2), (3, 2, 4), (3, 4, 9)),
    (lambda: nn.ConvTranspose2d(2, 4, 3, stride=2, padding=1, output_padding=1), (3, 2, 2, 3), (3, 4, 4, 6)),
    (lambda: nn.ConvTranspose3d(2, 2, 2, groups=2, dilation=2, use_bias=False), (1, 2, 1, 2, 1), (1, 2, 3, 4, 3)),
]


@pytest.mark.parametrize(("make", "shape", "expected"), LAYERS)
def test_shapes_and_gradients(make: Any, shape: tuple[int, ...], expected: tuple[int, ...], device: Device) -> None:
    layer = placed(make(), device)
    x = dc.asarray(RNG.normal(size=shape), device=device, requires_grad=True)
    y = layer(x)
    assert y.shape == expected
    check_grads(layer, x.detach())
    y.sum().backward()
    for parameter in layer.parameters():
        assert parameter.grad is not None
        assert parameter.grad.shape == parameter.shape


@pytest.mark.parametrize("dtype", [dc.float32, dc.float64])
def test_data_type_and_device_are_kept(dtype: dc.DType, device: Device) -> None:
    layer = placed(nn.Conv2d(2, 3, 3, activation="relu"), device, dtype)
    y = layer(dc.ones((2, 2, 5, 5), dtype=dtype, device=device))
    y.sum().backward()
    assert (y.dtype, y.device) == (dtype, device)
    assert all(p.grad is not None and p.grad.dtype is dtype for p in layer.parameters())


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_modes_are_numpys(mode: str, device: Device) -> None:
    layer = placed(nn.Conv1d(1, 1, 1, padding=((3, 2),), padding_mode=mode, use_bias=False), device)
    layer.load_state_dict({"weight": np.ones((1, 1, 1))})
    x = RNG.normal(size=(1, 1, 5))
    names: dict[str, Any] = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    assert_close(
        layer(dc.asarray(x, device=device)).detach().numpy(),
        np.pad(x, ((0, 0), (0, 0), (3, 2)), mode=names[mode]),
        rtol=0,
        atol=0,
    )


# ----------------------------------------------------------------------------------------------------------- messages


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (
            nn.Conv2d(3, 8, 3),
            (32, 28, 28, 3),
            "Conv2d(3 → 8, 3×3): expected (batch, 3, height, width), got (32, 28, 28, 3); did you pass channels last?",
        ),
        (
            nn.Conv2d(3, 8, 3, stride=2),
            (3, 28, 28),
            (
                "Conv2d(3 → 8, 3×3, stride (2, 2)): expected (batch, 3, height, width), got (3, 28, 28); is it one "
                "sample? "
                "x[None] is a batch of it"
            ),
        ),
        (
            nn.Conv2d(1, 8, 5),
            (32, 28, 28),
            (
                "Conv2d(1 → 8, 5×5): expected (batch, 1, height, width), got (32, 28, 28); is the axis of channels "
                "missing? "
                "x[:, None] has one"
            ),
        ),
        (nn.Conv1d(4, 8, 5), (2, 3, 9), "Conv1d(4 → 8, 5): expected (batch, 4, length), got (2, 3, 9)"),
        (
            nn.Conv2d(1, 8, 5, padding=1),
            (2, 1, 2, 9),
            (
                "Conv2d(1 → 8, 5×5, padding 1): the kernel (5, 5) is larger than the input (2, 9) padded to (4, 11); "
                "use a "
                "smaller kernel or more padding"
            ),
        ),
        (
            nn.Conv1d(1, 1, 3, dilation=4),
            (2, 1, 8),
            (
                "Conv1d(1 → 1, 3, dilation (4,)): the kernel (3,) dilated to (9,) is larger than the input (8,); use a "
                "smaller kernel or more padding"
            ),
        ),
        (
            nn.Conv1d(1, 1, 3, padding=3, padding_mode="reflect"),
            (2, 1, 3),
            (
                "Conv1d(1 → 1, 3, padding 3, padding_mode reflect): reflect padding of (3, 3) is more than an axis "
                "of 3 "
                "elements has"
            ),
        ),
        (
            nn.ConvTranspose2d(3, 8, 2),
            (2, 8, 4, 4),
            "ConvTranspose2d(3 → 8, 2×2): expected (batch, 3, height, width), got (2, 8, 4, 4)",
        ),
        (
            nn.ConvTranspose1d(1, 1, 1, padding=3),
            (2, 1, 4),
            (
                "ConvTranspose1d(1 → 1, 1, padding 3): an input of (4,) and padding ((3, 3),) leave an output of "
                "(-2,); "
                "use less padding"
            ),
        ),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, nn.Module) else "",
)
def test_inputs_that_do_not_fit(layer: nn.Module, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(dc.ShapeError) as caught:
        layer(dc.ones(shape))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Conv2d(0, 8, 3), "at least 1, not 0, 8 and 1"),
        (lambda: nn.Conv2d(4, 8, 3, groups=3), "groups, 3, has to divide in_channels, 4, and out_channels, 8"),
        (lambda: nn.ConvTranspose2d(4, 6, 3, groups=4), "groups, 4, has to divide in_channels, 4, and out_channels, 6"),
        (lambda: nn.Conv2d(4, 8, (3, 3, 3)), r"kernel_size is a whole number of at least 1, or 2 of them"),
        (lambda: nn.Conv2d(4, 8, 3, stride=0), "stride is a whole number of at least 1"),
        (lambda: nn.Conv2d(4, 8, 3, padding=-1), "padding is a number of elements, at least 0"),
        (lambda: nn.Conv2d(4, 8, 3, padding="full"), "unknown padding 'full'; it is 'same', 'valid'"),
        (lambda: nn.Conv2d(4, 8, 3, padding="same", stride=2), "padding='same' keeps the shape, and stride"),
        (lambda: nn.Conv2d(4, 8, 3, padding_mode="mirror"), "unknown padding_mode 'mirror'; the known ones are zeros"),
        (lambda: nn.ConvTranspose1d(4, 8, 3, output_padding=1), r"output_padding, \(1,\), is less than stride, \(1,\)"),
        (lambda: nn.Conv1d(1, 1, 1, initializer="none"), "unknown initializer 'none'"),
    ],
)
def test_options_that_are_refused(make: Any, message: str) -> None:
    with pytest.raises(dc.ConfigError, match=message):
        make()


@pytest.mark.parametrize(
    ("x", "weight", "options", "message"),
    [
        ((2, 3), (4, 3, 1), {}, r"convolution: expected an array of shape \(samples, channels, length, ...\)"),
        ((2, 3, 5), (4, 3, 1, 1), {}, "do not have the same number of axes"),
        ((2, 3, 5), (4, 2, 1), {}, "has 3 channels and weight .* is for 2 in 1 groups of 4 outputs"),
        ((2, 4, 5), (3, 2, 1), {"groups": 2}, "is for 4 in 2 groups of 3 outputs"),
    ],
)
def test_operands_that_do_not_fit(x: Any, weight: Any, options: Any, message: str, device: Device) -> None:
    with pytest.raises(dc.ShapeError, match=message):
        dc.convolution(dc.ones(x, device=device), dc.ones(weight, device=device), **options)


# ------------------------------------------------------------------------------------------------------ initial values


@pytest.mark.parametrize("groups", [1, 4])
def test_variance_of_the_initial_weights(groups: int) -> None:
    options: dict[str, Any] = {"groups": groups, "initializer": "he_normal", "generator": Generator(0)}
    for layer in (nn.Conv2d(64, 48, 3, **options), nn.ConvTranspose2d(64, 48, 3, **options)):
        values = layer.weight.numpy()
        assert values.var() == pytest.approx(2 / (64 / groups * 9), rel=0.06)
        assert layer.bias is not None
        assert not layer.bias.numpy().any()


def test_lists_of_lengths_are_as_good_as_tuples() -> None:
    x, w = dc.ones((1, 1, 4, 4)), dc.ones((1, 1, 2, 2))
    lists: dict[str, Any] = {"stride": [2, 1], "padding": [1, 0], "dilation": [1, 2]}
    assert dc.convolution(x, w, **lists).shape == (1, 1, 3, 2)
    assert nn.Conv2d(1, 1, 2, **lists)(x).shape == (1, 1, 3, 2)
    assert nn.MaxPool2d(2, **lists)(x).shape == (1, 1, 3, 2)


def test_parameters_have_pytorchs_shapes() -> None:
    assert nn.Conv2d(6, 4, (3, 2), groups=2).weight.shape == (4, 3, 3, 2)
    assert nn.ConvTranspose2d(6, 4, (3, 2), groups=2).weight.shape == (6, 2, 3, 2)
    assert nn.Conv1d(6, 4, 3, use_bias=False).bias is None
    assert [name for name, _ in nn.Conv1d(6, 4, 3).named_parameters()] == ["weight", "bias"]
