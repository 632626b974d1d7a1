"""Hyperparameters are checked when a model is fitted: scikit-learn sets them at any time before."""

from __future__ import annotations

from typing import Any

from .._errors import ConfigError

RATES = ("constant", "invscaling", "adaptive")


def check_options(estimator: Any, *, partial: bool) -> None:
    """Raise if a hyperparameter is outside of what is allowed.

    What models, losses and optimizers check themselves, such as a learning rate or a name, is left to them.

    Raises
    ------
    ConfigError
        The message names the hyperparameter.
    """
    its = estimator
    allowed = {
        "alpha": (its.alpha >= 0.0, "at least 0"),
        "batch_size": (its.batch_size == "auto" or _at_least(its.batch_size, 1), "'auto', or at least 1"),
        "learning_rate": (its.learning_rate in RATES, f"one of {', '.join(RATES)}"),
        "max_iter": (_at_least(its.max_iter, 1), "at least 1"),
        "max_fun": (_at_least(its.max_fun, 1), "at least 1"),
        "n_iter_no_change": (_at_least(its.n_iter_no_change, 1), "at least 1"),
        "tol": (its.tol >= 0.0, "at least 0"),
        "validation_fraction": (0.0 < its.validation_fraction < 1.0, "between 0 and 1"),
    }
    for name, (holds, what) in allowed.items():
        if not holds:
            msg = f"{type(its).__name__}: {name} is {what}, not {getattr(its, name)!r}"
            raise ConfigError(msg)
    if partial and its.early_stopping:
        msg = f"{type(its).__name__}: partial_fit does not support early_stopping=True: it does not know when it ends"
        raise ConfigError(msg)


def goes_by_batches(estimator: Any) -> bool:
    """Return True; or raise, as an estimator that has no ``partial_fit`` does, if the solver knows no single batches.

    Raises
    ------
    AttributeError
        With the name of the solver.
    """
    if estimator.solver == "lbfgs":
        msg = f"{type(estimator).__name__}: partial_fit needs a solver of single batches, and 'lbfgs' is none"
        raise AttributeError(msg)
    return True


def _at_least(value: Any, least: float) -> bool:
    return not isinstance(value, str) and bool(value >= least)
