"""Long short-term memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..._primitive import Sample
from ..._record import composite, kernel
from ._steps import (
    added,
    bias_cotangent,
    columns,
    in_time,
    product,
    selected,
    split,
    states_before,
    time_steps,
    weight_cotangent,
)

if TYPE_CHECKING:
    from ..._typing import Array, Namespace


class LSTMSequence(NamedTuple):
    """The states and the cells of all time steps, and the gates i, f, g and o."""

    states: Array
    cells: Array
    gates: Array


@composite(
    Sample(((4, 2, 12), (3, 12), (2, 3), (2, 3))),
    Sample(((5, 3, 8), (2, 8), (3, 2), (3, 2), (8,), (3,)), integers={5: 6}, parameters={"reverse": True}),
    result=LSTMSequence,
)
def lstm_sequence(
    xp: Namespace,
    projections: Array,
    weight: Array,
    hidden: Array,
    cell: Array,
    bias: Array | None = None,
    lengths: Array | None = None,
    /,
    *,
    reverse: bool = False,
) -> LSTMSequence:
    r"""States of long short-term memory. The projections have columns for $i$, $f$, $g$ and $o$; with
    $Z = P_t + h_{t-1} W + b$, $i = \sigma(Z_i)$, $f = \sigma(Z_f)$, $g = \tanh(Z_g)$, $o = \sigma(Z_o)$,
    $c_t = f \odot c_{t-1} + i \odot g$ and $h_t = o \odot \tanh c_t$. With $g_t$ and $k_t$, the whole cotangents of
    $h_t$ and $c_t$, $\bar o = g_t \tanh c_t$, $k_t = \bar c_t + k_{t+1} f_{t+1} + g_t\,o\,(1 - \tanh^2 c_t)$,
    $\bar\imath = k_t g$, $\bar f = k_t c_{t-1}$, $\bar g = k_t i$, $\bar P_t = \bar Z$,
    $g_{t-1} = \bar h_{t-1} + \bar Z W^\top$, $\bar W = \sum_t h_{t-1}^\top \bar Z_t$, and $\bar b$ is the sum of
    $\bar Z$ over steps and samples.

    The results are all states, all cells, and the gates.

    Source: S. Hochreiter and J. Schmidhuber, Long short-term memory, Neural Computation 9, 1997, with the forget gate
    of F. A. Gers, J. Schmidhuber and F. Cummins, Learning to forget, Neural Computation 12, 2000.
    """
    n = weight.shape[0]
    states, cells, gates = list[Any](), list[Any](), list[Any]()
    for t in time_steps(projections, reverse):
        i, f, g, o = columns(projections[t, ...] + product(hidden, weight, bias, xp), n)
        i, f, g, o = xp.sigmoid(i), xp.sigmoid(f), xp.tanh(g), xp.sigmoid(o)
        new = f * cell + i * g
        hidden = selected(lengths, t, o * xp.tanh(new), hidden, xp)
        cell = selected(lengths, t, new, cell, xp)
        states.append(hidden)
        cells.append(cell)
        gates.append(xp.concat([i, f, g, o], axis=-1))
    return LSTMSequence(*[in_time(x, reverse, xp) for x in (states, cells, gates)])


@kernel
def lstm_backward(
    xp: Namespace,
    d_states: Any,
    d_cells: Any,
    d_gates: Any,
    weight: Any,
    cell: Any,
    lengths: Any,
    cells: Any,
    gates: Any,
    *,
    reverse: bool,
) -> tuple[Any, Any, Any]:
    """Return the cotangents of the projections, of the initial state, and of the initial cell.

    The cotangents of the results come first, None where they are zero.
    """
    transposed, found = xp.matrix_transpose(weight), list[Any]()
    before = states_before(cells, cell, reverse, xp)
    dh = dc = xp.zeros_like(cell)
    for t in time_steps(cells, not reverse):
        i, f, g, o = columns(gates[t, ...], weight.shape[0])
        dh, kept_h = split(lengths, t, added(dh, d_states, t), xp)
        dc, kept_c = split(lengths, t, added(dc, d_cells, t), xp)
        bent = xp.tanh(cells[t, ...])
        dc = dc + dh * (o * (1 - bent * bent))
        d = added(xp.concat([dc * g, dc * before[t, ...], dc * i, dh * bent], axis=-1), d_gates, t)
        found.append(d * xp.concat([i * (1 - i), f * (1 - f), 1 - g * g, o * (1 - o)], axis=-1))
        dh, dc = xp.matmul(found[-1], transposed) + kept_h, dc * f + kept_c
    return in_time(found, not reverse, xp), dh, dc


@lstm_sequence.vjp_all
def _lstm(
    dy: Any,
    weight: Any,
    hidden: Any,
    cell: Any,
    bias: Any,
    lengths: Any,
    states: Any,
    cells: Any,
    gates: Any,
    reverse: bool,
    xp: Namespace,
) -> tuple[Any, ...]:
    given = (dy.get("states"), dy.get("cells"), dy.get("gates"))
    dz, dh, dc = xp.lstm_backward(*given, weight, cell, lengths, cells, gates, reverse=reverse)
    dw = weight_cotangent(dz, states_before(states, hidden, reverse, xp), xp)
    return dz, dw, dh, dc, bias_cotangent(dz, bias, xp), None
