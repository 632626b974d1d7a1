"""The training loop."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from .._device import device as find_device
from .._device import synchronize
from .._errors import ConfigError, DataError, NumericalError
from .._tape import no_grad
from ..data import DataLoader, Dataset
from ..nn import CategoricalCrossEntropy
from ..ops.creation import asarray
from .history import History

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from .._tensor import Tensor
    from .._typing import DeviceLike
    from ..metrics import Metric
    from ..nn import Loss, Module
    from ..optim import BaseOptimizer
    from .callback import Callback

    HostArray = np.ndarray[Any, Any]
    Data = Dataset | DataLoader | tuple[HostArray, HostArray]


class Trainer:
    """A model, what it is trained for, and how.

    Parameters
    ----------
    model
        The model. It is moved to the device.
    loss
        What to make small: a function of predictions and targets.
    optimizer
        How, built on the model's parameters.
    metrics
        What else to measure.
    device
        Where to train; where the model is, if not given.
    callbacks
        What else to do.

    Examples
    --------
    >>> from deepcore import data, metrics, nn, optim, random, train
    >>> random.seed(0)
    >>> training, test = data.train_test_split(data.digits(), seed=0)
    >>> model = nn.Sequential(nn.Flatten(), nn.Dense(64, 32, activation="relu"), nn.Dense(32, 10))
    >>> adam = optim.Adam(model.parameters(), lr=0.01)
    >>> trainer = train.Trainer(model, nn.CategoricalCrossEntropy(), adam, metrics=[metrics.Accuracy()])
    >>> history = trainer.fit(training, epochs=3)
    >>> trainer.evaluate(test)["accuracy"] > 0.9
    True
    """

    def __init__(
        self,
        model: Module,
        loss: Loss,
        optimizer: BaseOptimizer,
        *,
        metrics: Sequence[Metric] = (),
        device: DeviceLike = None,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self.device = model.device if device is None else find_device(device)
        self.model = model.to(self.device)
        self.loss = loss.to(self.device)
        self.optimizer = optimizer
        self.metrics = list(metrics)
        self.callbacks = list(callbacks)

    def fit(
        self,
        data: Data,
        *,
        epochs: int = 1,
        batch_size: int = 32,
        validation: Data | None = None,
        seed: int = 0,
    ) -> History:
        """Train.

        Parameters
        ----------
        data
            A data set, a pair (inputs, targets), or a loader, which then decides on batches and order.
        epochs
            How often to go through the data.
        batch_size
            The number of samples of a step. The last, smaller batch is kept.
        validation
            Data to evaluate after every epoch.
        seed
            Decides the order of the samples.

        Returns
        -------
        History
            What was measured. Ctrl-C ends training early and is recorded there, not raised.

        Raises
        ------
        DataError
            If the data has NaNs or infinities, or labels that the model has no class for.
        NumericalError
            If the loss becomes NaN or infinite. The message names the epoch and the batch.
        """
        if epochs < 1:
            msg = f"fit: the number of epochs is at least 1, not {epochs}"
            raise ConfigError(msg)
        loader = _loader(data, batch_size=batch_size, shuffle=True, seed=seed)
        self._check(loader.dataset)
        validating = None
        if validation is not None:
            validating = _loader(validation, batch_size=max(batch_size, 256), shuffle=False, seed=0)
            self._check(validating.dataset)
        history = History()
        self._tell("on_fit_start", epochs=epochs, samples=len(loader.dataset))
        try:
            for epoch in range(1, epochs + 1):
                self._tell("on_epoch_start", epoch)
                values = self._epoch(loader, epoch)
                if validating is not None:
                    measured = self._measured(validating)
                    values |= {f"val_{name}": value for name, value in measured.items()}
                history.epochs.append({"epoch": epoch, **values})
                self._tell("on_epoch_end", epoch, values)
        except KeyboardInterrupt:
            history.interrupted = True
        finally:
            self.model.eval()
            self._tell("on_fit_end")
        return history

    def _epoch(self, loader: DataLoader, epoch: int) -> dict[str, float]:
        self.model.train()
        for metric in self.metrics:
            metric.reset()
        start, total, seen, values = time.perf_counter(), 0.0, 0, {}
        for batch, (inputs, targets) in enumerate(loader, start=1):
            loss, prediction = self._step(inputs, targets)
            if not math.isfinite(loss):
                msg = (
                    f"the loss became {loss} in epoch {epoch}, batch {batch}; "
                    "a smaller learning rate, gradient clipping or normalised inputs usually help"
                )
                raise NumericalError(msg)
            total, seen = total + loss * len(inputs), seen + len(inputs)
            for metric in self.metrics:
                metric.update(prediction, targets)
            seconds = time.perf_counter() - start
            values = {"loss": total / seen, "samples": seen, "samples_per_second": seen / seconds}
            values |= {metric.name: metric.compute() for metric in self.metrics}
            self._tell("on_batch_end", batch, values)
        synchronize(self.device)
        return {**values, "seconds": time.perf_counter() - start}

    def _step(self, inputs: HostArray, targets: HostArray) -> tuple[float, Tensor]:
        """Take one step on one batch, and return the loss before it and the predictions."""
        self.optimizer.zero_grad()
        prediction = self.model(asarray(inputs, device=self.device))
        loss = self.loss(prediction, asarray(targets, device=self.device))
        value: float = loss.item()
        if math.isfinite(value):  # otherwise the step would destroy the weights
            loss.backward()
            self.optimizer.step()
        return value, prediction.detach()

    def evaluate(self, data: Data, *, batch_size: int = 1024) -> dict[str, float]:
        """Return the loss and the metrics on data, in evaluation mode."""
        loader = _loader(data, batch_size=batch_size, shuffle=False, seed=0)
        self._check(loader.dataset)
        return self._measured(loader)

    def _measured(self, loader: DataLoader) -> dict[str, float]:
        """Return the loss and the metrics on data that has been checked."""
        for metric in self.metrics:
            metric.reset()
        total, seen = 0.0, 0
        with _evaluating(self.model):
            for inputs, targets in loader:
                prediction = self.model(asarray(inputs, device=self.device))
                loss = self.loss(prediction, asarray(targets, device=self.device))
                total, seen = total + loss.item() * len(inputs), seen + len(inputs)
                for metric in self.metrics:
                    metric.update(prediction, targets)
        return {"loss": total / seen, **{metric.name: metric.compute() for metric in self.metrics}}

    def predict(self, inputs: HostArray, *, batch_size: int = 1024) -> HostArray:
        """Return the model's results for any number of samples, in evaluation mode, on the host."""
        if len(inputs) == 0:
            msg = "predict: there are no samples"
            raise DataError(msg)
        with _evaluating(self.model):
            starts = range(0, len(inputs), batch_size)
            parts = [self.model(asarray(inputs[i : i + batch_size], device=self.device)).numpy() for i in starts]
        return np.concatenate(parts)

    def _check(self, dataset: Dataset) -> None:
        dataset.check_finite()
        checks = isinstance(self.loss, CategoricalCrossEntropy) and self.loss.ignore_index is None
        if checks and dataset.targets.ndim == 1:
            with _evaluating(self.model):
                classes = self.model(asarray(dataset.inputs[:1], device=self.device)).shape[-1]
            dataset.check_labels(classes)

    def _tell(self, event: str, *args: object, **kwargs: object) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self, *args, **kwargs)


@contextmanager
def _evaluating(model: Module) -> Generator[None, None, None]:
    """Compute in evaluation mode and record nothing; afterwards every part is in the mode that it was in."""
    modes = [(module, module.training) for _, module in model.named_modules()]
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def _loader(data: Data, *, batch_size: int, shuffle: bool, seed: int) -> DataLoader:
    if isinstance(data, DataLoader):
        return data
    dataset = data if isinstance(data, Dataset) else Dataset(data[0], data[1])
    return DataLoader(dataset, batch_size=batch_size, shuffle=shuffle, seed=seed)
