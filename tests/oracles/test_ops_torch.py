"""Values and gradients against PyTorch's own autograd, where it is installed: ties, zeros, ends and shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deepcore as dc
from deepcore.testing import assert_close

if TYPE_CHECKING:
    from collections.abc import Callable

torch: Any = pytest.importorskip("torch", reason="PyTorch is the oracle here")

HostArray = np.ndarray[Any, Any]

X = np.asarray([[0.5, -1.25, 2.0], [1.5, 0.75, -0.5]])
POSITIVE = np.asarray([[0.5, 1.25, 2.0], [1.5, 0.75, 3.0]])
UNIT = X / 3
TIES = np.asarray([[1.0, 3.0, 3.0, 3.0], [2.0, 2.0, -1.0, 0.0]])
ZERO = np.asarray([[2.0, 0.0, 3.0, 4.0], [0.0, 5.0, 0.0, 2.0], [1.0, 2.0, 3.0, 4.0]])


class Pair(NamedTuple):
    name: str
    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    arrays: tuple[HostArray, ...]


def weights(shape: tuple[int, ...]) -> HostArray:
    return np.asarray(1 + 0.5 * np.cos(np.arange(np.prod(shape, dtype=int), dtype=np.float64)).reshape(shape))


def ours(function: Callable[..., Any], arrays: tuple[HostArray, ...]) -> list[HostArray]:
    leaves = [dc.asarray(a, requires_grad=True) for a in arrays]
    y = function(*leaves)
    y.backward(dc.asarray(weights(y.shape)))
    grads = [np.zeros_like(a) if x.grad is None else x.grad.numpy() for x, a in zip(leaves, arrays, strict=True)]
    return [np.asarray(v) for v in (y.detach().numpy(), *grads)]


def theirs(function: Callable[..., Any], arrays: tuple[HostArray, ...]) -> list[HostArray]:
    leaves = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = function(*leaves)
    y.backward(torch.tensor(weights(tuple(y.shape))))
    grads = [np.zeros_like(a) if x.grad is None else x.grad.numpy() for x, a in zip(leaves, arrays, strict=True)]
    return [np.asarray(v) for v in (y.detach().numpy(), *grads)]


def assert_agree(pair: Pair, tolerance: float = 1e-11) -> None:
    for a, d in zip(ours(pair.ours, pair.arrays), theirs(pair.theirs, pair.arrays), strict=True):
        assert_close(a, d, rtol=tolerance, atol=tolerance)


def same(name: str, *arrays: HostArray, torch_name: str | None = None) -> Pair:
    return Pair(name, getattr(dc, name), getattr(torch, torch_name or name), arrays)


PAIRS = [
    *[same(n, X) for n in ("exp", "expm1", "sin", "cos", "tan", "tanh", "sinh", "cosh", "asinh", "atan")],
    *[same(n, X) for n in ("sigmoid", "abs", "square", "floor", "ceil", "trunc", "round", "sign", "negative", "relu")],
    *[same(n, POSITIVE) for n in ("log", "log1p", "log2", "log10", "sqrt", "reciprocal")],
    *[same(n, UNIT) for n in ("asin", "acos", "atanh")],
    same("acosh", POSITIVE + 1),
    *[same(n, X, POSITIVE[0]) for n in ("add", "subtract", "multiply", "divide", "atan2", "hypot", "logaddexp")],
    *[same(n, X, POSITIVE[:, :1]) for n in ("maximum", "minimum", "copysign", "remainder")],
    same("pow", POSITIVE, X),
    Pair("linear", lambda x, w, b: dc.linear(x, w, b), lambda x, w, b: x @ w + b, (X, POSITIVE.T, X[:, 0])),
    Pair("softmax", dc.softmax, lambda x: torch.softmax(x, -1), (X,)),
    Pair("log_softmax", lambda x: dc.log_softmax(x, axis=0), lambda x: torch.log_softmax(x, 0), (X,)),
    Pair("softplus", dc.softplus, torch.nn.functional.softplus, (X,)),
    Pair("leaky_relu", dc.leaky_relu, torch.nn.functional.leaky_relu, (X,)),
    Pair("var", lambda x: dc.var(x, axis=1, correction=1), lambda x: torch.var(x, 1), (X,)),
    Pair("std", lambda x: dc.std(x, axis=0), lambda x: torch.std(x, 0, correction=0), (X,)),
    Pair("sort", lambda x: dc.sort(x, axis=1, descending=True), lambda x: torch.sort(x, 1, descending=True)[0], (X,)),
    Pair("tril", lambda x: dc.tril(x, k=-1), lambda x: torch.tril(x, -1), (X,)),
    Pair("roll", lambda x: dc.roll(x, 2, axis=1), lambda x: torch.roll(x, 2, 1), (X,)),
    Pair("repeat", lambda x: dc.repeat(x, 3, axis=0), lambda x: torch.repeat_interleave(x, 3, 0), (X,)),
    Pair("cumulative_sum", lambda x: dc.cumulative_sum(x, axis=1), lambda x: torch.cumsum(x, 1), (X,)),
    Pair(
        "tensordot",
        lambda a, b: dc.tensordot(a, b, axes=((0,), (1,))),
        lambda a, b: torch.tensordot(a, b, ([0], [1])),
        (X, POSITIVE.T),
    ),
]  # fmt: skip

# Where a rule that divides, or compares, could go wrong.
EDGES = [
    Pair("prod with zeros", lambda x: dc.prod(x, axis=1), lambda x: torch.prod(x, 1), (ZERO,)),
    Pair("prod of all", lambda x: dc.prod(x), torch.prod, (ZERO[:1],)),
    Pair("prod with one zero in all", lambda x: dc.prod(x), torch.prod, (ZERO,)),
    Pair("cumulative_prod", lambda x: dc.cumulative_prod(x, axis=1), lambda x: torch.cumprod(x, 1), (ZERO,)),
    Pair("cumulative_prod down", lambda x: dc.cumulative_prod(x, axis=0), lambda x: torch.cumprod(x, 0), (ZERO,)),
    Pair("pow at zero", lambda x: x**2, lambda x: x**2, (ZERO,)),
    Pair("pow 1 at zero", lambda x: x**1, lambda x: x**1, (ZERO,)),
    Pair("pow 0 at zero", lambda x: x**0, lambda x: x**0, (ZERO,)),
    Pair("pow of negative numbers", lambda x: x**3, lambda x: x**3, (X,)),
    Pair("pow of arrays at zero", dc.pow, torch.pow, (ZERO, np.full((3, 4), 2.5))),
    Pair("a number to a power", lambda x: 2.0**x, lambda x: 2.0**x, (X,)),
    Pair("zero to a power", lambda x: 0.0**x, lambda x: 0.0**x, (POSITIVE,)),
    Pair("max with ties", lambda x: dc.max(x, axis=1), lambda x: torch.amax(x, 1), (TIES,)),
    Pair("min with ties", lambda x: dc.min(x, axis=0), lambda x: torch.amin(x, 0), (np.ones((3, 2)),)),
    Pair("max of all with ties", lambda x: dc.max(x), lambda x: torch.amax(x), (TIES,)),
    Pair("maximum with ties", dc.maximum, torch.maximum, (TIES, TIES[:, ::-1].copy())),
    Pair("minimum with ties", dc.minimum, torch.minimum, (TIES, TIES[:, ::-1].copy())),
    Pair("relu at zero", dc.relu, torch.relu, (ZERO - 2,)),
    Pair("abs at zero", dc.abs, torch.abs, (ZERO - 2,)),
    Pair("sign at zero", dc.sign, torch.sign, (ZERO - 2,)),
    Pair("clip at the ends", lambda x: dc.clip(x, 0.0, 3.0), lambda x: torch.clamp(x, 0.0, 3.0), (TIES,)),
    Pair("clip below", lambda x: dc.clip(x, min=2.0), lambda x: torch.clamp(x, min=2.0), (TIES,)),
    Pair("clip above", lambda x: dc.clip(x, max=2.0), lambda x: torch.clamp(x, max=2.0), (TIES,)),
    Pair("clip to arrays", dc.clip, torch.clamp, (X, np.full(3, -0.7), np.full((2, 1), 0.9))),
    Pair("take twice", lambda x: dc.take(x, dc.asarray([1, 1, 0]), axis=0), lambda x: x[[1, 1, 0]], (X,)),
    Pair("var without spread", lambda x: dc.var(x), lambda x: torch.var(x, correction=0), (np.ones((2, 3)),)),
    Pair("logaddexp far apart", dc.logaddexp, torch.logaddexp, (X * 1000, X[::-1].copy() * 1000)),
    Pair("sigmoid far out", dc.sigmoid, torch.sigmoid, (X * 400,)),
    Pair("softplus far out", dc.softplus, torch.nn.functional.softplus, (X * 10,)),
    Pair("softmax far out", dc.softmax, lambda x: torch.softmax(x, -1), (X * 5000,)),
]  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS, ids=lambda p: p.name)
def test_values_and_gradients(pair: Pair) -> None:
    assert_agree(pair)


@pytest.mark.parametrize("pair", EDGES, ids=lambda p: p.name)
def test_values_and_gradients_at_edges(pair: Pair) -> None:
    assert_agree(pair)


def test_sqrt_at_zero_has_an_infinite_slope() -> None:
    with np.errstate(divide="ignore"):
        assert_agree(Pair("sqrt", dc.sqrt, torch.sqrt, (np.asarray([0.0, 4.0]),)))


def test_cross_entropies() -> None:
    labels = np.asarray([2, 0])
    assert_agree(
        Pair(
            "softmax",
            lambda z: dc.softmax_cross_entropy(z, dc.asarray(labels)),
            lambda z: torch.nn.functional.cross_entropy(z, torch.tensor(labels), reduction="none"),
            (X * 30,),
        )
    )
    assert_agree(
        Pair(
            "sigmoid",
            dc.sigmoid_cross_entropy,
            lambda z, t: torch.nn.functional.binary_cross_entropy_with_logits(z, t, reduction="none"),
            (X * 30, np.asarray([[0.0, 1.0, 0.5], [1.0, 0.25, 0.0]])),
        )
    )


def test_second_derivatives() -> None:
    for function in ("tanh", "sigmoid", "exp", "square"):

        def squared_slope(x: dc.Tensor, function: str = function) -> dc.Tensor:
            gradient = dc.grad(lambda v: getattr(dc, function)(v).sum())(x)
            return (gradient * gradient).sum()

        x = dc.asarray(X)
        second = dc.grad(squared_slope)(x)
        t = torch.tensor(X, requires_grad=True)
        (g,) = torch.autograd.grad(getattr(torch, function)(t).sum(), t, create_graph=True)
        (g * g).sum().backward()
        assert_close(np.asarray(second.numpy()), t.grad.numpy())


@st.composite
def broadcastable(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    full = draw(st.lists(st.integers(0, 3), max_size=4))
    shapes = []
    for _ in range(2):
        kept = full[draw(st.integers(0, len(full))) :]
        shapes.append(tuple(1 if draw(st.booleans()) else n for n in kept))
    first, second = shapes
    return first, second


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    shapes=broadcastable(), name=st.sampled_from(["add", "subtract", "multiply", "divide", "maximum", "hypot", "pow"])
)
def test_broadcasting(shapes: tuple[tuple[int, ...], tuple[int, ...]], name: str) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.uniform(0.5, 2.0, shape) for shape in shapes)
    assert_agree(same(name, np.asarray(a), np.asarray(b)))


@st.composite
def multipliable(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    n, k, m = (draw(st.integers(0, 3)) for _ in range(3))
    first: tuple[int, ...] = (k,) if draw(st.booleans()) else (n, k)
    second: tuple[int, ...] = (k,) if draw(st.booleans()) else (k, m)
    batch = draw(st.lists(st.integers(1, 3), max_size=2))
    if len(first) == 2:
        first = (*(1 if draw(st.booleans()) else b for b in batch[draw(st.integers(0, len(batch))) :]), *first)
    if len(second) == 2:
        second = (*(1 if draw(st.booleans()) else b for b in batch[draw(st.integers(0, len(batch))) :]), *second)
    return first, second


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(shapes=multipliable())
def test_matrix_products(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    rng = np.random.default_rng(0)
    a, b = (np.asarray(rng.normal(size=shape)) for shape in shapes)
    assert_agree(Pair("matmul", dc.matmul, torch.matmul, (a, b)))
