"""Estimators within scikit-learn's tools, saved and copied."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn import base
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import deepcore as dc
from deepcore.sklearn import DeepClassifier, DeepRegressor, _library

clone: Any = base.clone  # which has no types
FAST: dict[str, Any] = {"hidden_layer_sizes": (8,), "learning_rate_init": 0.05, "max_iter": 20, "random_state": 0}


def test_in_a_pipeline_and_a_search() -> None:
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), DeepClassifier(**FAST))
    grid = {"deepclassifier__hidden_layer_sizes": [(), (8,)], "deepclassifier__learning_rate_init": [1e-6, 0.05]}
    find: Any = GridSearchCV
    search = find(pipeline, grid, cv=3, error_score="raise").fit(X, y)
    assert search.best_params_["deepclassifier__learning_rate_init"] == 0.05
    assert search.best_score_ > 0.9
    assert search.predict(X).shape == (150,)


def test_in_other_tools(blobs: Any) -> None:
    X, y = blobs
    classifier = DeepClassifier(**FAST)
    assert cross_val_score(classifier, X, y, cv=3, scoring="roc_auc_ovr").min() > 0.9
    assert cross_val_score(DeepRegressor(**FAST), X, X[:, 0], cv=3).mean() > 0.5
    assert CalibratedClassifierCV(classifier, cv=2).fit(X, y).score(X, y) > 0.9
    voting = VotingClassifier([("a", classifier), ("b", DeepClassifier(**FAST, activation="tanh"))], voting="soft")
    assert voting.fit(X, y, sample_weight=np.ones(90)).score(X, y) > 0.9
    several = MultiOutputClassifier(classifier).fit(X, np.stack([y, y % 2], axis=1))
    assert several.predict(X).shape == (90, 2)


def test_names_of_features(blobs: Any) -> None:
    pandas = pytest.importorskip("pandas")
    X, y = blobs
    frame = pandas.DataFrame(X, columns=list("abcd"))
    classifier: Any = DeepClassifier(**FAST).fit(frame, pandas.Series(y), pandas.Series(np.ones(90)))
    assert classifier.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(classifier.predict(frame), DeepClassifier(**FAST).fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names should match"):
        classifier.predict(frame.rename(columns={"a": "z"}))


@pytest.mark.parametrize("kind", [DeepClassifier, DeepRegressor])
def test_parameters_are_stored_as_they_are(kind: Any) -> None:
    sizes, seed = [3, 4], np.random.RandomState(0)
    estimator = kind(sizes, random_state=seed, model=dc.nn.Dense(2, 1))
    assert estimator.get_params()["hidden_layer_sizes"] is sizes
    assert estimator.get_params()["random_state"] is seed
    other = clone(estimator)
    assert other.model is not estimator.model
    np.testing.assert_array_equal(other.model.weight.numpy(), estimator.model.weight.numpy())
    assert pickle.loads(pickle.dumps(kind(alpha=0.25))).alpha == 0.25
    assert repr(kind(alpha=0.25)) == f"{kind.__name__}(alpha=0.25)"
    for attribute in ("coefs_", "intercepts_", "model_"):
        assert not hasattr(estimator, attribute)


@pytest.mark.parametrize("duplicate", [lambda e: pickle.loads(pickle.dumps(e)), copy.deepcopy])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_a_copy_predicts_and_goes_on_alike(solver: str, duplicate: Any, blobs: Any) -> None:
    X, y = blobs
    options: dict[str, Any] = {
        **FAST,
        "solver": solver,
        "max_iter": 5,
        "batch_size": 16,
        "dropout": 0.2,
        "warm_start": True,
    }
    classifier = DeepClassifier(**options).fit(X, y)
    other = duplicate(classifier)
    state = other.__getstate__()
    assert all(isinstance(value, np.ndarray) for value in state["model_"].values())
    np.testing.assert_array_equal(other.predict_proba(X), classifier.predict_proba(X))
    assert other.history_["loss"] is other.loss_curve_
    for _ in range(2):
        for each in (classifier, other):
            each.fit(X, y) if solver == "lbfgs" else each.partial_fit(X, y)
        np.testing.assert_array_equal(other.predict_proba(X), classifier.predict_proba(X))
    assert len(other.loss_curve_) == len(classifier.loss_curve_)


def test_what_was_set_after_a_fit_is_not_of_the_model(blobs: Any) -> None:
    X, y = blobs
    classifier = DeepClassifier(**FAST).fit(X, y)
    wanted = classifier.predict_proba(X)
    classifier.set_params(hidden_layer_sizes=(3, 3), activation="tanh")
    np.testing.assert_array_equal(classifier.predict_proba(X), wanted)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(classifier)).predict_proba(X), wanted)


def test_where_the_device_is_missing(blobs: Any) -> None:
    X, y = blobs
    classifier = DeepClassifier(**FAST).fit(X, y)
    state = {**classifier.__getstate__(), "_device": "torch:nowhere"}
    other = DeepClassifier()
    with pytest.warns(UserWarning, match="no device 'torch:nowhere' here"):
        other.__setstate__(state)
    np.testing.assert_array_equal(other.predict(X), classifier.predict(X))


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_library, "find_spec", lambda name: None)
    with pytest.raises(dc.BackendError, match=r'pip install "deepcore-xp\[sklearn\]"'):
        _library.require()


def test_scikit_learn_is_imported_only_here() -> None:
    code = "import sys, deepcore, deepcore.train, deepcore.metrics; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
