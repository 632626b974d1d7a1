"""Stopping where numbers stop being numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import ops
from .._errors import ConfigError, NumericalError
from .callback import Callback

if TYPE_CHECKING:
    from .._tensor import Tensor
    from .trainer import Trainer


class NaNGuard(Callback):
    """Stop when a gradient is NaN or infinite, before it destroys the weights, and name the parameter.

    A loss that is not finite ends training without this, and names the layer where it began. But a gradient may not be
    finite though the loss is, as that of a square root at 0.

    Parameters
    ----------
    every
        The number of batches between looks. Each waits for the device once.

    Raises
    ------
    ConfigError
        If ``every`` is below 1.
    NumericalError
        While training.
    """

    def __init__(self, *, every: int = 1) -> None:
        if every < 1:
            msg = f"NaNGuard: every is at least 1, not {every}"
            raise ConfigError(msg)
        self.every = every

    def on_gradients(self, trainer: Trainer, batch: int) -> None:
        """Look."""
        if (trainer.progress.iteration + 1) % self.every:
            return
        gradients = [(name, p.grad) for name, p in trainer.model.named_parameters() if p.grad is not None]
        if not gradients or _all_finite([gradient for _, gradient in gradients]):
            return
        bad: list[str] = []
        for name, gradient in gradients:
            values = gradient.numpy().astype(np.float64)
            count = values.size - np.count_nonzero(np.isfinite(values))
            if count:
                bad.append(f"{name} ({count} of {values.size})")
        # The reverse sweep comes from the end of the model, so what is last in the model went wrong first.
        msg = (
            f"gradients are not finite in epoch {trainer.progress.epoch + 1}, batch {batch}, and nothing was learned "
            f"from it; the first, as the reverse sweep goes, is that of {bad[-1]}; all of them: {', '.join(bad)}"
        )
        raise NumericalError(msg)


def _all_finite(gradients: list[Tensor]) -> bool:
    flags = ops.stack([ops.all(ops.isfinite(gradient)) for gradient in gradients])
    return bool(ops.all(flags).item())
