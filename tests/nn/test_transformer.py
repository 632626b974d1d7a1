"""The blocks of transformers: what they may see, their options, and their caches."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn
from deepcore.random import Generator
from deepcore.testing import assert_close, check_grads

RNG = np.random.default_rng(0)
ROTARY: dict[str, Any] = {"num_kv_heads": 2, "rotary": nn.RotaryEncoding(2)}


def encoder(n: int = 2, **options: Any) -> nn.TransformerEncoder:
    options.setdefault("dropout", 0.0)
    layer = nn.TransformerEncoderLayer(8, 4, 12, generator=Generator(0), **options)
    return nn.TransformerEncoder(layer, n, norm=nn.LayerNorm(8))


def decoder(n: int = 2, **options: Any) -> nn.TransformerDecoder:
    options.setdefault("dropout", 0.0)
    layer = nn.TransformerDecoderLayer(8, 4, 12, generator=Generator(0), **options)
    return nn.TransformerDecoder(layer, n, norm=nn.LayerNorm(8))


def sequences(*shape: int, dtype: dc.DType = dc.float32) -> dc.Tensor:
    return dc.asarray(RNG.normal(size=shape), dtype=dtype)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("options", [{}, ROTARY], ids=["plain", "rotary"])
def test_a_causal_model_cannot_see_the_future(options: dict[str, Any], norm_first: bool) -> None:
    model, memory = decoder(norm_first=norm_first, **options), sequences(1, 3, 8)
    body = encoder(norm_first=norm_first, **options)
    values = RNG.normal(size=(1, 6, 8)).astype(np.float32)
    calls: list[Any] = [lambda x: body(x, is_causal=True), lambda x: model(x, memory, is_causal=True)]
    for call in calls:
        before = call(dc.asarray(values)).numpy()
        for t in range(6):
            changed = values.copy()
            changed[:, t] += RNG.normal(size=8)
            after = call(dc.asarray(changed)).numpy()
            np.testing.assert_array_equal(after[:, :t], before[:, :t])
            assert (after[:, t:] != before[:, t:]).any(axis=(0, 2)).all()


def test_without_positions_an_encoder_commutes_with_permutations() -> None:
    model, x, order = encoder(), sequences(2, 6, 8), RNG.permutation(6)
    assert_close(model(dc.asarray(x.numpy()[:, order])).numpy(), model(x).numpy()[:, order], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_padding_changes_nothing(kind: str) -> None:
    values, kept = RNG.normal(size=(2, 6, 8)).astype(np.float32), np.arange(6) < np.array([[4], [6]])
    mask = dc.asarray(kept)
    model, other, x = encoder(), decoder(), sequences(2, 3, 8)
    counted = kept if kind == "encoder" else np.ones((2, 3), dtype=bool)

    def call(padded: dc.Tensor) -> Any:
        if kind == "encoder":
            return model(padded, key_padding_mask=mask)
        return other(x, padded, memory_key_padding_mask=mask)

    before = call(dc.asarray(values)).numpy()
    values[~kept] = 7.0
    np.testing.assert_allclose(call(dc.asarray(values)).numpy()[counted], before[counted], atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"norm_first": True, **ROTARY}], ids=["plain", "rotary"])
def test_caches_change_nothing(options: dict[str, Any]) -> None:
    x, memory = sequences(2, 6, 8), sequences(2, 3, 8)
    body, model = encoder(**options), decoder(**options)
    calls: list[tuple[Any, list[nn.KeyValueCache]]] = [
        (lambda x, **kwargs: body(x, is_causal=True, **kwargs), body.caches()),
        (lambda x, **kwargs: model(x, memory, is_causal=True, **kwargs), model.caches()),
    ]
    for call, caches in calls:
        parts = [call(x[:, a:b, :], caches=caches) for a, b in ((0, 3), (3, 4), (4, 6))]
        assert_close(dc.concat(parts, axis=1), call(x), rtol=1e-4, atol=1e-5)
        assert [cache.length for cache in caches] == [6, 6]


def test_every_layer_has_a_cache() -> None:
    with pytest.raises(dc.ConfigError, match="every layer has a cache; got 1 for 2 layers"):
        encoder()(sequences(1, 2, 8), caches=[nn.KeyValueCache()])


def test_gradients_of_second_order() -> None:
    dc.set_default_dtype(dc.float64)
    try:
        layer = nn.TransformerDecoderLayer(4, 2, 3, dropout=0.0, activation="tanh", norm_first=True)
        check_grads(
            lambda x, m: layer(x, m, is_causal=True),
            sequences(1, 3, 4, dtype=dc.float64),
            sequences(1, 2, 4, dtype=dc.float64),
            order=2,
        )
    finally:
        dc.set_default_dtype(dc.float32)


def test_layers_of_a_stack_begin_differently() -> None:
    model = encoder(3, norm_first=True, num_kv_heads=1)
    first, second, third = (layer.linear1.weight.numpy() for layer in model.layers)
    assert not np.allclose(first, second)
    assert not np.allclose(second, third)
    assert [layer.norm_first for layer in model.layers] == [True] * 3
    assert [layer.self_attention.num_kv_heads for layer in model.layers] == [1] * 3
    assert len(dict(model.named_parameters())) == 3 * 16 + 2


def test_dropout_is_off_in_evaluation_and_drawn_anew_in_training() -> None:
    x = sequences(2, 5, 8)
    plain, model = encoder(), encoder(dropout=0.3)
    model.load_state_dict(plain.state_dict())
    assert_close(model.eval()(x), plain(x), rtol=1e-5, atol=1e-6)
    model.train()
    assert not np.allclose(model(x).numpy(), model(x).numpy())
    parts = [module.p for _, module in model.named_modules() if isinstance(module, nn.Dropout)]
    assert parts
    assert set(parts) == {0.3}


def test_options_reach_their_parts() -> None:
    layer = nn.TransformerDecoderLayer(8, 4, 12, activation=nn.GELU("tanh"), eps=0.5, use_bias=False, **ROTARY)
    assert (layer.norm1.eps, layer.norm2.eps, layer.norm3.eps) == (0.5, 0.5, 0.5)
    assert isinstance(layer.activation, nn.GELU)
    biases = [name for name, _ in layer.named_parameters() if name.endswith("bias")]
    assert biases == ["norm1.bias", "norm2.bias", "norm3.bias"]
    assert layer.self_attention.rotary is ROTARY["rotary"]
    assert layer.cross_attention.rotary is None
    assert layer.cross_attention.num_kv_heads == 2


def test_the_defaults_are_those_of_pytorch() -> None:
    layer = nn.TransformerEncoderLayer(8, 2)
    assert layer.linear1.out_features == 2048
    assert layer.dropout.p == layer.self_attention.dropout.p == 0.1
    assert isinstance(layer.activation, nn.ReLU)
    assert layer.norm1.eps == 1e-5
    assert not layer.norm_first


def test_states_and_copies() -> None:
    model, x, memory = decoder(), sequences(2, 5, 8), sequences(2, 3, 8)
    other = decoder(norm_first=False)
    with dc.no_grad():
        for parameter in other.parameters():
            parameter._rebind(parameter * 0.5)
    assert not np.allclose(other(x, memory).numpy(), model(x, memory).numpy())
    other.load_state_dict(model.state_dict())
    assert_close(other(x, memory), model(x, memory), rtol=1e-5, atol=1e-6)
    assert_close(copy.deepcopy(model)(x, memory), model(x, memory), rtol=1e-5, atol=1e-6)


def test_bad_input() -> None:
    with pytest.raises(dc.ConfigError, match="TransformerEncoder: there is at least 1 layer, not 0"):
        encoder(0)
    with pytest.raises(dc.ConfigError, match="the number of heads divides the features"):
        nn.TransformerEncoderLayer(8, 3)
    with pytest.raises(dc.ShapeError, match=r"got \(2, 5, 7\)") as caught:
        encoder()(sequences(2, 5, 7))
    assert caught.value.__notes__[0].startswith("in layer 0 of 2, TransformerEncoderLayer(8, 4 heads, 12 hidden units)")


def test_names() -> None:
    assert repr(encoder(3)) == "TransformerEncoder(3 × TransformerEncoderLayer(8, 4 heads, 12 hidden units))"
