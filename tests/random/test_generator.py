"""Random numbers: those of Philox, the same everywhere, resumable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import deepcore as dc
from deepcore.random import Generator, default_generator

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore._device import Device
    from deepcore._typing import DeviceLike


def philox(seed: int, draw: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=np.array([seed, draw], dtype=np.uint64)))


@pytest.mark.parametrize("seed", [0, 1, 2**63, 2**64 - 1])
def test_uniforms_are_numpys_bit_for_bit(seed: int, device: Device) -> None:
    g = Generator(seed)
    for draw in range(3):
        for dtype, host in ((dc.float32, np.float32), (dc.float64, np.float64)):
            g.draw = draw
            values = g.uniform((3, 5), dtype=dtype, device=device)
            assert (values.dtype, values.device) == (dtype, device)
            assert values.numpy().tobytes() == philox(seed, draw).random((3, 5), dtype=host).tobytes()


def test_everything_is_the_same_on_every_device(device: Device) -> None:
    here, there = Generator(5), Generator(5)
    for name, options in (
        ("uniform", {"low": -2.0, "high": 3.0}),
        ("normal", {"mean": 1.0, "std": 0.1}),
        ("truncated_normal", {"mean": 1.0, "std": 0.1, "low": -1.0}),
        ("exponential", {"rate": 0.3}),
        ("gumbel", {"loc": 1.0, "scale": 0.1}),
        ("bernoulli", {"p": 0.3}),
    ):
        for dtype in (dc.float32, dc.float64):
            a, b = (
                getattr(g, name)((4, 7), device=d, dtype=dtype, **options) for g, d in ((here, "cpu"), (there, device))
            )
            assert a.numpy().tobytes() == b.numpy().tobytes(), name
            assert (b.dtype, b.device) == (dtype, device)
    p = [0.1, 0.2, 0.3, 0.4]
    draws: list[Callable[[Generator, DeviceLike], dc.Tensor]] = [
        lambda g, d: g.integers(-5, 100, (4, 7), device=d),
        lambda g, d: g.permutation(9, device=d),
        lambda g, d: g.permutation(dc.asarray([[1.0, 2.0, 3.0]], device=d), axis=1),
        lambda g, d: g.choice(9, (2, 3), device=d),
        lambda g, d: g.choice(dc.arange(9, device=d), 5, replace=False),
        lambda g, d: g.choice(4, 20, p=p, device=d),
        lambda g, d: g.choice(4, 3, p=p, replace=False, device=d),
        lambda g, d: g.categorical(dc.asarray([[0.0, 1.0, 2.0], [1.0, 1.0, -1.0]], device=d), 20),
    ]
    for draw in draws:
        a, b = draw(here, "cpu"), draw(there, device)
        assert b.device == device
        assert (a.dtype, a.tolist()) == (b.dtype, b.tolist())


def test_shapes_and_default_types() -> None:
    g = Generator(0)
    for values in (g.uniform((2, 0)), g.normal((2, 3)), g.bernoulli((4,), p=0.5), g.uniform()):
        assert values.dtype is dc.float32
    assert (g.uniform().shape, g.normal((2, 3)).shape) == ((), (2, 3))


def test_draws_are_independent_and_reproducible() -> None:
    g = Generator(3)
    draws = [tuple(g.uniform((4,)).tolist()) for _ in range(100)]
    assert len(set(draws)) == 100
    assert Generator(3).uniform((4,)).tolist() == list(draws[0])
    assert Generator(4).uniform((4,)).tolist() != list(draws[0])
    a, b = np.array(draws)[:-1].ravel(), np.array(draws)[1:].ravel()
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.2


def test_a_state_is_two_numbers() -> None:
    g = Generator(9)
    g.uniform((3,))
    g.permutation(4)
    again = Generator(g.seed, draw=g.draw)
    assert repr(g) == "Generator(seed=9, draw=2)"
    assert again.normal((5,)).tolist() == g.normal((5,)).tolist()


def test_ranges_and_moments() -> None:
    g = Generator(1)
    u = g.uniform((20000,), low=-1.0, high=3.0).numpy()
    assert -1.0 <= u.min() < -0.99
    assert 2.99 < u.max() < 3.0
    assert u.mean() == pytest.approx(1.0, abs=0.04)
    n = g.normal((20000,), mean=2.0, std=0.5).numpy()
    assert (n.mean(), n.std()) == (pytest.approx(2.0, abs=0.02), pytest.approx(0.5, abs=0.02))
    b = g.bernoulli((20000,), p=0.2).numpy()
    assert set(b.tolist()) == {0.0, 1.0}
    assert b.mean() == pytest.approx(0.2, abs=0.01)
    assert set(g.bernoulli((99,), p=1.0).tolist()) == {1.0}
    assert set(g.bernoulli((99,), p=0.0).tolist()) == {0.0}
    assert sorted(g.permutation(50).tolist()) == list(range(50))


def test_the_default_generator_is_seeded_in_place() -> None:
    g = default_generator()
    dc.random.seed(12)
    assert default_generator() is g
    assert (g.seed, g.draw) == (12, 0)
    first = g.uniform((3,)).tolist()
    assert first == Generator(12).uniform((3,)).tolist()
    dc.random.seed(12)
    assert g.uniform((3,)).tolist() == first


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "a"])
def test_seeds_are_whole_numbers_of_64_bits(seed: int) -> None:
    before = repr(default_generator())
    with pytest.raises(dc.ConfigError, match=r"seed is an integer from 0 to 2\*\*64 - 1"):
        Generator(seed)
    with pytest.raises(dc.ConfigError, match="seed is an integer"):
        dc.random.seed(seed)
    assert repr(default_generator()) == before


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_probabilities(p: float) -> None:
    with pytest.raises(dc.ConfigError, match="a probability is from 0 to 1"):
        Generator().bernoulli((2,), p=p)
