"""Special functions against SciPy's over their whole domains, and their derivatives against SciPy's of other names."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import pytest

import deepcore as dc

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore._device import Device

scipy: Any = pytest.importorskip("scipy.special", reason="SciPy is the oracle here")

HostArray: TypeAlias = "np.ndarray[Any, Any]"

TOLERANCE = {"float64": 1e-12, "float32": 1e-6}
ENDS = np.asarray([0.0, -0.0, np.inf, -np.inf, np.nan])


def magnitudes(dtype: str) -> HostArray:
    """Return positive numbers: every size that the data type has, and densely those where functions bend."""
    reach = 300 if dtype == "float64" else 37
    return np.concatenate([np.logspace(-reach, reach, 241), np.logspace(-6, 3, 241), np.linspace(0.05, 40, 640)])


def real(dtype: str) -> HostArray:
    m = magnitudes(dtype)
    return np.concatenate([m, -m, ENDS])


def positive(dtype: str) -> HostArray:
    return np.concatenate([magnitudes(dtype), [0.0, np.inf, np.nan]])


def unit(dtype: str) -> HostArray:
    m = magnitudes(dtype)
    return np.concatenate([m[m < 1], 1 - m[m < 1], [0.0, 1.0, -0.5, 1.5, np.nan]])


def signed_unit(dtype: str) -> HostArray:
    return np.concatenate([unit(dtype), -unit(dtype)])


def twice_unit(dtype: str) -> HostArray:
    return 2 * unit(dtype)


def moderate(dtype: str) -> HostArray:
    x = real(dtype)
    return x[np.abs(x) < 1e5]


class Case(NamedTuple):
    """A function of one argument, and where it is compared.

    ``crosses`` says that it has zeros other than at 0: there the error is absolute where that is smaller. ``differs``
    are arguments at which deepcore gives another value than SciPy, on purpose.
    """

    name: str
    domain: Callable[[str], HostArray]
    crosses: bool = False
    differs: tuple[float, ...] = ()


CASES = [
    Case("erf", real),
    Case("erfc", real),
    Case("erfcx", real),
    Case("erfinv", signed_unit),
    Case("erfcinv", twice_unit),
    Case("ndtr", real),
    Case("log_ndtr", real),
    Case("ndtri", unit),
    Case("gammaln", real, crosses=True, differs=(-np.inf,)),  # the logarithm at a limit of poles is infinity, as in C
    Case("gamma", real),
    Case("digamma", real, crosses=True),
    Case("psi", real, crosses=True),
    Case("i0", real, differs=(np.inf, -np.inf)),  # infinite: SciPy gives NaN
    Case("i0e", real),
    Case("i1", real, differs=(np.inf, -np.inf)),
    Case("i1e", real),
    Case("k0", positive),
    Case("k0e", positive),
    Case("k1", positive),
    Case("k1e", positive),
    Case("expit", real),
    Case("log_expit", real),
    Case("logit", unit),
    Case("entr", real),
    Case("sinc", moderate, crosses=True),
    Case("exprel", real),
    Case("cosm1", moderate, crosses=True),  # SciPy's own subtracts 1 from the cosine beyond pi / 4
]


def compare(y: dc.Tensor, expected: HostArray, *, crosses: bool = False, factor: float = 1.0) -> None:
    """Compare to within the tolerance of the data type, relative but for zeros that a function crosses.

    Numbers too small to be normal may be flushed to zero, as JAX does.
    """
    dtype = y.dtype.name
    actual = y.numpy()
    assert actual.dtype == dtype
    with np.errstate(over="ignore"):
        desired = expected.astype(dtype)
    assert np.array_equal(np.isnan(actual), np.isnan(desired))
    infinite = np.isinf(desired) | np.isinf(actual)
    assert np.array_equal(actual[infinite], desired[infinite])
    finite = np.isfinite(desired)
    size = np.abs(expected[finite])
    allowed = TOLERANCE[dtype] * factor * (np.maximum(size, 1.0) if crosses else size) + np.finfo(dtype).tiny
    error = np.abs(actual[finite].astype(np.float64) - expected[finite])
    worst = int(np.argmax(error / allowed)) if error.size else 0
    assert np.all(error <= allowed), f"at number {worst}: {actual[finite][worst]!r} for {expected[finite][worst]!r}"


def on(device: Device, x: HostArray) -> dc.Tensor:
    return dc.asarray(x, device=device)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_values(case: Case, dtype: str, device: Device) -> None:
    x = case.domain(dtype).astype(dtype)
    x = x[~np.isin(x, np.asarray(case.differs))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = np.asarray(getattr(scipy, case.name)(x.astype(np.float64)))
    with np.errstate(over="ignore", invalid="ignore"):  # of results that are too large for the data type
        y = getattr(dc.special, case.name)(on(device, x))
    compare(y, expected, crosses=case.crosses)


ORDINARY = {"unit": np.linspace(0, 1, 101), "real": np.linspace(-600, 600, 4801), "positive": np.linspace(0, 600, 2401)}


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_ordinary_arguments_give_no_warning(case: Case) -> None:
    domain = (
        "unit" if case.domain in (unit, twice_unit, signed_unit) else "positive" if case.domain is positive else "real"
    )
    for dtype in ("float64", "float32"):
        x = dc.asarray(ORDINARY[domain].astype(dtype), requires_grad=True)
        getattr(dc.special, case.name)(x)  # warnings are errors


def test_differing_values(device: Device) -> None:
    ends = on(device, np.asarray([-np.inf, np.inf]))
    assert dc.special.gammaln(ends).tolist() == [np.inf, np.inf]
    assert dc.special.i0(ends).tolist() == [np.inf, np.inf]
    assert dc.special.i1(ends).tolist() == [-np.inf, np.inf]


# ------------------------------------------------------------------------------------------------------ two arguments

A = np.concatenate([np.logspace(-3, 3, 25), [1.0, 2.0, 8.0]])
B = np.concatenate([np.linspace(0.05, 12, 40), [1.0, 2.0, 50.0, 1e4, 1e6]])
SIGNED = np.asarray([-np.inf, -3.0, -1.0, -0.25, -1e-9, 0.0, 1e-9, 0.25, 0.5, 1.0, 2.0, 7.5, 40.0])
NOT_NEGATIVE = SIGNED[SIGNED >= 0]


class Pair(NamedTuple):
    """A function of two arguments, on a grid of them."""

    name: str
    first: HostArray
    second: HostArray
    crosses: bool = False
    factor: float = 1.0


PAIRS = [
    Pair("beta", A[A < 60], B[B < 30], factor=20),  # of numbers as small as exp(-80) in single precision
    Pair("betaln", A[A < 60], B[B < 60], crosses=True),  # beyond, SciPy's own loses ten digits
    Pair("zeta", np.asarray([0.5, 1.0, 1.001, 1.5, 2.0, 3.0, 7.0]), np.concatenate([B, [0.0, -1.0]])),
    Pair("xlogy", SIGNED, NOT_NEGATIVE),
    Pair("xlog1py", SIGNED, SIGNED[SIGNED >= -1], crosses=True),
    Pair("rel_entr", SIGNED, SIGNED, crosses=True),
    Pair("kl_div", SIGNED[1:], SIGNED[1:], crosses=True),
    Pair("huber", SIGNED[1:], SIGNED[1:]),
    Pair("pseudo_huber", SIGNED[1:], SIGNED[1:]),
    Pair("boxcox", NOT_NEGATIVE, SIGNED[1:], factor=20),
    Pair("boxcox1p", SIGNED[SIGNED > -1], SIGNED[1:], factor=20),
    Pair("inv_boxcox", SIGNED[4:9], SIGNED[3:12], factor=5),
    Pair("inv_boxcox1p", SIGNED[4:9], SIGNED[3:12], factor=5),
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("pair", PAIRS, ids=lambda p: p.name)
def test_values_of_pairs(pair: Pair, dtype: str, device: Device) -> None:
    first, second = (x.ravel().astype(dtype) for x in np.meshgrid(pair.first, pair.second))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = getattr(scipy, pair.name)(first.astype(np.float64), second.astype(np.float64))
    with np.errstate(all="ignore"):
        y = getattr(dc.special, pair.name)(on(device, first), on(device, second))
    compare(y, expected, crosses=pair.crosses, factor=pair.factor)


def test_beta_of_a_large_argument(device: Device) -> None:
    b = np.logspace(1, 12, 45)
    for dtype in ("float64", "float32"):
        large = b.astype(dtype)
        wide = large.astype(np.float64)
        exact = -np.log(wide), -np.log(wide) - np.log(wide + 1)
        for a, expected in zip((1.0, 2.0), exact, strict=True):
            compare(dc.special.betaln(a, on(device, large)), expected)
            compare(dc.special.betaln(on(device, large), a), expected)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["gammainc", "gammaincc"])
def test_incomplete_gamma(name: str, dtype: str, device: Device) -> None:
    a = np.concatenate([np.logspace(-6, 0, 13), np.linspace(0.3, 60, 60), np.logspace(2, 4, 9)])
    ratio = np.concatenate([np.logspace(-4, 1.5, 24), np.linspace(0.5, 1.6, 23)])
    grid_a, grid_ratio = np.meshgrid(a, ratio)
    a, x = grid_a.ravel().astype(dtype), (grid_a * grid_ratio).ravel().astype(dtype)
    expected = getattr(scipy, name)(a.astype(np.float64), x.astype(np.float64))
    y = getattr(dc.special, name)(on(device, a), on(device, x))
    # Far out in a tail the error is that of the exponent, of which it is the exponential.
    exponent = np.maximum(-np.log(np.maximum(expected, 1e-300)), 1.0)
    shown = expected > np.finfo(dtype).tiny
    error = np.abs(y.numpy().astype(np.float64) - expected)[shown]
    assert np.all(error <= TOLERANCE[dtype] * (expected * exponent)[shown])
    assert not np.any(y.numpy()[~shown] > np.finfo(dtype).tiny)


def test_incomplete_gamma_at_the_ends(device: Device) -> None:
    a = np.asarray([0.0, 0.0, 1.0, 1.0, np.inf, -1.0, 1.0, np.nan, 1.0])
    x = np.asarray([1.0, 0.0, 0.0, np.inf, 1.0, 1.0, -1.0, 1.0, np.nan])
    for name in ("gammainc", "gammaincc"):
        expected = getattr(scipy, name)(a, x)
        actual = getattr(dc.special, name)(on(device, a), on(device, x)).numpy()
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize(("dtype", "reach"), [("float64", 4.0), ("float32", 1.5)])
def test_incomplete_beta(dtype: str, reach: float, device: Device) -> None:
    a = np.logspace(-2, reach, 12)
    near_zero, near_one = np.logspace(-8, -0.01, 20), 1 - np.logspace(-6, -0.5, 12)
    grid = np.meshgrid(a, a, np.concatenate([near_zero, near_one]))
    a, b, x = (g.ravel().astype(dtype) for g in grid)
    expected = scipy.betainc(*(v.astype(np.float64) for v in (a, b, x)))
    y = dc.special.betainc(*(on(device, v) for v in (a, b, x))).numpy()
    assert y.dtype == dtype
    error = np.abs(y.astype(np.float64) - expected)
    if dtype == "float32":  # the exponent has been rounded in single precision, and 1 is the unit of the difference
        assert np.all(error <= 5e-6)
    else:
        exponent = np.maximum(-np.log(np.maximum(expected, 1e-300)), 1.0)
        assert np.all(error <= TOLERANCE[dtype] * expected * exponent + np.finfo(dtype).tiny)


def test_incomplete_beta_at_the_ends(device: Device) -> None:
    ends = np.asarray([[1.0, 2.0, 0.0], [1.0, 2.0, 1.0], [-1.0, 2.0, 0.5], [1.0, 2.0, 1.5], [1.0, 2.0, np.nan]])
    a, b, x = ends.T
    actual = dc.special.betainc(*(on(device, v.copy()) for v in (a, b, x))).numpy()
    np.testing.assert_array_equal(actual, [0.0, 1.0, np.nan, np.nan, np.nan])


@pytest.mark.parametrize("n", range(6))
def test_polygamma(n: int, device: Device) -> None:
    x = np.concatenate([np.linspace(-4.93, -0.07, 98), np.logspace(-3, 6, 91)])
    x = x[np.abs(x - np.round(x)) > 1e-3]
    compare(dc.special.polygamma(n, on(device, x)), scipy.polygamma(n, x), crosses=True, factor=2)


def test_polygamma_refuses_a_negative_order() -> None:
    with pytest.raises(dc.ConfigError, match="the order is a whole number from 0, not -1"):
        dc.special.polygamma(-1, dc.ones(2))


@pytest.mark.parametrize("d", [1, 2, 5])
def test_multigammaln(d: int, device: Device) -> None:
    a = np.linspace(d / 2 + 0.1, 20, 25)
    compare(dc.special.multigammaln(on(device, a), d), scipy.multigammaln(a, d), crosses=True)


# -------------------------------------------------------------------------------------------------------- reductions

MATRIX = np.asarray([[0.5, -1000.0, 3.0], [-np.inf, 2.0, 1000.0], [0.0, 0.0, 0.0]])
WEIGHTS = np.asarray([[1.0, 0.0, 2.0], [3.0, 0.5, 0.0], [0.0, 0.0, 0.0]])


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
def test_logsumexp(axis: Any, keepdims: bool, device: Device) -> None:
    a = on(device, MATRIX)
    y = dc.special.logsumexp(a, axis=axis, keepdims=keepdims)
    compare(y, np.asarray(scipy.logsumexp(MATRIX, axis=axis, keepdims=keepdims)))
    with np.errstate(all="ignore"):
        expected = np.asarray(scipy.logsumexp(MATRIX, axis=axis, b=WEIGHTS, keepdims=keepdims))
    compare(dc.special.logsumexp(a, axis=axis, b=on(device, WEIGHTS), keepdims=keepdims), expected)


def test_logsumexp_where_nothing_is_summed(device: Device) -> None:
    a = dc.asarray(np.full((2, 3), -np.inf), device=device, requires_grad=True)
    y = dc.special.logsumexp(a, axis=1)
    y.sum().backward()
    assert y.tolist() == [-np.inf, -np.inf]
    assert a.grad is not None
    assert a.grad.tolist() == [[0.0] * 3] * 2
    negative = dc.special.logsumexp(on(device, np.zeros(2)), b=on(device, np.asarray([1.0, -2.0])))
    assert np.isnan(negative.item())


@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax(name: str, axis: Any, device: Device) -> None:
    x = np.asarray([[0.5, -1000.0, 3.0], [-700.0, 2.0, 1000.0]])
    compare(getattr(dc.special, name)(on(device, x), axis=axis), getattr(scipy, name)(x, axis=axis))


# -------------------------------------------------------------------------------------------------------- derivatives

MIDDLE = np.linspace(-4.9, 4.9, 57)
RIGHT = np.linspace(0.07, 30.0, 57)
INSIDE = np.linspace(0.013, 0.987, 57)


def normal(x: HostArray) -> HostArray:
    return np.asarray(np.exp(-x * x / 2) / np.sqrt(2 * np.pi))


FIRST: dict[str, tuple[HostArray, Callable[[HostArray], HostArray]]] = {
    "erf": (MIDDLE, lambda x: 2 / np.sqrt(np.pi) * np.exp(-x * x)),
    "erfc": (MIDDLE, lambda x: -2 / np.sqrt(np.pi) * np.exp(-x * x)),
    "erfinv": (2 * INSIDE - 1, lambda x: np.sqrt(np.pi) / 2 * np.exp(scipy.erfinv(x) ** 2)),
    "ndtr": (MIDDLE, normal),
    "log_ndtr": (np.linspace(-30, 30, 61), lambda x: np.exp(-x * x / 2 - scipy.log_ndtr(x)) / np.sqrt(2 * np.pi)),
    "ndtri": (INSIDE, lambda p: 1 / normal(scipy.ndtri(p))),
    "gammaln": (RIGHT, scipy.digamma),
    "gamma": (RIGHT, lambda x: scipy.gamma(x) * scipy.digamma(x)),
    "digamma": (RIGHT, lambda x: scipy.polygamma(1, x)),
    "i0": (MIDDLE, scipy.i1),
    "i1": (MIDDLE, lambda x: scipy.ivp(1, x)),
    "k0": (RIGHT, lambda x: -scipy.k1(x)),
    "k1": (RIGHT, lambda x: scipy.kvp(1, x)),
    "logit": (INSIDE, lambda x: 1 / (x * (1 - x))),
    "expit": (MIDDLE, lambda x: scipy.expit(x) * scipy.expit(-x)),
    "log_expit": (MIDDLE, lambda x: scipy.expit(-x)),
    "entr": (RIGHT, lambda x: -1 - np.log(x)),
    "cosm1": (MIDDLE, lambda x: -np.sin(x)),
}


@pytest.mark.parametrize("name", FIRST)
def test_first_derivatives(name: str, device: Device) -> None:
    x, derivative = FIRST[name]
    leaf = dc.asarray(x, device=device, requires_grad=True)
    getattr(dc.special, name)(leaf).sum().backward()
    assert leaf.grad is not None
    compare(leaf.grad, derivative(x), crosses=True, factor=10)


def test_second_and_third_derivatives_of_the_logarithm_of_gamma(device: Device) -> None:
    x = np.asarray([-2.6, -0.4, 0.3, 1.0, 4.5, 30.0])
    slope = dc.grad(lambda x: dc.special.gammaln(x).sum())
    second = dc.grad(lambda x: slope(x).sum())
    third = dc.grad(lambda x: second(x).sum())
    compare(second(on(device, x)), scipy.polygamma(1, x), factor=10)
    compare(third(on(device, x)), scipy.polygamma(2, x), factor=10)


def test_derivatives_at_the_points_where_a_quotient_is_undefined(device: Device) -> None:
    expected = {"sinc": (0.0, -(np.pi**2) / 3), "exprel": (0.5, 1 / 3), "i1": (0.5, 0.0)}
    for name, values in expected.items():
        function = getattr(dc.special, name)
        slope = dc.grad(lambda x, f=function: f(x).sum())
        zero = on(device, np.zeros(1))
        compare(slope(zero), np.asarray(values[:1]), crosses=True)
        compare(dc.grad(lambda x, d=slope: d(x).sum())(zero), np.asarray(values[1:]), crosses=True)


# -------------------------------------------------------------------------------------------------------- SciPy itself


def test_the_namespace_has_what_scipy_looks_up(xp: Any) -> None:
    for name in ("erf", "gammaln", "ndtr", "xlogy", "expit", "betaln", "gammainc", "log_ndtr", "i0e", "zeta"):
        assert getattr(xp.special, name) is getattr(dc.special, name)
