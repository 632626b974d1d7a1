"""Normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._graph import Graph, axes_of, maps, suits

if TYPE_CHECKING:
    from ..graph import Call, Program, Value


@maps("layer_norm")
def _layer_norm(
    g: Graph,
    call: Call,
    x: Value,
    weight: Value | None = None,
    bias: Value | None = None,
    *,
    axes: int = 1,
    eps: float = 1e-5,
) -> str:
    shape = x.shape[len(x.shape) - axes :]
    scale = g.constant(np.ones(shape), x.dtype) if weight is None else g.value(weight, x.dtype)
    names = [g.value(x), scale, *([] if bias is None else [g.value(bias, x.dtype)])]
    return g.add("LayerNormalization", *names, axis=-axes, epsilon=eps)


@maps("rms_norm", opset=23)
def _rms_norm(g: Graph, call: Call, x: Value, weight: Value | None = None, *, axes: int = 1, eps: float = 1e-6) -> str:
    shape = x.shape[len(x.shape) - axes :]
    scale = g.constant(np.ones(shape), x.dtype) if weight is None else g.value(weight, x.dtype)
    return g.add("RMSNormalization", g.value(x), scale, axis=-axes, epsilon=eps)


@suits("batch_norm_inference")
def _is_over_channels(program: Program, call: Call) -> bool:
    """Whether the statistics are those of the channels, the second axis: that is what ONNX has."""
    x: Value = call.arguments[0]
    n = len(x.shape)
    axes = axes_of(call.parameters.get("axis", 0), n)
    given = [value for value in call.arguments[1:] if value is not None]
    return n >= 2 and axes == (0, *range(2, n)) and all(len(value.shape) == 1 for value in given)


@maps("batch_norm_inference")
def _batch_norm(
    g: Graph,
    call: Call,
    x: Value,
    mean: Value,
    variance: Value,
    weight: Value | None = None,
    bias: Value | None = None,
    *,
    axis: Any = 0,
    eps: float = 1e-5,
) -> str:
    shape = (x.shape[1],)
    scale = g.constant(np.ones(shape), x.dtype) if weight is None else g.value(weight)
    shift = g.constant(np.zeros(shape), x.dtype) if bias is None else g.value(bias)
    return g.add("BatchNormalization", g.value(x), scale, shift, g.value(mean), g.value(variance), epsilon=eps)
