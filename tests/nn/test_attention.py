"""Attention by several heads: what it may see, its options, its cache, and bad input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn
from deepcore.random import Generator
from deepcore.testing import assert_close, check_grads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deepcore._device import Device

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    dc.set_default_dtype(dc.float64)
    yield
    dc.set_default_dtype(dc.float32)


def attention(device: Device | str = "cpu", **options: Any) -> nn.MultiHeadAttention:
    layer = nn.MultiHeadAttention(8, 4, generator=Generator(0), **options)
    with dc.no_grad():
        for parameter in layer.parameters():
            if parameter.ndim == 1:
                parameter._rebind(dc.asarray(RNG.normal(size=parameter.shape), dtype=parameter.dtype))
    layer.to(device)
    return layer


def sequences(*shape: int, device: Device | str = "cpu") -> dc.Tensor:
    return dc.asarray(RNG.normal(size=shape), device=device)


def by_hand(layer: nn.MultiHeadAttention, x: dc.Tensor, allowed: Any = None) -> Any:
    """Compute self-attention head by head in NumPy."""

    def affine(part: nn.Dense, values: Any) -> Any:
        assert part.bias is not None
        return values @ part.weight.numpy() + part.bias.numpy()

    values, d = x.numpy(), layer.head_dim
    q, k, v = (affine(part, values) for part in (layer.query, layer.key, layer.value))
    heads: list[Any] = []
    for h in range(layer.num_heads):
        own = slice(h * d, (h + 1) * d)
        g = h * layer.num_kv_heads // layer.num_heads
        shared = slice(g * d, (g + 1) * d)
        scores = np.einsum("bid,bjd->bij", q[..., own], k[..., shared]) / d**0.5
        e = np.exp(scores) * (1 if allowed is None else allowed)
        heads.append((e / e.sum(axis=-1, keepdims=True)) @ v[..., shared])
    return affine(layer.output, np.concatenate(heads, axis=-1))


@pytest.mark.parametrize("groups", [4, 2, 1])
@pytest.mark.parametrize("is_causal", [False, True])
def test_values(is_causal: bool, groups: int, device: Device) -> None:
    layer, x = attention(device, num_kv_heads=groups), sequences(2, 5, 8, device=device)
    allowed = np.tri(5) if is_causal else None
    assert_close(layer(x, is_causal=is_causal).numpy(), by_hand(layer, x, allowed), rtol=1e-9, atol=1e-9)


def test_gradients(device: Device, thrifty: bool) -> None:
    layer = attention(device, num_kv_heads=2, rotary=nn.RotaryEncoding(2))
    mask = dc.asarray(np.tri(3, 4, 1, dtype=bool), device=device)

    def apply(x: dc.Tensor, z: dc.Tensor) -> Any:
        return layer(x, z, mask=mask, need_weights=True)

    check_grads(apply, sequences(2, 3, 8, device=device), sequences(2, 4, 8, device=device), order=1 if thrifty else 2)


@pytest.mark.parametrize("dtype", [dc.float32, dc.float64])
def test_data_type_and_device_are_kept(dtype: dc.DType, device: Device) -> None:
    dc.set_default_dtype(dtype)
    layer = attention(device, num_kv_heads=2, rotary=nn.RotaryEncoding(2), dropout=0.5)
    x = dc.ones((2, 3, 8), dtype=dtype, device=device, requires_grad=True)
    mask = dc.asarray(np.eye(3, dtype=bool), device=device)
    for options in ({}, {"mask": mask, "is_causal": True}, {"need_weights": True}):
        y = layer(x, **options)
        for part in y if isinstance(y, tuple) else (y,):
            assert (part.dtype, part.device) == (dtype, device)
            part.sum().backward(retain_graph=True)
    for tensor in (x, *layer.parameters()):
        assert tensor.grad is not None
        assert (tensor.grad.dtype, tensor.grad.device) == (dtype, device)


def test_without_positions_it_commutes_with_permutations(device: Device) -> None:
    layer, x = attention(device), sequences(2, 6, 8, device=device)
    order = RNG.permutation(6)
    permuted = dc.asarray(x.numpy()[:, order], device=device)
    assert_close(layer(permuted).numpy(), layer(x).numpy()[:, order], rtol=1e-10, atol=1e-12)
    rotated = attention(device, rotary=nn.RotaryEncoding(2))
    assert not np.allclose(rotated(permuted).numpy(), rotated(x).numpy()[:, order], atol=1e-3)


def test_with_a_rotary_encoding_only_distances_matter() -> None:
    layer, x = attention(rotary=nn.RotaryEncoding(2)), sequences(1, 6, 8)
    q, k = (layer._heads(part(x), 4) for part in (layer.query, layer.key))
    assert layer.rotary is not None
    there = [layer.rotary(q, offset=p) @ layer.rotary(k, offset=p).mT for p in (0, 1000)]
    assert_close(*there, rtol=1e-9, atol=1e-9)
    assert not np.allclose(there[0].numpy(), (layer.rotary(q, offset=1) @ layer.rotary(k).mT).numpy(), atol=1e-3)


def test_a_causal_layer_cannot_see_the_future(device: Device) -> None:
    layer, values = attention(device), RNG.normal(size=(1, 6, 8))
    before = layer(dc.asarray(values, device=device), is_causal=True).numpy()
    for t in range(6):
        changed = values.copy()
        changed[:, t] += 1
        after = layer(dc.asarray(changed, device=device), is_causal=True).numpy()
        np.testing.assert_array_equal(after[:, :t], before[:, :t])
        assert (after[:, t:] != before[:, t:]).any(axis=(0, 2)).all()


def test_padding_changes_nothing_and_gets_no_gradient(device: Device) -> None:
    layer, values = attention(device), RNG.normal(size=(2, 6, 8))
    kept = np.arange(6) < np.array([[4], [6]])
    mask = dc.asarray(kept, device=device)
    before = layer(dc.asarray(values, device=device), key_padding_mask=mask).numpy()
    values[~kept] = 1e3
    x, z = (dc.asarray(values, device=device, requires_grad=True) for _ in range(2))
    after = layer(x, z, key_padding_mask=mask)
    np.testing.assert_allclose(after.numpy()[kept], before[kept], rtol=1e-12)
    (after[:, :4, :] ** 2).sum().backward()
    assert z.grad is not None
    assert not z.grad.numpy()[~kept].any()
    assert (z.grad.numpy()[kept] != 0).all()


def test_masks_of_every_rank_agree() -> None:
    layer, x = attention(), sequences(2, 5, 8)
    allowed = RNG.uniform(size=(5, 5)) < 0.7
    allowed[:, 0] = True
    expected = by_hand(layer, x, allowed)
    repeated = np.broadcast_to(allowed, (2, 4, 5, 5))
    added = np.where(allowed, 0.0, -np.inf)
    for mask in (allowed, repeated[:, 0], repeated[:1, 0], repeated, repeated[:, :1], added):
        assert_close(layer(x, mask=dc.asarray(mask)).numpy(), expected, rtol=1e-9, atol=1e-9)
    keys = np.arange(5) < np.array([[5], [3]])
    together = by_hand(layer, x, allowed[None] & keys[:, None])
    for mask in (allowed, added):
        y = layer(x, mask=dc.asarray(mask), key_padding_mask=dc.asarray(keys))
        assert_close(y.numpy(), together, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("options", [{}, {"num_kv_heads": 2}, {"rotary": nn.RotaryEncoding(2)}])
@pytest.mark.parametrize("parts", [[1] * 7, [3, 1, 3], [7], [2, 5]])
def test_a_cache_changes_nothing(parts: list[int], options: dict[str, Any], device: Device, thrifty: bool) -> None:
    if thrifty and parts != [3, 1, 3]:
        pytest.skip("tested on other devices")
    layer, x = attention(device, **options), sequences(2, 7, 8, device=device)
    cache, start, found = nn.KeyValueCache(), 0, list[dc.Tensor]()
    for n in parts:
        assert cache.length == start
        found.append(layer(x[:, start : start + n, :], is_causal=True, cache=cache))
        start += n
    assert_close(dc.concat(found, axis=1), layer(x, is_causal=True), rtol=1e-10, atol=1e-12)
    assert repr(cache) == "KeyValueCache(length=7)"


def test_a_cache_knows_padding_and_masks_too() -> None:
    layer, x = attention(), sequences(2, 6, 8)
    keys = dc.asarray(np.arange(6) >= np.array([[0], [2]]))
    cache = nn.KeyValueCache()
    layer(x[:, :4, :], is_causal=True, cache=cache, key_padding_mask=keys[:, :4])
    y = layer(x[:, 4:, :], is_causal=True, cache=cache, key_padding_mask=keys)
    assert_close(y, layer(x, is_causal=True, key_padding_mask=keys)[:, 4:, :], rtol=1e-10, atol=1e-12)


def test_a_cache_is_of_one_batch() -> None:
    layer, cache = attention(), nn.KeyValueCache()
    layer(sequences(2, 1, 8), cache=cache)
    with pytest.raises(dc.ShapeError, match="every layer and every batch has a cache of its own"):
        layer(sequences(3, 1, 8), cache=cache)


def test_dropout_is_of_weights_and_off_in_evaluation() -> None:
    layer, x = attention(dropout=0.5), sequences(64, 5, 8)
    expected = layer.eval()(x)
    layer.train()
    dc.random.seed(0)
    layer.dropout._generator = None
    found = [layer(x) for _ in range(200)]
    assert not np.allclose(found[0].numpy(), found[1].numpy())
    mean = sum(y.numpy() for y in found) / len(found)
    assert abs(mean - expected.numpy()).mean() < 0.05
    y, weights = layer(x, need_weights=True)
    np.testing.assert_allclose(weights.sum(axis=-1).numpy(), 1.0)
    assert not np.allclose(y.numpy(), expected.numpy())


def test_dropout_of_everything_but_the_bias() -> None:
    layer, x = attention(dropout=0.999999), sequences(2, 5, 8)
    assert layer.output.bias is not None
    assert_close(layer(x), dc.broadcast_to(layer.output.bias, (2, 5, 8)).detach(), rtol=0, atol=0)


def test_parts() -> None:
    layer = nn.MultiHeadAttention(8, 4, num_kv_heads=2, kdim=3, vdim=5)
    shapes = {name: p.shape for name, p in layer.named_parameters()}
    weights = {"query.weight": (8, 8), "key.weight": (3, 4), "value.weight": (5, 4), "output.weight": (8, 8)}
    biases = {"query.bias": (8,), "key.bias": (4,), "value.bias": (4,), "output.bias": (8,)}
    assert shapes == weights | biases
    assert not any(p.numpy().any() for name, p in layer.named_parameters() if name in biases)
    assert len(nn.MultiHeadAttention(8, 4, use_bias=False).parameters()) == 4
    assert repr(layer) == "MultiHeadAttention(8, 4 heads, 2 of keys)"
    assert repr(nn.MultiHeadAttention(8, 4)) == "MultiHeadAttention(8, 4 heads)"


@pytest.mark.parametrize(
    ("arguments", "options"),
    [((8, 3), {}), ((8, 0), {}), ((8, 4), {"num_kv_heads": 3}), ((8, 2), {"num_kv_heads": 4}), ((0, 1), {})],
)
def test_heads_that_do_not_divide(arguments: tuple[int, int], options: dict[str, Any]) -> None:
    with pytest.raises(dc.ConfigError, match="the number of heads divides the features"):
        nn.MultiHeadAttention(*arguments, **options)


def test_a_rotary_encoding_of_more_features_than_a_head_has() -> None:
    with pytest.raises(dc.ConfigError, match=r"of which there are 2 \(8 / 4 heads\)"):
        nn.MultiHeadAttention(8, 4, rotary=nn.RotaryEncoding(8))


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(5, 8)], r"expected a query of shape \(samples, positions, 8\), got \(5, 8\); for a single sequence"),
        ([(2, 5, 7)], r"got \(2, 5, 7\)$"),
        ([(2, 5, 8), (2, 5, 8)], r"expected a key .* got \(2, 5, 8\); the layer was made with kdim=3$"),
        ([(2, 5, 8), (2, 5, 3), (2, 5, 8)], r"expected a value .*; the layer was made with vdim=4$"),
        ([(2, 5, 8), (4, 5, 3), (4, 5, 4)], "are of as many samples.*; samples come first$"),
        ([(2, 5, 8), (2, 6, 3), (2, 7, 4)], r"value \(2, 7, 4\)$"),
    ],
)
def test_inputs_that_do_not_fit(shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(dc.ShapeError, match=message):
        nn.MultiHeadAttention(8, 4, kdim=3, vdim=4)(*map(dc.ones, shapes))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask": (3, 5)}, r"expected a mask of shape \(queries, keys\) = \(5, 5\).*got \(3, 5\); .*key_padding_mask$"),
        ({"mask": (3, 4, 5)}, r"got \(3, 4, 5\)$"),
        ({"mask": (3, 3, 5, 5)}, r"\(3, 4, 5, 5\); got \(3, 3, 5, 5\)$"),
        ({"mask": (5,)}, r"got \(5,\)$"),
        ({"mask": (1, 1, 1, 5, 5)}, r"got \(1, 1, 1, 5, 5\)$"),
        ({"key_padding_mask": (5, 3)}, r"expected a key_padding_mask of shape \(samples, keys\) = \(3, 5\)"),
    ],
)
def test_masks_that_do_not_fit(options: dict[str, tuple[int, ...]], message: str) -> None:
    masks = {name: dc.ones(shape, dtype=dc.bool) for name, shape in options.items()}
    with pytest.raises(dc.ShapeError, match=message):
        attention()(sequences(3, 5, 8), **masks)


def test_data_types_of_masks() -> None:
    layer, x = attention(), sequences(3, 5, 8)
    with pytest.raises(dc.DTypeError, match="boolean, True for keys and False for padding"):
        layer(x, key_padding_mask=dc.ones((3, 5)))
    with pytest.raises(dc.DTypeError, match="a mask is boolean"):
        layer(x, mask=dc.ones((5, 5), dtype=dc.int64))
