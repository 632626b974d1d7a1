r"""Scaled dot-product attention: each query takes the mean of the values, weighted by how its key suits it.

$$Y = P V, \qquad P = \operatorname{softmax}(S), \qquad S = \alpha Q K^\top + M,$$

where the softmax is along the rows, $\alpha = 1 / \sqrt d$ by default, and $M$ is a mask: a number that is added, or
$-\infty$ where a query may not attend to a key. A query that may attend to nothing has $P = 0$ and $Y = 0$.

Source: A. Vaswani et al., Attention is all you need, NeurIPS 2017, section 3.2.1; groups of heads: J. Ainslie et al.,
GQA: training generalized multi-query transformer models from multi-head checkpoints, EMNLP 2023; the logarithm of the
normaliser in place of the weights: T. Dao et al., FlashAttention, NeurIPS 2022, section 3.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .._backend import place
from .._errors import ConfigError, DTypeError, ShapeError
from .._primitive import Sample
from .._record import composite, kernel
from .._sweep import op
from .._tape import is_grad_enabled
from .manipulation import broadcast_shapes

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._tensor import Tensor
    from .._typing import Array, Namespace, Shape

KEPT: Final = ("weights", "logsumexp")
"""What may be kept for the derivative."""

MANY: Final = 2**26
"""Above this number of weights, :func:`attention` computes them a second time for the derivative."""


class AttentionResult(NamedTuple):
    """The output, and what was kept: the weights $P$, or the logarithms of the softmax's normalisers."""

    output: Array
    kept: Array


def check_attention(query: Any, key: Any, value: Any, mask: Any, *, enable_gqa: bool, keep: str) -> None:
    """Raise if the shapes, raw arrays' or tensors', do not fit together."""
    shapes = f"query {tuple(query.shape)}, key {tuple(key.shape)}, value {tuple(value.shape)}"
    if keep not in KEPT:
        msg = f"attention: keep is {' or '.join(map(repr, KEPT))}, not {keep!r}"
        raise ConfigError(msg)
    if min(len(x.shape) for x in (query, key, value)) < 2 + enable_gqa:
        axes = "heads, positions and features" if enable_gqa else "positions and features"
        msg = f"attention: every operand has axes of {axes} at the end; got {shapes}"
        raise ShapeError(msg)
    if query.shape[-1] != key.shape[-1]:
        msg = f"attention: queries and keys have the same number of features (the last axis); got {shapes}"
        raise ShapeError(msg)
    if key.shape[-2] != value.shape[-2]:
        msg = f"attention: every key has a value, so their positions (the last axis but one) are as many; got {shapes}"
        raise ShapeError(msg)
    lead = _lead(query, key, value, shapes, enable_gqa=enable_gqa)
    if mask is not None:
        _check_mask(query, mask, (*lead, query.shape[-2], key.shape[-2]))


def _lead(query: Any, key: Any, value: Any, shapes: str, *, enable_gqa: bool) -> Shape:
    """Return the shape of the leading axes, heads among them."""
    leads = [tuple(x.shape[:-2]) for x in (query, key, value)]
    if enable_gqa:
        heads, groups = query.shape[-3], key.shape[-3]
        if value.shape[-3] != groups or groups == 0 or heads % groups:
            msg = (
                "attention: with enable_gqa there are as many heads of values as of keys, and a multiple of them of "
                f"queries; got {shapes}"
            )
            raise ShapeError(msg)
        leads = [(*lead[:-1], heads) for lead in leads]
    try:
        return broadcast_shapes(*leads)
    except ShapeError:
        hint = ""
        if len(leads[0]) and len(leads[1]) and leads[1][-1] and leads[0][-1] % leads[1][-1] == 0 and not enable_gqa:
            hint = "; for fewer heads of keys than of queries, say enable_gqa=True"
        msg = f"attention: the leading axes do not broadcast; got {shapes}{hint}"
        raise ShapeError(msg) from None


def _check_mask(query: Any, mask: Any, wanted: Shape) -> None:
    if not is_boolean(mask) and mask.dtype != query.dtype:
        msg = (
            f"attention: a mask is boolean, True where a query may attend, or has the queries' data type "
            f"{query.dtype}, to be added; got {mask.dtype}"
        )
        raise DTypeError(msg)
    shape = tuple(mask.shape)
    fits = len(shape) <= len(wanted) and all(m in (1, n) for m, n in zip(shape[::-1], wanted[::-1], strict=False))
    if not fits:
        hint = ""
        if len(shape) == 2 and shape == wanted[:1] + wanted[-1:]:
            hint = "; for one mask of keys per sample, insert axes: mask[:, None, None, :]"
        elif len(shape) == 3 and shape == (wanted[0], *wanted[-2:]):
            hint = "; for one mask per sample, insert an axis for the heads: mask[:, None, :, :]"
        msg = f"attention: the mask broadcasts to (..., queries, keys) = {wanted}; got {shape}{hint}"
        raise ShapeError(msg)


def is_boolean(mask: Any) -> bool:
    """Whether a mask says where a query may attend, and is not a number to be added."""
    return "bool" in str(mask.dtype)


def scale_or_default(scale: float | None, query: Any) -> float:
    r"""Return $\alpha$, which is $1 / \sqrt d$ where it is not given."""
    return 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale


class _Grouped(NamedTuple):
    """The operands, with the query heads that share a key on an axis of their own, where there are such."""

    query: Any
    key: Any
    value: Any
    mask: Any
    merge: Callable[[Any], Any]
    """Gives what has the axis of groups the shape without it."""
    add: Callable[[Any], Any]
    """Adds what the query heads of a group contribute to a cotangent of a key or a value."""


def _grouped(xp: Namespace, query: Any, key: Any, value: Any, mask: Any, *, enable_gqa: bool) -> _Grouped:
    if not enable_gqa or query.shape[-3] == key.shape[-3]:
        return _Grouped(query, key, value, mask, lambda x: x, lambda x: x)
    heads, groups = query.shape[-3], key.shape[-3]

    def split(x: Any) -> Any:
        return xp.reshape(x, (*x.shape[:-3], groups, heads // groups, *x.shape[-2:]))

    if mask is not None and len(mask.shape) > 2:
        mask = split(mask) if mask.shape[-3] == heads else xp.expand_dims(mask, axis=-3)
    return _Grouped(
        split(query),
        xp.expand_dims(key, axis=-3),
        xp.expand_dims(value, axis=-3),
        mask,
        lambda x: xp.reshape(x, (*x.shape[:-4], heads, *x.shape[-2:])),
        lambda x: xp.sum(x, axis=-3),
    )


def _scores(xp: Namespace, query: Any, key: Any, mask: Any, *, is_causal: bool, scale: float) -> Any:
    scores = xp.matmul(query * scale, xp.matrix_transpose(key))
    if mask is not None:
        scores = xp.where(mask, scores, -math.inf) if is_boolean(mask) else scores + mask
    if is_causal:
        rows = xp.arange(query.shape[-2], device=place(query))
        columns = xp.arange(key.shape[-2], device=place(query))
        scores = xp.where(rows[:, None] >= columns[None, :], scores, -math.inf)
    return scores


def _finite(x: Any, xp: Namespace) -> Any:
    """Return the maximum of a row, or the logarithm of its sum; 0, where it may attend to nothing."""
    return xp.where(x > -math.inf, x, 0.0)


@composite(
    Sample(((3, 2), (4, 2), (4, 3))),
    Sample(((2, 3, 2), (2, 3, 2), (2, 3, 2)), parameters={"is_causal": True, "scale": 0.6}),
    Sample(((2, 3, 4), (2, 5, 4), (2, 5, 2), (3, 5)), booleans=(3,)),  # the first query may attend to nothing
    Sample(((2, 3, 5), (2, 5, 5), (2, 5, 2), (3, 5)), booleans=(3,), parameters={"keep": "logsumexp"}),
    Sample(((2, 3, 4), (2, 5, 4), (2, 5, 2), (2, 1, 5))),
    Sample(((2, 4, 2, 3), (2, 2, 3, 3), (2, 2, 3, 3), (4, 2, 3)), parameters={"enable_gqa": True}),
    Sample(((4, 3, 2), (2, 4, 2), (2, 4, 3)), parameters={"enable_gqa": True, "keep": "logsumexp", "is_causal": True}),
    Sample(((2, 1, 3, 2), (3, 4, 2), (4, 2))),
    result=AttentionResult,
)
def attention_with_kept(
    xp: Namespace,
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None = None,
    /,
    *,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    keep: str = "weights",
) -> Any:
    r"""Scaled dot-product attention, and what its derivative is computed from. With $P = \operatorname{softmax}(S)$ and
    $S = \alpha Q K^\top + M$: $Y = PV$, $\bar V = P^\top \bar Y$, $\bar P = \bar Y V^\top$,
    $\bar S = P \odot (\bar P - (\bar P \odot P)\,1)$, $\bar M = \bar S$, $\bar Q = \alpha \bar S K$,
    $\bar K = \alpha \bar S^\top Q$, where $(\bar P \odot P)\,1$, the sums of rows, are those of $\bar Y \odot Y$ too.

    With ``keep="weights"`` the second result is $P$, with ``keep="logsumexp"`` it is $\ell = \ln \sum_j e^{S_{ij}}$,
    from which the rule computes $P = e^{S - \ell}$ again: it takes longer, and no memory. The parameters are those of
    :func:`attention`.
    """
    check_attention(query, key, value, mask, enable_gqa=enable_gqa, keep=keep)
    scale = scale_or_default(scale, query)
    x = _grouped(xp, query, key, value, mask, enable_gqa=enable_gqa)
    scores = _scores(xp, x.query, x.key, x.mask, is_causal=is_causal, scale=scale)
    shift = _finite(xp.max(scores, axis=-1, keepdims=True), xp)
    e = xp.exp(scores - shift)
    total = xp.sum(e, axis=-1, keepdims=True)
    positive = xp.where(total > 0, total, 1.0)
    if keep == "weights":
        weights = e / positive
        return AttentionResult(x.merge(xp.matmul(weights, x.value)), x.merge(weights))
    y = xp.matmul(e, x.value) / positive
    kept = xp.where(total > 0, shift + xp.log(positive), -math.inf)
    return AttentionResult(x.merge(y), x.merge(kept)[..., 0])


@kernel
def attention_gradients(
    xp: Namespace,
    dy: Any,
    dkept: Any,
    query: Any,
    key: Any,
    value: Any,
    mask: Any,
    output: Any,
    kept: Any,
    /,
    *,
    is_causal: bool,
    scale: float,
    enable_gqa: bool,
    keep: str,
) -> tuple[Any, Any, Any, Any]:
    """Return the cotangents of queries, keys, values, and of the mask if it is one that is added.

    It is a kernel and no operation: adapters may replace it, and a sweep that is recorded runs these lines on tensors.
    """
    x = _grouped(xp, query, key, value, mask, enable_gqa=enable_gqa)

    def split(array: Any) -> Any:
        return _grouped(xp, array, key, value, None, enable_gqa=enable_gqa).query

    if keep == "weights":
        weights = split(kept)
    else:
        scores = _scores(xp, x.query, x.key, x.mask, is_causal=is_causal, scale=scale)
        weights = xp.exp(scores - _finite(split(kept[..., None]), xp))
    dvalue = dweights = None
    if dy is not None:
        dvalue = x.add(xp.matmul(xp.matrix_transpose(weights), split(dy)))
        dweights = xp.matmul(split(dy), xp.matrix_transpose(x.value))
    if keep == "weights":
        if dkept is not None:
            dweights = split(dkept) if dweights is None else dweights + split(dkept)
        dscores = weights * (dweights - xp.sum(weights * dweights, axis=-1, keepdims=True))
    else:
        rest = 0.0 if dkept is None else split(dkept[..., None])
        if dy is not None:
            rest = dweights - xp.sum(split(dy * output), axis=-1, keepdims=True) + rest
        dscores = weights * rest
    dquery = scale * xp.matmul(dscores, x.key)
    dkey = scale * xp.matmul(xp.matrix_transpose(dscores), x.query)
    dmask = None if mask is None or is_boolean(mask) else x.merge(dscores)
    return x.merge(dquery), x.add(dkey), dvalue, dmask


def _rule(
    dy: Any,
    query: Any,
    key: Any,
    value: Any,
    mask: Any,
    output: Any,
    kept: Any,
    is_causal: bool,
    scale: float | None,
    enable_gqa: bool,
    keep: str,
    xp: Namespace,
) -> tuple[Any, Any, Any, Any]:
    return xp.attention_gradients(
        *(dy.get("output"), dy.get("kept"), query, key, value, mask, output, kept),
        is_causal=is_causal,
        scale=scale_or_default(scale, query),
        enable_gqa=enable_gqa,
        keep=keep,
    )


attention_with_kept.vjp_all(_rule)


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    *,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    dropout: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    r"""Return $\operatorname{softmax}(\alpha Q K^\top + M)\,V$, scaled dot-product attention.

    Parameters
    ----------
    query
        $Q$, of shape (..., L, d); before that, usually, axes of samples and of heads.
    key
        $K$, of shape (..., S, d).
    value
        $V$, of shape (..., S, m).
    mask
        An array that broadcasts to (..., L, S). A boolean one is True where a query may attend to a key; one of
        floating point is $M$, and is differentiated.
    is_causal
        Whether query $i$ attends only to keys $j \le i$, counted from the beginning of both, in addition to what the
        mask says.
    scale
        $\alpha$; $1 / \sqrt d$ by default.
    enable_gqa
        Whether the third axis from the end is that of heads, with fewer of keys and values than of queries: each
        of $h$ key heads serves as many neighbouring query heads.
    dropout
        What to apply to the weights, for example an :class:`~deepcore.nn.Dropout`.

    Returns
    -------
    Tensor
        $Y$, of shape (..., L, m). Its rows are 0 where a query may attend to nothing.

    Raises
    ------
    ShapeError
        If the shapes do not fit together.
    DTypeError
        If the mask is neither boolean nor of the queries' data type.

    Notes
    -----
    The derivative keeps the weights, L · S numbers for every head. Where they are more than 2**26 it computes them
    again instead, from one number for every query.

    Examples
    --------
    >>> import deepcore as dc
    >>> x = dc.asarray([[1.0, 0.0], [0.0, 1.0]])
    >>> dc.attention(x, x, x, is_causal=True)[0, :].tolist()
    [1.0, 0.0]
    """
    recorded = is_grad_enabled() and any(getattr(x, "requires_grad", False) for x in (query, key, value, mask))
    few = math.prod(query.shape[:-1]) * key.shape[-2] <= MANY if len(key.shape) > 1 else True
    wanted = dropout is not None or (recorded and few)
    y, kept = attention_with_kept(
        *(query, key, value, mask),
        is_causal=is_causal,
        scale=scale,
        enable_gqa=enable_gqa,
        keep="weights" if wanted else "logsumexp",
    )
    if dropout is None:
        return y
    weights = _grouped(op, dropout(kept), key, value, None, enable_gqa=enable_gqa)
    return weights.merge(op.matmul(weights.query, weights.value))
