"""What the classifier and the regressor share: hyperparameters, fitting, and what is saved."""

from __future__ import annotations

import functools
import warnings
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._device import device as find_device
from .._errors import ConfigError, DataError, DeepcoreError, DeviceError
from ..nn import Dense
from ..ops.creation import asarray
from ..random import Generator
from ._arrays import DenseRows, Home, checked, checked_target, checked_weight, rows_of, type_for
from ._check import check_options
from ._losses import Objective
from ._model import Architecture, sizes
from ._progress import Progress, batch_size
from ._solver import optimizer_of, penalises
from ._training import Samples, Training, outputs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .._device import Device
    from .._tensor import Tensor
    from .._typing import DeviceLike
    from ..nn import Module
    from ..optim import BaseOptimizer
    from ._arrays import HostArray


class DeepEstimator(BaseEstimator, ABC):
    r"""The base of the estimators, with scikit-learn's names for what ``MLPClassifier`` and ``MLPRegressor`` have too.

    Parameters
    ----------
    hidden_layer_sizes
        The number of units of each hidden layer.
    activation
        The function of the hidden layers: ``"relu"``, ``"tanh"``, ``"logistic"``, ``"identity"``, another name that
        :class:`deepcore.nn.Dense` knows, or a function without arguments that returns a module.
    solver
        ``"adam"``, ``"sgd"``, ``"adamw"``, ``"nadam"``, ``"radam"``, ``"rmsprop"``, ``"lion"``; ``"lbfgs"``, which
        looks at all samples at once; or a function of the parameters that returns an optimizer of
        :mod:`deepcore.optim`.
    alpha
        $\alpha$ of the penalty $\tfrac{\alpha}{2n} \lVert W \rVert_2^2$ on weights, where $n$ is the number of samples
        of a batch (the sum of their weights, if they have some). ``"adamw"`` and ``"lion"`` decouple it.
    batch_size
        The number of samples of a batch; ``"auto"`` is 200, or all where there are fewer.
    learning_rate
        ``"constant"``, ``"invscaling"`` or ``"adaptive"``; only ``"sgd"`` looks at it.
    learning_rate_init
        The learning rate at the beginning.
    power_t
        The exponent of ``"invscaling"``.
    max_iter
        The largest number of epochs; of iterations, by ``"lbfgs"``.
    shuffle
        Whether every epoch has an order of its own.
    random_state
        Decides initial weights, dropout, the order of samples, and which are held out. The weights, and with them
        everything else, are the same on every device up to rounding.
    tol
        By how much the loss (or the validation score) has to improve.
    verbose
        Whether to print the loss of every epoch.
    warm_start
        Whether ``fit`` goes on with the weights that there are.
    momentum, nesterovs_momentum
        Of ``"sgd"``.
    early_stopping
        Whether to hold out samples, stop when the score on them improves no more, and keep the best weights.
    validation_fraction
        The share of the samples that is held out.
    beta_1, beta_2, epsilon
        Of Adam and its relatives.
    n_iter_no_change
        For how many epochs nothing may improve.
    max_fun
        The largest number of evaluations by ``"lbfgs"``.
    dropout
        The probability that a hidden unit is dropped while training.
    model
        A model of one's own instead of hidden layers: a function of the numbers of features and outputs that returns a
        :class:`deepcore.nn.Module`; or a module, which is copied with its weights and trained further.
    loss
        The name of a loss, a loss of :mod:`deepcore.nn`, or a function of predictions, targets and weights.
    device
        Where to compute, for example ``"cuda"``. None is where the samples are.
    dtype
        What to compute in, for example ``"float32"``. None is float32 for samples in float32 and narrower, and float64
        for others, as in scikit-learn.

    Notes
    -----
    With the same weights to begin with, the steps are those of scikit-learn's perceptrons, except that $\varepsilon$ of
    Adam is where its paper has it, that momentum remembers gradients and not steps, which is another thing where the
    learning rate changes, and that the penalty of a last, smaller batch is that of the others.

    Samples may be anything that scikit-learn takes (data frames and sparse matrices included), tensors, and arrays of
    CuPy, PyTorch, JAX and array-api-strict. They are moved to where the model is; predictions come back in the library
    and on the device of the samples.

    Attributes
    ----------
    model_
        The :class:`deepcore.nn.Module` that was fitted.
    coefs_, intercepts_
        The weights and biases of its fully connected layers, as NumPy arrays.
    loss_curve_, history_
        The loss of every epoch; and this and the validation scores by name.
    loss_, best_loss_, n_iter_, t_
        The last and the least loss, the number of epochs of the last fit, and of samples that were seen.
    validation_scores_, best_validation_score_
        With early stopping, the scores (accuracies, or R²), and the best one; otherwise None.
    n_features_in_, feature_names_in_, n_outputs_
        What was fitted on, and the number of numbers that the model predicts.
    """

    n_features_in_: int
    n_outputs_: int
    _numeric: bool  # whether targets are numbers, and not classes

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str | Callable[[], Module] = "relu",
        *,
        solver: str | Callable[[list[Any]], BaseOptimizer] = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: float = 0.0,
        model: Module | Callable[[int, int], Module] | None = None,
        loss: str | Callable[..., Tensor] | None = None,
        device: DeviceLike = None,
        dtype: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.dropout = dropout
        self.model = model
        self.loss = loss
        self.device = device
        self.dtype = dtype

    # ------------------------------------------------------------------------------------------------ of subclasses

    @abstractmethod
    def _encoded(self, y: HostArray, *, fresh: bool, partial: bool) -> HostArray:
        """Return targets as the loss takes them, and set the attributes that describe them."""

    @abstractmethod
    def _losses(self) -> Mapping[str, Callable[[], Callable[..., Tensor]]]:
        """Return the losses that have names, the default one first."""

    @abstractmethod
    def _score_of(self, outputs: Tensor, targets: HostArray, weight: HostArray | None) -> float:
        """Return the score of what the model gives, for early stopping."""

    def _strata(self, targets: HostArray) -> HostArray | None:
        """Return what is to be as frequent among the samples that are held out as among the others."""
        return None

    # ------------------------------------------------------------------------------------------------------ fitting

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X
            The samples, of shape (n, features).
        y
            What is to be predicted, of shape (n,) or (n, outputs).
        sample_weight
            What each sample counts for, of shape (n,). A sample of weight 0 is one that is not there.

        Returns
        -------
        self
            The estimator.
        """
        return self._fit(X, y, sample_weight, partial=False)

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, partial: bool) -> Self:
        check_options(self, partial=partial)
        fresh = not hasattr(self, "model_") or not (self.warm_start or partial)
        x = checked(self, X, reset=fresh)
        target = checked_target(self, x, y, numeric=self._numeric)
        weight = checked_weight(self, x, sample_weight)
        targets = self._encoded(target, fresh=fresh, partial=partial)
        if fresh:
            self._begin(x, Home(X).place)
        else:
            self._go_on()
        samples = self._samples(x, targets, weight)
        held_out = None
        if weight is not None and not weight.all():
            kept = weight.nonzero()[0]
            samples, targets, weight = samples.part(kept), targets[kept], weight[kept]
        if self.early_stopping and self.solver != "lbfgs":
            training, validation = self._split(targets)
            held_out = samples.part(validation), targets[validation], None if weight is None else weight[validation]
            samples = samples.part(training)
        self._train(samples, held_out, partial=partial)
        return self

    def _begin(self, x: Any, place: Device) -> None:
        """Make a new model."""
        self._device = place if self.device is None else find_device(self.device)
        self._dtype = type_for(x, self.dtype, self._device)
        self._random = check_random_state(self.random_state)
        self._generator = Generator(int(self._random.randint(2**31)))
        self._architecture = self._described()
        self.model_ = self._architecture.build(self._generator).to(self._device).astype(self._dtype).eval()
        self._optimizer: BaseOptimizer | None = None
        self._decay = 0.0
        self._no_improvement_count = 0
        self.t_ = 0
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        self.best_loss_ = None if self.early_stopping else np.inf
        self.best_validation_score_ = -np.inf if self.early_stopping else None
        self.history_ = {"loss": self.loss_curve_}
        if self.validation_scores_ is not None:
            self.history_["validation_score"] = self.validation_scores_

    def _go_on(self) -> None:
        """Take the model that there is."""
        if self._described() != self._architecture:
            msg = (
                f"{type(self).__name__}: the hyperparameters of the model have changed since it was fitted, so it "
                "cannot be fitted further; use fit with warm_start=False"
            )
            raise ConfigError(msg)
        if self.device is not None and find_device(self.device) is not self._device:
            self._device = find_device(self.device)
            self.model_.to(self._device)

    def _described(self) -> Architecture:
        hidden = sizes(self.hidden_layer_sizes)
        return Architecture(self.n_features_in_, self.n_outputs_, hidden, self.activation, self.dropout, self.model)

    def _samples(self, x: Any, targets: HostArray, weight: HostArray | None) -> Samples:
        rows = rows_of(x, self._dtype, self._device)
        dtype = None if targets.dtype.kind in "iu" else self._dtype
        there = DenseRows(asarray(targets, dtype=dtype, device=self._device))
        masses = None if weight is None else DenseRows(asarray(weight, dtype=self._dtype, device=self._device))
        return Samples(rows, there, masses, weight)

    def _split(self, targets: HostArray) -> tuple[HostArray, HostArray]:
        """Return the samples to train on, and those that are held out."""
        training: Any
        validation: Any
        training, validation = train_test_split(
            np.arange(len(targets)),
            random_state=self._random,
            test_size=self.validation_fraction,
            stratify=self._strata(targets),
        )
        if len(validation) < 2:
            msg = "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            raise DataError(msg)
        return training, validation

    def _train(
        self, samples: Samples, held_out: tuple[Samples, HostArray, HostArray | None] | None, *, partial: bool
    ) -> None:
        mass = 1.0 if samples.masses is None else float(samples.masses.mean())
        whole = self.solver == "lbfgs"
        size = len(samples) if whole else batch_size(self.batch_size, len(samples))
        decay = self.alpha / (size * mass)
        optimizer = self._optimizer_for(decay, again=partial)
        training = Training(
            self.model_,
            self.n_outputs_,
            Objective(self.loss, self._losses()),
            optimizer,
            decay=decay,
            in_loss=not penalises(self.solver),
        )
        with self._architecture.drawing(self._generator):
            if whole:
                self.loss_ = training.minimise(samples)
                self.loss_curve_.append(self.loss_)
                self.best_loss_ = self.loss_
                self.n_iter_ = max(1, int(optimizer.state_dict()["n_iter"]))
                return
            score = None if held_out is None else functools.partial(self._held_out_score, *held_out)
            epochs = 1 if partial else self.max_iter
            Progress(self, training, score).run(samples, self._random, size=size, epochs=epochs, stops=not partial)

    def _held_out_score(self, samples: Samples, targets: HostArray, weight: HostArray | None) -> float:
        return self._score_of(outputs_of(self.model_, samples.inputs), targets, weight)

    def _optimizer_for(self, decay: float, *, again: bool) -> BaseOptimizer:
        """Return a new optimizer, or the one that there is, which goes on with what it remembers."""
        old = self._optimizer if again else None
        if old is not None and decay == self._decay:
            return old
        new = optimizer_of(self, self.model_, decay)
        if old is not None:
            new.load_state_dict(old.state_dict())
        self._optimizer, self._decay = new, decay
        return new

    # --------------------------------------------------------------------------------------------------- predicting

    def _outputs(self, X: Any, method: str) -> tuple[Tensor, Home]:
        """Return what the model gives, and where the results belong."""
        check_is_fitted(self)
        home = Home(X)
        if self.device is None and get_config()["array_api_dispatch"] and home.place is not self._device:
            msg = (
                f"Inputs passed to {type(self).__name__}.{method}() must use the same namespace and the same device as "
                f"those passed to fit(). They are on {home.place}, and the model is on {self._device}; give device=, "
                "or leave scikit-learn's array_api_dispatch off, and they are moved"
            )
            raise DeviceError(msg)
        x = checked(self, X, reset=False)
        return outputs_of(self.model_, rows_of(x, self._dtype, self._device)), home

    @property
    def coefs_(self) -> list[HostArray]:
        """The weights of the fully connected layers, of shape (inputs, outputs)."""
        return [layer.weight.numpy() for layer in self._layers()]

    @property
    def intercepts_(self) -> list[HostArray]:
        """The biases of the fully connected layers."""
        return [layer.bias.numpy() for layer in self._layers() if layer.bias is not None]

    def _layers(self) -> list[Dense]:
        check_is_fitted(self)
        return [module for _, module in self.model_.named_modules() if isinstance(module, Dense)]

    # ------------------------------------------------------------------------------------------------------- saving

    def __getstate__(self) -> dict[str, Any]:
        """Return everything, with the weights and what the optimizer remembers as NumPy arrays."""
        own: Any = super().__getstate__()
        state: dict[str, Any] = {**own}
        if "model_" in state:
            state["_device"] = str(self._device)
            state["model_"] = _on_host(self.model_.state_dict())
            state["_optimizer"] = None if self._optimizer is None else _on_host(self._optimizer.state_dict())
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "model_" not in state:
            return
        name, weights, memory = state["_device"], state["model_"], state["_optimizer"]
        try:
            self._device = find_device(name)
        except DeepcoreError:
            self._device = find_device("cpu")
            warnings.warn(f"there is no device {name!r} here, where the model was fitted; it is on 'cpu'", stacklevel=2)
        drawn = self._generator.state_dict()
        model = self._architecture.build(self._generator).to(self._device).astype(self._dtype).eval()
        model.load_state_dict(weights)
        self._generator.load_state_dict(drawn)  # the initial weights were drawn once more
        self.model_ = model
        self._optimizer = None
        if memory is not None:
            self._optimizer = optimizer_of(self, model, self._decay)
            self._optimizer.load_state_dict(memory)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.array_api_support = True
        return tags


def _on_host(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.numpy() if hasattr(value, "numpy") else value for name, value in state.items()}
