"""Statistics of the units of a model: which gradients reach a layer, and which of its units are dead or saturated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .. import ops
from .._dtype import float32
from .._errors import ConfigError, GradientError
from .._modes import in_mode
from .._sweep import sweep
from .._tape import enable_grad
from .._tensor import Tensor, make
from ..ops.creation import asarray
from ._module import Module, observers
from .activation import HardSigmoid, Sigmoid, Softsign, Tanh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._tape import Node

RANGES: Final[dict[type[Module], tuple[float, float]]] = {
    HardSigmoid: (0.0, 1.0),
    Sigmoid: (0.0, 1.0),
    Softsign: (-1.0, 1.0),
    Tanh: (-1.0, 1.0),
}
"""The activations that saturate: what their values lie between."""


@dataclass(frozen=True)
class LayerUnits:
    r"""What :func:`unit_report` says about a layer, whose results are $y$ and whose parameters are $\theta$.

    Attributes
    ----------
    path
        Where it is in the model, as in ``model.named_modules()``.
    kind
        What it is.
    n_units
        The number of its units.
    gradient
        The mean of $|\partial L / \partial y|$; NaN, if $y$ depends on nothing that learns.
    parameter_gradient
        The mean of $|\partial L / \partial \theta|$ over the layer's own parameters that learn; NaN, if there are none.
    dead
        The share of units that are 0 for every sample.
    saturated
        The share of values at an end of the range of the layer's activation; NaN, if that has no ends.
    """

    path: str
    kind: str
    n_units: int
    gradient: float
    parameter_gradient: float
    dead: float
    saturated: float


@dataclass(frozen=True)
class UnitReport:
    """What :func:`unit_report` returns. Printed, it is a table.

    Attributes
    ----------
    loss
        The loss.
    layers
        The layers, in the order in which they are computed.
    """

    loss: float
    layers: tuple[LayerUnits, ...]

    def __getitem__(self, path: str) -> LayerUnits:
        """Return the layer at a path."""
        found = next((layer for layer in self.layers if layer.path == path), None)
        if found is None:
            msg = f"{path!r} is not in the report; the layers are {', '.join(layer.path for layer in self.layers)}"
            raise KeyError(msg)
        return found

    def __str__(self) -> str:
        rows = [("layer", "kind", "units", "|∂L/∂y|", "|∂L/∂θ|", "dead", "saturated")]
        rows += [
            (
                layer.path,
                layer.kind,
                f"{layer.n_units:,}",
                _shown(layer.gradient, ".1e"),
                _shown(layer.parameter_gradient, ".1e"),
                _shown(layer.dead, ".0%"),
                _shown(layer.saturated, ".0%"),
            )
            for layer in self.layers
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        return "\n".join(
            "  ".join(f"{cell:{'<' if i < 2 else '>'}{widths[i]}}" for i, cell in enumerate(row)).rstrip()
            for row in rows
        )


def unit_report(
    model: Module, loss: Callable[[Any, Any], Tensor], inputs: Any, targets: Any, *, margin: float = 0.01
) -> UnitReport:
    r"""Return which gradients reach every layer, and which of its units are dead or saturated, on a batch.

    Gradients that shrink from layer to layer on their way to the first one vanish: the first layers hardly learn. A
    rectified unit that is 0 for every sample has no gradient, and is dead for good if no other layer moves its inputs.
    A unit at an end of the range of its activation has next to none.

    The model computes in evaluation mode, and nothing of it is changed: no mode, no buffer, and no parameter's
    ``grad``.

    Parameters
    ----------
    model
        The model.
    loss
        A function of predictions and targets, whose value is one number.
    inputs, targets
        The batch, whose first axis are the samples. Tensors are on the model's device; NumPy arrays are moved there.
    margin
        How near to an end a value is saturated, as a share of the range, from 0 up to, but without, ½. With the
        default, values of a sigmoid are below 0.01 or above 0.99, where its slope is less than 4 % of its largest.

    Raises
    ------
    ConfigError
        If the margin is outside its range.
    GradientError
        If the loss is not a tensor of one element.

    Notes
    -----
    A layer is a module that has parameters of its own or no parts. The activation of a layer is in the layer's row, and
    $y$ is then what comes after it. A unit is an element of the result of a sample, so that a feature map has as many
    as pixels. For a layer that is applied several times, gradients of $y$ and shares are means over its results.

    References
    ----------
    X. Glorot and Y. Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010,
    sections 3 and 4.

    Examples
    --------
    Biases far below 0 kill every unit of the first layer, and no gradient reaches it:

    >>> import deepcore as dc
    >>> from deepcore import nn
    >>> model = nn.Sequential(nn.Dense(2, 3, activation="relu"), nn.Dense(3, 1, activation="sigmoid"))
    >>> with dc.no_grad():
    ...     model[0].bias[:] = -100.0
    >>> report = nn.unit_report(model, nn.MSE(), dc.ones((4, 2)), dc.ones((4, 1)))
    >>> report["0"].dead, report["0"].parameter_gradient
    (1.0, 0.0)
    >>> print(report)
    layer  kind   units  |∂L/∂y|  |∂L/∂θ|  dead  saturated
    0      Dense      3  ...  0.0e+00  100%
    1      Dense      1  2.5e-01  6.2e-02    0%         0%
    """
    if not 0.0 <= margin < 0.5:
        msg = f"unit_report: margin is a share of the range, from 0 up to, but without, ½, not {margin}"
        raise ConfigError(msg)
    results, value = _computed(model, loss, *(_on_device(x, model) for x in (inputs, targets)))
    if not isinstance(value, Tensor) or value.size != 1:
        what = f"a tensor of shape {value.shape}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        msg = f"unit_report: the loss must return a tensor of one element, and it returned {what}"
        raise GradientError(msg)
    layers = dict(_layers(model, results))
    parameters = [p for module in layers.values() for p in _own_parameters(module) if p.requires_grad]
    watched = [y for path in layers for y in results[id(layers[path])]] + list(parameters)
    cotangents = _cotangents(value, {x._node for x in watched if x._node is not None})
    return UnitReport(
        value.item(),
        tuple(_row(path, module, results[id(module)], cotangents, margin) for path, module in layers.items()),
    )


def _on_device(x: Any, model: Module) -> Any:
    return asarray(x, device=model.device) if isinstance(x, np.ndarray) else x


def _computed(model: Module, loss: Any, inputs: Any, targets: Any) -> tuple[dict[int, list[Tensor]], Any]:
    """Return what every module gave, by its id, in the order in which they were first called, and the loss."""
    results: dict[int, list[Tensor]] = {}
    modules = [module for _, module in model.named_modules()]
    inside = set(map(id, modules))

    def observe(module: Module, result: Any) -> None:
        if id(module) in inside and isinstance(result, Tensor) and result.ndim and result.dtype.is_inexact:
            results.setdefault(id(module), []).append(result)

    observers.append(observe)
    try:
        with enable_grad(), in_mode(modules, training=False):
            value = loss(model(inputs), targets)
    finally:
        observers.remove(observe)
    return results, value


def _layers(model: Module, results: dict[int, list[Tensor]]) -> Iterator[tuple[str, Module]]:
    """Yield the layers that gave something, in the order in which they gave it, with their paths."""
    modules = {id(module): (path, module) for path, module in model.named_modules()}
    within = {id(inner) for _, module in modules.values() for inner in [_activation(module)] if inner is not None}
    for key in results:
        path, module = modules[key]
        if key not in within and (_own_parameters(module) or not _parts(module)):
            yield path, module


def _parts(module: Module) -> list[Module]:
    return [part for _, part in module.named_modules() if part is not module]


def _own_parameters(module: Module) -> list[Tensor]:
    inside = {id(p) for part in _parts(module) for p in part.parameters()}
    return [p for p in module.parameters() if id(p) not in inside]


def _activation(module: Module) -> Module | None:
    """Return the activation of a layer that has one."""
    activation = getattr(module, "activation", None)
    return activation if isinstance(activation, Module) else None


def _cotangents(value: Tensor, targets: set[Node]) -> dict[Node, Tensor]:
    if value._node is None:
        return {}
    roots = {value._node: value._device.kernels.ones_like(value._data)}
    found = sweep(roots, targets=targets, through=True)
    return {node: make(dx, node.device) for node, dx in found.items()}


def _row(path: str, module: Module, results: list[Tensor], cotangents: dict[Node, Tensor], margin: float) -> LayerUnits:
    learned = [p for p in _own_parameters(module) if p.requires_grad]
    range_ = RANGES.get(type(_activation(module) or module))
    values = [y.detach() for y in results]
    return LayerUnits(
        path=path,
        kind=type(module).__name__,
        n_units=math.prod(values[-1].shape[1:]),
        gradient=_mean([_size(y, cotangents) for y in results]),
        parameter_gradient=_mean([_size(p, cotangents) for p in learned], [p.size for p in learned]),
        dead=_mean([_share(ops.all(y == 0, axis=0)) for y in values]),
        saturated=math.nan if range_ is None else _mean([_at_the_ends(y, *range_, margin) for y in values]),
    )


def _size(x: Tensor, cotangents: dict[Node, Tensor]) -> float:
    """Return the mean of the absolute derivative with respect to x."""
    if x._node is None:
        return math.nan
    dx = cotangents.get(x._node)
    return 0.0 if dx is None else ops.mean(ops.abs(dx)).item()  # None: the loss does not depend on it


def _share(true: Tensor) -> float:
    return ops.mean(ops.astype(true, float32)).item()


def _at_the_ends(y: Tensor, low: float, high: float, margin: float) -> float:
    near = margin * (high - low)
    return _share(ops.logical_or(y < low + near, y > high - near))


def _mean(numbers: list[float], weights: list[int] | None = None) -> float:
    """Return the weighted mean, and NaN if there are no numbers."""
    if not numbers:
        return math.nan
    weights = weights or [1] * len(numbers)
    return sum(x * w for x, w in zip(numbers, weights, strict=True)) / sum(weights)


def _shown(x: float, form: str) -> str:
    return "" if math.isnan(x) else f"{x:{form}}"
