"""What a fit does: weights of samples, epochs, early stopping, and going on from where a model is."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning

import deepcore as dc
from deepcore.sklearn import DeepClassifier, DeepRegressor

FAST: dict[str, Any] = {"hidden_layer_sizes": (8,), "learning_rate_init": 0.05, "max_iter": 5, "random_state": 0}


def same(one: Any, other: Any, tolerance: float = 0.0) -> None:
    for p, q in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_allclose(p, q, rtol=tolerance, atol=tolerance)


# ------------------------------------------------------------------------------------------------------------- weights


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs", "rmsprop"])
@pytest.mark.parametrize("kind", [DeepClassifier, DeepRegressor])
def test_a_weight_is_a_number_of_copies(kind: Any, solver: str, blobs: Any) -> None:
    X, y = blobs
    weight = np.arange(90) % 4
    options: dict[str, Any] = {**FAST, "solver": solver, "alpha": 0.5, "learning_rate_init": 0.01}
    weighted = kind(**options).fit(X, y, weight)
    copied = kind(**options).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    same(weighted, copied, 1e-7)
    assert weighted.loss_ == pytest.approx(copied.loss_)


def test_a_sample_of_weight_0_is_not_there(blobs: Any) -> None:
    X, y = blobs
    weight = np.where(np.arange(90) % 4 == 0, 0.0, 2.0)
    options: dict[str, Any] = {**FAST, "batch_size": 16, "early_stopping": True}
    there = weight > 0
    same(DeepClassifier(**options).fit(X, y, weight), DeepClassifier(**options).fit(X[there], y[there], weight[there]))


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(89), "sample_weight.shape == \\(89,\\), expected \\(90,\\)"),
        (-np.ones(90), "Negative values"),
        (np.zeros(90), "weights are all zero"),
        (np.full(90, np.nan), "sample_weight contains NaN"),
    ],
)
def test_weights_that_are_none(weight: Any, message: str, blobs: Any) -> None:
    with pytest.raises(ValueError, match=message):
        DeepClassifier(**FAST).fit(blobs[0], blobs[1], weight)


# -------------------------------------------------------------------------------------------------------------- epochs


def test_it_stops_when_nothing_improves(blobs: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier = DeepClassifier(**dict(FAST, max_iter=500, n_iter_no_change=3)).fit(*blobs)
    curve = classifier.loss_curve_
    assert 5 < classifier.n_iter_ == len(curve) < 500
    assert classifier.t_ == 90 * classifier.n_iter_
    assert classifier.best_loss_ == min(curve)
    best = np.minimum.accumulate(curve)
    assert all(loss > least - 1e-4 for loss, least in zip(curve[-4:], best[-5:-1], strict=True))
    assert curve[-5] <= best[-6] - 1e-4
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(5\) reached"):
        DeepClassifier(**FAST).fit(*blobs)


def test_early_stopping_keeps_the_best_weights(blobs: Any) -> None:
    X, y = blobs
    y = np.where(np.arange(90) % 5 == 0, (y + 1) % 3, y)  # so that it overfits
    options: dict[str, Any] = {
        **FAST,
        "max_iter": 200,
        "early_stopping": True,
        "validation_fraction": 0.3,
        "batch_size": 10,
    }
    classifier = DeepClassifier(**options).fit(X, y)
    scores = classifier.validation_scores_
    assert scores is not None
    assert classifier.history_ == {"loss": classifier.loss_curve_, "validation_score": scores}
    assert classifier.n_iter_ == len(scores) < 200
    assert classifier.best_validation_score_ == max(scores) > scores[-1]
    epochs = scores.index(max(scores)) + 1
    same(classifier, DeepClassifier(**dict(options, max_iter=epochs)).fit(X, y))  # of which the last one is the best


def test_what_is_held_out_has_every_class() -> None:
    y = np.asarray([0] * 40 + [1] * 8 + [2] * 4)
    X = np.eye(3)[y]
    seen = []

    class Watching(DeepClassifier):
        def _score_of(self, outputs: Any, targets: Any, weight: Any) -> float:
            seen.append(np.bincount(targets, minlength=3).tolist())
            return super()._score_of(outputs, targets, weight)

    Watching(**FAST, early_stopping=True, validation_fraction=0.25).fit(X, y)
    assert seen[0] == [10, 2, 1]
    with pytest.raises(dc.DataError, match="validation set is too small"):
        DeepRegressor(**FAST, early_stopping=True).fit(X[:8], y[:8])


def test_an_adaptive_rate_falls(blobs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    options: dict[str, Any] = {
        **FAST,
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.5,
        "tol": 0.01,
    }
    classifier = DeepClassifier(**dict(options, max_iter=300, n_iter_no_change=2, verbose=True)).fit(*blobs)
    said = capsys.readouterr().out
    assert classifier._optimizer is not None
    assert classifier._optimizer.lr <= 1e-6
    assert said.startswith(f"Iteration 1, loss = {classifier.loss_curve_[0]:.8f}\n")
    assert "Setting learning rate to 0.100000" in said
    assert said.endswith("Stopping.\n")


def test_the_seed_decides(blobs: Any) -> None:
    options: dict[str, Any] = {**FAST, "batch_size": 16, "dropout": 0.3}
    one = DeepClassifier(**options).fit(*blobs)
    same(one, DeepClassifier(**options).fit(*blobs))
    same(one, DeepClassifier(**dict(options, random_state=np.random.RandomState(0))).fit(*blobs))
    assert not np.allclose(one.coefs_[0], DeepClassifier(**dict(options, random_state=1)).fit(*blobs).coefs_[0])
    unshuffled = DeepClassifier(**options, shuffle=False).fit(*blobs)
    assert not np.allclose(one.coefs_[0], unshuffled.coefs_[0])


def test_a_loss_that_is_infinite(blobs: Any) -> None:
    options: dict[str, Any] = {**FAST, "solver": "sgd", "learning_rate_init": 1e200}
    with np.errstate(all="ignore"), pytest.raises(dc.NumericalError, match="learning_rate_init is too large"):
        DeepRegressor(**options).fit(*blobs)


def test_an_interrupt_ends_training(blobs: Any) -> None:
    class Interrupting(dc.nn.CategoricalCrossEntropy):
        calls = 0

        def forward(self, prediction: Any, target: Any, weight: Any = None) -> Any:
            Interrupting.calls += 1
            if Interrupting.calls > 3:
                raise KeyboardInterrupt
            return super().forward(prediction, target, weight)

    with pytest.warns(UserWarning, match="interrupted by user"):
        classifier = DeepClassifier(**FAST, loss=Interrupting()).fit(*blobs)
    assert classifier.n_iter_ == 3
    assert classifier.predict(blobs[0]).shape == (90,)


# ------------------------------------------------------------------------------------------------------------ going on


def test_partial_fit_is_an_epoch(blobs: Any) -> None:
    X, y = blobs
    variants: list[dict[str, Any]] = [{}, {"batch_size": 16}, {"batch_size": 16, "dropout": 0.2}]
    for options in variants:
        whole, parts = DeepClassifier(**FAST, **options).fit(X, y), DeepClassifier(**FAST, **options)
        for _ in range(5):
            parts.partial_fit(X, y, classes=[0, 1, 2])
        same(whole, parts)
        assert parts.loss_curve_ == whole.loss_curve_
        assert (parts.n_iter_, parts.t_) == (1, 450)


def test_partial_fit_needs_the_classes_once(blobs: Any) -> None:
    X, y = blobs
    classifier = DeepClassifier(**FAST)
    with pytest.raises(dc.ConfigError, match="classes must be passed on the first call"):
        classifier.partial_fit(X, y)
    classifier.partial_fit(X[y < 2], y[y < 2], classes=np.arange(3))
    assert classifier.predict_proba(X).shape == (90, 3)
    classifier.partial_fit(X, y)
    with pytest.raises(dc.DataError, match="are not those of the first call"):
        classifier.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(dc.DataError, match=r"classes not in `self.classes_`: array\(\[3\]\)"):
        classifier.partial_fit(X, y + 1)
    with pytest.raises(dc.ConfigError, match="partial_fit does not support early_stopping=True"):
        DeepRegressor(**FAST, early_stopping=True).partial_fit(X, y)
    assert not hasattr(DeepRegressor(solver="lbfgs"), "partial_fit")
    assert not hasattr(DeepClassifier(solver="lbfgs"), "partial_fit")


def test_a_warm_start_goes_on(blobs: Any) -> None:
    X, y = blobs
    options: dict[str, Any] = {**FAST, "solver": "sgd", "momentum": 0.0}
    warm = DeepClassifier(**options, warm_start=True).fit(X, y).fit(X, y)
    same(warm, DeepClassifier(**dict(options, max_iter=10)).fit(X, y))
    assert (len(warm.loss_curve_), warm.n_iter_) == (10, 5)
    with pytest.raises(dc.DataError, match="classes not in"):
        warm.fit(X, y + 1)
    with pytest.raises(dc.ConfigError, match="hyperparameters of the model have changed"):
        warm.set_params(hidden_layer_sizes=(9,)).fit(X, y)
    cold = DeepClassifier(**options).fit(X, y)
    same(cold, DeepClassifier(**options).fit(X, y + 1).fit(X, y))


# ------------------------------------------------------------------------------------------------------------- targets


def test_labels_of_any_type(blobs: Any) -> None:
    X, y = blobs
    wanted = DeepClassifier(**FAST).fit(X, y)
    for classes in (
        np.asarray(["a", "b", "c"]),
        np.asarray(["a", "b", "c"], dtype=object),
        np.asarray([-5, 2, 70], dtype=np.int8),
        np.asarray([0.0, 1.0, 2.0]),
    ):
        classifier = DeepClassifier(**FAST).fit(X, classes[y])
        np.testing.assert_array_equal(classifier.classes_, classes)
        np.testing.assert_array_equal(classifier.predict(X), classes[wanted.predict(X)])
        assert classifier.predict(X).dtype == classes.dtype
        assert classifier.score(X, classes[y]) == wanted.score(X, y)


def test_two_classes_and_one(blobs: Any) -> None:
    X, y = blobs
    two = DeepClassifier(**FAST).fit(X, y > 0)
    probabilities = two.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    np.testing.assert_array_equal(two.predict(X), two.decision_function(X) > 0)
    np.testing.assert_array_equal(two.predict(X), probabilities[:, 1] > 0.5)
    assert two.n_outputs_ == 1
    one = DeepClassifier(**FAST).fit(X, np.full(90, "same"))
    assert set(one.predict(X)) == {"same"}
    np.testing.assert_array_equal(one.predict_proba(X), np.ones((90, 1)))


def test_logarithms_of_probabilities_of_0_are_finite() -> None:
    X, y = np.asarray([[-1.0], [1.0]]), [0, 1]
    for labels in (y, [0, 2]):
        classifier = DeepClassifier((), solver="lbfgs", random_state=0).fit(X, labels)
        logs = classifier.predict_log_proba(1e4 * X)
        assert np.isfinite(logs).all()
        assert logs.min() < -800
        assert 0.0 < classifier.predict_proba(1e4 * X).min() < 1e-300
    three = DeepClassifier((), solver="lbfgs", random_state=0).fit([[-1.0], [0.0], [1.0]], [0, 1, 2])
    assert np.isfinite(three.predict_log_proba(1e4 * X)).all()


def test_several_labels(blobs: Any) -> None:
    X, y = blobs
    Y = np.stack([y == 1, y == 2, y > 0], axis=1).astype(int)
    classifier = DeepClassifier(**dict(FAST, max_iter=40)).fit(X, Y)
    assert classifier.predict(X).dtype.kind == "i"
    assert classifier.score(X, Y) > 0.9
    assert classifier.predict_proba(X).shape == classifier.decision_function(X).shape == (90, 3)
    with pytest.raises(ValueError, match="multiclass-multioutput"):
        DeepClassifier(**FAST).fit(X, np.stack([y, y], axis=1))
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        DeepClassifier(**FAST).fit(X, X[:, 0])


def test_targets_of_one_column(blobs: Any) -> None:
    X = blobs[0]
    with pytest.warns(DataConversionWarning):
        assert DeepRegressor(**FAST).fit(X, X[:, :1]).predict(X).shape == (90,)
    assert DeepRegressor(**FAST).fit(X, X[:, :2]).predict(X).shape == (90, 2)


def test_counts(blobs: Any) -> None:
    X = blobs[0]
    y = np.random.default_rng(0).poisson(np.exp(X[:, 2]))
    regressor = DeepRegressor((), loss="poisson", solver="lbfgs", alpha=0.0).fit(X, y)
    assert (regressor.predict(X) > 0).all()
    from sklearn.linear_model import PoissonRegressor

    oracle = PoissonRegressor(alpha=0.0, tol=1e-8, max_iter=1000).fit(X, y)
    np.testing.assert_allclose(regressor.coefs_[0][:, 0], oracle.coef_, atol=2e-3)
    with pytest.raises(dc.DataError, match="some values of y are negative"):
        regressor.fit(X, -y)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("hidden_layer_sizes", (10, 0), "hidden_layer_sizes must be > 0"),
        ("hidden_layer_sizes", 2.5, "hidden_layer_sizes must be > 0"),
        ("activation", "rleu", "unknown activation 'rleu'; the known ones are identity"),
        ("solver", "adamm", "unknown solver 'adamm'; the known ones are lbfgs, sgd, adam"),
        ("loss", "log", "unknown loss 'log'; the known ones are log_loss, focal"),
        ("alpha", -1.0, "alpha is at least 0, not -1.0"),
        ("batch_size", 0, "batch_size is 'auto', or at least 1, not 0"),
        ("batch_size", "all", "batch_size is 'auto', or at least 1, not 'all'"),
        ("learning_rate", "falling", "learning_rate is one of constant, invscaling, adaptive"),
        ("learning_rate_init", -0.1, "-0.1"),
        ("max_iter", 0, "max_iter is at least 1, not 0"),
        ("tol", -1.0, "tol is at least 0"),
        ("validation_fraction", 1.0, "validation_fraction is between 0 and 1"),
        ("dropout", 1.0, "Dropout: p is a probability"),
        ("device", "gpu", "unknown device 'gpu'"),
    ],
)
def test_hyperparameters_that_are_none(name: str, value: Any, message: str, blobs: Any) -> None:
    classifier = DeepClassifier().set_params(**{name: value})  # where nothing is checked
    with pytest.raises(dc.DeepcoreError, match=message):
        classifier.fit(*blobs)


def test_a_batch_that_is_too_large(blobs: Any) -> None:
    with pytest.warns(UserWarning, match="batch_size=1000 is larger than the number of samples, 90"):
        large = DeepClassifier(**FAST, batch_size=1000).fit(*blobs)
    same(large, DeepClassifier(**FAST, batch_size=90).fit(*blobs))
