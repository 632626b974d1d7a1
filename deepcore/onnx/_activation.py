"""Activation functions for which ONNX has operators of their own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from ._graph import Graph, maps

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..graph import Call, Value

_PLAIN: Final = {
    "hard_swish": ("HardSwish", 0),
    "mish": ("Mish", 18),
    "relu": ("Relu", 0),
    "selu": ("Selu", 0),
    "sigmoid": ("Sigmoid", 0),
    "softsign": ("Softsign", 0),
}


def _plain(op_type: str) -> Callable[..., str]:
    return lambda g, call, x: g.add(op_type, g.value(x))


for _name, (_op, _opset) in _PLAIN.items():
    maps(_name, opset=_opset)(_plain(_op))


@maps("relu_subgradient")
def _relu(g: Graph, call: Call, x: Value, *, subgradient: float = 0.5) -> str:
    return g.add("Relu", g.value(x))


@maps("leaky_relu")
def _leaky_relu(g: Graph, call: Call, x: Value, *, negative_slope: float = 0.01) -> str:
    return g.add("LeakyRelu", g.value(x), alpha=float(negative_slope))


@maps("elu", "celu")
def _elu(g: Graph, call: Call, x: Value, *, alpha: float = 1.0) -> str:
    return g.add("Elu" if call.operation == "elu" else "Celu", g.value(x), alpha=float(alpha))


@maps("hard_sigmoid")
def _hard_sigmoid(g: Graph, call: Call, x: Value) -> str:
    return g.add("HardSigmoid", g.value(x), alpha=1 / 6, beta=0.5)


@maps("softplus")
def _softplus(g: Graph, call: Call, x: Value, *, beta: float = 1.0) -> str:
    if beta == 1.0:
        return g.add("Softplus", g.value(x))
    return g.add("Div", g.add("Softplus", g.add("Mul", g.value(x), g.number(beta, x.dtype))), g.number(beta, x.dtype))


@maps("softmax", "log_softmax")
def _softmax(g: Graph, call: Call, x: Value, *, axis: Any = -1) -> str:
    logarithm = call.operation == "log_softmax"
    if isinstance(axis, int):
        return g.add("LogSoftmax" if logarithm else "Softmax", g.value(x), axis=axis)
    axes = sorted(a % len(x.shape) for a in (range(len(x.shape)) if axis is None else axis))
    rest = [i for i in range(len(x.shape)) if i not in axes]
    order = [*rest, *axes]
    moved = g.add("Transpose", g.value(x), perm=order)
    rows = g.reshape(moved, [*(g.dims(x)[i] for i in rest), -1])
    y = g.reshape(g.add("LogSoftmax" if logarithm else "Softmax", rows, axis=-1), [g.dims(x)[i] for i in order])
    return g.add("Transpose", y, perm=[order.index(i) for i in range(len(order))])


@maps("special.ndtr")
def _ndtr(g: Graph, call: Call, x: Value) -> str:
    return _gate(g, x)


def _gate(g: Graph, x: Value) -> str:
    error = g.add("Erf", g.add("Mul", g.value(x), g.number(math.sqrt(0.5), x.dtype)))
    half = g.number(0.5, x.dtype)
    return g.add("Add", g.add("Mul", error, half), half)


@maps("gelu")
def _gelu(g: Graph, call: Call, x: Value) -> str:
    if g.opset >= 20:
        return g.add("Gelu", g.value(x))
    return g.add("Mul", g.value(x), _gate(g, x))


@maps("gelu_tanh", opset=20)
def _gelu_tanh(g: Graph, call: Call, x: Value) -> str:
    return g.add("Gelu", g.value(x), approximate="tanh")
