"""The derivatives that the documentation promises where calculus leaves a choice: at ties, ends and corners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import deepcore as dc
from deepcore.testing import assert_close, check_grads

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore._device import Device


def slopes(function: Callable[..., dc.Tensor], device: Device, *values: Any) -> list[Any]:
    leaves = [dc.asarray(v, dtype=dc.float64, device=device, requires_grad=True) for v in values]
    function(*leaves).sum().backward()
    return [None if x.grad is None else x.grad.tolist() for x in leaves]


@pytest.mark.parametrize(
    ("function", "at_corner"),
    [
        (dc.relu, 0.0),
        (dc.abs, 0.0),
        (dc.leaky_relu, 0.01),
        (lambda x: dc.maximum(x, 0.0), 0.5),
        (lambda x: dc.clip(x, 0), 1.0),
    ],
    ids=["relu", "abs", "leaky_relu", "maximum", "clip"],
)
def test_corners_at_zero(function: Callable[..., dc.Tensor], at_corner: float, device: Device) -> None:
    assert slopes(function, device, [0.0, 2.0]) == [[at_corner, 1.0]]


def test_extremes_are_shared_equally(device: Device) -> None:
    x = [[1.0, 3.0, 3.0, 3.0], [2.0, 2.0, 1.0, 0.0]]
    (dx,) = slopes(lambda x: dc.max(x, axis=1), device, x)
    assert_close(dx, [[0, 1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0, 0]])
    (dx,) = slopes(lambda x: dc.max(x), device, x)
    assert_close(dx, [[0, 1 / 3, 1 / 3, 1 / 3], [0, 0, 0, 0]])
    (dx,) = slopes(lambda x: dc.min(x, axis=(0, 1), keepdims=True), device, [[1.0, 1.0], [1.0, 2.0]])
    assert_close(dx, [[1 / 3, 1 / 3], [1 / 3, 0]])


def test_the_larger_and_the_smaller_of_two(device: Device) -> None:
    a, b = [1.0, 2.0, 3.0], [3.0, 2.0, 1.0]
    assert slopes(dc.maximum, device, a, b) == [[0, 0.5, 1], [1, 0.5, 0]]
    assert slopes(dc.minimum, device, a, b) == [[1, 0.5, 0], [0, 0.5, 1]]


def test_clip_gives_the_cotangent_to_what_was_chosen(device: Device) -> None:
    x, low, high = [-1.0, 0.0, 1.0, 2.0, 3.0], [0.0] * 5, [2.0] * 5
    assert slopes(dc.clip, device, x, low, high) == [[0, 1, 1, 1, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 1]]
    assert slopes(lambda x: dc.clip(x, max=2.0), device, x) == [[1, 1, 1, 1, 0]]
    assert slopes(lambda x: dc.clip(x), device, x) == [[1, 1, 1, 1, 1]]


def test_clip_to_arrays_that_are_broadcast(device: Device) -> None:
    x = dc.asarray([[-1.5, 0.3, 0.9], [1.1, -0.4, 2.0]], dtype=dc.float64, device=device)
    low = dc.asarray([-0.7, -0.2, 0.1], dtype=dc.float64, device=device)
    high = dc.asarray([[0.8], [1.3]], dtype=dc.float64, device=device)
    check_grads(lambda x, low, high: dc.clip(x, low, high) ** 2, x, low, high, order=2)


def test_equal_elements_are_sorted_one_to_one(device: Device) -> None:
    for descending in (False, True):
        weights = dc.asarray([1.0, 2.0, 4.0, 8.0], dtype=dc.float64, device=device)
        (dx,) = slopes(lambda x, w=weights, d=descending: dc.sort(x, descending=d) * w, device, [2.0, 1.0, 2.0, 2.0])
        assert sorted(dx) == [1, 2, 4, 8]
        assert dx[1] == (8 if descending else 1)


def test_steps_have_the_derivative_zero(device: Device) -> None:
    for step in (dc.sign, dc.floor, dc.ceil, dc.trunc, dc.round):
        (dx,) = slopes(lambda x, step=step: step(x) * x, device, [0.25, 2.0])
        assert_close(dx, step(dc.asarray([0.25, 2.0], dtype=dc.float64)).tolist())
