"""Convolution, pooling and upsampling against PyTorch: outputs, all gradients, and a small network after 20 steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import deepcore as dc
from deepcore import nn, optim

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

TOLERANCES = {"float32": 1e-5, "float64": 1e-10}
DTYPES = pytest.mark.parametrize("dtype", TOLERANCES)
DIMENSIONS = pytest.mark.parametrize("ndim", [1, 2, 3])
quickly = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def assert_equal(ours: dc.Tensor | None, theirs: Any, tolerance: float | None = None) -> None:
    """Compare with the size of the largest value: sums of many products lose what their terms lose."""
    assert ours is not None
    desired = theirs.detach().numpy()
    assert (ours.dtype.name, ours.shape) == (desired.dtype.name, desired.shape)
    if desired.size:
        error = np.abs(ours.numpy() - desired).max() / max(np.abs(desired).max(), 1.0)
        assert error <= (tolerance or TOLERANCES[desired.dtype.name])


def both(values: NDArray[Any]) -> tuple[dc.Tensor, Any]:
    return dc.asarray(values.copy(), requires_grad=True), torch.tensor(values, requires_grad=True)


def compare(ours: Callable[..., dc.Tensor], theirs: Callable[..., Any], *operands: NDArray[Any], seed: int = 0) -> None:
    """Compare results, first derivatives, and those of a function of the first derivatives."""
    mine, others = zip(*[both(x) for x in operands], strict=True)
    y, y_torch = ours(*mine), theirs(*others)
    assert_equal(y, y_torch)
    weights = np.random.default_rng(seed).normal(size=y.shape).astype(y.dtype.name)
    dy, dy_torch = both(weights)
    y.backward(dy, create_graph=True)
    found = torch.autograd.grad(y_torch, others, dy_torch, create_graph=True)
    first = [x.grad for x in mine]
    for a, b in zip(first, found, strict=True):
        assert_equal(a, b)
    for x in (*mine, dy):
        x.grad = None
    total = sum((g * g).sum() for g in first if g is not None)
    assert isinstance(total, dc.Tensor)
    total.backward()
    second = torch.autograd.grad(sum((g * g).sum() for g in found), (*others, dy_torch), allow_unused=True)
    for x, b in zip((*mine, dy), second, strict=True):
        if b is None:
            assert x.grad is None
        else:
            assert_equal(x.grad if x.grad is not None else dc.zeros_like(x), b)


def layers(name: str, *args: Any, **options: Any) -> tuple[nn.Module, Any]:
    """Return the layer of that name of both libraries."""
    return getattr(nn, name)(*args, **options), getattr(torch.nn, name)(*args, **options)


# -------------------------------------------------------------------------------------------------------- convolution


@st.composite
def convolutions(draw: st.DrawFn) -> dict[str, Any]:
    ndim = draw(st.integers(1, 3))

    def per_axis(low: int, high: int) -> tuple[int, ...]:
        return draw(st.tuples(*[st.integers(low, high)] * ndim))

    return {
        "groups": (groups := draw(st.integers(1, 3))),
        "inputs": groups * draw(st.integers(1, 3)),
        "outputs": groups * draw(st.integers(1, 3)),
        "samples": draw(st.integers(1, 3)),
        "size": per_axis(1, 9 if ndim < 3 else 5),
        "kernel": per_axis(1, 4 if ndim < 3 else 3),
        "stride": per_axis(1, 3),
        "padding": per_axis(0, 3),
        "dilation": per_axis(1, 3),
        "output_padding": per_axis(0, 2),
        "bias": draw(st.booleans()),
        "dtype": draw(st.sampled_from(["float32", "float64"])),
    }


def arrays(case: dict[str, Any], *shapes: tuple[int, ...]) -> list[NDArray[Any]]:
    source = np.random.default_rng(0)
    return [source.uniform(-1, 1, shape).astype(case["dtype"]) for shape in shapes]


@quickly
@given(convolutions())
def test_convolution(case: dict[str, Any]) -> None:
    reached = [d * (k - 1) + 1 for k, d in zip(case["kernel"], case["dilation"], strict=True)]
    assume(all(n + 2 * p >= r for n, p, r in zip(case["size"], case["padding"], reached, strict=True)))
    options = {name: case[name] for name in ("stride", "padding", "dilation", "groups")}
    theirs = getattr(torch.nn.functional, f"conv{len(case['size'])}d")
    operands = arrays(
        case,
        (case["samples"], case["inputs"], *case["size"]),
        (case["outputs"], case["inputs"] // case["groups"], *case["kernel"]),
        *([(case["outputs"],)] if case["bias"] else []),
    )
    compare(lambda *args: dc.convolution(*args, **options), lambda *args: theirs(*args, **options), *operands)


@quickly
@given(convolutions())
def test_transposed_convolution(case: dict[str, Any]) -> None:
    extra = tuple(min(q, s - 1) for q, s in zip(case["output_padding"], case["stride"], strict=True))
    options = {name: case[name] for name in ("stride", "padding", "dilation", "groups")} | {"output_padding": extra}
    longest = [
        (m - 1) * s + d * (k - 1) + 1 - 2 * p + q
        for m, s, d, k, p, q in zip(
            *[case[name] for name in ("size", "stride", "dilation", "kernel", "padding")], extra, strict=True
        )
    ]
    assume(min(longest) >= 1)
    theirs = getattr(torch.nn.functional, f"conv_transpose{len(case['size'])}d")
    operands = arrays(
        case,
        (case["samples"], case["inputs"], *case["size"]),
        (case["inputs"], case["outputs"] // case["groups"], *case["kernel"]),
        *([(case["outputs"],)] if case["bias"] else []),
    )
    compare(lambda *args: dc.convolution_transpose(*args, **options), lambda *args: theirs(*args, **options), *operands)


def set_parameters(ours: nn.Module, theirs: Any, dtype: str, seed: int = 0) -> None:
    """Give both modules the same values; a dense weight is the transpose of PyTorch's."""
    source = np.random.default_rng(seed)
    theirs.to(getattr(torch, dtype))
    for name, parameter in ours.named_parameters():
        other = theirs.get_parameter(name)
        values = source.uniform(-0.4, 0.4, tuple(other.shape)).astype(dtype)
        with torch.no_grad():
            other.copy_(torch.tensor(values))
        with dc.no_grad():
            parameter._rebind(dc.asarray(values.T.copy() if values.ndim == 2 else values))
        parameter.requires_grad = True


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")  # PyTorch copies
@DTYPES
@DIMENSIONS
@pytest.mark.parametrize(
    "options",
    [
        {"padding": "same"},
        {"padding": "same", "dilation": 2, "kernel_size": 2},
        {"padding": "same", "kernel_size": 4},
        {"padding": "valid"},
        *[{"padding": 2, "padding_mode": mode} for mode in ("reflect", "replicate", "circular")],
        {"stride": 2, "groups": 3},
    ],
    ids=str,
)
def test_convolutional_layers(options: dict[str, Any], ndim: int, dtype: str) -> None:
    options = {"kernel_size": 3, **options}
    ours, theirs = layers(f"Conv{ndim}d", 3, 6, **options)
    set_parameters(ours, theirs, dtype)
    compare(ours, theirs, np.random.default_rng(1).normal(size=(2, 3, *(5, 6, 4)[:ndim])).astype(dtype))


@DTYPES
@DIMENSIONS
def test_transposed_convolutional_layers(ndim: int, dtype: str) -> None:
    options = {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1, "groups": 2}
    ours, theirs = layers(f"ConvTranspose{ndim}d", 4, 6, **options)
    set_parameters(ours, theirs, dtype)
    compare(ours, theirs, np.random.default_rng(1).normal(size=(2, 4, *(5, 6, 4)[:ndim])).astype(dtype))


# ------------------------------------------------------------------------------------------------------------ pooling


@st.composite
def poolings(draw: st.DrawFn) -> dict[str, Any]:
    ndim = draw(st.integers(1, 3))

    def per_axis(low: int, high: int) -> tuple[int, ...]:
        return draw(st.tuples(*[st.integers(low, high)] * ndim))

    return {
        "size": per_axis(1, 9 if ndim < 3 else 6),
        "kernel_size": per_axis(1, 4),
        "stride": per_axis(1, 4),
        "padding": per_axis(0, 2),
        "dilation": per_axis(1, 2),
        "ceil_mode": draw(st.booleans()),
        "count_include_pad": draw(st.booleans()),
        "ties": draw(st.booleans()),
        "dtype": draw(st.sampled_from(["float32", "float64"])),
    }


def images(case: dict[str, Any]) -> NDArray[Any]:
    source = np.random.default_rng(0)
    shape = (2, 3, *case["size"])
    values = source.integers(-1, 2, shape) if case["ties"] else source.normal(size=shape)
    return values.astype(case["dtype"])


@quickly
@given(poolings())
def test_max_pooling(case: dict[str, Any]) -> None:
    reached = [d * (k - 1) + 1 for k, d in zip(case["kernel_size"], case["dilation"], strict=True)]
    padding = tuple(min(p, k // 2) for p, k in zip(case["padding"], case["kernel_size"], strict=True))
    assume(all(n + 2 * p >= r for n, p, r in zip(case["size"], padding, reached, strict=True)))
    options = {name: case[name] for name in ("kernel_size", "stride", "dilation", "ceil_mode")} | {"padding": padding}
    ours, theirs = layers(f"MaxPool{len(case['size'])}d", **options)
    assume(theirs(torch.tensor(images(case))).isfinite().all())  # dilated windows may step over everything
    compare(ours, theirs, images(case))


@quickly
@given(poolings())
def test_average_pooling(case: dict[str, Any]) -> None:
    padding = tuple(min(p, k // 2) for p, k in zip(case["padding"], case["kernel_size"], strict=True))
    refused = len(case["size"]) == 3  # PyTorch has no padding make up for a volume that is too small
    pairs = zip(case["size"], padding, case["kernel_size"], strict=True)
    assume(all(n + (0 if refused else 2 * p) >= k for n, p, k in pairs))
    names = ("kernel_size", "stride", "ceil_mode", "count_include_pad")
    options = {name: case[name] for name in names} | {"padding": padding}
    ours, theirs = layers(f"AvgPool{len(case['size'])}d", **options)
    compare(ours, theirs, images(case))


@DTYPES
@DIMENSIONS
@pytest.mark.parametrize("kind", ["Avg", "Max"])
@pytest.mark.parametrize("ties", [True, False])
def test_adaptive_pooling(ties: bool, kind: str, ndim: int, dtype: str) -> None:
    size = (7, 6, 5)[:ndim]
    x = images({"size": size, "ties": ties, "dtype": dtype})
    for number in (1, 2, 3, size, (4, None, 2)[:ndim], (9, 8, 7)[:ndim]):
        given_size = number[0] if ndim == 1 and isinstance(number, tuple) else number
        ours, theirs = layers(f"Adaptive{kind}Pool{ndim}d", given_size)
        compare(ours, theirs, x)


@DTYPES
def test_global_pooling(dtype: str) -> None:
    x = images({"size": (4, 5), "ties": True, "dtype": dtype})
    compare(nn.GlobalAvgPool(), lambda x: torch.nn.AdaptiveAvgPool2d(1)(x).flatten(1), x)
    compare(nn.GlobalMaxPool(), lambda x: torch.nn.AdaptiveMaxPool2d(1)(x).flatten(1), x)


# --------------------------------------------------------------------------------------------------------- upsampling


@DTYPES
@DIMENSIONS
@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("align_corners", [True, False])
def test_upsampling(align_corners: bool, mode: str, ndim: int, dtype: str) -> None:
    if align_corners and mode == "nearest":
        return
    named = {1: "linear", 2: "bilinear", 3: "trilinear"}[ndim] if mode == "linear" else mode
    corners = {} if mode == "nearest" else {"align_corners": align_corners}
    x = images({"size": (3, 4, 5)[:ndim], "ties": False, "dtype": dtype})
    sizes: list[dict[str, Any]] = [{"size": n} for n in (1, 2, 4, 7, 12)]
    factors: list[dict[str, Any]] = [{"scale_factor": f} for f in (1, 2, 3.0, 1.5, 0.5, 2.5)]
    for options in (*sizes, *factors):
        ours, theirs = layers("Upsample", **options, mode=named, **corners)
        compare(ours, theirs, x)


# ----------------------------------------------------------------------------------------------------------- networks


@DTYPES
def test_a_small_network_after_20_steps(dtype: str) -> None:
    pairs = [
        layers("Conv2d", 2, 6, 3, padding=1),
        layers("ReLU"),
        layers("MaxPool2d", 2),
        layers("Conv2d", 6, 8, 3, stride=2, padding=1, groups=2),
        layers("Tanh"),
        layers("ConvTranspose2d", 8, 4, 2, stride=2),
        layers("AvgPool2d", 2),
        layers("Flatten"),
        (nn.Dense(4 * 2 * 2, 3), torch.nn.Linear(4 * 2 * 2, 3)),
    ]
    ours, theirs = nn.Sequential(*[a for a, _ in pairs]), torch.nn.Sequential(*[b for _, b in pairs])
    set_parameters(ours, theirs, dtype)
    source = np.random.default_rng(2)
    images, labels = source.normal(size=(20, 12, 2, 8, 8)).astype(dtype), source.integers(0, 3, (20, 12))
    adam, adam_torch = optim.Adam(ours.parameters(), lr=0.01), torch.optim.Adam(theirs.parameters(), lr=0.01)
    for x, t in zip(images, labels, strict=True):
        adam.zero_grad()
        nn.CategoricalCrossEntropy()(ours(dc.asarray(x)), dc.asarray(t)).backward()
        adam.step()
        adam_torch.zero_grad()
        torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(t)).backward()
        adam_torch.step()
    for name, parameter in ours.named_parameters():
        other = theirs.get_parameter(name)
        assert_equal(parameter.detach(), other.T if other.ndim == 2 else other)
