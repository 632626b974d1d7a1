"""The regressor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if

from .. import ops
from .._errors import DataError
from ._arrays import on_host
from ._check import goes_by_batches
from ._estimator import DeepEstimator
from ._losses import OF_NUMBERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .._tensor import Tensor
    from ._arrays import HostArray


class DeepRegressor(MultiOutputMixin, RegressorMixin, DeepEstimator):
    r"""A neural network that predicts numbers, as an estimator of scikit-learn.

    It takes the place of ``sklearn.neural_network.MLPRegressor`` where that is called with keywords.

    Parameters
    ----------
    hidden_layer_sizes, activation, ...
        As in :class:`DeepEstimator`.
    loss
        ``"squared_error"``, $\tfrac12 \lVert \hat y - y \rVert^2$ of each sample; ``"absolute_error"``, ``"huber"``;
        ``"poisson"``, half of the Poisson deviance, for targets that are at least 0, by which the model learns the
        logarithm of what is predicted; a loss of :mod:`deepcore.nn`, or a function.

    Notes
    -----
    Against ``MLPRegressor``: ``loss`` is by keyword only; biases begin at 0; with several outputs the reported loss is
    the sum over them, whose gradient ``MLPRegressor`` descends too, and not the mean.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from deepcore.sklearn import DeepRegressor
    >>> X, y = make_regression(200, 5, random_state=0)
    >>> DeepRegressor((32,), solver="lbfgs", random_state=0).fit(X, y).score(X, y) > 0.99
    True
    """

    _numeric = True

    @available_if(goes_by_batches)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Go through some samples once, from where the model is.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`.

        Returns
        -------
        self
            The estimator.
        """
        return self._fit(X, y, sample_weight, partial=True)

    def predict(self, X: Any) -> Any:
        """Return the predicted numbers.

        Parameters
        ----------
        X
            The samples, of shape (n, features).

        Returns
        -------
        array
            Of shape (n,), or (n, outputs) if the targets were, in the library of the samples.
        """
        outputs, home = self._outputs(X, "predict")
        return home.give(self._numbers(outputs))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R² of the predictions.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`.
        """
        predicted = on_host(self.predict(X))
        return float(r2_score(on_host(y), predicted, sample_weight=on_host(sample_weight)))

    def _numbers(self, outputs: Tensor) -> Tensor:
        numbers = ops.exp(outputs) if self.loss == "poisson" else outputs
        return ops.reshape(numbers, (-1,)) if self._flat else numbers

    def _encoded(self, y: HostArray, *, fresh: bool, partial: bool) -> HostArray:
        columns = 1 if y.ndim == 1 else y.shape[1]
        if not fresh and columns != self.n_outputs_:
            msg = f"{type(self).__name__}: y has {columns} outputs, and the model was fitted with {self.n_outputs_}"
            raise DataError(msg)
        if self.loss == "poisson" and np.any(y < 0):
            msg = f"{type(self).__name__}: some values of y are negative, and the Poisson loss is of counts from 0"
            raise DataError(msg)
        self.n_outputs_ = columns
        self._flat = y.ndim == 1
        return y.reshape(-1, columns).astype(np.float64)

    def _losses(self) -> Mapping[str, Callable[[], Callable[..., Tensor]]]:
        return OF_NUMBERS

    def _score_of(self, outputs: Tensor, targets: HostArray, weight: HostArray | None) -> float:
        predicted = (ops.exp(outputs) if self.loss == "poisson" else outputs).numpy()
        return float(r2_score(targets, predicted, sample_weight=weight))
