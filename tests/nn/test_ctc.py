"""Connectionist temporal classification: counted paths, derivatives of both orders, padding, and messages."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn
from deepcore.testing import assert_close, check_grads

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    from deepcore._device import Device

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(3, 5, 3))
LABELS = np.array([[1, 2], [1, 1], [2, 0]])
TIMES = np.array([5, 4, 3])
COUNTS = np.array([2, 2, 1])


def by_enumeration(z: NDArray[Any], labels: list[int]) -> float:
    """Sum the probabilities of all paths that become the labels."""
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    total = 0.0
    for path in itertools.product(range(z.shape[1]), repeat=len(z)):
        if [k for k, _ in itertools.groupby(path) if k] == labels:
            total += np.prod(p[range(len(z)), path])
    return -np.log(total)


def test_all_paths_are_counted(device: Device) -> None:
    given = [dc.asarray(x, device=device) for x in (Z, LABELS, TIMES, COUNTS)]
    found = nn.CTC(reduction="none")(*given).numpy()
    expected = [by_enumeration(Z[i, : TIMES[i]], LABELS[i, : COUNTS[i]].tolist()) for i in range(3)]
    assert_close(found, np.asarray(expected), rtol=1e-12)
    assert_close(nn.CTC(reduction="per-sample")(*given).numpy(), found, rtol=0, atol=0)


def test_no_labels_are_as_likely_as_blanks_alone(device: Device) -> None:
    z = dc.asarray(Z, device=device, requires_grad=True)
    loss = nn.CTC(reduction="none")(z, dc.zeros((3, 0), dtype=dc.int64, device=device))
    assert_close(loss.numpy(), -dc.log_softmax(z)[..., 0].sum(axis=1).numpy(), rtol=1e-12)
    loss.sum().backward()
    assert z.grad is not None
    assert (z.grad.numpy()[..., 0] < 0).all()


def test_derivatives(device: Device, thrifty: bool) -> None:
    rest = [dc.asarray(x, device=device) for x in (LABELS, TIMES, COUNTS)]
    loss = nn.CTC()
    check_grads(lambda z: loss(z, *rest), dc.asarray(Z, device=device), order=1 if thrifty else 2)
    logs = dc.log_softmax(dc.asarray(Z, device=device))
    check_grads(lambda z: nn.CTC(from_logits=False)(z, *rest), logs)


def test_float32_stays_float32_and_padding_may_be_anything(device: Device) -> None:
    z = np.where(np.arange(5)[None, :, None] < TIMES[:, None, None], Z, np.nan).astype("f")
    labels = np.where(np.arange(2) < COUNTS[:, None], LABELS, -7)
    x = dc.asarray(z, device=device, requires_grad=True)
    rest = [dc.asarray(y, device=device) for y in (labels, TIMES, COUNTS)]
    with np.errstate(all="raise", under="ignore"):
        loss = nn.CTC(from_logits=False)(x, *rest)
        loss.backward()
    assert x.grad is not None
    assert (loss.dtype, x.grad.dtype, x.grad.device) == (dc.float32, dc.float32, device)
    assert np.isfinite(x.grad.numpy()).all()
    assert not x.grad.numpy()[np.isnan(z)].any()


def test_impossible_classes_and_huge_logits_stay_finite() -> None:
    logs = np.full((1, 4, 3), -np.inf, "f")
    logs[0, :, 1] = 0.0
    x = dc.asarray(logs, requires_grad=True)
    loss = nn.CTC(from_logits=False)(x, dc.asarray([[1]]))
    loss.backward()
    assert loss.item() == 0.0
    assert x.grad is not None
    assert x.grad.tolist() == [[[0, -1, 0]] * 4]
    z = dc.asarray(1e4 * Z.astype("f"), requires_grad=True)
    with np.errstate(all="raise", under="ignore"):
        loss = nn.CTC()(z, dc.asarray(LABELS), dc.asarray(TIMES), dc.asarray(COUNTS))
        loss.backward()
    assert z.grad is not None
    assert np.isfinite(z.grad.numpy()).all()


ONES = dc.ones((2, 5, 3))
GOOD = dc.asarray([[1, 2], [1, 1]])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.CTC()(ONES, dc.asarray([1, 2])), dc.ShapeError, r"got \(2, 5, 3\) and \(2,\)"),
        (lambda: nn.CTC()(ONES, dc.asarray([[1, 3], [1, 1]])), dc.DataError, "label 3 is not one of the 3 classes"),
        (lambda: nn.CTC()(ONES, dc.asarray([[1, 0], [1, 1]])), dc.DataError, "label 0 .* without the blank 0"),
        (lambda: nn.CTC(blank=3)(ONES, GOOD), dc.DataError, "label blank 3"),
        (lambda: nn.CTC()(ONES, GOOD, dc.asarray([5, 6])), dc.DataError, "input_lengths are from 5 to 6, .* 1 to 5"),
        (lambda: nn.CTC()(ONES, GOOD, dc.asarray([5])), dc.ShapeError, r"input_lengths are whole .* shape \(2,\)"),
        (lambda: nn.CTC()(ONES, GOOD, None, dc.asarray([2, 3])), dc.DataError, "target_lengths are from 2 to 3"),
        (lambda: nn.CTC(blank=-1), dc.ConfigError, "the blank is a class, at least 0, not -1"),
    ],
)
def test_what_does_not_fit_is_named(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("zero_infinity", [False, True])
def test_it_compiles(device: Device, *, zero_infinity: bool) -> None:
    rng = np.random.default_rng(0)
    loss = nn.CTC(zero_infinity=zero_infinity)
    compiled = dc.compile(lambda *given: dc.value_and_grad(loss)(*given))
    for _ in range(3):
        logits = dc.asarray(rng.normal(size=(3, 6, 4)).astype(np.float32), device=device)
        labels = dc.asarray(rng.integers(1, 4, (3, 4)), device=device)
        lengths = (dc.asarray(rng.integers(low, high, 3), device=device) for low, high in ((1, 7), (0, 5)))
        given = (logits, labels, *lengths)
        ours, theirs = compiled(*given), dc.value_and_grad(loss)(*given)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)
    assert sum(map(len, compiled.plans.values())) == 1
