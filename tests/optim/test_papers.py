"""Methods that PyTorch lacks, against their papers' algorithms written out in NumPy, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import optim

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Weights = list[NDArray[Any]]

STEPS = 20
TOLERANCES = {"float32": 1e-5, "float64": 1e-10}
PRECISIONS = pytest.mark.parametrize("dtype", TOLERANCES)


def problem(dtype: str) -> tuple[Weights, list[Weights]]:
    rng = np.random.default_rng(3)
    shapes: list[tuple[int, ...]] = [(4, 3), (3,), (2, 2, 3), ()]
    weights = [rng.normal(size=shape).astype(dtype) for shape in shapes]
    return weights, [[np.asarray(rng.normal(size=s), dtype) for s in shapes] for _ in range(STEPS)]


def moved(make: Callable[[list[dc.Tensor]], optim.Optimizer], dtype: str) -> Weights:
    weights, gradients = problem(dtype)
    parameters = [dc.asarray(w, requires_grad=True) for w in weights]
    optimizer = make(parameters)
    for step in gradients:
        for p, g in zip(parameters, step, strict=True):
            p.grad = dc.asarray(g)
        optimizer.step()
    return [p.numpy() for p in parameters]


def assert_same(ours: Weights, theirs: Weights, dtype: str) -> None:
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=TOLERANCES[dtype], atol=TOLERANCES[dtype])


@PRECISIONS
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_lion(weight_decay: float, dtype: str) -> None:
    weights, gradients = problem(dtype)
    means = [np.zeros_like(w) for w in weights]
    for step in gradients:  # Chen et al. 2023, algorithm 2
        for i, g in enumerate(step):
            c = 0.9 * means[i] + (1 - 0.9) * g
            weights[i] = np.asarray(weights[i] - 0.01 * (np.sign(c) + weight_decay * weights[i]), dtype)
            means[i] = np.asarray(0.99 * means[i] + (1 - 0.99) * g, dtype)
    assert_same(moved(lambda p: optim.Lion(p, lr=0.01, weight_decay=weight_decay), dtype), weights, dtype)


@PRECISIONS
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_lamb(weight_decay: float, dtype: str) -> None:
    weights, gradients = problem(dtype)
    weights[1] = np.zeros_like(weights[1])  # its norm is zero before the first step
    ms, vs = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    for t, step in enumerate(gradients, start=1):  # You et al. 2020, algorithm 2
        for i, g in enumerate(step):
            ms[i] = np.asarray(0.9 * ms[i] + (1 - 0.9) * g, dtype)
            vs[i] = np.asarray(0.99 * vs[i] + (1 - 0.99) * g * g, dtype)
            m, v = ms[i] / (1 - 0.9**t), vs[i] / (1 - 0.99**t)
            r = m / (np.sqrt(v) + 1e-6) + weight_decay * weights[i]
            size, length = np.linalg.norm(weights[i]), np.linalg.norm(r)
            ratio = size / length if size > 0 and length > 0 else 1.0
            weights[i] = np.asarray(weights[i] - 0.02 * ratio * r, dtype)

    def make(parameters: list[dc.Tensor]) -> optim.Optimizer:
        with dc.no_grad():
            parameters[1][...] = dc.zeros_like(parameters[1])
        return optim.LAMB(parameters, lr=0.02, betas=(0.9, 0.99), weight_decay=weight_decay)

    assert_same(moved(make, dtype), weights, dtype)


@PRECISIONS
def test_adaptive_clipping(dtype: str) -> None:
    weights, gradients = problem(dtype)
    clipped = 0
    for step in gradients:  # Brock et al. 2021, equation 3
        for i, g in enumerate(step):
            w = weights[i]
            units = [(..., j) for j in range(w.shape[-1])] if w.ndim > 1 else list(np.ndindex(w.shape))
            u = g.copy()
            for unit in units:
                size, length = max(float(np.linalg.norm(w[unit])), 1e-3), float(np.linalg.norm(g[unit]))
                if length / size > 0.2:
                    u[unit] = 0.2 * size / length * g[unit]
                    clipped += 1
            weights[i] = np.asarray(w - 0.1 * u, dtype)
    assert 0 < clipped < 10 * STEPS
    chain = optim.chain(optim.clip_adaptively(0.2), optim.scale_by_learning_rate(0.1))
    assert_same(moved(lambda p: optim.Optimizer(p, chain), dtype), weights, dtype)


@PRECISIONS
@pytest.mark.parametrize("adaptive", [False, True])
def test_sam(adaptive: bool, dtype: str) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 4)).astype(dtype), rng.normal(size=12).astype(dtype)
    start = rng.normal(size=4).astype(dtype)
    rho = 0.1

    def slope(w: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(X.T @ (4 * (X @ w - y) ** 3) / 12, dtype)

    w = start.copy()
    for _ in range(STEPS):  # Foret et al. 2021, algorithm 1; Kwon et al. 2021, equation 10
        g = slope(w)
        e = rho * w**2 * g / np.linalg.norm(w * g) if adaptive else rho * g / np.linalg.norm(g)
        w = np.asarray(w - 0.005 * slope(w + e), dtype)

    p = dc.asarray(start.copy(), requires_grad=True)
    optimizer = optim.SAM(optim.SGD([p], lr=0.005), rho=0.1, adaptive=adaptive)

    def closure() -> dc.Tensor:
        optimizer.zero_grad()
        loss = dc.mean((dc.asarray(X) @ p - dc.asarray(y)) ** 4)
        loss.backward()
        return loss

    for _ in range(STEPS):
        optimizer.step(closure)
    assert np.abs(p.numpy() - start).max() > 0.1
    assert_same([p.numpy()], [w], dtype)


def test_l1_and_l2_penalties_are_gradients() -> None:
    w = dc.asarray([1.5, -2.0, 0.0], dtype=dc.float64, requires_grad=True)
    (0.3 * dc.sum(dc.abs(w)) + 0.5 * 0.7 * dc.sum(w * w)).backward()
    assert w.grad is not None
    expected = w.numpy() - 0.1 * w.grad.numpy()
    w.grad = dc.zeros_like(w.detach())
    penalties = [optim.add_sign(0.3), optim.add_decayed_weights(0.7)]
    optim.Optimizer([w], optim.chain(*penalties, optim.scale_by_learning_rate(0.1))).step()
    assert w.numpy() == pytest.approx(expected, rel=1e-15)


def test_orthogonal_matrices() -> None:
    # Of ten steps with these coefficients every singular value is between 0.68 and 1.21.
    W = dc.zeros((6, 4), dtype=dc.float64, requires_grad=True)
    g = np.random.default_rng(0).normal(size=(6, 4))
    W.grad = dc.asarray(g)
    parts = [optim.orthogonalise(steps=10, adjustment=None), optim.scale_by_learning_rate(1.0)]
    optim.Optimizer([W], optim.chain(*parts)).step()
    u, s, v = np.linalg.svd(-W.numpy(), full_matrices=False)
    assert s.min() > 0.65
    assert s.max() < 1.25
    left, _, right = np.linalg.svd(g, full_matrices=False)
    assert np.abs(left.T @ (-W.numpy()) @ right.T - np.diag(np.diag(left.T @ (-W.numpy()) @ right.T))).max() < 1e-12
    assert u.shape == (6, 4)
    assert v.shape == (4, 4)
