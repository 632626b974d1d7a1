"""Steps, epochs and predictions of one model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import ops
from .._errors import ConfigError, NumericalError, ShapeError
from .._tape import no_grad
from ._arrays import ROWS
from ._solver import penalised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.random import RandomState

    from .._tensor import Tensor
    from ..nn import Module
    from ..optim import BaseOptimizer
    from ._arrays import HostArray, Rows
    from ._losses import Objective


class Samples:
    """Inputs, targets and weights, of which batches are taken together.

    Parameters
    ----------
    inputs
        The samples.
    targets
        What is to be predicted, with one row for each.
    weight
        What each counts for, or None where all count the same; and the same on the host.
    """

    def __init__(self, inputs: Rows, targets: Rows, weight: Rows | None, masses: HostArray | None) -> None:
        self.inputs, self.targets, self.weight, self.masses = inputs, targets, weight, masses

    def __len__(self) -> int:
        return len(self.inputs)

    def part(self, index: HostArray) -> Samples:
        """Return some of the samples."""
        weight = None if self.weight is None else self.weight.part(index)
        masses = None if self.masses is None else self.masses[index]
        return Samples(self.inputs.part(index), self.targets.part(index), weight, masses)

    def batches(self, size: int, order: HostArray | None) -> Iterator[tuple[Tensor, Tensor, Tensor | None, float]]:
        """Yield inputs, targets, weights and the sum of the weights of every batch, in an order if one is given."""
        for start in range(0, len(self), size):
            part = slice(start, min(start + size, len(self)))
            index = part if order is None else order[part]
            weight = None if self.weight is None else self.weight.batch(index)
            mass = part.stop - start if self.masses is None else float(self.masses[index].sum())
            yield self.inputs.batch(index), self.targets.batch(index), weight, mass


class Training:
    """A model, its objective and its optimizer.

    Parameters
    ----------
    model
        What is trained.
    outputs
        The number of numbers that the model is to predict.
    objective
        What is made small.
    optimizer
        How.
    decay
        What the penalty on weights is multiplied by.
    in_loss
        Whether the penalty is part of the loss, because the optimizer does not have it.
    """

    def __init__(
        self,
        model: Module,
        outputs: int,
        objective: Objective,
        optimizer: BaseOptimizer,
        *,
        decay: float,
        in_loss: bool,
    ) -> None:
        self.model, self.outputs, self.objective, self.optimizer = model, outputs, objective, optimizer
        self.decay, self.in_loss = decay, in_loss
        self.weights = penalised(model) if decay else []

    def step(self, inputs: Tensor, targets: Tensor, weight: Tensor | None) -> Tensor:
        """Take one step, and return the loss before it. Nothing is read from the device."""
        self.optimizer.zero_grad()
        loss = self._loss(inputs, targets, weight)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def epoch(self, samples: Samples, size: int, random: RandomState | None) -> float:
        """Go through all samples once, in random order if there is a source of it, and return the mean loss.

        Raises
        ------
        NumericalError
            If the loss is not finite.
        """
        self.model.train()
        n = len(samples)
        # The order within a batch does not matter, so where there is one batch nothing needs to be copied.
        order = None if random is None or size >= n else random.permutation(n)
        total: Any = 0.0
        masses = 0.0
        for inputs, targets, weight, mass in samples.batches(size, order):
            total = total + self.step(inputs, targets, weight) * mass
            masses += mass
        loss = total.item() / masses + (0.0 if self.in_loss else self._penalty())
        self.model.eval()
        return _finite(loss)

    def minimise(self, samples: Samples) -> float:
        """Take one step of a method that looks at all samples at once as often as it likes, and return the loss."""
        self.model.train()
        ((inputs, targets, weight, _),) = samples.batches(len(samples), None)

        def closure() -> Tensor:
            self.optimizer.zero_grad()
            loss = self._loss(inputs, targets, weight)
            loss.backward()
            return loss

        self.optimizer.step(closure)
        loss = closure().item()
        self.optimizer.zero_grad()
        self.model.eval()
        return _finite(loss)

    def _loss(self, inputs: Tensor, targets: Tensor, weight: Tensor | None) -> Tensor:
        prediction = self.model(inputs)
        if prediction.shape != (inputs.shape[0], self.outputs):
            wanted = (inputs.shape[0], self.outputs)
            msg = f"the model is to return an array of shape {wanted} for inputs {inputs.shape}, not {prediction.shape}"
            raise ShapeError(msg)
        loss = self.objective(prediction, targets, weight)
        if loss.ndim:
            msg = f"the loss of a batch is to be one number, not an array of shape {loss.shape}"
            raise ConfigError(msg)
        return self._penalised(loss) if self.in_loss else loss

    def _penalised(self, loss: Tensor) -> Tensor:
        for weight in self.weights:
            loss = loss + (0.5 * self.decay) * ops.square(weight).sum()
        return loss

    def _penalty(self) -> float:
        with no_grad():
            squares = [ops.square(weight).sum() for weight in self.weights]
            return 0.5 * self.decay * math.fsum(square.item() for square in squares)


def outputs_of(model: Module, rows: Rows) -> Tensor:
    """Return the results of a model in evaluation mode for any number of samples."""
    with no_grad():
        n = len(rows)
        parts = [model(rows.batch(slice(start, min(start + ROWS, n)))) for start in range(0, n, ROWS)]
    return parts[0] if len(parts) == 1 else ops.concat(parts)


def _finite(loss: float) -> float:
    if not np.isfinite(loss):
        msg = (
            f"the loss became {loss}. The input data may contain large values and need to be preprocessed "
            "(StandardScaler), or learning_rate_init is too large"
        )
        raise NumericalError(msg)
    return loss
