"""Finding where numbers stopped being numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import ops
from .._tape import no_grad
from .._tensor import Tensor
from ..nn._module import observers
from ..random._state import replayed
from ..tree import leaves

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..nn import Module
    from ..random._state import State
    from .step import Step


def origin_of(step: Step, inputs: Tensor, targets: Tensor, drawn: Mapping[State, tuple[int, int]]) -> str:
    """Return what was the first thing that was not finite when the loss of a batch was computed, in words.

    Parameters
    ----------
    step
        What computes the loss.
    inputs, targets
        The batch.
    drawn
        The generators that were drawn from, with their keys, so that the same units are dropped again.
    """
    for name, values in (("inputs of the batch", inputs), ("targets of the batch", targets)):
        if not is_finite(values):
            return f"the {name} are not finite"
    for name, parameter in step.model.named_tensors():
        if not is_finite(parameter):
            return f"{name} was not finite before this batch; gradients were not in an earlier one"
    found: list[str] = []
    paths = {id(module): path for path, module in step.model.named_modules()}

    def observe(module: Module, result: Any) -> None:
        if not found and id(module) in paths:
            bad = [x for _, x in leaves(result) if isinstance(x, Tensor) and not is_finite(x)]
            if bad:
                count = bad[0].size - np.count_nonzero(np.isfinite(bad[0].numpy().astype(np.float64)))
                where = f"layer {paths[id(module)]!r}, {module!r}," if paths[id(module)] else repr(module)
                found.append(
                    f"the first that are not finite are {count} of the {bad[0].size} numbers that {where} gave"
                )

    observers.append(observe)
    try:
        with no_grad(), replayed(drawn):
            step.forward(inputs, targets)
    finally:
        observers.remove(observe)
    return found[0] if found else "the predictions are finite, so it was the loss that made it of them"


def is_finite(x: Tensor) -> bool:
    """Whether no element is NaN or infinite."""
    return not x.dtype.is_inexact or bool(ops.all(ops.isfinite(x.detach())).item())
