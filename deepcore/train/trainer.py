"""The training loop."""

from __future__ import annotations

import math
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._device import device as find_device
from .._device import synchronize
from .._errors import ConfigError, DataError, DTypeError, NumericalError
from .._modes import in_mode
from .._tape import no_grad
from ..checkpoint import CheckpointFolder
from ..data import DataLoader, Dataset
from ..graph import compile as compile_step
from ..nn import CategoricalCrossEntropy, Parameter
from ..ops.creation import asarray
from ..optim._rebind import rebind
from ..random._state import watched
from ._progress import BatchValues, Progress
from ._state import restore, state_of
from ._trouble import origin_of
from .history import History
from .precision import MixedPrecision
from .snapshots import Checkpoint
from .step import Step

if TYPE_CHECKING:
    import os
    from collections.abc import Generator, Mapping, Sequence

    from .._tensor import Tensor
    from .._typing import DeviceLike, Raw
    from ..graph.compiled import Compiled
    from ..metrics import Metric
    from ..nn import Loss, Module
    from ..optim import BaseOptimizer, WeightAverage
    from .callback import Callback

    HostArray = np.ndarray[Any, Any]
    Data = Dataset | DataLoader | tuple[HostArray, HostArray]


_WHOLE: Final = {"weight": 1.0, "total": 1.0, "begins": True, "ends": True}
"""What a step is given besides a batch where it is one batch: what it takes if it is given nothing."""


class Trainer:
    """A model, what it is trained for, and how.

    Training is reproducible: the same seeds give the same bits on the same device, and on every device the same first
    weights, masks and order of samples. With a :class:`Checkpoint` it can be killed at any moment, and resumed training
    gives the bits that it would have given otherwise.

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
    accumulate
        The number of batches whose gradients the optimizer moves with. With a loss that is a mean, k batches of n are
        then one of kn, the smaller batch at the end of an epoch included.
    clip_norm
        The largest norm of all gradients together; longer ones are made shorter.
    clip_value
        The largest absolute value of a gradient's element.
    average
        An average of the weights, such as :class:`~deepcore.optim.ExponentialMovingAverage`. It is updated after every
        step, and is what is evaluated, and predicts.
    precision
        ``"float32"``: every tensor in its own data type; ``"bfloat16"`` or ``"float16"``: layers compute in this one;
        or a :class:`MixedPrecision`.
    compile
        Whether the step is compiled, with :func:`deepcore.compile`. A step that cannot be runs as it is written.

    Attributes
    ----------
    history
        The record of the last call of :meth:`fit`, so far.
    progress
        How far it has come.
    batch
        The inputs and targets of the present batch.
    is_resumed
        Whether the last call of :meth:`fit` went on with a snapshot.
    is_complete
        Whether it came to its end, or was stopped, between two batches: by no error, and not by Ctrl-C.

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
        accumulate: int = 1,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        average: WeightAverage | None = None,
        precision: str | MixedPrecision = "float32",
        compile: bool = False,
    ) -> None:
        if accumulate < 1:
            msg = f"Trainer: accumulate is a number of batches, at least 1, not {accumulate}"
            raise ConfigError(msg)
        for name, value in (("clip_norm", clip_norm), ("clip_value", clip_value)):
            if value is not None and not value > 0:
                msg = f"Trainer: {name} is a number above 0, not {value}"
                raise ConfigError(msg)
        self.device = model.device if device is None else find_device(device)
        self.model = model.to(self.device)
        self.loss = loss.to(self.device)
        if average is not None:
            average.load_state_dict(average.state_dict())  # onto the device to which the model has moved
        self.optimizer = optimizer
        self.metrics = list(metrics)
        self.callbacks = sorted(callbacks, key=lambda callback: callback.comes_last)
        self.accumulate = accumulate
        if isinstance(precision, str):
            mixed = None if precision == "float32" else MixedPrecision(precision)
        else:
            mixed = precision
        if mixed is not None and not self.device.backend.supports(mixed.dtype, self.device.name):
            msg = f"Trainer: {self.device} has no {mixed.dtype.name}, in which the layers are to compute"
            raise DTypeError(msg)
        if compile and mixed is not None and mixed.scale is not None:
            msg = "Trainer: a step with a loss scale looks at its gradients, and cannot be compiled; use bfloat16"
            raise ConfigError(msg)
        self.step = Step(
            self.model,
            self.loss,
            optimizer,
            average=average,
            precision=mixed,
            clip_norm=clip_norm,
            clip_value=clip_value,
        )
        self._compiled = compile_step(self.step.__call__, fallback=True) if compile else None
        self.history = History()
        self.progress = Progress()
        self.batch: tuple[Tensor, Tensor] | None = None
        self.data_shape: dict[str, int] = {}
        self.is_resumed = self.is_complete = False
        self._stopping = False

    # ---------------------------------------------------------------------------------------------------- training

    def fit(
        self,
        data: Data,
        *,
        epochs: int = 1,
        batch_size: int = 32,
        validation: Data | None = None,
        seed: int = 0,
        resume: bool | str | os.PathLike[str] = False,
    ) -> History:
        """Train.

        Parameters
        ----------
        data
            A data set, a pair (inputs, targets), or a loader, which then decides on batches and order.
        epochs
            How often to go through the data, in all: what was done before training is resumed counts.
        batch_size
            The number of samples of a step. The last, smaller batch is kept.
        validation
            Data to evaluate after every epoch.
        seed
            Decides the order of the samples.
        resume
            Whether to go on where the last snapshot of the :class:`Checkpoint` among the callbacks was taken, or of
            the folder that is given. If there is none yet, training begins.

        Returns
        -------
        History
            What was measured. Ctrl-C ends training early and is recorded there, not raised.

        Raises
        ------
        DataError
            If the data has NaNs or infinities, or labels that the model has no class for; or a snapshot is damaged.
        NumericalError
            If the loss becomes NaN or infinite. The message names the epoch, the batch and the layer where it began.
            Unless the step is compiled, nothing has been learned from that batch.
        StateError
            If a snapshot is of other training.
        StorageError
            If a snapshot cannot be read or written.
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
        folder = self._folder(resume)
        self.history = history = History()
        self.progress = Progress(order=loader.epoch)
        self.data_shape = {"samples": len(loader.dataset), "batches": len(loader)}
        self.is_resumed = folder is not None and folder.exists()
        self._stopping = False
        self.is_complete = False
        try:
            self._tell("on_fit_start", epochs=epochs, samples=len(loader.dataset))
            if folder is not None and self.is_resumed:
                self.load_state_dict(folder.load())
            while self.progress.epoch < epochs and not self._stopping:
                self._fit_epoch(loader, validating)
            self.is_complete = True
        except KeyboardInterrupt:
            history.interrupted = True
            history.stopped = "interrupted"
        finally:
            self.model.eval()
            self._tell("on_fit_end")
            self.batch = None
        return history

    def stop(self, reason: str, *, interrupted: bool = False) -> None:
        """End training after the present batch, or after the epoch if all of its batches are done.

        Parameters
        ----------
        reason
            What :attr:`History.stopped` is to say.
        interrupted
            Whether training is not done, and can be resumed.
        """
        self._stopping = True
        self.history.stopped, self.history.interrupted = reason, interrupted

    @property
    def rate(self) -> float:
        """The learning rate of the next step; NaN, if the optimizer has none."""
        try:
            return self.optimizer.lr
        except AttributeError:
            return math.nan

    def state_dict(self) -> dict[str, Any]:
        """Return everything that training remembers, for a :class:`~deepcore.checkpoint.CheckpointFolder`.

        It is that of the model, the optimizer with its schedules, the average, the loss scale, random generators,
        metrics, callbacks, the history, and the place in the data.
        """
        return state_of(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set what :meth:`state_dict` returned.

        Raises
        ------
        StateError
            If it does not fit. Nothing has been changed.
        """
        restore(self, state)

    def _fit_epoch(self, loader: DataLoader, validating: DataLoader | None) -> None:
        epoch = self.progress.epoch + 1
        if not self._begins(epoch):
            return
        values = self._epoch(loader, epoch)
        if self._stopping and self.progress.batch < len(loader):
            return
        if validating is not None:
            measured = self._measured(validating)
            values |= {f"val_{name}": value for name, value in measured.items()}
        self.history.epochs.append({"epoch": epoch, **values})
        self.progress.end_epoch()
        self.progress.order = loader.epoch
        self._tell("on_epoch_end", epoch, values)

    def _begins(self, epoch: int) -> bool:
        """Tell the callbacks, and return whether none of them stops."""
        self._tell("on_epoch_start", epoch)
        return not self._stopping

    def _epoch(self, loader: DataLoader, epoch: int) -> dict[str, float]:
        self.model.train()
        progress = self.progress
        if progress.batch == 0:
            for metric in self.metrics:
                metric.reset()
        done = progress.batch == len(loader)  # and only what ends an epoch was not, when the snapshot was taken
        loader.resume_at(progress.order + done, 0 if done else progress.batch)
        progress.begin_epoch()
        for inputs, targets in () if done else loader:
            loss, prediction = self._stepped(inputs, targets, last=progress.batch + 1 == len(loader))
            progress.add(loss, len(inputs))
            for metric in self.metrics:
                metric.update(prediction, targets)
            self._tell("on_batch_end", progress.batch, BatchValues(progress.values(), self.metrics))
            if self._stopping:
                break
        synchronize(self.device)
        values = progress.values() | {metric.name: metric.compute() for metric in self.metrics}
        return {**values, "seconds": progress.seconds}

    def _stepped(self, inputs: HostArray, targets: HostArray, *, last: bool) -> tuple[float, Any]:
        """Take a step on one batch, or a part of one, and return the loss before it and the predictions."""
        progress = self.progress
        weight = 1.0
        if progress.batches_waiting == 0:
            progress.first, progress.waiting = len(inputs), 0.0
        if self._averages:
            weight = len(inputs) / progress.first
        progress.waiting += weight
        progress.batches_waiting += 1
        begins = progress.batches_waiting == 1
        ends = last or progress.batches_waiting == self.accumulate
        total = progress.waiting if ends and self._averages else 1.0
        self.batch = batch = asarray(inputs, device=self.device), asarray(targets, device=self.device)
        parts: dict[str, Any] = {"weight": weight, "total": total, "begins": begins, "ends": ends}
        if self._compiled is None:
            loss, prediction = self._eager_step(batch, parts)
        else:
            loss, prediction = self._compiled_step(self._compiled, batch, parts)
        if ends:
            progress.batches_waiting = 0
        return loss, prediction

    @property
    def _averages(self) -> bool:
        """Whether the gradient of a step is the mean over several batches."""
        return self.accumulate > 1 and getattr(self.loss, "reduction", "mean") == "mean"

    def _eager_step(self, given: tuple[Tensor, Tensor], parts: dict[str, Any]) -> tuple[float, Any]:
        buffers = [(x, x._data) for _, x in self.model.named_tensors() if not isinstance(x, Parameter)]
        values: list[float] = []

        def check(loss: Tensor) -> None:
            values.append(loss.item())
            if not math.isfinite(values[0]):
                raise _NotFiniteError

        with watched() as drawn:
            try:
                _, prediction = self.step(*given, **parts, check=check, look=self._look)
            except _NotFiniteError:
                _set_back(buffers)
                origin = origin_of(self.step, *given, dict(drawn))
                _set_back(buffers)
                raise self._not_finite(values[0], origin) from None
        return values[0], prediction

    def _compiled_step(
        self, step: Compiled[..., tuple[Tensor, Any]], given: tuple[Tensor, Tensor], parts: dict[str, Any]
    ) -> tuple[float, Any]:
        # Most batches are a step of their own; where tensors are all that is given, a program is found sooner.
        loss, prediction = step(*given) if parts == _WHOLE else step(*given, **parts)
        value: float = loss.item()
        if not math.isfinite(value):
            origin = "the compiled step has moved the weights already; one that is not compiled tells the layer"
            raise self._not_finite(value, origin)
        self._look()
        return value, prediction

    def _look(self) -> None:
        self._tell("on_gradients", self.progress.batch + 1)

    def _not_finite(self, loss: float, origin: str) -> NumericalError:
        return NumericalError(
            f"the loss became {loss} in epoch {self.progress.epoch + 1}, batch {self.progress.batch + 1}; "
            f"a smaller learning rate, gradient clipping or normalised inputs usually help; {origin}"
        )

    def _folder(self, resume: bool | str | os.PathLike[str]) -> CheckpointFolder | None:
        """Return where to resume."""
        if not isinstance(resume, bool):
            return CheckpointFolder(Path(resume))
        folders = [callback.folder for callback in self.callbacks if isinstance(callback, Checkpoint)]
        if resume and not folders:
            msg = "fit: resume=True goes on with what a Checkpoint has saved, and there is none among the callbacks"
            raise ConfigError(msg)
        return folders[0] if resume else None

    # -------------------------------------------------------------------------------------------------- evaluation

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
        with self.averaged(), _evaluating(self.model):
            for inputs, targets in loader:
                there = asarray(inputs, device=self.device), asarray(targets, device=self.device)
                prediction, loss = self.step.forward(*there)
                total, seen = total + loss.item() * len(inputs), seen + len(inputs)
                for metric in self.metrics:
                    metric.update(prediction, targets)
        return {"loss": total / seen, **{metric.name: metric.compute() for metric in self.metrics}}

    def predict(self, inputs: HostArray, *, batch_size: int = 1024) -> HostArray:
        """Return the model's results for any number of samples, in evaluation mode, on the host."""
        if len(inputs) == 0:
            msg = "predict: there are no samples"
            raise DataError(msg)
        with self.averaged(), _evaluating(self.model):
            starts = range(0, len(inputs), batch_size)
            parts = [self.step.predict(asarray(inputs[i : i + batch_size], device=self.device)).numpy() for i in starts]
        return np.concatenate(parts)

    @contextmanager
    def averaged(self) -> Generator[None]:
        """Let the model have the averaged weights in a ``with`` block, if there are any."""
        average = self.step.average
        if average is None or not average.updates:
            yield
            return
        with average.swap():
            yield

    def _check(self, dataset: Dataset) -> None:
        dataset.check_finite()
        checks = isinstance(self.loss, CategoricalCrossEntropy) and self.loss.ignore_index is None
        if checks and dataset.targets.ndim == 1:
            with _evaluating(self.model):
                classes = self.step.predict(asarray(dataset.inputs[:1], device=self.device)).shape[-1]
            dataset.check_labels(classes)

    def _tell(self, event: str, *args: object, **kwargs: object) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self, *args, **kwargs)


def _set_back(buffers: list[tuple[Tensor, Raw]]) -> None:
    for x, data in buffers:
        rebind(x, data)


class _NotFiniteError(Exception):
    """The loss is NaN or infinite."""


@contextmanager
def _evaluating(model: Module) -> Generator[None, None, None]:
    """Compute in evaluation mode and record nothing; afterwards every part is in the mode that it was in."""
    with no_grad(), in_mode([module for _, module in model.named_modules()], training=False):
        yield


def _loader(data: Data, *, batch_size: int, shuffle: bool, seed: int) -> DataLoader:
    if isinstance(data, DataLoader):
        return data
    dataset = data if isinstance(data, Dataset) else Dataset(data[0], data[1])
    return DataLoader(dataset, batch_size=batch_size, shuffle=shuffle, seed=seed)
