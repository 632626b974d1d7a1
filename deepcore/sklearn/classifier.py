"""The classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from .. import ops
from .._errors import ConfigError, DataError
from ._arrays import on_host
from ._check import goes_by_batches
from ._estimator import DeepEstimator
from ._losses import OF_LABELS, OF_YES_OR_NO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .._tensor import Tensor
    from ._arrays import HostArray


class DeepClassifier(ClassifierMixin, DeepEstimator):
    r"""A neural network that predicts classes, as an estimator of scikit-learn.

    It takes the place of ``sklearn.neural_network.MLPClassifier``: of two classes, of more, and of several labels for
    each sample (where ``y`` is a matrix of zeros and ones).

    Parameters
    ----------
    hidden_layer_sizes, activation, ...
        As in :class:`DeepEstimator`.
    loss
        ``"log_loss"``, the cross-entropy; ``"focal"``; a loss of :mod:`deepcore.nn` of logits, or a function. Targets
        are labels, whole numbers of shape (n,), for more than two classes, and zeros and ones of shape (n, outputs)
        otherwise. For two classes the model has one output.

    Attributes
    ----------
    classes_
        The classes, sorted.

    Notes
    -----
    Against ``MLPClassifier``: biases begin at 0, and weights of a logistic layer are drawn like those of others; ``y``
    with one class gives a classifier that always predicts it; there is a :meth:`decision_function`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from deepcore.sklearn import DeepClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = DeepClassifier((16,), solver="lbfgs", alpha=0.1, random_state=0)
    >>> make_pipeline(StandardScaler(), classifier).fit(X, y).score(X, y) > 0.95
    True
    """

    classes_: HostArray
    _kind: str  # of the targets: binary, multiclass or multilabel
    _numeric = False

    @available_if(goes_by_batches)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Go through some samples once, from where the model is.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`.
        classes
            All classes. They are needed in the first call, of which ``y`` need not have all; afterwards they may be
            left out.

        Returns
        -------
        self
            The estimator.
        """
        self._announce(y, classes)
        return self._fit(X, y, sample_weight, partial=True)

    def _announce(self, y: Any, classes: Any) -> None:
        """Take over the classes of a first call, or compare them."""
        name = type(self).__name__
        if hasattr(self, "model_"):
            if classes is not None and not np.array_equal(self.classes_, np.unique(on_host(classes))):
                msg = f"{name}: classes={classes!r} are not those of the first call of partial_fit, {self.classes_!r}"
                raise DataError(msg)
            return
        if classes is None:
            msg = f"{name}: classes must be passed on the first call to partial_fit"
            raise ConfigError(msg)
        self.classes_ = np.unique(on_host(classes))

    def predict(self, X: Any) -> Any:
        """Return the predicted classes.

        Parameters
        ----------
        X
            The samples, of shape (n, features).

        Returns
        -------
        array
            Of shape (n,), or of shape (n, labels) with zeros and ones for several labels; in the library of the
            samples, if the classes are numbers.
        """
        outputs, home = self._outputs(X, "predict")
        return home.give_labels(self._labels(outputs))

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of every class.

        Parameters
        ----------
        X
            The samples, of shape (n, features).

        Returns
        -------
        array
            Of shape (n, classes), in the order of ``classes_``, with rows that sum to 1; for several labels, the
            probability of each. What is too small for the data type is its smallest normal number, and not 0.
        """
        return self._probabilities(X, "predict_proba", _sigmoid, _softmax)

    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithm of the probability of every class, which is exact where that is too small a number.

        Parameters
        ----------
        X
            The samples, of shape (n, features).

        Returns
        -------
        array
            As :meth:`predict_proba`.
        """
        return self._probabilities(X, "predict_log_proba", _log_sigmoid, ops.log_softmax)

    def decision_function(self, X: Any) -> Any:
        """Return the logits.

        Parameters
        ----------
        X
            The samples, of shape (n, features).

        Returns
        -------
        array
            Of shape (n, classes), or (n,) for two classes, above 0 where the second one is predicted.
        """
        outputs, home = self._outputs(X, "decision_function")
        return home.give(ops.reshape(outputs, (-1,)) if self._kind == "binary" else outputs)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy of the predictions: for several labels, the share of samples with all of them right.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`.
        """
        predicted = on_host(self.predict(X))
        return float(accuracy_score(on_host(y), predicted, sample_weight=on_host(sample_weight)))

    # ---------------------------------------------------------------------------------------------------- encodings

    def _encoded(self, y: HostArray, *, fresh: bool, partial: bool) -> HostArray:
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        several = kind.startswith("multilabel")
        if kind == "multiclass-multioutput":
            msg = f"{type(self).__name__}: y is {kind}, and of several columns only those of 0 and 1 are supported"
            raise DataError(msg)
        present = np.arange(y.shape[1]) if several else np.unique(y)
        if fresh and not partial:
            self.classes_ = present
        else:
            self._compare(present, several=several, fresh=fresh)
        if fresh:
            n = len(self.classes_)
            self._kind = "multilabel" if several else "binary" if n <= 2 else "multiclass"
            self.n_outputs_ = 1 if self._kind == "binary" else n
        if several:
            return (y != 0).astype(np.float64)
        labels = np.searchsorted(self.classes_, y)
        return labels.astype(np.int64) if self._kind == "multiclass" else labels.astype(np.float64).reshape(-1, 1)

    def _compare(self, present: HostArray, *, several: bool, fresh: bool) -> None:
        """Raise if there are classes that the model was not made for."""
        name = type(self).__name__
        if not fresh and several != (self._kind == "multilabel"):
            msg = f"{name}: y has {'several labels' if several else 'one class'} for a sample, unlike before"
            raise DataError(msg)
        unknown = np.setdiff1d(present, self.classes_)
        if unknown.size:
            msg = f"{name}: `y` has classes not in `self.classes_`: {unknown!r}; `self.classes_` has {self.classes_!r}"
            raise DataError(msg)

    def _labels(self, outputs: Tensor) -> HostArray:
        if self._kind == "multiclass":
            labels: HostArray = self.classes_[ops.argmax(outputs, axis=1).numpy()]
            return labels
        yes = (outputs > 0.0).numpy().astype(np.int64)
        if self._kind == "multilabel":
            return yes
        return self.classes_[np.minimum(yes.reshape(-1), len(self.classes_) - 1)]

    def _probabilities(
        self, X: Any, method: str, of_one: Callable[[Tensor], Tensor], of_all: Callable[[Tensor], Tensor]
    ) -> Any:
        outputs, home = self._outputs(X, method)
        if self._kind == "multiclass":
            return home.give(of_all(outputs))
        if self._kind == "multilabel":
            return home.give(of_one(outputs))
        if len(self.classes_) == 1:  # of a single class the probability is 1
            return home.give(of_all(outputs))
        return home.give(ops.concat([of_one(-outputs), of_one(outputs)], axis=1))

    # ----------------------------------------------------------------------------------------------- for the base

    def _losses(self) -> Mapping[str, Callable[[], Callable[..., Tensor]]]:
        return OF_LABELS if self._kind == "multiclass" else OF_YES_OR_NO

    def _strata(self, targets: HostArray) -> HostArray | None:
        return None if self._kind == "multilabel" else targets.reshape(-1)

    def _score_of(self, outputs: Tensor, targets: HostArray, weight: HostArray | None) -> float:
        if self._kind == "multiclass":
            return float(accuracy_score(targets, ops.argmax(outputs, axis=1).numpy(), sample_weight=weight))
        return float(accuracy_score(targets, (outputs > 0.0).numpy().astype(np.float64), sample_weight=weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _sigmoid(logits: Tensor) -> Tensor:
    return _above_0(ops.sigmoid(logits))


def _softmax(logits: Tensor) -> Tensor:
    return _above_0(ops.softmax(logits))


def _above_0(probability: Tensor) -> Tensor:
    return ops.clip(probability, min=ops.finfo(probability.dtype).smallest_normal)


def _log_sigmoid(logits: Tensor) -> Tensor:
    return -ops.softplus(-logits)
