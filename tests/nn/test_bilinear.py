"""The bilinear layer: its equation, its gradients, and what it says at the door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn
from deepcore.random import Generator
from deepcore.testing import check_grads

if TYPE_CHECKING:
    from deepcore._device import Device


@pytest.mark.parametrize("lead", [(), (5,), (2, 3), (0,)])
@pytest.mark.parametrize("use_bias", [True, False])
def test_the_equation(lead: tuple[int, ...], use_bias: bool, device: Device) -> None:
    layer = nn.Bilinear(3, 4, 2, use_bias=use_bias, generator=Generator(0)).to(device)
    if layer.bias is not None:
        with dc.no_grad():
            layer.bias._rebind(dc.asarray([1.0, -2.0], device=device))
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(*lead, n)).astype(np.float32) for n in (3, 4))
    y = layer(dc.asarray(a, device=device), dc.asarray(b, device=device))
    assert (y.dtype, y.shape, y.device) == (dc.float32, (*lead, 2), device)
    expected = np.einsum("...i,kij,...j->...k", a, layer.weight.numpy(), b)
    np.testing.assert_allclose(y.numpy(), expected + ([1, -2] if use_bias else 0), rtol=1e-5, atol=1e-5)


def test_gradients(device: Device) -> None:
    layer = nn.Bilinear(3, 2, 2)
    rng = np.random.default_rng(0)
    shapes: list[tuple[int, ...]] = [(4, 3), (4, 2), (2, 3, 2), (2,)]
    arrays = [dc.asarray(rng.normal(size=shape), device=device) for shape in shapes]

    def apply(a: dc.Tensor, b: dc.Tensor, weight: Any, bias: Any) -> dc.Tensor:
        layer.weight, layer.bias = weight, bias
        return layer(a, b)

    check_grads(apply, *arrays, order=1)


def test_initial_weights_come_again_with_the_seed() -> None:
    one, two = (nn.Bilinear(3, 4, 5, initializer="he_normal", generator=Generator(1)) for _ in range(2))
    assert one.weight.tolist() == two.weight.tolist()
    assert one.n_parameters == 65
    assert repr(one) == "Bilinear(3, 4 → 5)"


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (
            ((5, 3), (5, 3)),
            r"\(..., 3\) and \(..., 4\) that are alike but for the last axis, got \(5, 3\) and \(5, 3\)$",
        ),
        (((5, 4), (5, 3)), r"got \(5, 4\) and \(5, 3\); are the two in the other order\?"),
        (((5, 3), (6, 4)), r"got \(5, 3\) and \(6, 4\)$"),
        (((5, 3), (4,)), r"got \(5, 3\) and \(4,\)$"),
        (((), (4,)), r"got \(\) and \(4,\)$"),
    ],
)
def test_shapes_that_do_not_fit(shapes: Any, message: str) -> None:
    with pytest.raises(dc.ShapeError, match=rf"^Bilinear\(3, 4 → 2\): .*{message}"):
        nn.Bilinear(3, 4, 2)(*[dc.ones(shape) for shape in shapes])


def test_numbers_of_features_are_at_least_one() -> None:
    with pytest.raises(dc.ConfigError, match="at least 1, not 3, 0, 2"):
        nn.Bilinear(3, 0, 2)
