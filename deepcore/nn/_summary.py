"""A model as a table, with the shape that every layer gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._modes import in_mode
from .._tape import no_grad
from .._tensor import Tensor
from ..ops.creation import zeros
from ._module import Module, observers
from ._table import table

if TYPE_CHECKING:
    from .._typing import Shape


def summary(model: Module, input_shape: Shape | None = None) -> str:
    """Return a table of the layers, their shapes and their parameters.

    Parameters
    ----------
    model
        The model.
    input_shape
        The shape of a batch, whose first length stands for the number of samples. When given, zeros of that shape are
        sent through the model in evaluation mode, to see the shape that each layer gives.

    Examples
    --------
    >>> from deepcore import nn
    >>> print(nn.summary(nn.Sequential(nn.Dense(2, 3), nn.ReLU(), nn.Dense(3, 1))))
    Sequential
      layer  kind   shape  parameters
      0      Dense  2 → 3           9
      1      ReLU                   0
      2      Dense  3 → 1           4
    13 parameters, 13 of them trainable, 52 bytes
    """
    return table(model, {} if input_shape is None else _output_shapes(model, input_shape))


def _output_shapes(model: Module, input_shape: Shape) -> dict[int, str]:
    shapes: dict[int, str] = {}

    def observe(module: Module, result: Any) -> None:
        if isinstance(result, Tensor):
            shapes[id(module)] = f"({', '.join(['n', *map(str, result.shape[1:])])})"

    observers.append(observe)
    try:
        with no_grad(), in_mode([module for _, module in model.named_modules()], training=False):
            model(zeros((1, *input_shape[1:]), device=model.device))
    finally:
        observers.remove(observe)
    return shapes
