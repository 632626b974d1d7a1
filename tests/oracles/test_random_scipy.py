"""Distributions against SciPy's: Kolmogorov-Smirnov and χ² tests, tails, and the functions underneath."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import deepcore as dc
from deepcore.random import Generator
from deepcore.random._inverse import log, normal_quantile

stats: Any = pytest.importorskip("scipy.stats", reason="SciPy is the oracle here")
special: Any = pytest.importorskip("scipy.special", reason="SciPy is the oracle here")

N = 100_000
LEAST = 1e-3  # the least p-value; with fixed seeds a test passes always or never


@pytest.mark.parametrize("dtype", [dc.float32, dc.float64])
@pytest.mark.parametrize(
    ("name", "options", "oracle"),
    [
        ("uniform", {"low": -1.0, "high": 3.0}, stats.uniform(-1, 4)),
        ("normal", {"mean": 2.0, "std": 0.5}, stats.norm(2, 0.5)),
        ("truncated_normal", {"mean": 2.0, "std": 0.5}, stats.truncnorm(-2, 2, 2, 0.5)),
        ("truncated_normal", {"low": 3.0, "high": np.inf}, stats.truncnorm(3, np.inf)),
        ("truncated_normal", {"low": -20.0, "high": -15.0}, stats.truncnorm(-20, -15)),
        ("truncated_normal", {"low": -0.5, "high": 4.0}, stats.truncnorm(-0.5, 4)),
        ("exponential", {"rate": 4.0}, stats.expon(scale=0.25)),
        ("gumbel", {"loc": 1.0, "scale": 2.0}, stats.gumbel_r(1, 2)),
    ],
)
def test_continuous(name: str, options: dict[str, float], oracle: Any, dtype: dc.DType) -> None:
    values = getattr(Generator(17), name)(N, dtype=dtype, **options).numpy().astype(np.float64)
    assert stats.kstest(values, oracle.cdf).pvalue > LEAST
    # Draws after each other are independent: a value and the next one together fill the unit square evenly.
    u = oracle.cdf(values)
    counts, _, _ = np.histogram2d(u[:-1:2], u[1::2], bins=16, range=((0, 1), (0, 1)))
    assert stats.chisquare(counts.ravel()).pvalue > LEAST


@pytest.mark.parametrize("dtype", [dc.float32, dc.float64])
def test_tails(dtype: dc.DType) -> None:
    z = Generator(3).normal(2_000_000, dtype=dtype).numpy()
    for bound in (2.0, 3.0, 4.0):
        for tail in (z < -bound, z > bound):
            assert stats.binomtest(int(tail.sum()), z.size, stats.norm.sf(bound)).pvalue > LEAST
    assert 4.8 < abs(z).max() < 6.4


@pytest.mark.parametrize(("low", "high"), [(0, 7), (-3, 97), (0, 2**40 + 1), (-(2**63), 2**63)])
def test_integers(low: int, high: int) -> None:
    values = Generator(1).integers(low, high, N).numpy()
    bins = min(high - low, 64)
    cells = ((values.astype(object) - low) * bins // (high - low)).astype(int)
    ends = [-(-(high - low) * k // bins) / (high - low) for k in range(bins + 1)]
    expected = np.diff(ends) * N
    assert stats.chisquare(np.bincount(cells, minlength=bins), expected).pvalue > LEAST


def test_a_range_with_many_rejections_is_even() -> None:
    bound = 3 * 2**62  # remainders of unrejected words would be twice as likely below 2**62
    values = Generator(1).integers(0, bound, N, dtype=dc.uint64).numpy()
    counts = np.bincount((values // np.uint64(2**60)).astype(int), minlength=12)
    assert stats.chisquare(counts).pvalue > LEAST


def test_bernoulli_and_choice() -> None:
    p = np.asarray([0.05, 0.0, 0.15, 0.3, 0.5])
    ones = Generator(2).bernoulli(N, p=0.3).numpy().sum()
    assert stats.binomtest(int(ones), N, 0.3).pvalue > LEAST
    each = Generator(2).bernoulli((N, 5), p=dc.asarray(p)).numpy().sum(axis=0)
    assert all(stats.binomtest(int(k), N, q).pvalue > LEAST for k, q in zip(each, p, strict=True))
    drawn = Generator(3).choice(5, N, p=p).numpy()
    logits = Generator(3).categorical(dc.log(dc.asarray(p[p > 0])) + 7.0, N).numpy()
    for counts in (np.bincount(drawn, minlength=5)[p > 0], np.bincount(logits)):
        assert stats.chisquare(counts, p[p > 0] * N).pvalue > LEAST
    assert not (drawn == 1).any()
    assert stats.chisquare(np.bincount(Generator(4).choice(9, N).numpy())).pvalue > LEAST


def test_weighted_choice_without_replacement_draws_successively() -> None:
    p = np.asarray([0.1, 0.2, 0.3, 0.4])
    g = Generator(5)
    pairs = np.asarray([g.choice(4, 2, replace=False, p=p).tolist() for _ in range(10_000)])
    counts = np.zeros((4, 4))
    np.add.at(counts, tuple(pairs.T), 1)
    expected = p[:, None] * p / (1 - p[:, None]) * (1 - np.eye(4))
    off = ~np.eye(4, dtype=bool)
    assert counts[~off].sum() == 0
    assert stats.chisquare(counts[off], expected[off] * len(pairs)).pvalue > LEAST


def test_every_permutation_is_equally_likely() -> None:
    g = Generator(6)
    orders = [tuple(g.permutation(4).tolist()) for _ in range(6000)]
    counts = np.unique(orders, axis=0, return_counts=True)[1]
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > LEAST


def test_the_quantile_and_the_logarithm_are_accurate() -> None:
    p = np.concatenate([np.linspace(1e-6, 1 - 1e-6, 20_001), 10.0 ** -np.linspace(1, 307, 5_000)])
    p = p[p != 0.5]
    np.testing.assert_allclose(normal_quantile(p), special.ndtri(p), rtol=2e-15)
    assert normal_quantile(np.asarray([0.5])).tolist() == [0.0]
    x = np.concatenate([p, np.geomspace(1.0, 1e300, 5_000), 1 + np.linspace(-1e-3, 1e-3, 2_000)])
    exact = np.log(x)
    assert (np.abs(log(x) - exact) <= np.spacing(np.abs(exact))).all()
