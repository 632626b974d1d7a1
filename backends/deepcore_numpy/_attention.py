r"""Attention head by head, and in blocks of queries whose scores stay in the cache.

What a block of scores costs besides its matrix products is an exponential and, in the derivative, one multiplication:
sums of rows are products with ones, what is added to every score of a row is one more feature of its query, and nothing
is subtracted before the exponential where the lengths of queries and keys say that it cannot overflow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from deepcore._backend import composites
from deepcore.ops.attention import AttentionResult, check_attention, is_boolean, scale_or_default

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from deepcore._typing import Namespace

    Matrix: TypeAlias = NDArray[Any]
    Index: TypeAlias = tuple[int, ...]

BLOCK: Final = 65536
"""Scores at a time: in float32 they fill half of the second-level cache of most processors."""

SAFE: Final = 40.0
"""Sums of exponentials of scores up to this do not overflow, and of no less than its negative are not zero."""


@dataclass(frozen=True)
class _Problem:
    """One call: what is the same for every head."""

    query: Matrix
    key: Matrix
    value: Matrix
    bias: Matrix | None
    groups: int
    is_causal: bool
    scale: float
    rows: int
    triangle: Matrix

    def heads(self) -> Iterator[tuple[Index, Index]]:
        """Give the place of every head of the queries, and of its keys."""
        for place in np.ndindex(*self.query.shape[:-2]):
            yield place, (*place[:-1], place[-1] // self.groups) if self.groups > 1 else place

    def blocks(self) -> Iterator[tuple[slice, slice]]:
        """Give blocks of queries, and of the keys that they may attend to."""
        n, m = self.query.shape[-2], self.key.shape[-2]
        for start in range(0, n, self.rows):
            end = min(start + self.rows, n)
            yield slice(start, end), slice(0, min(m, end) if self.is_causal else m)

    def mask(self, scores: Matrix, place: Index, rows: slice, columns: slice) -> None:
        """Add the mask to a block of scores."""
        if self.bias is not None:
            np.add(scores, self.bias[(*place, rows, columns)], scores)
        if self.is_causal and columns.stop > rows.start:
            corner = scores[:, rows.start :]
            np.add(corner, self.triangle[: corner.shape[0], : corner.shape[1]], corner)

    def cannot_overflow(self, mask: Matrix | None) -> bool:
        r"""Whether $|q \cdot k| \le \lVert q \rVert \lVert k \rVert$ says that no score is too large."""
        if mask is not None and not is_boolean(mask):
            return False
        squares = (np.einsum("...i,...i->...", x, x).max() for x in (self.query, self.key))
        return bool(abs(self.scale) * math.sqrt(math.prod(map(float, squares))) <= SAFE)


def _problem(
    query: Matrix, key: Matrix, value: Matrix, mask: Matrix | None, *, is_causal: bool, scale: float, enable_gqa: bool
) -> _Problem | None:
    """Return the problem, or None where the reference form has to do it."""
    lead, leads = query.shape[:-2], {key.shape[:-2], value.shape[:-2]}
    groups = query.shape[-3] // key.shape[-3] if enable_gqa else 1
    same = leads == {(*lead[:-1], lead[-1] // groups) if groups > 1 else lead}
    types = {x.dtype for x in (query, key, value)}
    if not same or len(types) > 1 or query.dtype.char not in "fd" or min(query.size, key.size, value.size) == 0:
        return None
    n, m = query.shape[-2], key.shape[-2]
    rows = min(n, max(16, BLOCK // m))
    minus_infinity = query.dtype.type(-math.inf)
    bias = None
    if mask is not None:
        added = np.where(mask, query.dtype.type(0), minus_infinity) if is_boolean(mask) else mask
        bias = np.broadcast_to(added, (*lead, n, m))
    triangle = np.triu(np.full((rows, rows), minus_infinity), 1) if is_causal else np.empty((0, 0), query.dtype)
    return _Problem(query, key, value, bias, groups, is_causal, scale, rows, triangle)


def _like(x: Matrix, features: int) -> Matrix:
    """Return an empty array whose axes lie in memory in the order of another's, so that they need no moving later."""
    return np.empty_like(x, shape=(*x.shape[:-1], features))


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
) -> AttentionResult:
    """Return the output and what the derivative needs: see ``deepcore.ops.attention``."""
    check_attention(query, key, value, mask, enable_gqa=enable_gqa, keep=keep)
    alpha = scale_or_default(scale, query)
    problem = _problem(query, key, value, mask, is_causal=is_causal, scale=alpha, enable_gqa=enable_gqa)
    if problem is None:
        reference = composites["attention_with_kept"]
        options = {"is_causal": is_causal, "scale": alpha, "enable_gqa": enable_gqa, "keep": keep}
        return AttentionResult(*reference(xp, query, key, value, mask, **options))
    (n, _), m, dtype = query.shape[-2:], key.shape[-2], query.dtype
    output = _like(query, value.shape[-1])
    kept = np.empty((*query.shape[:-1], m) if keep == "weights" else query.shape[:-1], dtype)
    scratch, ones, shift = np.empty((problem.rows, m), dtype), np.ones(m, dtype), dtype.type(0)
    cannot_overflow = problem.cannot_overflow(mask)
    for place, of_keys in problem.heads():
        scaled, k, v = query[place] * dtype.type(alpha), key[of_keys], value[of_keys]
        for rows, columns in problem.blocks():
            if keep == "weights":
                kept[(*place, rows, slice(columns.stop, m))] = 0
                e = kept[(*place, rows, columns)]
            else:
                e = scratch[: rows.stop - rows.start, columns]
            np.matmul(scaled[rows], k[columns].T, out=e)
            problem.mask(e, place, rows, columns)
            if not cannot_overflow:
                shift = e.max(axis=1)
                shift[np.isneginf(shift)] = 0
                np.subtract(e, shift[:, None], e)
            np.exp(e, e)
            total = e @ ones[columns]
            inverse = 1 / np.where(total > 0, total, dtype.type(1))
            y = output[(*place, rows, slice(None))]
            if keep == "weights":
                np.multiply(e, inverse[:, None], e)
                np.matmul(e, v[columns], out=y)
                continue
            np.matmul(e, v[columns], out=y)
            np.multiply(y, inverse[:, None], y)
            kept[(*place, rows)] = np.where(total > 0, shift - np.log(inverse), -math.inf)
    return AttentionResult(output, kept)


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
    problem = _problem(query, key, value, mask, is_causal=is_causal, scale=scale, enable_gqa=enable_gqa)
    if problem is None or dy is None or (dkept is not None and keep == "weights"):
        options = {"is_causal": is_causal, "scale": scale, "enable_gqa": enable_gqa, "keep": keep}
        reference = composites["attention_gradients"]
        gradients: tuple[Any, Any, Any, Any] = reference(
            xp, dy, dkept, query, key, value, mask, output, kept, **options
        )
        return gradients
    return _Backward(problem, dy, dkept, output, kept, keep).run(wants_mask=mask is not None and not is_boolean(mask))


class _Backward:
    """The derivative of one call."""

    def __init__(
        self, problem: _Problem, dy: Matrix, dkept: Matrix | None, output: Matrix, kept: Matrix, keep: str
    ) -> None:
        self.problem = problem
        self.dy, self.output, self.kept, self.keep = dy, output, kept, keep
        self.added = -np.einsum("...i,...i->...", dy, output)
        if dkept is not None:
            self.added += dkept
        (n, d), (m, features), dtype = problem.query.shape[-2:], problem.value.shape[-2:], problem.query.dtype
        self.queries, self.keys = np.empty((n, d + 1), dtype), np.ones((m, d + 1), dtype)
        self.cotangents, self.values = np.empty((n, features + 1), dtype), np.ones((m, features + 1), dtype)
        self.scratch = np.empty((2, problem.rows, m), dtype)
        self.several = problem.groups > 1 or problem.rows < n  # contributions to the cotangent of one key

    def run(self, *, wants_mask: bool) -> tuple[Matrix, Matrix, Matrix, Matrix | None]:
        """Return the cotangents."""
        problem = self.problem
        query, key, value = problem.query, problem.key, problem.value
        dquery, dkey, dvalue = np.empty_like(query), np.empty_like(key), np.empty_like(value)
        dmask = np.zeros((*query.shape[:-1], key.shape[-2]), query.dtype) if wants_mask else None
        if self.several:
            dkey.fill(0)
            dvalue.fill(0)
        for place, of_keys in problem.heads():
            self._load(place, of_keys)
            for rows, columns in problem.blocks():
                p = self._weights(place, rows, columns)
                ds = self.scratch[1, : p.shape[0], columns]
                np.matmul(self.cotangents[rows], self.values[columns].T, out=ds)
                np.multiply(ds, p, ds)
                if dmask is not None:
                    dmask[(*place, rows, columns)] = ds
                self._add(p.T, self.dy[place][rows], dvalue[of_keys][columns])
                self._add(ds.T, self.queries[rows, :-1], dkey[of_keys][columns])
                dq = dquery[place][rows]
                np.matmul(ds, key[of_keys][columns], out=dq)
                np.multiply(dq, query.dtype.type(problem.scale), dq)
        return dquery, dkey, dvalue, dmask

    def _load(self, place: Index, of_keys: Index) -> None:
        """Copy a head, with what is added to every score of a row as one more feature."""
        np.multiply(self.problem.query[place], self.queries.dtype.type(self.problem.scale), self.queries[:, :-1])
        self.cotangents[:, :-1] = self.dy[place]
        self.cotangents[:, -1] = self.added[place]
        self.values[:, :-1] = self.problem.value[of_keys]
        if self.keep == "logsumexp":
            kept = self.kept[place]
            self.queries[:, -1] = np.where(np.isneginf(kept), 0, -kept)
            self.keys[:, :-1] = self.problem.key[of_keys]

    def _weights(self, place: Index, rows: slice, columns: slice) -> Matrix:
        if self.keep == "weights":
            return self.kept[(*place, rows, columns)]
        p = self.scratch[0, : rows.stop - rows.start, columns]
        np.matmul(self.queries[rows], self.keys[columns].T, out=p)
        self.problem.mask(p, place, rows, columns)
        return np.exp(p, p)

    def _add(self, a: Matrix, b: Matrix, total: Matrix) -> None:
        """Add a product to a cotangent, or store the only one."""
        if self.several:
            np.add(total, a @ b, total)
        else:
            np.matmul(a, b, out=total)
