"""Accuracy, gathered batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore.metrics import Accuracy

if TYPE_CHECKING:
    from deepcore._device import Device


@pytest.mark.parametrize("batch", [1, 3, 10])
@pytest.mark.parametrize("one_hot", [True, False])
def test_classes(batch: int, one_hot: bool, device: Device) -> None:
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(10, 4)), rng.integers(0, 4, 10)
    targets = np.eye(4)[labels] if one_hot else labels
    accuracy = Accuracy()
    for i in range(0, 10, batch):
        accuracy.update(dc.asarray(scores[i : i + batch], device=device, requires_grad=True), targets[i : i + batch])
    assert accuracy.compute() == (scores.argmax(1) == labels).mean()


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.bool_])
def test_yes_or_no(shape: tuple[int, ...], dtype: Any) -> None:
    scores = np.array([-1.0, 0.2, 0.7, 0.0]).reshape(shape)
    targets = np.array([0, 1, 1, 1], dtype)
    accuracy = Accuracy()
    accuracy.update(dc.asarray(scores), targets)
    assert accuracy.compute() == 0.75
    accuracy = Accuracy(threshold=0.5)
    accuracy.update(dc.asarray(scores), targets.reshape(shape))
    assert accuracy.compute() == 0.5


def test_reset() -> None:
    accuracy = Accuracy()
    accuracy.update(dc.asarray([[0.0, 1.0]]), np.array([0]))
    accuracy.reset()
    with pytest.raises(dc.DataError, match="no samples"):
        accuracy.compute()
    accuracy.update(dc.asarray([[0.0, 1.0]]), np.array([1]))
    assert accuracy.compute() == 1.0
    assert accuracy.name == "accuracy"


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(dc.ShapeError, match=r"predictions of shape \(2, 3\) do not go with targets of shape \(3,\)"):
        Accuracy().update(dc.ones((2, 3)), np.array([0, 1, 2]))
