"""Recurrent layers over whole sequences.

deepcore multiplies the inputs by their weight first, for all steps at once; ONNX's operators do it themselves, with
gates in another order. So the product that a recurrence gets is written into its operator, and is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._graph import Graph, maps, suits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..graph import Call, Program, Value


@suits("lstm_sequence", "gru_sequence", "rnn_sequence")
def _is_whole(program: Program, call: Call) -> bool:
    """Whether all sequences have the same length, and only what ONNX's operators give is used.

    That is all states and, of a memory cell, its last value.
    """
    cell = call.operation == "lstm_sequence"
    lengths = call.arguments[4 + cell :]
    if any(value is not None for value in lengths):
        return False
    last = 0 if call.parameters.get("reverse") else -1
    if any(value in program.outputs for value in call.results[1:]):
        return False
    for user in program.calls:
        for value in call.results[1:]:
            if value not in set(user.operands()):
                continue
            key = user.parameters.get("key")
            if not (cell and value is call.results[1] and user.operation == "getitem" and key == (last, ...)):
                return False
    return True


def _gates(g: Graph, name: str, order: Sequence[int], axis: int) -> str:
    """Return the columns of gates in the order of ONNX."""
    if len(order) == 1:
        return name
    if g.opset >= 18:
        parts = g.add_several("Split", name, n=len(order), axis=axis, num_outputs=len(order))
    else:
        parts = g.add_several("Split", name, n=len(order), axis=axis)
    return g.add("Concat", *(parts[i] for i in order), axis=axis)


def _operands(
    g: Graph, projections: Value, weight: Value, bias: Value | None, order: Sequence[int]
) -> tuple[str, str, str, str]:
    """Return the inputs, and the weights of inputs and states and the biases as ONNX has them."""
    columns, direction = projections.shape[-1], g.ints(0)

    def arranged(name: str) -> str:
        return g.add("Unsqueeze", g.add("Transpose", _gates(g, name, order, 1), perm=[1, 0]), direction)

    zeros = g.constant(np.zeros(columns), projections.dtype)
    first, found = zeros, _product(g, projections)
    if found is None:
        x, w = g.value(projections), arranged(g.constant(np.eye(columns), projections.dtype))
    else:
        rows, matrix, *more = found
        x, w = g.reshape(g.value(rows), [*g.dims(projections)[:2], rows.shape[-1]]), arranged(g.value(matrix))
        first = _gates(g, g.value(more[0]), order, 0) if more else zeros
    second = zeros if bias is None else _gates(g, g.value(bias), order, 0)
    biases = g.add("Unsqueeze", g.add("Concat", first, second, axis=0), direction)
    return x, w, arranged(g.value(weight)), biases


def _product(g: Graph, projections: Value) -> list[Value] | None:
    """Return what the projections are the product of, and the bias if there is one."""
    source = g.producer(projections)
    if source is not None and source.operation == "reshape":
        source = g.producer(source.arguments[0])
    if source is None or source.operation not in ("matmul", "linear"):
        return None
    operands = list(source.arguments)
    return operands if len(operands[1].shape) == 2 else None


def _states(g: Graph, y: str) -> str:
    """Take away the axis of directions."""
    return g.add("Squeeze", y, g.ints(1))


def _direction(reverse: bool) -> str:
    return "reverse" if reverse else "forward"


@maps("lstm_sequence")
def _lstm(
    g: Graph,
    call: Call,
    projections: Value,
    weight: Value,
    hidden: Value,
    cell: Value,
    bias: Value | None = None,
    lengths: None = None,
    *,
    reverse: bool = False,
) -> list[str]:
    x, w, r, b = _operands(g, projections, weight, bias, (0, 3, 1, 2))
    states = [g.add("Unsqueeze", g.value(value), g.ints(0)) for value in (hidden, cell)]
    y, _, last = g.add_several(
        "LSTM", x, w, r, b, "", *states, n=3, hidden_size=weight.shape[0], direction=_direction(reverse)
    )
    return [_states(g, y), last, last]  # the only cell that is used is the last one, whose first axis is of length 1


@maps("gru_sequence")
def _gru(
    g: Graph,
    call: Call,
    projections: Value,
    weight: Value,
    hidden: Value,
    bias: Value | None = None,
    lengths: None = None,
    *,
    reverse: bool = False,
) -> list[str]:
    x, w, r, b = _operands(g, projections, weight, bias, (1, 0, 2))
    state = g.add("Unsqueeze", g.value(hidden), g.ints(0))
    y = g.add(
        "GRU",
        *(x, w, r, b, "", state),
        hidden_size=weight.shape[0],
        direction=_direction(reverse),
        linear_before_reset=1,
    )
    states = _states(g, y)
    return [states, states, states]  # the others are not used


@maps("rnn_sequence")
def _rnn(
    g: Graph,
    call: Call,
    projections: Value,
    weight: Value,
    hidden: Value,
    bias: Value | None = None,
    lengths: None = None,
    *,
    activation: str = "tanh",
    reverse: bool = False,
) -> str:
    x, w, r, b = _operands(g, projections, weight, bias, (0,))
    state = g.add("Unsqueeze", g.value(hidden), g.ints(0))
    y = g.add(
        "RNN",
        *(x, w, r, b, "", state),
        hidden_size=weight.shape[0],
        direction=_direction(reverse),
        activations=[activation.title()],
    )
    return _states(g, y)
