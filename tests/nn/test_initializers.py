"""Initial weights: their fans, their distributions, and that they are the same on every device."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn
from deepcore.nn import initializers
from deepcore.nn.initializers import BY_NAME, fans, initial
from deepcore.random import Generator

if TYPE_CHECKING:
    from typing import Any

    from deepcore._device import Device
    from deepcore.nn.initializers import Initializer

DENSE, KERNEL = (300, 200), (64, 20, 5, 4)
LIMIT = math.sqrt(3)


def drawn(initializer: str | Initializer, shape: tuple[int, ...], seed: int = 0) -> Any:
    values = initial(initializer, shape, Generator(seed))
    assert values.shape == shape
    assert values.dtype is dc.default_dtype()
    return values.numpy().astype(np.float64)


def test_fans() -> None:
    assert fans((784, 100)) == (784, 100)  # inputs and outputs of a dense weight
    assert fans((32, 3, 5, 4)) == (60, 640)  # outputs, inputs and kernel of a convolution's
    assert fans((32, 3, 7)) == (21, 224)
    for shape in ((), (3,)):
        with pytest.raises(dc.ConfigError, match="needs the inputs and outputs"):
            fans(shape)


@pytest.mark.parametrize("shape", [DENSE, KERNEL], ids=["dense", "kernel"])
@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("lecun", lambda n, m: 1 / n),
        ("he", lambda n, m: 2 / n),
        ("glorot", lambda n, m: 2 / (n + m)),
    ],
)
def test_scaled_by_the_fans(name: str, variance: Any, shape: tuple[int, ...]) -> None:
    v = variance(*fans(shape))
    uniform, normal = drawn(f"{name}_uniform", shape), drawn(f"{name}_normal", shape)
    assert np.abs(uniform).max() <= math.sqrt(3 * v) * (1 + 1e-6)
    assert uniform.var() == pytest.approx(v, rel=0.03)
    assert normal.var() == pytest.approx(v, rel=0.03)
    assert abs(normal.mean()) < 4 * math.sqrt(v / normal.size)
    assert (normal**4).mean() / v**2 == pytest.approx(3, rel=0.06)  # the kurtosis of a normal variable


@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg"])
@pytest.mark.parametrize("distribution", ["normal", "uniform", "truncated_normal"])
def test_variance_scaling(mode: str, distribution: str) -> None:
    n, m = fans(KERNEL)
    k = {"fan_in": n, "fan_out": m, "fan_avg": (n + m) / 2}[mode]
    values = drawn(initializers.variance_scaling(3.0, mode=mode, distribution=distribution), KERNEL)
    assert values.var() == pytest.approx(3 / k, rel=0.03)
    if distribution == "truncated_normal":
        assert np.abs(values).max() <= 2.28 * math.sqrt(3 / k)


def test_of_a_given_scale() -> None:
    assert (drawn("zeros", (3,)) == 0).all()
    assert (drawn("ones", (3,)) == 1).all()
    assert (drawn(initializers.constant(2.5), (3, 2)) == 2.5).all()
    values = drawn(initializers.uniform(1.0, 3.0), DENSE)
    assert 1.0 <= values.min() < 1.001
    assert 2.999 < values.max() <= 3.0
    values = drawn(initializers.normal(1.0, 2.0), DENSE)
    assert values.mean() == pytest.approx(1.0, abs=0.03)
    assert values.std() == pytest.approx(2.0, rel=0.01)


def test_truncated_normal_is_the_normal_distribution_without_its_tails() -> None:
    values = (drawn(initializers.truncated_normal(1.0, 0.5, -1.0, 2.0), DENSE) - 1.0) / 0.5
    assert -1.0 <= values.min() < -0.999
    assert 1.99 < values.max() <= 2.0

    def phi(x: float) -> float:
        return 0.5 * math.erfc(-x / math.sqrt(2))

    for x in (-0.5, 0.0, 1.0, 1.5):
        share = (phi(x) - phi(-1.0)) / (phi(2.0) - phi(-1.0))
        assert (values < x).mean() == pytest.approx(share, abs=0.006)


@pytest.mark.parametrize("shape", [(5, 5), (7, 4), (3, 8), (4, 2, 3, 3), (40, 2, 3)])
def test_orthogonal_matrices(shape: tuple[int, ...]) -> None:
    Q = drawn(initializers.orthogonal(2.0), shape).reshape(shape[0], -1)
    gram = Q @ Q.T if Q.shape[0] <= Q.shape[1] else Q.T @ Q
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-5)


def test_orthogonal_matrices_are_spread_evenly() -> None:
    firsts = np.array([drawn("orthogonal", (2, 2), seed)[0] for seed in range(400)])
    angles = np.arctan2(firsts[:, 1], firsts[:, 0])
    quarters = np.histogram(angles, bins=4, range=(-math.pi, math.pi))[0]
    assert quarters.min() > 70  # of 100, on average


def test_sparse_weights() -> None:
    W = drawn(initializers.sparse(0.9, std=0.5), (50, 400))
    assert ((W != 0).sum(axis=0) == 5).all()
    assert len(set(map(tuple, (W != 0).T))) > 390  # which ones, differs from output to output
    assert W[W != 0].std() == pytest.approx(0.5, rel=0.05)
    with pytest.raises(dc.ConfigError, match=r"sparse: weights of shape \(inputs, outputs\)"):
        drawn("sparse", (3, 3, 3))


def test_identity() -> None:
    assert drawn(initializers.identity(2.0), (3, 2)).tolist() == [[2, 0], [0, 2], [0, 0]]
    kernel = drawn("identity", (3, 2, 3, 5))
    assert np.argwhere(kernel).tolist() == [[0, 0, 1, 2], [1, 1, 1, 2]]


RANDOM = [name for name in BY_NAME if name not in ("zeros", "ones", "identity")]


@pytest.mark.parametrize("name", BY_NAME)
def test_weights_are_bit_identical_on_every_device(name: str, device: Device) -> None:
    expected = initial(name, (12, 9), Generator(3)).numpy()
    with dc.use_device(device):
        values = initial(name, (12, 9), Generator(3))
        layer = nn.Dense(12, 9, initializer=name, generator=Generator(3))
    assert values.device is device
    assert (values.numpy() == expected).all()
    assert (layer.weight.numpy() == expected).all()
    assert (expected != initial(name, (12, 9), Generator(4)).numpy()).any() == (name in RANDOM)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_default_data_type_decides(name: str) -> None:
    before = dc.default_dtype()
    try:
        dc.set_default_dtype(dc.float64)
        assert initial(name, (4, 3), Generator(0)).dtype is dc.float64
    finally:
        dc.set_default_dtype(before)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: initializers.variance_scaling(mode="fan"), "unknown mode 'fan'; the known ones are fan_in, fan_out"),
        (lambda: initializers.variance_scaling(distribution="cauchy"), "unknown distribution 'cauchy'"),
        (lambda: initializers.variance_scaling(0.0), "the scale is above 0"),
        (lambda: initializers.uniform(1.0, 0.0), "uniform: low, 1.0, is above high, 0.0"),
        (lambda: initializers.normal(std=-1.0), "normal: a standard deviation is at least 0, not -1.0"),
        (lambda: initializers.truncated_normal(low=2.0), "truncated_normal: low, 2.0, is not below high, 2.0"),
        (lambda: initializers.sparse(2.0), "sparse: the sparsity is a share from 0 to 1, not 2.0"),
        (lambda: initial("gloroot", (2, 2)), "unknown initializer 'gloroot'; the known ones are glorot_uniform"),
    ],
)
def test_options_are_checked(make: Any, message: str) -> None:
    with pytest.raises(dc.ConfigError, match=message):
        make()
