"""One step of training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._tape import no_grad
from .._tensor import Tensor
from ..optim import clip_grad_norm, clip_grad_value
from ..tree import tree_map

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..nn import Loss, Module
    from ..optim import BaseOptimizer, WeightAverage
    from .precision import MixedPrecision


class Step:
    """Forward, backward, and the optimizer's move, for one batch.

    It refers to what it changes and to nothing else, and looks at no value (but for the scale of float16, and for
    what the caller looks at), so that it can be compiled.

    Attributes
    ----------
    model, loss, optimizer, average, precision, clip_norm, clip_value
        As for :class:`Trainer`.
    """

    def __init__(
        self,
        model: Module,
        loss: Loss,
        optimizer: BaseOptimizer,
        *,
        average: WeightAverage | None = None,
        precision: MixedPrecision | None = None,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.average = average
        self.precision = precision
        self.clip_norm = clip_norm
        self.clip_value = clip_value

    def forward(self, inputs: Any, targets: Any) -> tuple[Any, Tensor]:
        """Return the predictions and the loss."""
        prediction = self.predict(inputs)
        return prediction, self.loss(prediction, targets)

    def predict(self, inputs: Any) -> Any:
        """Return the predictions."""
        if self.precision is None:
            return self.model(inputs)
        with self.precision.narrow(self.model):
            prediction = self.model(self.precision.narrowed(inputs))
        return self.precision.widened(prediction)

    def __call__(
        self,
        inputs: Any,
        targets: Any,
        *,
        weight: float = 1.0,
        total: float = 1.0,
        begins: bool = True,
        ends: bool = True,
        check: Callable[[Tensor], None] | None = None,
        look: Callable[[], None] | None = None,
    ) -> tuple[Tensor, Any]:
        """Take a step, or a part of one.

        Parameters
        ----------
        inputs, targets
            The batch.
        weight
            What its loss counts for among the batches of the step.
        total
            What all of them count for.
        begins, ends
            Whether it is the first batch of the step, and the last one, after which the optimizer moves.
        check
            Given the loss before anything is learned from it.
        look
            Called when the gradients are there.

        Returns
        -------
        loss, prediction
            Those of the batch, before the step.
        """
        results: list[tuple[Tensor, Any]] = []

        def closure() -> Tensor:
            if begins:
                self.optimizer.zero_grad()
            prediction, loss = self.forward(inputs, targets)
            if not results:
                if check is not None:
                    check(loss)
                results.append((loss.detach(), tree_map(_detached, prediction)))
            self._scaled(loss, weight).backward()
            return loss.detach()

        def complete() -> Tensor:
            loss = closure()
            self._finish(total, look)
            return loss

        if not ends:
            closure()
        elif self.precision is not None and self.precision.scale is not None:
            with np.errstate(over="ignore", invalid="ignore"):  # what overflows is left out
                closure()
                usable = self.precision.is_usable(self.optimizer.parameters)
            if usable:
                self._finish(total, look)
                self.optimizer.step()
        elif begins:
            self.optimizer.step(complete)  # some compute the gradients at several points
        else:
            complete()
            self.optimizer.step()
        if ends and self.average is not None:
            self.average.update()
        return results[0]

    def _scaled(self, loss: Tensor, weight: float) -> Tensor:
        scale = 1.0 if self.precision is None else self.precision.scale or 1.0
        return loss if weight == scale == 1.0 else loss * (weight * scale)

    def _finish(self, total: float, look: Callable[[], None] | None) -> None:
        """Make the gradients those that the optimizer is to see."""
        with no_grad():
            if total != 1.0:
                for p in self.optimizer.parameters:
                    if p.grad is not None:
                        p.grad = p.grad / total
            if look is not None:
                look()
            if self.clip_value is not None:
                clip_grad_value(self.optimizer.parameters, self.clip_value)
            if self.clip_norm is not None:
                clip_grad_norm(self.optimizer.parameters, self.clip_norm)


def _detached(x: Any) -> Any:
    return x.detach() if isinstance(x, Tensor) else x
