from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deepcore import ConfigError
from deepcore.data import Dataset, circles, load, moons, spirals, xor

MAKERS = {"moons": moons, "circles": circles, "spirals": spirals, "xor": xor}


@pytest.mark.parametrize("name", MAKERS)
def test_seeds_and_types(name: str) -> None:
    data = MAKERS[name](80, seed=1)
    assert (data.name, data.inputs.shape, data.inputs.dtype) == (name, (80, 2), np.float32)
    assert data.targets.dtype == np.int64
    data.check_finite()
    data.check_labels(2)
    assert data.n_classes == 2
    same, other = MAKERS[name](80, seed=1), MAKERS[name](80, seed=2)
    np.testing.assert_array_equal(data.inputs, same.inputs)
    assert not np.array_equal(data.inputs, other.inputs)
    assert len(set(data.targets[:20].tolist())) == 2  # in random order
    by_name = load(name, n=80, seed=1)
    assert isinstance(by_name, Dataset)
    np.testing.assert_array_equal(by_name.inputs, data.inputs)


@pytest.mark.parametrize("name", MAKERS)
def test_noise_is_normal(name: str) -> None:
    exact, noisy = MAKERS[name](20_000, noise=0), MAKERS[name](20_000, noise=0.2)
    np.testing.assert_array_equal(exact.targets, noisy.targets)
    shift = noisy.inputs - exact.inputs
    assert np.abs(shift.mean(axis=0)).max() < 0.01
    np.testing.assert_allclose(np.cov(shift.T), 0.04 * np.eye(2), atol=0.002)


def test_spirals() -> None:
    data = spirals(301, n_classes=3, turns=1.5, noise=0)
    assert np.bincount(data.targets).tolist() == [101, 100, 100]
    radius = np.linalg.norm(data.inputs, axis=1)
    assert radius.max() == pytest.approx(1, abs=1e-6)
    angle = np.arctan2(data.inputs[:, 1], data.inputs[:, 0]) / (2 * np.pi)
    turned = (angle - 1.5 * radius - data.targets / 3 + 0.5) % 1 - 0.5
    assert np.abs(turned).max() < 1e-5


def test_one_point_of_each_class() -> None:
    data = spirals(1000, n_classes=1000)
    assert data.n_classes == len(data.classes) == 1000
    assert np.bincount(data.targets).max() == 1


def test_exactly_one_is_positive() -> None:
    data = xor(1000)
    np.testing.assert_array_equal(data.targets, (data.inputs > 0).sum(axis=1) == 1)
    assert np.abs(data.inputs).max() <= 1
    counts = np.histogram2d(data.inputs[:, 0], data.inputs[:, 1], bins=2, range=[[-1, 1]] * 2)[0]
    assert counts.min() > 200


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (moons, {"n": 1}),
        (circles, {"n": 0}),
        (xor, {"n": -3}),
        (spirals, {"n": 2, "n_classes": 3}),
        (spirals, {"n_classes": 0}),
        (moons, {"noise": -0.1}),
        (moons, {"noise": float("nan")}),
        (circles, {"factor": 1.0}),
        (xor, {"seed": -1}),
    ],
)
def test_options_out_of_range(make: Any, options: Any) -> None:
    with pytest.raises(ConfigError):
        make(**options)


def test_names() -> None:
    for name in ("digits", "Iris", "X-O-R"):
        assert isinstance(load(name), Dataset)
    with pytest.raises(ConfigError, match="no data set 'imagenet'; there are cifar10, circles"):
        load("imagenet")
