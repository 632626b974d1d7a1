"""A model as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._tape import no_grad
from .._tensor import Tensor
from ..ops.creation import zeros
from ._module import Module, Parameter, observers

if TYPE_CHECKING:
    from .._typing import Shape


def layers(model: Module, input_shape: Shape | None = None) -> list[tuple[str, str, str, int]]:
    """Return one row per layer: its path, its kind, its shapes, and its number of parameters.

    Parameters
    ----------
    model
        The model.
    input_shape
        The shape of a batch, whose first length stands for the number of samples. When given, zeros of that shape are
        sent through the model to see the shape that each layer gives.
    """
    shapes = _output_shapes(model, input_shape) if input_shape is not None else {}
    rows = []
    for path, module in model.named_modules():
        own = [value for value in vars(module).values() if isinstance(value, Parameter)]
        if not own and any(True for _ in _parts(module)):
            continue  # a container: its parts have rows of their own
        text = module.describe()
        shape = shapes.get(id(module))
        kind = f"{type(module).__name__} {text}".rstrip() if shape else type(module).__name__
        rows.append((path, kind, shape or text, sum(p.size for p in own)))
    return rows


def _parts(module: Module) -> list[tuple[str, Module]]:
    return [(path, part) for path, part in module.named_modules() if part is not module]


def _output_shapes(model: Module, input_shape: Shape) -> dict[int, str]:
    shapes: dict[int, str] = {}

    def observe(module: Module, result: Any) -> None:  # noqa: ANN401 - what a module returns
        if isinstance(result, Tensor):
            shapes[id(module)] = f"({', '.join(['n', *map(str, result.shape[1:])])})"

    modes = {id(module): module.training for _, module in model.named_modules()}
    observers.append(observe)
    try:
        with no_grad():
            model.eval()(zeros((1, *input_shape[1:]), device=model.device))
    finally:
        observers.remove(observe)
        for _, module in model.named_modules():
            module.training = modes[id(module)]
    return shapes


def summary(model: Module, input_shape: Shape | None = None) -> str:
    """Return a table of the layers, their shapes and their parameters.

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
    rows = [("layer", "kind", "shape", "parameters")]
    rows += [(path, kind, shape, f"{n:,}") for path, kind, shape, n in layers(model, input_shape)]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [
        f"  {path:<{widths[0]}}  {kind:<{widths[1]}}  {shape:<{widths[2]}}  {n:>{widths[3]}}"
        for path, kind, shape, n in rows
    ]
    return "\n".join([type(model).__name__, *lines, totals(model)])


def totals(model: Module) -> str:
    """Return the number of parameters, and the memory they take, in one line."""
    parameters = model.parameters()
    trainable = sum(p.size for p in parameters if p.requires_grad)
    n_bytes = sum(p.size * p.dtype.bits // 8 for p in parameters)
    return f"{model.n_parameters:,} parameters, {trainable:,} of them trainable, {_in_bytes(n_bytes)}"


def _in_bytes(n: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "bytes" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} GB"
