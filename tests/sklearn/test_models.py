"""Models, losses and optimizers of one's own."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn import base

import deepcore as dc
from deepcore import nn, optim
from deepcore.sklearn import DeepClassifier, DeepRegressor

LIST: Any = list  # of parameters, which is no optimizer
clone: Any = base.clone  # which has no types
FAST: dict[str, Any] = {"learning_rate_init": 0.05, "max_iter": 20, "random_state": 0}


def deep(n_features: int, n_outputs: int) -> nn.Module:
    """A model with noise in training."""
    return nn.Sequential(nn.Dense(n_features, 16, activation="gelu"), nn.Dropout(0.2), nn.Dense(16, n_outputs))


def flat(n_features: int, n_outputs: int) -> nn.Module:
    return nn.Sequential(nn.Dense(n_features, 1), nn.Lambda(lambda x: x[:, 0]))


def weightless(n_features: int, n_outputs: int) -> Any:
    return lambda x: x


def test_a_function_that_makes_it(blobs: Any) -> None:
    X, y = blobs
    generator = dc.random.default_generator()
    before = generator.state_dict()
    classifier = DeepClassifier(**FAST, model=deep).fit(X, y)
    assert generator.state_dict() == before  # of others, who draw from it too
    assert classifier.score(X, y) > 0.9
    assert classifier.n_features_in_ == classifier.coefs_[0].shape[0] == 4
    assert classifier.coefs_[1].shape[1] == classifier.n_outputs_ == 3
    again = clone(classifier).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))
    restored = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(restored.predict_proba(X), classifier.predict_proba(X))
    dropped: Any = DeepClassifier(**FAST, hidden_layer_sizes=(16,), dropout=0.5).fit(X, y)
    assert [type(layer) for layer in dropped.model_.layers] == [nn.Dense, nn.Dropout, nn.Dense]
    np.testing.assert_array_equal(dropped.predict(X), dropped.predict(X))


def test_a_module_is_a_beginning(blobs: Any) -> None:
    X, y = blobs
    dc.random.seed(3)
    begun = deep(4, 3)
    weight = begun.parameters()[0].numpy().copy()
    classifier = DeepClassifier(**dict(FAST, max_iter=1, learning_rate_init=1e-9), model=begun).fit(X, y)
    np.testing.assert_allclose(classifier.coefs_[0], weight, atol=1e-6)
    np.testing.assert_array_equal(begun.parameters()[0].numpy(), weight)
    assert begun.parameters()[0].dtype is dc.float32
    assert clone(classifier).fit(X, y).score(X, y) == classifier.score(X, y)


def test_a_model_that_does_not_fit(blobs: Any) -> None:
    X, y = blobs
    with pytest.raises(dc.ShapeError, match=r"to return an array of shape \(90, 1\) for inputs \(90, 4\), not \(90,\)"):
        DeepRegressor(**FAST, model=flat).fit(X, y)
    with pytest.raises(dc.ConfigError, match=r"is to return a deepcore.nn.Module, and returned a function"):
        DeepRegressor(**FAST, model=weightless).fit(X, y)


def test_activations(blobs: Any) -> None:
    X, y = blobs
    for activation, layer in (("logistic", nn.Sigmoid), ("mish", nn.Mish), (nn.ELU, nn.ELU)):
        classifier: Any = DeepClassifier((6,), activation, **FAST).fit(X, y)
        assert isinstance(classifier.model_[0].activation, layer)
    linear = DeepClassifier((), **FAST).fit(X, y)
    assert len(linear.coefs_) == len(linear.intercepts_) == 1
    assert DeepClassifier(7, **FAST).fit(X, y).coefs_[1].shape == (7, 3)


@pytest.mark.parametrize("solver", ["adam", "sgd", "adamw", "nadam", "radam", "rmsprop", "lion", "lbfgs"])
def test_every_solver_learns_and_penalises(solver: str, blobs: Any) -> None:
    X, y = blobs
    options: dict[str, Any] = {**FAST, "hidden_layer_sizes": (8,), "solver": solver, "learning_rate_init": 0.05}
    plain = DeepClassifier(**dict(options, max_iter=60), alpha=0.0).fit(X, y)
    assert plain.score(X, y) > 0.9
    shrunk = DeepClassifier(**dict(options, max_iter=60), alpha=1000.0).fit(X, y)
    assert np.square(shrunk.coefs_[0]).sum() < 0.7 * np.square(plain.coefs_[0]).sum()


def test_an_optimizer_of_ones_own(blobs: Any) -> None:
    X, y = blobs
    options: dict[str, Any] = {**FAST, "hidden_layer_sizes": (8,), "alpha": 0.5}
    named = DeepClassifier(**options).fit(X, y)
    made = DeepClassifier(**options, solver=lambda parameters: optim.Adam(parameters, lr=0.05)).fit(X, y)
    np.testing.assert_allclose(made.coefs_[0], named.coefs_[0], rtol=1e-6, atol=1e-8)  # the penalty is in the loss
    assert made.loss_ != named.loss_  # which is measured before the last step, and not after it
    with pytest.raises(dc.ConfigError, match=r"to return an optimizer of deepcore\.optim, and returned a list"):
        DeepClassifier(**options, solver=LIST).fit(X, y)


def test_losses(blobs: Any) -> None:
    X, y = blobs
    weight = 1.0 + (y == 1)
    options: dict[str, Any] = {**FAST, "hidden_layer_sizes": (8,), "batch_size": 30}
    named = DeepClassifier(**options).fit(X, y, weight)
    for loss in (
        nn.CategoricalCrossEntropy(),
        nn.CategoricalCrossEntropy(reduction="none"),
        lambda z, labels, w: -(w * chosen(dc.log_softmax(z), labels)).sum() / w.sum(),
    ):
        other = DeepClassifier(**options, loss=loss).fit(X, y, weight)
        np.testing.assert_allclose(other.coefs_[0], named.coefs_[0], rtol=1e-6, atol=1e-8)
    assert DeepClassifier(**options, loss="focal").fit(X, y).score(X, y) > 0.9
    assert DeepClassifier(**options, loss="focal").fit(X, y > 0).score(X, y > 0) > 0.9


def chosen(z: Any, labels: Any) -> Any:
    return dc.take_along_axis(z, labels[:, None], axis=1)[:, 0]


def test_robust_losses_resist_outliers(blobs: Any) -> None:
    X = blobs[0]
    y = X[:, 2].copy()
    y[::10] += 100.0
    errors = {}
    for loss in ("squared_error", "absolute_error", "huber"):
        regressor = DeepRegressor((), loss=loss, learning_rate_init=0.05, max_iter=300, batch_size=90, random_state=0)
        regressor.fit(X, y)
        errors[loss] = np.median(np.abs(regressor.predict(X) - X[:, 2]))
    assert errors["absolute_error"] < 0.5
    assert errors["huber"] < 0.5
    assert errors["squared_error"] > 1.0
