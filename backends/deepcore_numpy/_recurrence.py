"""Recurrences in the memory of their results: nothing is allocated inside the loop over time.

What each function computes is documented by the one of the same name in ``deepcore.ops.recurrence``. A logistic
function is computed as (1 + tanh(x / 2)) / 2, so that all gates of a step are one call of tanh.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from deepcore._errors import ConfigError, ShapeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values: TypeAlias = NDArray[Any]

add, matmul, multiply, subtract, tanh = np.add, np.matmul, np.multiply, np.subtract, np.tanh


class _Steps:
    """The order of the time steps, and which samples end before which."""

    def __init__(self, steps: int, lengths: Values | None, *, reverse: bool) -> None:
        if steps == 0:
            msg = "a recurrence needs at least one time step, and the first axis, which is time, has length 0"
            raise ShapeError(msg)
        self.order = range(steps - 1, -1, -1) if reverse else range(steps)
        self.lengths = lengths
        self.shortest = steps if lengths is None else int(lengths.min(initial=steps))

    def ended(self, t: int) -> Any:
        """Return which samples have ended, as a column of truth values; None if none has."""
        if t < self.shortest or self.lengths is None:
            return None
        return (self.lengths <= t)[:, None]


def _columns(z: Values, n: int) -> list[Values]:
    """Return the part of each gate, of all steps."""
    return [z[..., k : k + n] for k in range(0, z.shape[-1], n)]


def _bends(n: int, dtype: Any) -> tuple[Values, Values]:
    """Return the factors and shifts that make tanh the logistic function, but for the third of four gates, g."""
    factors = np.full(4 * n, 0.5, dtype)
    factors[2 * n : 3 * n] = 1
    return factors, 1 - factors


def _kept(ended: Any, *cotangents: Values) -> list[Values] | None:
    """Return the cotangents of the samples that have ended, 0 elsewhere, and set them to 0 in place."""
    if ended is None:
        return None
    found = [np.where(ended, dy, 0) for dy in cotangents]
    for dy in cotangents:
        np.copyto(dy, 0, where=ended)
    return found


def rnn_sequence(
    projections: Values,
    weight: Values,
    hidden: Values,
    bias: Values | None = None,
    lengths: Values | None = None,
    /,
    *,
    activation: str = "tanh",
    reverse: bool = False,
) -> Values:
    """Return the states."""
    steps = _Steps(len(projections), lengths, reverse=reverse)
    states = np.empty(projections.shape, np.result_type(projections, weight, hidden))
    for t in steps.order:
        new = states[t]
        matmul(hidden, weight, new)
        if bias is not None:
            add(new, bias, new)
        add(new, projections[t], new)
        if activation == "tanh":
            tanh(new, new)
        elif activation == "relu":
            np.maximum(new, 0, out=new)
        else:
            msg = f"rnn_sequence: the activation is one of tanh and relu, not {activation!r}"
            raise ConfigError(msg)
        if (ended := steps.ended(t)) is not None:
            np.copyto(new, hidden, where=ended)
        hidden = new
    return states


def rnn_backward(
    dy: Values, weight: Values, lengths: Values | None, states: Values, /, *, activation: str, reverse: bool
) -> tuple[Values, Values]:
    """Return the cotangents of the projections and of the initial state."""
    steps = _Steps(len(dy), lengths, reverse=not reverse)
    d_projections, dh, transposed = np.empty_like(states), np.zeros_like(states[0]), weight.T
    for t in steps.order:
        dz, h = d_projections[t], states[t]
        add(dh, dy[t], dh)
        kept = _kept(steps.ended(t), dh)
        if activation == "tanh":
            multiply(h, h, dz)
            subtract(1, dz, dz)
            multiply(dz, dh, dz)
        else:
            multiply(dh, h > 0, dz)
        matmul(dz, transposed, dh)
        if kept is not None:
            add(dh, kept[0], dh)
    return d_projections, dh


def gru_sequence(
    projections: Values,
    weight: Values,
    hidden: Values,
    bias: Values | None = None,
    lengths: Values | None = None,
    /,
    *,
    reverse: bool = False,
) -> tuple[Values, Values, Values]:
    """Return the states, the gates, and the products that the first of them is multiplied with."""
    steps, n = _Steps(len(projections), lengths, reverse=reverse), weight.shape[0]
    gates = np.empty(projections.shape, np.result_type(projections, weight, hidden))
    states, products = (np.empty((*gates.shape[:2], n), gates.dtype) for _ in range(2))
    q = np.empty_like(gates[0])
    q_opened, q_candidate = q[:, : 2 * n], q[:, 2 * n :]
    for t in steps.order:
        p, z, new = projections[t], gates[t], states[t]
        matmul(hidden, weight, q)
        if bias is not None:
            add(q, bias, q)
        products[t] = q_candidate
        opened, candidate = z[:, : 2 * n], z[:, 2 * n :]
        add(q_opened, p[:, : 2 * n], opened)
        multiply(opened, 0.5, opened)
        tanh(opened, opened)
        multiply(opened, 0.5, opened)
        add(opened, 0.5, opened)
        multiply(products[t], z[:, :n], candidate)
        add(candidate, p[:, 2 * n :], candidate)
        tanh(candidate, candidate)
        subtract(hidden, candidate, new)
        multiply(new, z[:, n : 2 * n], new)
        add(new, candidate, new)
        if (ended := steps.ended(t)) is not None:
            np.copyto(new, hidden, where=ended)
        hidden = new
    return states, gates, products


def gru_backward(
    d_states: Values | None,
    d_gates: Values | None,
    d_products: Values | None,
    weight: Values,
    lengths: Values | None,
    before: Values,
    gates: Values,
    products: Values,
    /,
    *,
    reverse: bool,
) -> tuple[Values, Values, Values]:
    """Return the cotangents of the products, of the projections of the candidate, and of the initial state."""
    steps, n = _Steps(len(gates), lengths, reverse=not reverse), weight.shape[0]
    d_q, d_n, dh, transposed = np.empty_like(gates), np.empty_like(products), np.zeros_like(products[0]), weight.T
    slopes, scratch = np.empty((len(dh), 2 * n), dh.dtype), np.empty_like(dh)
    all_gates, all_products = _columns(gates, n), _columns(d_q, n)
    for t in steps.order:
        (r, z, candidate), (dr, dz, dq), dn = [x[t] for x in all_gates], [x[t] for x in all_products], d_n[t]
        if d_states is not None:
            add(dh, d_states[t], dh)
        kept = _kept(steps.ended(t), dh)
        subtract(before[t], candidate, dz)
        multiply(dz, dh, dz)
        subtract(1, z, dn)
        multiply(dn, dh, dn)
        if d_gates is not None:
            add(dz, d_gates[t, :, n : 2 * n], dz)
            add(dn, d_gates[t, :, 2 * n :], dn)
        multiply(candidate, candidate, scratch)
        subtract(1, scratch, scratch)
        multiply(dn, scratch, dn)
        multiply(dn, products[t], dr)
        if d_gates is not None:
            add(dr, d_gates[t, :, :n], dr)
        opened, d_opened = gates[t, :, : 2 * n], d_q[t, :, : 2 * n]
        subtract(1, opened, slopes)
        multiply(slopes, opened, slopes)
        multiply(d_opened, slopes, d_opened)
        multiply(dn, r, dq)
        if d_products is not None:
            add(dq, d_products[t], dq)
        multiply(dh, z, scratch)
        matmul(d_q[t], transposed, dh)
        add(dh, scratch, dh)
        if kept is not None:
            add(dh, kept[0], dh)
    return d_q, d_n, dh


def lstm_sequence(
    projections: Values,
    weight: Values,
    hidden: Values,
    cell: Values,
    bias: Values | None = None,
    lengths: Values | None = None,
    /,
    *,
    reverse: bool = False,
) -> tuple[Values, Values, Values]:
    """Return the states, the cells, and the gates."""
    steps, n = _Steps(len(projections), lengths, reverse=reverse), weight.shape[0]
    gates = np.empty(projections.shape, np.result_type(projections, weight, hidden, cell))
    states, cells = (np.empty((*gates.shape[:2], n), gates.dtype) for _ in range(2))
    scratch = np.empty_like(states[0])
    factors, shifts = _bends(n, gates.dtype)
    i, f, g, o = _columns(gates, n)
    for t in steps.order:
        z, new_hidden, new_cell = gates[t], states[t], cells[t]
        matmul(hidden, weight, z)
        if bias is not None:
            add(z, bias, z)
        add(z, projections[t], z)
        multiply(z, factors, z)
        tanh(z, z)
        multiply(z, factors, z)
        add(z, shifts, z)
        multiply(i[t], g[t], scratch)
        multiply(f[t], cell, new_cell)
        add(new_cell, scratch, new_cell)
        tanh(new_cell, new_hidden)
        multiply(new_hidden, o[t], new_hidden)
        if (ended := steps.ended(t)) is not None:
            np.copyto(new_hidden, hidden, where=ended)
            np.copyto(new_cell, cell, where=ended)
        hidden, cell = new_hidden, new_cell
    return states, cells, gates


def lstm_backward(
    d_states: Values | None,
    d_cells: Values | None,
    d_gates: Values | None,
    weight: Values,
    cell: Values,
    lengths: Values | None,
    cells: Values,
    gates: Values,
    /,
    *,
    reverse: bool,
) -> tuple[Values, Values, Values]:
    """Return the cotangents of the projections, of the initial state, and of the initial cell."""
    steps, n = _Steps(len(gates), lengths, reverse=not reverse), weight.shape[0]
    d_projections, transposed = np.empty_like(gates), weight.T
    dh, dc = np.zeros_like(cells[0]), np.zeros_like(cells[0])
    slopes, bent, scratch = np.empty_like(gates[0]), np.empty_like(dh), np.empty_like(dh)
    first, earlier = (len(cells) - 1, 1) if reverse else (0, -1)
    (i, f, g, o), (di, df, dg, do) = _columns(gates, n), _columns(d_projections, n)
    for t in steps.order:
        z, dz = gates[t], d_projections[t]
        if d_states is not None:
            add(dh, d_states[t], dh)
        if d_cells is not None:
            add(dc, d_cells[t], dc)
        kept = _kept(steps.ended(t), dh, dc)
        tanh(cells[t], bent)
        multiply(dh, bent, do[t])
        multiply(bent, bent, bent)
        subtract(1, bent, bent)
        multiply(bent, o[t], bent)
        multiply(bent, dh, bent)
        add(dc, bent, dc)
        multiply(dc, g[t], di[t])
        multiply(dc, cell if t == first else cells[t + earlier], df[t])
        multiply(dc, i[t], dg[t])
        if d_gates is not None:
            add(dz, d_gates[t], dz)
        subtract(1, z, slopes)
        multiply(slopes, z, slopes)
        multiply(g[t], g[t], scratch)
        subtract(1, scratch, slopes[:, 2 * n : 3 * n])
        multiply(dz, slopes, dz)
        matmul(dz, transposed, dh)
        multiply(dc, f[t], dc)
        if kept is not None:
            add(dh, kept[0], dh)
            add(dc, kept[1], dc)
    return d_projections, dh, dc
