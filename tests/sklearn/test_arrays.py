"""Arrays of every library go in, and results come back in the same one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn import base

import deepcore as dc
from deepcore.sklearn import DeepClassifier, DeepRegressor

if TYPE_CHECKING:
    from deepcore._device import Device

clone: Any = base.clone  # which has no types
FAST: dict[str, Any] = {"hidden_layer_sizes": (8,), "learning_rate_init": 0.05, "max_iter": 5, "random_state": 0}


def taken(values: Any, device: Device, *, raw: bool) -> Any:
    """Return values on a device, as a tensor or as the library's own array."""
    tensor = dc.asarray(values, device=device)
    return tensor._array() if raw else tensor


@pytest.mark.parametrize("raw", [False, True])
def test_the_classifier(device: Device, blobs: Any, raw: bool) -> None:
    X, y = blobs
    mine = taken(X.astype(np.float32), device, raw=raw)
    weight = np.linspace(0.5, 1.5, 90)
    ours = DeepClassifier(**FAST).fit(mine, taken(y, device, raw=raw), taken(weight, device, raw=raw))
    wanted = DeepClassifier(**FAST).fit(X.astype(np.float32), y, weight)
    assert ours.model_.device is device
    assert {p.dtype for p in ours.model_.parameters()} == {dc.float32}
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        result, expected = getattr(ours, method)(mine), getattr(wanted, method)(X.astype(np.float32))
        assert type(result) is type(mine)
        assert dc.asarray(result).device is device
        np.testing.assert_allclose(dc.asarray(result).numpy(), expected, rtol=2e-4, atol=1e-5)
    assert ours.score(mine, taken(y, device, raw=raw)) == wanted.score(X, y)
    assert ours.score(mine, y, weight) == pytest.approx(wanted.score(X, y, weight))
    np.testing.assert_allclose(ours.coefs_[0], wanted.coefs_[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("shape", [(90,), (90, 2)])
def test_the_regressor(device: Device, blobs: Any, shape: tuple[int, ...]) -> None:
    X = blobs[0]
    y = np.resize(X[:, :2].T, shape[::-1]).T.astype(np.float32)
    options: dict[str, Any] = {**FAST, "early_stopping": True, "batch_size": 16}
    mine = taken(X.astype(np.float32), device, raw=True)
    ours = DeepRegressor(**options).fit(mine, taken(y, device, raw=True))
    wanted = DeepRegressor(**options).fit(X.astype(np.float32), y)
    result = ours.predict(mine)
    assert type(result) is type(mine)
    assert tuple(result.shape) == shape
    np.testing.assert_allclose(dc.asarray(result).numpy(), wanted.predict(X), rtol=1e-3, atol=1e-5)
    assert ours.score(mine, y) == pytest.approx(wanted.score(X, y), abs=1e-4)


def test_a_given_device_is_where_it_computes(device: Device, blobs: Any) -> None:
    X, y = blobs
    classifier = DeepClassifier(**FAST, device=str(device), dtype="float32").fit(X, y)
    assert classifier.model_.device is device
    for result in (classifier.predict(X), classifier.predict_proba(X)):
        assert type(result) is np.ndarray
        assert result.flags.writeable
    assert classifier.set_params(device="cpu", warm_start=True).fit(X, y).model_.device is dc.device("cpu")


def test_an_array_of_the_wrong_kind(device: Device, blobs: Any) -> None:
    X, y = blobs
    mine = taken(X.astype(np.float32), device, raw=True)
    classifier = DeepClassifier(**FAST).fit(mine, y)
    if isinstance(mine, np.ndarray):
        return  # for scikit-learn to say
    with pytest.raises(dc.ShapeError, match="Expected 2D array, got 1D array instead: shape \\(4,\\)"):
        classifier.predict(mine[0, ...])
    with pytest.raises(ValueError, match="X has 3 features, but DeepClassifier is expecting 4 features"):
        classifier.predict(mine[:, :3])
    with pytest.raises(dc.DataError, match="shape \\(0, 4\\)"):
        classifier.predict(mine[:0, :])
    X[3, 1] = np.nan
    with pytest.raises(dc.DataError, match="NaN or infinity"):
        classifier.predict(taken(X.astype(np.float32), device, raw=True))
    with pytest.raises(dc.DTypeError, match="Complex data not supported"):
        classifier.predict(taken(np.zeros((2, 4), np.complex64), device, raw=True))


def test_labels_of_text_stay_numpys(device: Device, blobs: Any) -> None:
    X, y = blobs
    names = np.asarray(["no", "perhaps", "yes"])
    classifier = DeepClassifier(**dict(FAST, max_iter=20)).fit(taken(X.astype(np.float32), device, raw=True), names[y])
    labels = classifier.predict(taken(X.astype(np.float32), device, raw=True))
    assert isinstance(labels, np.ndarray)
    assert np.mean(labels == names[y]) > 0.9


def test_types(blobs: Any) -> None:
    X, y = blobs
    for given, dtype in ((np.float32, dc.float32), (np.float64, dc.float64), (np.int64, dc.float64)):
        classifier = DeepClassifier(**FAST).fit(X.astype(given), y)
        assert {p.dtype for p in classifier.model_.parameters()} == {dtype}
        assert classifier.predict_proba(X).dtype == dtype.name
    half = dc.asarray(X.astype(np.float16))
    assert DeepClassifier(**FAST).fit(half, y).predict_proba(half).dtype is dc.float32
    assert DeepClassifier(**FAST, dtype=dc.float32).fit(X, y).predict_proba(X).dtype == np.float32
    with pytest.raises(dc.DTypeError, match="real floating-point type, and not int8"):
        DeepClassifier(**FAST, dtype="int8").fit(X, y)


def test_nothing_that_was_given_is_written_to(blobs: Any) -> None:
    X, y = blobs
    weight = np.ones(90)
    for values in (X, y, weight):
        values.setflags(write=False)
    copies = X.copy(), y.copy()
    DeepClassifier(**FAST, batch_size=7).fit(X, y, weight).predict(X)
    np.testing.assert_array_equal(copies[0], X)
    np.testing.assert_array_equal(copies[1], y)


def test_sparse_samples_are_as_dense_ones(blobs: Any) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    X, y = blobs
    X = np.where(np.abs(X) > 1.0, X, 0.0)
    variants: list[dict[str, Any]] = [{}, {"batch_size": 20, "early_stopping": True}, {"solver": "lbfgs"}]
    for options in variants:
        dense = DeepClassifier(**FAST, **options).fit(X, y)
        for kind in (sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array):
            np.testing.assert_array_equal(clone(dense).fit(kind(X), y).predict_proba(kind(X)), dense.predict_proba(X))


def test_more_samples_than_are_predicted_at_a_time(monkeypatch: pytest.MonkeyPatch, blobs: Any) -> None:
    X, y = blobs
    classifier = DeepClassifier(**FAST).fit(X, y)
    whole = classifier.predict_proba(X)
    monkeypatch.setattr("deepcore.sklearn._training.ROWS", 7)
    np.testing.assert_allclose(classifier.predict_proba(X), whole, rtol=1e-12)
