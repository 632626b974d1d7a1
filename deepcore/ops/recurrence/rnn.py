"""The plain recurrent layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._primitive import Sample
from ..._record import composite, kernel
from ._steps import (
    bias_cotangent,
    check_activation,
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


@composite(
    Sample(((4, 2, 3), (3, 3), (2, 3))),
    Sample(((5, 3, 2), (2, 2), (3, 2), (2,), (3,)), integers={4: 6}, parameters={"reverse": True}),
    Sample(((2, 4, 3), (3, 3), (4, 3), (3,), (4,)), integers={4: 3}, low=-0.8, parameters={"activation": "relu"}),
)
def rnn_sequence(
    xp: Namespace,
    projections: Array,
    weight: Array,
    hidden: Array,
    bias: Array | None = None,
    lengths: Array | None = None,
    /,
    *,
    activation: str = "tanh",
    reverse: bool = False,
) -> Any:
    r"""States of a plain recurrent layer. $h_t = \phi(P_t + h_{t-1} W + b)$, where $\phi$ is tanh or ReLU. With
    $g_t = \bar h_t + \bar P_{t+1} W^\top$, $\bar P_t = g_t \odot \phi'$, $\bar W = \sum_t h_{t-1}^\top \bar P_t$,
    $\bar h_0 = \bar P_1 W^\top$, and $\bar b$ is the sum of $\bar P$ over steps and samples.

    Source: J. L. Elman, Finding structure in time, Cognitive Science 14, 1990.
    """
    check_activation(activation)
    states: list[Any] = []
    for t in time_steps(projections, reverse):
        z = projections[t, ...] + product(hidden, weight, bias, xp)
        hidden = selected(lengths, t, getattr(xp, activation)(z), hidden, xp)
        states.append(hidden)
    return in_time(states, reverse, xp)


@kernel
def rnn_backward(
    xp: Namespace, dy: Any, weight: Any, lengths: Any, states: Any, *, activation: str, reverse: bool
) -> tuple[Any, Any]:
    """Return the cotangents of the projections and of the initial state."""
    transposed, found = xp.matrix_transpose(weight), list[Any]()
    dh = xp.zeros_like(states[0, ...])
    for t in time_steps(states, not reverse):
        dh, kept = split(lengths, t, dh + dy[t, ...], xp)
        h = states[t, ...]
        found.append(dh * (1 - h * h if activation == "tanh" else xp.astype(h > 0, h.dtype)))
        dh = xp.matmul(found[-1], transposed) + kept
    return in_time(found, not reverse, xp), dh


@rnn_sequence.vjp_all
def _rnn(
    dy: Any, y: Any, weight: Any, hidden: Any, bias: Any, lengths: Any, activation: str, reverse: bool, xp: Namespace
) -> tuple[Any, ...]:
    dz, dh = xp.rnn_backward(dy, weight, lengths, y, activation=activation, reverse=reverse)
    return dz, weight_cotangent(dz, states_before(y, hidden, reverse, xp), xp), dh, bias_cotangent(dz, bias, xp), None
