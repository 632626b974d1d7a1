"""The transformer's blocks: attention and a network of each position by itself, with residual connections around."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._errors import ConfigError, DeepcoreError
from ._module import Module
from .activation import activation_named
from .attention import KeyValueCache, MultiHeadAttention
from .dense import Dense
from .dropout import Dropout
from .layer_norm import LayerNorm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from .._tensor import Tensor
    from ..random import Generator
    from .positional import RotaryEncoding


class _Layer(Module):
    """What the layers of encoders and decoders have in common."""

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        *,
        dropout: float = 0.1,
        activation: str | Module = "relu",
        eps: float = 1e-5,
        norm_first: bool = False,
        use_bias: bool = True,
        num_kv_heads: int | None = None,
        rotary: RotaryEncoding | None = None,
        generator: Generator | None = None,
    ) -> None:
        self._options: dict[str, Any] = {
            "d_model": d_model,
            "nhead": nhead,
            "dim_feedforward": dim_feedforward,
            "dropout": dropout,
            "activation": activation,
            "eps": eps,
            "norm_first": norm_first,
            "use_bias": use_bias,
            "num_kv_heads": num_kv_heads,
            "rotary": rotary,
            "generator": generator,
        }
        self.norm_first = norm_first
        self.self_attention = self._attention(rotary)
        self.linear1 = Dense(d_model, dim_feedforward, use_bias=use_bias, generator=generator)
        self.activation = activation_named(activation) if isinstance(activation, str) else activation
        self.linear2 = Dense(dim_feedforward, d_model, use_bias=use_bias, generator=generator)
        self.dropout = Dropout(dropout, generator=generator)
        self.norm1 = LayerNorm(d_model, eps=eps)
        self.norm2 = LayerNorm(d_model, eps=eps)

    def _attention(self, rotary: RotaryEncoding | None) -> MultiHeadAttention:
        names = ("dropout", "use_bias", "num_kv_heads", "generator")
        options = {name: self._options[name] for name in names}
        return MultiHeadAttention(self._options["d_model"], self._options["nhead"], rotary=rotary, **options)

    def another(self) -> Self:
        """Return a layer with the same options, and initial weights of its own."""
        return type(self)(**self._options)

    def _around(self, part: Callable[[Tensor], Tensor], x: Tensor, norm: Module) -> Tensor:
        """Apply a part with a residual connection around it, and normalise before it or behind the sum."""
        y: Tensor = x + self.dropout(part(norm(x))) if self.norm_first else norm(x + self.dropout(part(x)))
        return y

    def _feedforward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear2(self.dropout(self.activation(self.linear1(x))))
        return y

    def describe(self) -> str:
        """Return the number of features, of heads, and of hidden units."""
        options = self._options
        return f"{options['d_model']}, {options['nhead']} heads, {options['dim_feedforward']} hidden units"


class TransformerEncoderLayer(_Layer):
    r"""Self-attention and a network of each position: $h = N_1(x + D(A(x)))$ and $y = N_2(h + D(F(h)))$ or, with
    ``norm_first``, $h = x + D(A(N_1(x)))$ and $y = h + D(F(N_2(h)))$.

    Here $A$ is :class:`MultiHeadAttention`, $F(x) = D(\phi(x W_1 + b_1))\,W_2 + b_2$, $N$ a :class:`LayerNorm` and $D$
    a :class:`Dropout`.

    Parameters
    ----------
    d_model
        The number of features.
    nhead
        The number of heads.
    dim_feedforward
        The number of hidden units of $F$.
    dropout
        The probability of $D$, and of the attention's.
    activation
        $\phi$: a module, or its name.
    eps
        What is added to the variance in the normalisation.
    norm_first
        Whether to normalise before each part rather than behind; deep models then learn without a warm-up.
    use_bias
        Whether the dense layers have biases.
    num_kv_heads
        The number of heads of keys and values; by default ``nhead``.
    rotary
        An encoding that rotates the queries and the keys of each head of the self-attention.
    generator
        The source of the initial weights and of the dropout; the default one, if not given.

    Attributes
    ----------
    self_attention
        $A$.
    linear1, linear2
        The dense layers of $F$.
    norm1, norm2
        $N_1$ and $N_2$.

    Notes
    -----
    The input has shape (samples, positions, d_model): samples come first, unlike in PyTorch by default. In boolean
    masks True is for what may be attended to: see :class:`MultiHeadAttention`.

    References
    ----------
    A. Vaswani et al., Attention is all you need, NeurIPS 2017, section 3.1; R. Xiong et al., On layer normalization in
    the transformer architecture, ICML 2020 (``norm_first``).

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.TransformerEncoderLayer(16, 4, 32)(dc.ones((2, 5, 16))).shape
    (2, 5, 16)
    """

    def forward(
        self,
        x: Tensor,
        *,
        mask: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        """Return the result. The options are those of :meth:`MultiHeadAttention.forward`."""
        options: dict[str, Any] = {"mask": mask, "key_padding_mask": key_padding_mask, "is_causal": is_causal}
        x = self._around(lambda x: self.self_attention(x, **options, cache=cache), x, self.norm1)
        return self._around(self._feedforward, x, self.norm2)


class TransformerDecoderLayer(_Layer):
    r"""Self-attention, attention to a memory, and a network of each position: $g = N_1(x + D(A(x)))$,
    $h = N_2(g + D(B(g, m)))$ and $y = N_3(h + D(F(h)))$ or, with ``norm_first``, $g = x + D(A(N_1(x)))$ and so on.

    Parameters
    ----------
    d_model, nhead, dim_feedforward, dropout, activation, eps, norm_first, use_bias, num_kv_heads, rotary, generator
        As of :class:`TransformerEncoderLayer`. ``rotary`` is for the self-attention alone.

    Attributes
    ----------
    self_attention, cross_attention
        $A$ and $B$.
    linear1, linear2
        The dense layers of $F$.
    norm1, norm2, norm3
        $N_1$, $N_2$ and $N_3$.

    Notes
    -----
    The input has shape (samples, positions, d_model), and the memory, usually an encoder's result, (samples, positions
    of the memory, d_model).

    References
    ----------
    A. Vaswani et al., Attention is all you need, NeurIPS 2017, section 3.1.

    Examples
    --------
    >>> import deepcore as dc
    >>> layer = dc.nn.TransformerDecoderLayer(16, 4, 32)
    >>> layer(dc.ones((2, 5, 16)), dc.ones((2, 7, 16)), is_causal=True).shape
    (2, 5, 16)
    """

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048, **options: Any) -> None:
        super().__init__(d_model, nhead, dim_feedforward, **options)
        self.cross_attention = self._attention(rotary=None)
        self.norm3 = LayerNorm(d_model, eps=self._options["eps"])

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        *,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
        memory_is_causal: bool = False,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        """Return the result. The options are those of :meth:`MultiHeadAttention.forward`, of both attentions."""
        own: dict[str, Any] = {"mask": mask, "key_padding_mask": key_padding_mask, "is_causal": is_causal}
        other: dict[str, Any] = {"mask": memory_mask, "key_padding_mask": memory_key_padding_mask}
        other["is_causal"] = memory_is_causal
        x = self._around(lambda x: self.self_attention(x, **own, cache=cache), x, self.norm1)
        x = self._around(lambda x: self.cross_attention(x, memory, **other), x, self.norm2)
        return self._around(self._feedforward, x, self.norm3)


class _Stack(Module):
    """Layers one after another, each called with the same options, and a normalisation."""

    def __init__(self, layer: _Layer, num_layers: int, *, norm: Module | None = None) -> None:
        if num_layers < 1:
            msg = f"{type(self).__name__}: there is at least 1 layer, not {num_layers}"
            raise ConfigError(msg)
        self.layers = [layer, *[layer.another() for _ in range(num_layers - 1)]]
        self.norm = norm

    def _apply(
        self, x: Tensor, *others: Tensor, caches: Sequence[KeyValueCache] | None, options: dict[str, Any]
    ) -> Tensor:
        if caches is not None and len(caches) != len(self.layers):
            msg = f"{self!r}: every layer has a cache; got {len(caches)} for {len(self.layers)} layers"
            raise ConfigError(msg)
        for i, layer in enumerate(self.layers):
            try:
                x = layer(x, *others, **options, cache=None if caches is None else caches[i])
            except DeepcoreError as error:
                error.add_note(f"in layer {i} of {len(self.layers)}, {layer!r}")
                raise
        return x if self.norm is None else self.norm(x)

    def caches(self) -> list[KeyValueCache]:
        """Return an empty cache for every layer, to generate sequences with."""
        return [KeyValueCache() for _ in self.layers]

    def describe(self) -> str:
        """Return the number of layers and what they are."""
        return f"{len(self.layers)} × {self.layers[0]!r}"


class TransformerEncoder(_Stack):
    r"""Encoder layers one after another.

    Parameters
    ----------
    layer
        The first layer. The others have the same options, and initial weights of their own; PyTorch copies its weights
        too.
    num_layers
        The number of layers.
    norm
        A normalisation of the result, which a model with ``norm_first`` needs.

    Examples
    --------
    A language model's body is an encoder that is called with ``is_causal=True``. It generates with a cache: every call
    has only the positions that are new.

    >>> import deepcore as dc
    >>> body = dc.nn.TransformerEncoder(dc.nn.TransformerEncoderLayer(16, 4, 32), 3).eval()
    >>> x, caches = dc.random.Generator(0).normal((1, 5, 16)), body.caches()
    >>> parts = [body(x[:, i : i + 1, :], is_causal=True, caches=caches) for i in range(5)]
    >>> bool(dc.max(dc.abs(dc.concat(parts, axis=1) - body(x, is_causal=True))) < 1e-5)
    True
    """

    def __init__(self, layer: TransformerEncoderLayer, num_layers: int, *, norm: Module | None = None) -> None:
        super().__init__(layer, num_layers, norm=norm)

    def forward(
        self,
        x: Tensor,
        *,
        mask: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
        caches: Sequence[KeyValueCache] | None = None,
    ) -> Tensor:
        """Return the result. The options are those of :meth:`MultiHeadAttention.forward`, with a cache per layer."""
        options = {"mask": mask, "key_padding_mask": key_padding_mask, "is_causal": is_causal}
        return self._apply(x, caches=caches, options=options)


class TransformerDecoder(_Stack):
    r"""Decoder layers one after another, which all attend to the same memory.

    Parameters
    ----------
    layer
        The first layer. The others have the same options, and initial weights of their own; PyTorch copies its weights
        too.
    num_layers
        The number of layers.
    norm
        A normalisation of the result, which a model with ``norm_first`` needs.

    Examples
    --------
    >>> import deepcore as dc
    >>> decoder = dc.nn.TransformerDecoder(dc.nn.TransformerDecoderLayer(16, 4, 32), 3)
    >>> decoder(dc.ones((2, 5, 16)), dc.ones((2, 7, 16)), is_causal=True).shape
    (2, 5, 16)
    """

    def __init__(self, layer: TransformerDecoderLayer, num_layers: int, *, norm: Module | None = None) -> None:
        super().__init__(layer, num_layers, norm=norm)

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        *,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
        memory_is_causal: bool = False,
        caches: Sequence[KeyValueCache] | None = None,
    ) -> Tensor:
        """Return the result. The options are those of :meth:`MultiHeadAttention.forward`, with a cache per layer."""
        options = {
            "mask": mask,
            "key_padding_mask": key_padding_mask,
            "is_causal": is_causal,
            "memory_mask": memory_mask,
            "memory_key_padding_mask": memory_key_padding_mask,
            "memory_is_causal": memory_is_causal,
        }
        return self._apply(x, memory, caches=caches, options=options)
