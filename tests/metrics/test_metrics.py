"""What metrics share: devices, resetting, merging, and messages. Their values are checked against scikit-learn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

import deepcore as dc
from deepcore import metrics

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from deepcore._device import Device
    from deepcore.metrics import Metric

SCORES = np.array([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3], [0.3, 0.3, 0.4], [0.2, 0.6, 0.2]])
LABELS = np.array([1, 0, 2, 2])

OF_CLASSES: list[Callable[[], Metric]] = [
    metrics.Accuracy,
    lambda: metrics.TopKAccuracy(2),
    metrics.ConfusionMatrix,
    lambda: metrics.Precision("macro"),
    lambda: metrics.Recall(None),
    lambda: metrics.F1("micro"),
    metrics.ROCAUC,
    lambda: metrics.ROCAUC(bins=10),
    metrics.Perplexity,
]
OF_NUMBERS: list[Callable[[], Metric]] = [metrics.MSE, metrics.RMSE, metrics.MAE, metrics.R2]


@pytest.mark.parametrize("make", OF_CLASSES + OF_NUMBERS, ids=lambda make: make().name)
def test_any_device_gives_the_same_and_reset_forgets(make: Callable[[], Metric], device: Device) -> None:
    target = LABELS if make in OF_CLASSES else SCORES[::-1].copy()
    metric = make()
    if metric.name != "confusion_matrix":
        with pytest.raises(dc.DataError, match=f"{metric.name}: no samples were gathered"):
            metric.compute()
    metric.update(dc.asarray(SCORES, device="cpu"), target)
    expected = np.asarray(metric.compute())
    metric.reset()
    metric.update(dc.asarray(SCORES, device=device, requires_grad=True), dc.asarray(target, device=device))
    np.testing.assert_allclose(np.asarray(metric.compute()), expected, rtol=1e-12)


def test_only_the_same_kind_is_merged() -> None:
    with pytest.raises(dc.ConfigError, match="only metrics of the same kind and options are merged"):
        metrics.MSE().merge(metrics.RMSE())
    with pytest.raises(dc.ConfigError, match="threshold"):
        metrics.Accuracy(threshold=0.5).merge(metrics.Accuracy())
    a, b = metrics.ConfusionMatrix(), metrics.ConfusionMatrix()
    a.update(dc.asarray(SCORES), LABELS)
    b.update(dc.asarray(SCORES[:, :2]), np.array([1, 0, 1, 1]))
    with pytest.raises(dc.DataError, match="confusion_matrix: 3 classes here, 2 there"):
        a.merge(b)
    with pytest.raises(dc.DataError, match="2 classes in this batch, 3 in those before"):
        a.update(dc.asarray(SCORES[:, :2]), np.array([1, 0, 1, 1]))


def test_what_is_undefined_is_no_number() -> None:
    area = metrics.ROCAUC()
    area.update(dc.asarray([0.1, 0.2]), np.array([1, 1]))
    assert math.isnan(area.compute())
    r2 = metrics.R2()
    r2.update(dc.asarray([0.1]), np.array([1.0]))
    assert math.isnan(r2.compute())
    perplexity = metrics.Perplexity(ignore_index=0)
    perplexity.update(dc.asarray([[0.0, 1e4]]), np.array([0]))
    assert perplexity.total == 0
    perplexity = metrics.Perplexity()
    perplexity.update(dc.asarray([[0.0, 1e4]]), np.array([0]))
    assert math.isinf(perplexity.compute())


BAD: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: metrics.TopKAccuracy(0), dc.ConfigError, "k is at least 1"),
    (lambda: metrics.Precision("samples"), dc.ConfigError, "unknown average 'samples'; .* binary, micro, macro"),
    (lambda: metrics.FBeta(0.0), dc.ConfigError, "beta is above 0"),
    (lambda: metrics.ConfusionMatrix(1), dc.ConfigError, "at least 2 classes, not 1"),
    (lambda: metrics.ConfusionMatrix(normalise="rows"), dc.ConfigError, "unknown normalisation 'rows'"),
    (lambda: metrics.ROCAUC(bins=1), dc.ConfigError, "at least 2 bins"),
    (lambda: metrics.ROCAUC(average="micro"), dc.ConfigError, "unknown average 'micro'"),
]


@pytest.mark.parametrize(("make", "error", "message"), BAD)
def test_options_are_checked(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("metric", "prediction", "target", "error", "message"),
    [
        (metrics.ConfusionMatrix(), LABELS, LABELS, dc.ConfigError, r"give their number: ConfusionMatrix\(n_classes\)"),
        (metrics.ConfusionMatrix(3), SCORES, LABELS + 1, dc.DataError, "labels from 1 to 3, but there are 3 classes"),
        (metrics.F1(), SCORES, LABELS[:2], dc.ShapeError, r"f1: predictions of shape \(4, 3\) do not go with .*\(2,\)"),
        (metrics.TopKAccuracy(), LABELS * 1.0, LABELS, dc.ShapeError, "top_5_accuracy"),
        (metrics.ROCAUC(), SCORES, LABELS[:2], dc.ShapeError, "roc_auc"),
        (metrics.ROCAUC(), SCORES[:, :1], LABELS[:2], dc.ShapeError, "roc_auc"),
        (metrics.ROCAUC(), SCORES * np.nan, LABELS, dc.DataError, "some are NaN"),
        (metrics.ROCAUC(bins=5), SCORES * 9, LABELS, dc.DataError, "probabilities from 0 to 1, and these are from"),
        (metrics.MSE(), SCORES, LABELS, dc.ShapeError, "mse"),
        (metrics.R2(), np.ones((2, 2, 2)), np.ones((2, 2, 2)), dc.ShapeError, "r2"),
        (metrics.Perplexity(), SCORES, LABELS[:2], dc.ShapeError, "perplexity"),
        (metrics.Perplexity(), SCORES, LABELS + 1, dc.DataError, "labels from 1 to 3, but there are 3 classes"),
    ],
)
def test_inputs_are_checked(metric: Metric, prediction: Any, target: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        metric.update(dc.asarray(prediction), target)


def test_several_classes_need_an_average() -> None:
    metric = metrics.Recall()
    metric.update(dc.asarray(SCORES), LABELS)
    with pytest.raises(dc.ConfigError, match="recall: there are 3 classes; choose average='macro'"):
        metric.compute()
