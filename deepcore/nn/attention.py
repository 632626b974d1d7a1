"""Attention by several heads, and the cache of keys and values with which sequences are generated."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .._errors import ConfigError, DTypeError, ShapeError
from ..ops.attention import attention, attention_with_kept
from ..ops.creation import arange
from ..ops.manipulation import concat, permute_dims
from ..ops.searching import where
from ._module import Module
from .dense import Dense
from .dropout import Dropout

if TYPE_CHECKING:
    from .._tensor import Tensor
    from ..random import Generator
    from .initializers import Initializer
    from .positional import RotaryEncoding


class KeyValueCache:
    """The keys and values of the positions that a model has seen, so that it need not compute them again.

    It belongs to one layer and one batch of sequences. While a layer is called with it, the input is what comes next.

    Attributes
    ----------
    key, value
        Of shape (samples, heads, positions, features of a head); None before the first call.

    Examples
    --------
    >>> import deepcore as dc
    >>> layer, cache = dc.nn.MultiHeadAttention(8, 2), dc.nn.KeyValueCache()
    >>> for _ in range(3):
    ...     y = layer(dc.ones((1, 1, 8)), is_causal=True, cache=cache)
    >>> cache.length
    3
    """

    def __init__(self) -> None:
        self.key: Tensor | None = None
        self.value: Tensor | None = None

    @property
    def length(self) -> int:
        """The number of positions."""
        return 0 if self.key is None else self.key.shape[-2]

    def append(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Add the next positions, and return all.

        Raises
        ------
        ShapeError
            If they are of other sequences than those before.
        """
        if self.key is not None and self.value is not None:
            if (*self.key.shape[:2], self.key.shape[3]) != (*key.shape[:2], key.shape[3]):
                msg = (
                    f"KeyValueCache: it holds keys of shape {self.key.shape}, and {key.shape} do not continue them; "
                    "every layer and every batch has a cache of its own"
                )
                raise ShapeError(msg)
            key, value = concat([self.key, key], axis=2), concat([self.value, value], axis=2)
        self.key, self.value = key, value
        return key, value

    def __repr__(self) -> str:
        return f"KeyValueCache(length={self.length})"


class MultiHeadAttention(Module):
    r"""Attention by several heads, $Y = \operatorname{concat}(Y_1, \dots, Y_h)\,W_O + b_O$ with
    $Y_i = \operatorname{softmax}(Q_i K_i^\top / \sqrt{d_h})\,V_i$, where $Q_i$, $K_i$ and $V_i$ are columns
    $(i - 1) d_h + 1, \dots, i d_h$ of $Q = X W_Q + b_Q$, $K = Z W_K + b_K$ and $V = U W_V + b_V$.

    Parameters
    ----------
    embed_dim
        The number of features of queries and results, $d$.
    num_heads
        The number of heads, $h$, which divides $d$: $d_h = d / h$.
    num_kv_heads
        The number of heads of keys and values, which divides $h$: each serves as many neighbouring heads of queries.
        By default there are as many as of queries; 1 is multi-query attention.
    kdim, vdim
        The numbers of features of $Z$ and $U$, where they are not $d$.
    dropout
        The probability that a weight is dropped while training.
    use_bias
        Whether there are $b_Q$, $b_K$, $b_V$ and $b_O$. They begin at 0.
    rotary
        An encoding that rotates the queries and the keys of each head.
    initializer
        How the weights begin: a function of the shape and a generator, or its name.
    generator
        The source of the initial weights and of the dropout; the default one, if not given.

    Attributes
    ----------
    query, key, value, output
        The :class:`Dense` layers, with $W_Q$ of shape (d, d), $W_K$ of (kdim, g d_h), $W_V$ of (vdim, g d_h) and $W_O$
        of (d, d), where $g$ is the number of heads of keys.

    Raises
    ------
    ConfigError
        If the numbers of heads do not divide each other and ``embed_dim``.
    ShapeError
        When called on arrays of other ranks or numbers of features, or with masks that do not fit.

    Notes
    -----
    $X$ has shape (samples, queries, d), $Z$ (samples, keys, kdim), $U$ (samples, keys, vdim) and $Y$ that of $X$:
    samples come first, unlike in PyTorch by default. PyTorch holds $W_Q^\top$, $W_K^\top$ and $W_V^\top$ below one
    another in ``in_proj_weight``, and draws them as one matrix. In boolean masks True is for what a query may attend
    to, as in PyTorch's ``scaled_dot_product_attention``; its ``MultiheadAttention`` has it the other way round. A query
    that may attend to nothing gets $b_O$.

    References
    ----------
    A. Vaswani et al., Attention is all you need, NeurIPS 2017, section 3.2.2; N. Shazeer, Fast transformer decoding:
    one write-head is all you need, arXiv:1911.02150, 2019; J. Ainslie et al., GQA: training generalized multi-query
    transformer models from multi-head checkpoints, EMNLP 2023.

    Examples
    --------
    >>> import deepcore as dc
    >>> layer = dc.nn.MultiHeadAttention(16, 4)
    >>> layer(dc.ones((2, 5, 16))).shape
    (2, 5, 16)
    >>> y, weights = layer(dc.ones((2, 5, 16)), dc.ones((2, 7, 16)), need_weights=True)
    >>> weights.shape
    (2, 4, 5, 7)
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        *,
        num_kv_heads: int | None = None,
        kdim: int | None = None,
        vdim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        rotary: RotaryEncoding | None = None,
        initializer: str | Initializer = "glorot_uniform",
        generator: Generator | None = None,
    ) -> None:
        groups = num_heads if num_kv_heads is None else num_kv_heads
        if min(embed_dim, num_heads, groups) < 1 or embed_dim % num_heads or num_heads % groups:
            msg = (
                "MultiHeadAttention: the number of heads divides the features, and the number of heads of keys that of "
                f"queries; got {embed_dim} features, {num_heads} heads and {groups} of keys"
            )
            raise ConfigError(msg)
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.num_kv_heads = groups
        self.head_dim = embed_dim // num_heads
        if rotary is not None and rotary.features > self.head_dim:
            msg = (
                f"MultiHeadAttention: {rotary!r} rotates the features of a head, of which there are {self.head_dim} "
                f"({embed_dim} / {num_heads} heads)"
            )
            raise ConfigError(msg)
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim

        def dense(n: int, m: int) -> Dense:
            return Dense(n, m, use_bias=use_bias, initializer=initializer, generator=generator)

        self.query = dense(embed_dim, embed_dim)
        self.key = dense(self.kdim, groups * self.head_dim)
        self.value = dense(self.vdim, groups * self.head_dim)
        self.output = dense(embed_dim, embed_dim)
        self.dropout = Dropout(dropout, generator=generator)
        self.rotary = rotary

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        *,
        mask: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
        need_weights: bool = False,
        cache: KeyValueCache | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        r"""Return $Y$ or, with ``need_weights``, $Y$ and the weights of each head.

        Parameters
        ----------
        query, key, value
            $X$, $Z$ and $U$. $Z$ is by default $X$, and $U$ is $Z$.
        mask
            Of shape (queries, keys), (samples, queries, keys) or (samples, heads, queries, keys), where the last two
            may be 1 in samples and heads. Boolean: True where a query may attend to a key. Of floating point: added to
            the scores, and differentiated.
        key_padding_mask
            Of shape (samples, keys), boolean: True for keys, False for padding.
        is_causal
            Whether query $i$ attends only to keys $j \le i$, counted from the beginning or, with a cache, from the
            beginning of what it holds.
        need_weights
            Whether to return the weights too, of shape (samples, heads, queries, keys) and without dropout.
        cache
            The keys and values of the positions before this input. Those of the input are added to it.
        """
        key = query if key is None else key
        value = key if value is None else value
        self._check(query, key, value)
        offset = 0 if cache is None else cache.length
        q = self._heads(self.query(query), self.num_heads)
        k = self._heads(self.key(key), self.num_kv_heads)
        v = self._heads(self.value(value), self.num_kv_heads)
        if self.rotary is not None:
            q, k = self.rotary(q, offset=offset), self.rotary(k, offset=offset)
        if cache is not None:
            k, v = cache.append(k, v)
        n, m = q.shape[-2], k.shape[-2]
        mask = self._mask(mask, key_padding_mask, (q.shape[0], self.num_heads, n, m))
        if is_causal and offset:
            is_causal = False
            if n > 1:  # a single query is the last position, and may attend to all
                earlier = arange(m, device=q.device) <= offset + arange(n, device=q.device)[:, None]
                mask = earlier if mask is None else _both(mask, earlier)
        enable_gqa = self.num_kv_heads != self.num_heads
        if not need_weights:
            drop = self.dropout if self.training and self.dropout.p else None
            y = attention(q, k, v, mask, is_causal=is_causal, enable_gqa=enable_gqa, dropout=drop)
            return self._joined(y)
        y, weights = attention_with_kept(q, k, v, mask, is_causal=is_causal, enable_gqa=enable_gqa)
        if self.training and self.dropout.p:
            y = attention(q, k, v, mask, is_causal=is_causal, enable_gqa=enable_gqa, dropout=self.dropout)
        return self._joined(y), weights

    def _heads(self, x: Tensor, n: int) -> Tensor:
        """Return (samples, heads, positions, features of a head)."""
        return permute_dims(x.reshape(x.shape[0], x.shape[1], n, self.head_dim), (0, 2, 1, 3))

    def _joined(self, y: Tensor) -> Tensor:
        samples, _, n, _ = y.shape
        result: Tensor = self.output(permute_dims(y, (0, 2, 1, 3)).reshape(samples, n, self.embed_dim))
        return result

    def _mask(self, mask: Tensor | None, key_padding_mask: Tensor | None, wanted: tuple[int, ...]) -> Tensor | None:
        """Return one mask of four axes, or of two."""
        samples, _, n, m = wanted
        if mask is not None:
            hint = ""
            if mask.ndim == 2 and mask.shape == (samples, m) != (n, m):
                hint = "; a mask of keys per sample is the key_padding_mask"
            padded = (1,) * (4 - mask.ndim) + mask.shape if mask.ndim != 3 else (mask.shape[0], 1, *mask.shape[1:])
            if mask.ndim not in (2, 3, 4) or any(a not in (1, b) for a, b in zip(padded, wanted, strict=True)):
                msg = (
                    f"{self!r}: expected a mask of shape (queries, keys) = {(n, m)}, or with samples, or samples and "
                    f"heads, before that, {wanted}; got {mask.shape}{hint}"
                )
                raise ShapeError(msg)
            mask = mask.reshape(padded) if mask.ndim == 3 else mask
        if key_padding_mask is None:
            return mask
        if key_padding_mask.shape != (samples, m):
            msg = (
                f"{self!r}: expected a key_padding_mask of shape (samples, keys) = {(samples, m)}, "
                f"got {key_padding_mask.shape}"
            )
            raise ShapeError(msg)
        if not key_padding_mask.dtype.is_kind("bool"):
            msg = (
                f"{self!r}: the key_padding_mask is boolean, True for keys and False for padding, "
                f"and not {key_padding_mask.dtype}"
            )
            raise DTypeError(msg)
        keys = key_padding_mask[:, None, None, :]
        return keys if mask is None else _both(mask, keys)

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        wanted = {"query": self.embed_dim, "key": self.kdim, "value": self.vdim}
        for (name, n), x in zip(wanted.items(), (query, key, value), strict=True):
            if x.ndim == 3 and x.shape[-1] == n:
                continue
            hint = ""
            if x.ndim == 2 and x.shape[-1] == n:
                hint = "; for a single sequence, insert an axis: x[None, :, :]"
            elif x.ndim == 3 and name != "query" and x.shape[-1] == self.embed_dim:
                hint = f"; the layer was made with {'kdim' if name == 'key' else 'vdim'}={n}"
            msg = f"{self!r}: expected a {name} of shape (samples, positions, {n}), got {x.shape}{hint}"
            raise ShapeError(msg)
        if not query.shape[0] == key.shape[0] == value.shape[0] or key.shape[1] != value.shape[1]:
            hint = "; samples come first" if query.shape[1] == key.shape[1] == value.shape[1] else ""
            msg = (
                f"{self!r}: queries, keys and values are of as many samples, and every key has a value; got query "
                f"{query.shape}, key {key.shape}, value {value.shape}{hint}"
            )
            raise ShapeError(msg)

    def describe(self) -> str:
        """Return the number of features, and of heads."""
        groups = "" if self.num_kv_heads == self.num_heads else f", {self.num_kv_heads} of keys"
        return f"{self.embed_dim}, {self.num_heads} heads{groups}"


def _both(mask: Tensor, allowed: Tensor) -> Tensor:
    """Return a mask that lets pass what both do, the second of which is boolean."""
    return mask & allowed if mask.dtype.is_kind("bool") else where(allowed, mask, -math.inf)
