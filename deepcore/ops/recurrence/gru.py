"""Gated recurrent units."""

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


class GRUSequence(NamedTuple):
    """The states of all time steps, the gates r, z and n, and the products that r is multiplied with."""

    states: Array
    gates: Array
    products: Array


@composite(
    Sample(((4, 2, 9), (3, 9), (2, 3))),
    Sample(((5, 3, 6), (2, 6), (3, 2), (6,), (3,)), integers={4: 6}, parameters={"reverse": True}),
    result=GRUSequence,
)
def gru_sequence(
    xp: Namespace,
    projections: Array,
    weight: Array,
    hidden: Array,
    bias: Array | None = None,
    lengths: Array | None = None,
    /,
    *,
    reverse: bool = False,
) -> GRUSequence:
    r"""States of a gated recurrent unit. The projections have columns for $r$, $z$ and $n$; with $Q = h_{t-1} W + b$,
    $r = \sigma(P_r + Q_r)$, $z = \sigma(P_z + Q_z)$, $n = \tanh(P_n + r \odot Q_n)$ and
    $h_t = (1 - z) \odot n + z \odot h_{t-1}$. With $g_t$, the whole cotangent of $h_t$,
    $\bar P_n = g_t (1 - z)(1 - n^2)$, $\bar P_z = g_t (h_{t-1} - n)\,z (1 - z)$, $\bar P_r = \bar P_n Q_n\,r (1 - r)$,
    $\bar Q = (\bar P_r, \bar P_z, \bar P_n r)$, $g_{t-1} = \bar h_{t-1} + g_t z + \bar Q W^\top$,
    $\bar W = \sum_t h_{t-1}^\top \bar Q_t$, and $\bar b$ is the sum of $\bar Q$ over steps and samples.

    The results are all states, the gates, and $Q_n$.

    Source: K. Cho et al., Learning phrase representations using RNN encoder-decoder, EMNLP 2014, where $r$ is applied
    to the state; here, as in cuDNN and PyTorch, to the product, which leaves one product per step.
    """
    n = weight.shape[0]
    states, gates, products = list[Any](), list[Any](), list[Any]()
    for t in time_steps(projections, reverse):
        p_r, p_z, p_n = columns(projections[t, ...], n)
        q_r, q_z, q_n = columns(product(hidden, weight, bias, xp), n)
        r, z = xp.sigmoid(p_r + q_r), xp.sigmoid(p_z + q_z)
        candidate = xp.tanh(p_n + r * q_n)
        hidden = selected(lengths, t, candidate + z * (hidden - candidate), hidden, xp)
        states.append(hidden)
        gates.append(xp.concat([r, z, candidate], axis=-1))
        products.append(q_n)
    return GRUSequence(*[in_time(x, reverse, xp) for x in (states, gates, products)])


@kernel
def gru_backward(
    xp: Namespace,
    d_states: Any,
    d_gates: Any,
    d_products: Any,
    weight: Any,
    lengths: Any,
    before: Any,
    gates: Any,
    products: Any,
    *,
    reverse: bool,
) -> tuple[Any, Any, Any]:
    """Return the cotangents of the products, of the projections of n, and of the initial state.

    The cotangents of the results come first, None where they are zero. ``before`` has the state before each step.
    """
    transposed, d_q, d_n = xp.matrix_transpose(weight), list[Any](), list[Any]()
    dh = xp.zeros_like(before[0, ...])
    for t in time_steps(before, not reverse):
        r, z, candidate = columns(gates[t, ...], weight.shape[0])
        dh, kept = split(lengths, t, added(dh, d_states, t), xp)
        d = xp.concat([xp.zeros_like(dh), dh * (before[t, ...] - candidate), dh * (1 - z)], axis=-1)
        dr, dz, dn = columns(added(d, d_gates, t), weight.shape[0])
        dn = dn * (1 - candidate * candidate)
        dr = (dr + dn * products[t, ...]) * (r * (1 - r))
        d_n.append(dn)
        d_q.append(xp.concat([dr, dz * (z * (1 - z)), added(dn * r, d_products, t)], axis=-1))
        dh = xp.matmul(d_q[-1], transposed) + (dh * z + kept)
    return in_time(d_q, not reverse, xp), in_time(d_n, not reverse, xp), dh


@gru_sequence.vjp_all
def _gru(
    dy: Any,
    weight: Any,
    hidden: Any,
    bias: Any,
    lengths: Any,
    states: Any,
    gates: Any,
    products: Any,
    reverse: bool,
    xp: Namespace,
) -> tuple[Any, ...]:
    before = states_before(states, hidden, reverse, xp)
    given = (dy.get("states"), dy.get("gates"), dy.get("products"))
    d_q, d_n, dh = xp.gru_backward(*given, weight, lengths, before, gates, products, reverse=reverse)
    dp = xp.concat([d_q[..., : -weight.shape[0]], d_n], axis=-1)
    return dp, weight_cotangent(d_q, before, xp), dh, bias_cotangent(d_q, bias, xp), None
