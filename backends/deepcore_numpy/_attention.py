r"""Attention in blocks of heads, or of one head's queries, whose scores stay in the cache.

Most of what scores cost besides the matrix products are passes over them. There are as few as may be: sums of rows are
products with ones, and nothing is subtracted before the exponential where the lengths of queries and keys say that it
cannot overflow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from deepcore._backend import composites
from deepcore.ops.attention import check_attention, is_boolean, scale_or_default

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from deepcore._typing import Namespace, Shape

    Matrix: TypeAlias = NDArray[Any]
    Index: TypeAlias = tuple[int | slice, ...]

BLOCK: Final = 65536
"""Scores at a time: in float32 they fill half of the second-level cache of most processors."""

SAFE: Final = 40.0
"""Scores up to this in magnitude have exponentials whose sums neither overflow nor vanish."""


@dataclass
class _Problem:
    """One call: what all heads have in common."""

    query: Matrix
    key: Matrix
    value: Matrix
    bias: Matrix | None
    is_causal: bool
    scale: float
    groups: int
    rows: int
    triangle: Matrix
    buffers: dict[str, Matrix] = field(default_factory=dict[str, Any])

    def heads(self) -> Iterator[tuple[Index, Index]]:
        """Give the place of one head of the queries, or of several small ones, and the place of their keys."""
        lead = self.query.shape[:-2]
        if self.groups > 1:
            for place in np.ndindex(*lead):
                yield place, (*place[:-1], place[-1] // self.groups)
            return
        axis, size = len(lead), self.query.shape[-2] * self.key.shape[-2]
        while axis > 0 and size * lead[axis - 1] <= BLOCK:
            axis -= 1
            size *= lead[axis]
        if axis == 0:
            yield (), ()
            return
        step = max(1, BLOCK // size)
        for outer in np.ndindex(*lead[: axis - 1]):
            for start in range(0, lead[axis - 1], step):
                last = start if step == 1 else slice(start, start + step)
                yield (*outer, last), (*outer, last)

    def blocks(self) -> Iterator[tuple[slice, slice]]:
        """Give blocks of queries, and of the keys that they may attend to."""
        n, m = self.query.shape[-2], self.key.shape[-2]
        for start in range(0, n, self.rows):
            end = min(start + self.rows, n)
            yield slice(start, end), slice(0, min(m, end) if self.is_causal else m)

    def scores(self, place: Index, queries: Matrix, keys: Matrix, rows: slice, columns: slice, out: Matrix) -> None:
        """Compute a block of scores."""
        np.matmul(queries[..., rows, :], keys[..., columns, :].mT, out=out)
        if self.bias is not None:
            np.add(out, self.bias[place][..., rows, columns], out)
        if self.is_causal and columns.stop > rows.start:
            corner = out[..., rows.start :]
            np.add(corner, self.triangle[: corner.shape[-2], : corner.shape[-1]], corner)

    def scratch(self, name: str, shape: Shape) -> Matrix:
        """Return memory for a block of scores, the same every time."""
        size = math.prod(shape)
        if name not in self.buffers:
            self.buffers[name] = np.empty(max(size, self.rows * self.key.shape[-2]), self.query.dtype)
        return self.buffers[name][:size].reshape(shape)

    def cannot_overflow(self) -> bool:
        r"""Whether $|q \cdot k| \le \lVert q \rVert \lVert k \rVert$ says that no score is too large."""
        squares = [float(np.einsum("...i,...i->...", x, x).max()) for x in (self.query, self.key)]
        return abs(self.scale) * math.sqrt(math.prod(squares)) <= SAFE


def _problem(
    query: Matrix, key: Matrix, value: Matrix, mask: Matrix | None, *, is_causal: bool, scale: float, enable_gqa: bool
) -> _Problem | None:
    """Return the problem, or None where the reference form has to do it."""
    lead = query.shape[:-2]
    groups = query.shape[-3] // key.shape[-3] if enable_gqa else 1
    of_keys = (*lead[:-1], lead[-1] // groups) if groups > 1 else lead
    if key.shape[:-2] != of_keys or value.shape[:-2] != of_keys:
        return None
    if {key.dtype, value.dtype} != {query.dtype} or query.dtype.char not in "fd":
        return None
    if min(query.size, key.size, value.size) == 0:
        return None
    n, m, minus_infinity = query.shape[-2], key.shape[-2], query.dtype.type(-math.inf)
    rows = min(n, max(16, BLOCK // m))
    if is_causal:  # smaller blocks leave out more of the future
        rows = min(rows, 128)
    if mask is not None:
        mask = np.where(mask, query.dtype.type(0), minus_infinity) if is_boolean(mask) else mask
        mask = np.broadcast_to(mask, (*lead, n, m))
    triangle = np.triu(np.full((rows, rows), minus_infinity), 1) if is_causal else np.empty((0, 0), query.dtype)
    return _Problem(query, key, value, mask, is_causal, scale, groups, rows, triangle)


def _widened(x: Any) -> Any:
    """Return numbers of 16 bits in 32: NumPy multiplies matrices of them a hundred times slower, or not at all."""
    return x.astype(np.float32) if x is not None and x.dtype.itemsize == 2 else x


def attention_with_kept(
    xp: Namespace,
    query: Matrix,
    key: Matrix,
    value: Matrix,
    mask: Matrix | None = None,
    /,
    *,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    keep: str = "weights",
) -> tuple[Matrix, Matrix]:
    """Return the output and what the derivative needs: see ``deepcore.ops.attention``."""
    check_attention(query, key, value, mask, enable_gqa=enable_gqa, keep=keep)
    alpha = scale_or_default(scale, query)
    options: dict[str, Any] = {"is_causal": is_causal, "scale": alpha, "enable_gqa": enable_gqa}
    if query.dtype.itemsize == 2:
        wide = attention_with_kept(xp, *[_widened(x) for x in (query, key, value, mask)], **options, keep=keep)
        return wide[0].astype(query.dtype), wide[1].astype(query.dtype)
    problem = _problem(query, key, value, mask, **options)
    if problem is None:
        y, rest = composites["attention_with_kept"](xp, query, key, value, mask, **options, keep=keep)
        return y, rest
    # The axes lie in memory in the order of the query's, so that whoever joins the heads again need not move them.
    output = np.empty_like(query, shape=(*query.shape[:-1], value.shape[-1]))
    kept = np.empty((*query.shape[:-1], key.shape[-2]) if keep == "weights" else query.shape[:-1], query.dtype)
    is_safe = (mask is None or is_boolean(mask)) and problem.cannot_overflow()
    scaled = query * query.dtype.type(alpha)
    for place, of_keys in problem.heads():
        queries, keys, values = scaled[place], key[of_keys], value[of_keys]
        for rows, columns in problem.blocks():
            if keep == "weights":
                e = kept[place][..., rows, columns]
                kept[place][..., rows, columns.stop :] = 0
            else:
                e = problem.scratch("e", (*queries.shape[:-2], rows.stop - rows.start, columns.stop))
            problem.scores(place, queries, keys, rows, columns, e)
            y = output[place][..., rows, :]
            total, shift = _exponentials(e, is_safe=is_safe)
            is_masked = total == 0 if mask is not None else None
            if is_masked is not None:
                total[is_masked] = 1
            if keep == "weights":
                np.multiply(e, 1 / total, e)
                np.matmul(e, values[..., columns, :], out=y)
                continue
            np.matmul(e, values[..., columns, :], out=y)
            np.divide(y, total, y)
            logarithms = np.log(total) + shift
            if is_masked is not None:
                logarithms[is_masked] = -math.inf
            kept[place][..., rows] = logarithms[..., 0]
    return output, kept


def _exponentials(scores: Matrix, *, is_safe: bool) -> tuple[Matrix, Matrix | float]:
    """Replace scores by exponentials, and return the sums of rows, and what was subtracted before."""
    shift: Matrix | float = 0.0
    if not is_safe:
        largest = scores.max(axis=-1, keepdims=True)
        shift = np.where(np.isneginf(largest), 0, largest)
        np.subtract(scores, shift, scores)
    np.exp(scores, scores)
    return scores @ np.ones((scores.shape[-1], 1), scores.dtype), shift


def attention_gradients(
    xp: Namespace,
    dy: Matrix | None,
    dkept: Matrix | None,
    query: Matrix,
    key: Matrix,
    value: Matrix,
    mask: Matrix | None,
    output: Matrix,
    kept: Matrix,
    /,
    *,
    is_causal: bool,
    scale: float,
    enable_gqa: bool,
    keep: str,
) -> tuple[Any, Any, Any, Any]:
    """Return the cotangents of queries, keys, values and mask: see ``deepcore.ops.attention``."""
    if query.dtype.itemsize == 2:
        query, key, value, mask, output, kept = map(_widened, (query, key, value, mask, output, kept))
        dy, dkept = _widened(dy), _widened(dkept)
    options: dict[str, Any] = {"is_causal": is_causal, "scale": scale, "enable_gqa": enable_gqa}
    problem = _problem(query, key, value, mask, **options)
    if problem is None or dy is None or (dkept is not None and keep == "weights"):
        operands = (dy, dkept, query, key, value, mask, output, kept)
        dq, dk, dv, dmask = composites["attention_gradients"](xp, *operands, **options, keep=keep)
        return dq, dk, dv, dmask
    dquery, dkey, dvalue = np.empty_like(query), np.empty_like(key), np.empty_like(value)
    dmask = None if mask is None or is_boolean(mask) else np.zeros((*query.shape[:-1], key.shape[-2]), query.dtype)
    # What is subtracted from a row of dy V^T: the mean by the weights, which is dy · y.
    means = np.einsum("...i,...i->...", dy, output)
    means = (means if dkept is None else means - dkept)[..., None]
    n, m = query.shape[-2], key.shape[-2]
    several = problem.groups > 1 or problem.rows < n or (is_causal and n < m)  # or no contributions, to those of a key
    if several:
        dkey.fill(0)
        dvalue.fill(0)
    alpha = query.dtype.type(scale)
    scaled = query * alpha
    for place, of_keys in problem.heads():
        queries, keys, values, g = scaled[place], key[of_keys], value[of_keys], dy[place]
        for rows, columns in problem.blocks():
            shape = (*queries.shape[:-2], rows.stop - rows.start, columns.stop)
            if keep == "weights":
                p = kept[place][..., rows, columns]
            else:
                p = problem.scratch("p", shape)
                problem.scores(place, queries, keys, rows, columns, p)
                normaliser = kept[place][..., rows, None]
                np.subtract(p, np.where(np.isneginf(normaliser), 0, normaliser), p)
                np.exp(p, p)
            ds = problem.scratch("ds", shape)
            np.matmul(g[..., rows, :], values[..., columns, :].mT, out=ds)
            np.subtract(ds, means[place][..., rows, :], ds)
            np.multiply(ds, p, ds)
            if dmask is not None:
                dmask[place][..., rows, columns] = ds
            _accumulate(p.mT, g[..., rows, :], dvalue[of_keys][..., columns, :], several=several)
            _accumulate(ds.mT, queries[..., rows, :], dkey[of_keys][..., columns, :], several=several)
            np.matmul(ds, keys[..., columns, :], out=dquery[place][..., rows, :])
    np.multiply(dquery, alpha, dquery)
    return dquery, dkey, dvalue, dmask


def _accumulate(a: Matrix, b: Matrix, total: Matrix, *, several: bool) -> None:
    """Add a product to a cotangent, or store it as the only contribution."""
    if several:
        np.add(total, a @ b, total)
    else:
        np.matmul(a, b, out=total)
