"""Epochs until nothing improves: the rules of scikit-learn's perceptrons."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import RandomState

    from ._training import Samples, Training

SLOWEST = 1e-6  # where an adaptive learning rate gives up


class Progress:
    """The epochs of one fit, which are recorded as attributes of the estimator.

    Parameters
    ----------
    estimator
        Whose fit it is, and whose hyperparameters decide when it ends.
    training
        What takes the steps.
    score
        Returns the score on samples that were held out, or None where there are none.
    """

    def __init__(self, estimator: Any, training: Training, score: Callable[[], float] | None) -> None:
        self.estimator, self.training, self.score = estimator, training, score
        self.best: dict[str, Any] | None = None

    def run(self, samples: Samples, random: RandomState, *, size: int, epochs: int, stops: bool) -> None:
        """Train for a number of epochs, or fewer where the training may stop, and keep the best model if it is known.

        Ctrl-C ends training with a warning, and the model stays as it is then.
        """
        its = self.estimator
        its.n_iter_ = 0
        try:
            for _ in range(epochs):
                self._epoch(samples, size, random if its.shuffle else None)
                if stops and self._ends():
                    break
            else:
                if stops:
                    msg = f"Maximum iterations ({epochs}) reached and the optimization hasn't converged yet."
                    warnings.warn(msg, ConvergenceWarning, stacklevel=4)
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=4)
        if self.best is not None:
            self.training.model.load_state_dict(self.best)

    def _epoch(self, samples: Samples, size: int, random: RandomState | None) -> None:
        its = self.estimator
        its.loss_ = self.training.epoch(samples, size, random)
        its.n_iter_ += 1
        its.t_ += len(samples)
        its.loss_curve_.append(its.loss_)
        said = f"Iteration {its.n_iter_}, loss = {its.loss_:.8f}\n"
        if self.score is None:
            improved = its.loss_ <= its.best_loss_ - its.tol
            its.best_loss_ = min(its.best_loss_, its.loss_)
        else:
            score = self.score()
            its.validation_scores_.append(score)
            said += f"Validation score: {score:.6f}\n"
            improved = score >= its.best_validation_score_ + its.tol
            if score > its.best_validation_score_:
                its.best_validation_score_ = score
                self.best = self.training.model.state_dict()
        its._no_improvement_count = 0 if improved else its._no_improvement_count + 1
        if its.verbose:
            sys.stdout.write(said)
        if its.solver == "sgd" and its.learning_rate == "invscaling":
            self.training.optimizer.lr = its.learning_rate_init / (its.t_ + 1) ** its.power_t

    def _ends(self) -> bool:
        its, optimizer = self.estimator, self.training.optimizer
        if its._no_improvement_count <= its.n_iter_no_change:
            return False
        what = "Training loss" if self.score is None else "Validation score"
        said = f"{what} did not improve more than tol={its.tol:f} for {its.n_iter_no_change} consecutive epochs."
        adapts = its.solver == "sgd" and its.learning_rate == "adaptive" and optimizer.lr > SLOWEST
        if adapts:
            optimizer.lr /= 5.0
            its._no_improvement_count = 0
            said += f" Setting learning rate to {optimizer.lr:f}"
        if its.verbose:
            sys.stdout.write(f"{said}{'' if adapts else ' Stopping.'}\n")
        return not adapts


def batch_size(wanted: Any, n: int) -> int:
    """Return the number of samples of a batch: what is wanted, as far as there are samples."""
    if isinstance(wanted, str):
        return min(200, n)
    if wanted > n:
        warnings.warn(f"batch_size={wanted} is larger than the number of samples, {n}; it is clipped", stacklevel=5)
    return int(np.clip(wanted, 1, n))
