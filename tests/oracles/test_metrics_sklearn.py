"""Metrics against scikit-learn, gathered in batches and merged from parts."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore.metrics import Metric

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the libraries that scikit-learn imports
    sk = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")

RNG = np.random.default_rng(0)
N, C = 200, 5
SCORES = RNG.normal(size=(N, C))
TIES = np.round(SCORES)
LABELS = RNG.integers(0, C, N)
RARE = np.where(LABELS == 3, 0, LABELS)  # no sample of class 3
NEVER = np.where(np.arange(C) == 2, -9.0, SCORES)  # no prediction of class 2
BINARY = RNG.integers(0, 2, N)
ONE = np.round(RNG.normal(size=N) + BINARY, 1)
PROBABILITIES = np.exp(SCORES) / np.exp(SCORES).sum(1, keepdims=True)
Y = RNG.normal(size=(N, 3)) + 1e3
Y_HAT = Y + 0.5 * RNG.normal(size=(N, 3))

AVERAGES = ["micro", "macro", "weighted", None]


def gathered(make: Callable[[], Metric], prediction: Any, target: Any) -> list[Any]:
    """Return the values of one update, of many, and of parts that are merged, which are to be the same."""
    whole, streamed, a, b, empty = (make() for _ in range(5))
    whole.update(dc.asarray(prediction), dc.asarray(target))
    for i in range(0, len(target), 7):
        streamed.update(dc.asarray(prediction[i : i + 7]), target[i : i + 7])
    a.update(dc.asarray(prediction[:50]), target[:50])
    b.update(dc.asarray(prediction[50:]), target[50:])
    return [whole.compute(), streamed.compute(), empty.merge(a).merge(b).merge(make()).compute()]


def check(make: Callable[[], Metric], prediction: Any, target: Any, desired: Any) -> None:
    for value in gathered(make, prediction, target):
        np.testing.assert_allclose(value, desired, rtol=1e-12, atol=1e-13)


def test_accuracy() -> None:
    check(metrics.Accuracy, SCORES, LABELS, sk.accuracy_score(LABELS, SCORES.argmax(1)))
    check(metrics.Accuracy, ONE, BINARY, sk.accuracy_score(BINARY, ONE > 0))
    check(metrics.Accuracy, LABELS, RARE, sk.accuracy_score(RARE, LABELS))


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("scores", [SCORES, TIES], ids=["distinct", "ties"])
def test_top_k(scores: Any, k: int) -> None:
    check(lambda: metrics.TopKAccuracy(k), scores, LABELS, sk.top_k_accuracy_score(LABELS, scores, k=k))


@pytest.mark.parametrize("normalise", [None, "true", "pred", "all"])
def test_confusion_matrix(normalise: str | None) -> None:
    for scores, labels in ((SCORES, LABELS), (NEVER, RARE)):
        desired = sk.confusion_matrix(labels, scores.argmax(1), labels=range(C), normalize=normalise)
        check(lambda: metrics.ConfusionMatrix(normalise=normalise), scores, labels, desired)
        check(lambda: metrics.ConfusionMatrix(C, normalise=normalise), scores.argmax(1), labels, desired)


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("zero_division", [0.0, 1.0, np.nan])
@pytest.mark.parametrize("case", [(SCORES, LABELS), (NEVER, LABELS), (NEVER, RARE), (SCORES[:9], LABELS[:9])])
def test_precision_recall_and_f(case: tuple[Any, Any], zero_division: float, average: str | None) -> None:
    scores, labels = case
    guess = scores.argmax(1)
    options: dict[str, Any] = {"average": average, "zero_division": zero_division}
    theirs = {**options, "labels": range(C)} if average is None else options
    cases: list[tuple[Callable[[], Metric], Any]] = [
        (lambda: metrics.Precision(**options), sk.precision_score(labels, guess, **theirs)),
        (lambda: metrics.Recall(**options), sk.recall_score(labels, guess, **theirs)),
        (lambda: metrics.F1(**options), sk.f1_score(labels, guess, **theirs)),
        (lambda: metrics.FBeta(0.5, **options), sk.fbeta_score(labels, guess, beta=0.5, **theirs)),
    ]
    for ours, desired in cases:
        if len(labels) > 50:
            check(ours, scores, labels, desired)
        else:
            metric = ours()
            metric.update(dc.asarray(scores), labels)
            np.testing.assert_allclose(metric.compute(), desired, rtol=1e-12)


def test_binary_precision_recall_and_f() -> None:
    check(metrics.Precision, ONE, BINARY, sk.precision_score(BINARY, ONE > 0))
    check(lambda: metrics.Recall(threshold=0.5), ONE[:, None], BINARY, sk.recall_score(BINARY, ONE > 0.5))
    check(metrics.F1, ONE, BINARY[:, None], sk.f1_score(BINARY, ONE > 0))
    check(lambda: metrics.F1(n_classes=2), (ONE > 0) * 1, BINARY, sk.f1_score(BINARY, ONE > 0))


def test_area_under_the_curve() -> None:
    check(metrics.ROCAUC, ONE, BINARY, sk.roc_auc_score(BINARY, ONE))
    check(metrics.ROCAUC, ONE.astype("f")[:, None], BINARY[:, None], sk.roc_auc_score(BINARY, ONE))
    for average in ("macro", "weighted"):
        desired = sk.roc_auc_score(LABELS, PROBABILITIES, multi_class="ovr", average=average)
        check(partial(metrics.ROCAUC, average=average), PROBABILITIES, LABELS, desired)
    desired = sk.roc_auc_score(np.eye(C)[LABELS], PROBABILITIES, average=None)
    check(lambda: metrics.ROCAUC(average=None), PROBABILITIES, LABELS, desired)
    check(lambda: metrics.ROCAUC(average=None), PROBABILITIES, np.eye(C)[LABELS], desired)


def test_area_of_counted_scores() -> None:
    scores = RNG.uniform(size=N)
    binned = np.minimum((scores * 50).astype(int), 49)
    check(lambda: metrics.ROCAUC(bins=50), scores, BINARY, sk.roc_auc_score(BINARY, binned))
    many = metrics.ROCAUC(bins=100_000, average=None)
    many.update(dc.asarray(PROBABILITIES), LABELS)
    desired = sk.roc_auc_score(np.eye(C)[LABELS], PROBABILITIES, average=None)
    np.testing.assert_allclose(many.compute(), desired, atol=1e-3)


def test_regression() -> None:
    check(metrics.MSE, Y_HAT, Y, sk.mean_squared_error(Y, Y_HAT))
    check(metrics.RMSE, Y_HAT[:, 0], Y[:, 0], sk.root_mean_squared_error(Y[:, 0], Y_HAT[:, 0]))
    check(metrics.MAE, Y_HAT, Y, sk.mean_absolute_error(Y, Y_HAT))
    constant = np.where(np.arange(3) == 1, 2.0, Y)
    for found, wanted in ((Y_HAT, Y), (Y_HAT[:, 0], Y[:, 0]), (Y_HAT, constant), (constant, constant)):
        for value in gathered(metrics.R2, found, wanted):
            np.testing.assert_allclose(value, sk.r2_score(wanted, found), rtol=1e-10)


def test_perplexity() -> None:
    desired = np.exp(sk.log_loss(LABELS, PROBABILITIES))
    check(metrics.Perplexity, SCORES, LABELS, desired)
    check(lambda: metrics.Perplexity(from_logits=False), np.log(PROBABILITIES), LABELS, desired)
    kept = LABELS != 2
    desired = np.exp(sk.log_loss(LABELS[kept], PROBABILITIES[kept], labels=range(C)))
    check(lambda: metrics.Perplexity(ignore_index=2), SCORES.reshape(50, 4, C), LABELS.reshape(50, 4), desired)
