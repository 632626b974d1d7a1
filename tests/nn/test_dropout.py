"""Dropout: what is dropped, the scale of the rest, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn
from deepcore.random import Generator
from deepcore.testing import assert_close

if TYPE_CHECKING:
    from deepcore._device import Device


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


def test_the_mask_is_the_same_everywhere(device: Device) -> None:
    here, there = (nn.Dropout(0.3, generator=Generator(7))(dc.ones((9, 11), device=d)) for d in ("cpu", device))
    assert np.array_equal(here.numpy(), there.numpy())


def test_masks_differ_from_call_to_call_and_come_again_with_the_seed() -> None:
    layer, again = (nn.Dropout(0.5, generator=Generator(2)) for _ in range(2))
    first, second = (layer(dc.ones(64)).tolist() for _ in range(2))
    assert first != second
    assert [again(dc.ones(64)).tolist() for _ in range(2)] == [first, second]


def test_the_default_generator_decides_unless_one_is_given() -> None:
    dc.random.seed(4)
    first = nn.Dropout()(dc.ones(64)).tolist()
    dc.random.seed(4)
    assert nn.Dropout()(dc.ones(64)).tolist() == first


def test_nothing_is_dropped_in_evaluation_or_with_probability_zero(device: Device) -> None:
    x = dc.ones(64, device=device)
    assert nn.Dropout(0.9).eval()(x) is x
    assert nn.Dropout(0.0)(x) is x
    assert nn.Sequential(nn.Dropout(0.9)).eval()(x) is x


def test_the_gradient_goes_through_the_same_mask(device: Device) -> None:
    x = dc.asarray(np.full(64, 3.0), device=device, requires_grad=True)
    y = nn.Dropout(0.5)(x)
    y.sum().backward()
    assert x.grad is not None
    assert_close(x.grad, y.detach() / 3.0)


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5, float("nan")])
def test_p_is_a_probability_below_one(p: float) -> None:
    with pytest.raises(dc.ConfigError, match="p is a probability"):
        nn.Dropout(p)
