"""Derivatives on shapes that nobody chose: drawn by hypothesis, from no axes to three, lengths 0 to 3."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import deepcore as dc
from deepcore._primitive import registry
from deepcore.testing import check_grads

if TYPE_CHECKING:
    from deepcore._device import Device
    from deepcore._typing import Shape

examples = settings(
    max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

LENGTHS = st.integers(0, 3)
SHAPES = st.lists(LENGTHS, max_size=3).map(tuple)


@pytest.fixture(autouse=True)
def _eager(thrifty: bool) -> None:
    if thrifty:
        pytest.skip("JAX compiles every operation anew for every shape")


def array(shape: Shape, device: Device, shift: float = 0.0) -> dc.Tensor:
    """Return different multiples of 1/32 between 1/2 and 3/2 in random order, shifted."""
    n = math.prod(shape)
    values = 0.5 + (np.random.default_rng(n).permutation(n) + 0.5) / max(n, 1)
    return dc.asarray((np.round(32 * values) / 32 + shift).reshape(shape), device=device)


def pair(shapes: tuple[Shape, Shape], device: Device) -> tuple[dc.Tensor, dc.Tensor]:
    """Return two arrays, no entry of one close to an entry of the other."""
    return array(shapes[0], device), array(shapes[1], device, shift=1 / 64)


@st.composite
def broadcastable(draw: st.DrawFn) -> tuple[Shape, Shape]:
    """Draw two shapes that broadcast: some lengths of either become 1, and leading ones are left out."""
    whole = draw(SHAPES)

    def part() -> Shape:
        shape = tuple(1 if draw(st.booleans()) else n for n in whole)
        return shape[draw(st.integers(0, len(shape))) :]

    return part(), part()


ARITHMETIC = ("add", "subtract", "multiply", "divide", "pow", "atan2", "hypot", "logaddexp", "maximum", "minimum")


@pytest.mark.parametrize("name", ARITHMETIC)
@examples
@given(shapes=broadcastable())
def test_two_operands(name: str, shapes: tuple[Shape, Shape], device: Device) -> None:
    operation: Any = registry[name]
    check_grads(operation, *pair(shapes, device))


@examples
@given(shapes=broadcastable())
def test_choosing(shapes: tuple[Shape, Shape], device: Device) -> None:
    check_grads(lambda x, y: dc.where(x > y, x * y, y), *pair(shapes, device))


@st.composite
def reduced(draw: st.DrawFn) -> tuple[Shape, Any, bool]:
    """Draw a shape without zeros and some of its axes, counted from either end."""
    shape = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
    axes = draw(st.lists(st.integers(0, len(shape) - 1), unique=True, min_size=1))
    signed = [axis - len(shape) if draw(st.booleans()) else axis for axis in axes]
    axis = draw(st.sampled_from([None, signed[0], tuple(signed)]))
    return shape, axis, draw(st.booleans())


REDUCTIONS = ("sum", "mean", "prod", "max", "min", "var", "linalg.vector_norm")


@pytest.mark.parametrize("name", REDUCTIONS)
@examples
@given(case=reduced())
def test_reductions(name: str, case: tuple[Shape, Any, bool], device: Device) -> None:
    shape, axis, keepdims = case
    reduction: Any = registry[name]
    check_grads(lambda x: reduction(x, axis=axis, keepdims=keepdims), array(shape, device))


@st.composite
def products(draw: st.DrawFn) -> tuple[Shape, Shape]:
    """Draw two shapes that matmul takes."""
    m, k, n = (draw(st.integers(1, 3)) for _ in range(3))
    left, right = draw(broadcastable())
    first = (*left[-2:], m, k) if draw(st.booleans()) else (k,)
    second = (*right[-2:], k, n) if draw(st.booleans()) else (k,)
    try:
        dc.broadcast_shapes(first[:-2], second[:-2])
    except dc.ShapeError:
        return (m, k), (k, n)
    return first, second


@examples
@given(shapes=products())
def test_matrix_products(shapes: tuple[Shape, Shape], device: Device) -> None:
    check_grads(dc.matmul, *pair(shapes, device))


@st.composite
def indices(draw: st.DrawFn) -> tuple[Shape, Any]:
    """Draw a shape and a basic index for it: numbers, slices with steps of both signs, new axes, an ellipsis."""
    shape = tuple(draw(st.lists(st.integers(1, 3), max_size=3)))
    key: list[Any] = []
    for n in shape[: draw(st.integers(0, len(shape)))]:
        start, stop = sorted((draw(st.integers(0, n)), draw(st.integers(0, n))))
        choices = [st.just(slice(start, stop)), st.just(slice(None, None, -1)), st.integers(-n, n - 1)]
        key.append(draw(st.one_of(*choices)))
        if draw(st.integers(0, 4)) == 0:
            key.append(None)
    return shape, (*key, ...)


@examples
@given(case=indices())
def test_reading_and_writing(case: tuple[Shape, Any], device: Device) -> None:
    shape, key = case
    if None in key and device.backend.name == "array_api_strict":
        key = tuple(k for k in key if k is not None)

    def written(x: dc.Tensor) -> dc.Tensor:
        y = x * 1.0
        if None not in key:
            y[key] = y[key] * y[key]
        return y

    x = array(shape, device)
    check_grads(lambda x: x[key] * 2.0, x)
    check_grads(written, x)


@examples
@given(case=reduced(), repeats=st.integers(1, 3))
def test_moving(case: tuple[Shape, Any, bool], repeats: int, device: Device) -> None:
    shape, axis, _ = case
    one = axis[0] if isinstance(axis, tuple) else axis
    x = array(shape, device)
    check_grads(lambda x: dc.flip(x, axis=axis), x)
    check_grads(lambda x: dc.roll(x, repeats, axis=one), x)
    check_grads(lambda x: dc.repeat(x, repeats, axis=one), x)
    check_grads(lambda x: dc.concat([x, x * x], axis=one), x)
    check_grads(lambda x: dc.stack([x, x * x], axis=0 if one is None else one), x)
    check_grads(lambda x: dc.moveaxis(x, 0 if one is None else one, -1), x)
    check_grads(lambda x: dc.cumulative_sum(x, axis=-1 if one is None else one), x)
    check_grads(lambda x: dc.cumulative_prod(x, axis=-1 if one is None else one), x)
