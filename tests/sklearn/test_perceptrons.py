"""Against scikit-learn's own perceptrons: the same steps from the same weights, and as good on its data."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from deepcore.sklearn import DeepClassifier, DeepRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 5))
LABELS = RNG.integers(0, 3, 40)
SEVERAL = RNG.integers(0, 2, (40, 3))
NUMBERS = RNG.normal(size=40)
WEIGHT = RNG.integers(1, 4, 40).astype(float)

TARGETS: dict[str, Any] = {
    "two classes": (DeepClassifier, MLPClassifier, LABELS > 0, {}),
    "three classes": (DeepClassifier, MLPClassifier, LABELS, {}),
    "several labels": (DeepClassifier, MLPClassifier, SEVERAL, {}),
    "numbers": (DeepRegressor, MLPRegressor, NUMBERS, {}),
    "two outputs": (DeepRegressor, MLPRegressor, RNG.normal(size=(40, 2)), {}),
    "counts": (DeepRegressor, MLPRegressor, RNG.poisson(2.0, 40), {"loss": "poisson"}),
}
SOLVERS: dict[str, Any] = {
    "sgd": ({"solver": "sgd", "learning_rate_init": 0.1}, 1e-10),
    "sgd without momentum": ({"solver": "sgd", "learning_rate_init": 0.1, "momentum": 0.0}, 1e-10),
    "sgd, not Nesterov's": ({"solver": "sgd", "learning_rate_init": 0.1, "nesterovs_momentum": False}, 1e-10),
    "invscaling": ({"solver": "sgd", "learning_rate_init": 0.5, "learning_rate": "invscaling", "momentum": 0.0}, 1e-10),
    "adam": ({"solver": "adam", "learning_rate_init": 0.01, "epsilon": 1e-14}, 1e-8),  # ε is elsewhere in theirs
}


def both_after(steps: int, ours: Any, theirs: Any, y: Any, weight: Any) -> None:
    """Train both estimators by the same batches from our initial weights."""
    several = np.ndim(y) == 2
    classes: Any = np.arange(y.shape[1]) if several else np.unique(y)
    options: dict[str, Any] = {"classes": classes} if isinstance(ours, DeepClassifier) else {}
    for estimator in (ours, theirs):
        estimator.partial_fit(X, y, **options)
    for p, q in zip(theirs.coefs_ + theirs.intercepts_, ours.coefs_ + ours.intercepts_, strict=True):
        p[...] = q
    del theirs._optimizer  # and what they remember of the first step
    ours._optimizer = None
    ours.t_ = theirs.t_ = 0
    for _ in range(steps):
        ours.partial_fit(X, y, sample_weight=weight)
        theirs.partial_fit(X, y, sample_weight=weight)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_the_same_steps(target: str, solver: str, weight: Any) -> None:
    kind, their_kind, y, own = TARGETS[target]
    own_options, tolerance = SOLVERS[solver]
    options: dict[str, Any] = {
        "hidden_layer_sizes": (6, 4),
        "activation": "logistic",
        "alpha": 0.3,
        "random_state": 0,
        **own_options,
        **own,
    }
    ours, theirs = kind(**options), their_kind(**options)
    both_after(8, ours, theirs, y, weight)
    for p, q in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_allclose(p, q, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=10 * tolerance)
    if kind is DeepClassifier:
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=100 * tolerance)
        np.testing.assert_allclose(ours.predict_log_proba(X), theirs.predict_log_proba(X), rtol=100 * tolerance)
    assert ours.score(X, y, WEIGHT) == pytest.approx(theirs.score(X, y, WEIGHT), rel=100 * tolerance)


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("target", ["two classes", "three classes", "several labels", "numbers", "counts"])
def test_the_same_loss(target: str, weight: Any) -> None:
    kind, their_kind, y, own = TARGETS[target]
    options: dict[str, Any] = {"hidden_layer_sizes": (6,), "solver": "sgd", "alpha": 0.0, "random_state": 0, **own}
    ours, theirs = kind(**options), their_kind(**options)
    both_after(3, ours, theirs, y, weight)
    np.testing.assert_allclose(ours.loss_curve_[1:], theirs.loss_curve_[1:], rtol=1e-10)
    assert ours.loss_ == ours.history_["loss"][-1] == ours.loss_curve_[-1]


def split(load: Any) -> tuple[Any, ...]:
    X, y = load(return_X_y=True)
    if load is load_diabetes:
        y = (y - y.mean()) / y.std()
    a, b, c, d = train_test_split(X, y, random_state=0, stratify=None if load is load_diabetes else y)
    scaler = StandardScaler().fit(a)
    return scaler.transform(a), scaler.transform(b), c, d


@pytest.mark.parametrize(
    ("load", "kind", "their_kind", "options", "margin"),
    [
        (load_digits, DeepClassifier, MLPClassifier, {"learning_rate_init": 0.005, "max_iter": 25}, 0.01),
        (load_iris, DeepClassifier, MLPClassifier, {"learning_rate_init": 0.01}, 0.01),
        (
            load_diabetes,
            DeepRegressor,
            MLPRegressor,
            {"solver": "sgd", "learning_rate_init": 0.01, "max_iter": 80},
            0.02,
        ),
    ],
)
def test_as_good(load: Any, kind: Any, their_kind: Any, options: dict[str, Any], margin: float) -> None:
    a, b, c, d = split(load)
    scores = {}
    for each in (kind, their_kind):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that these fits are short
            scores[each] = np.mean([each(random_state=seed, **options).fit(a, c).score(b, d) for seed in range(3)])
    assert scores[kind] > scores[their_kind] - margin


@pytest.mark.parametrize(("kind", "their_kind"), [(DeepClassifier, MLPClassifier), (DeepRegressor, MLPRegressor)])
def test_the_same_names(kind: Any, their_kind: Any) -> None:
    ours, theirs = kind().get_params(), their_kind().get_params()
    theirs.pop("loss", None)
    assert {name: ours[name] for name in theirs} == theirs
