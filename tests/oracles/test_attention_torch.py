"""Attention and transformers against PyTorch: the same weights give the same results, gradients and training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn, optim
from deepcore.random import Generator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Values = NDArray[Any]

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
F = torch.nn.functional

TOLERANCES = {"float32": 1e-5, "float64": 1e-10}
STEPS = 20


@pytest.fixture(params=TOLERANCES)
def dtype(request: pytest.FixtureRequest) -> Iterator[str]:
    """A data type, in which layers are made on both sides."""
    ours, theirs = dc.default_dtype(), torch.get_default_dtype()
    dc.set_default_dtype(getattr(dc, request.param))
    torch.set_default_dtype(getattr(torch, request.param))
    yield request.param
    dc.set_default_dtype(ours)
    torch.set_default_dtype(theirs)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def error(ours: dc.Tensor | None, theirs: Any) -> float:
    """Return how far the results are apart, as a share of the largest element."""
    assert ours is not None
    desired = np.asarray(theirs.detach() if isinstance(theirs, torch.Tensor) else theirs)
    assert ours.dtype.name == desired.dtype.name
    assert ours.shape == desired.shape
    return float(np.abs(ours.numpy() - desired).max() / max(1.0, float(np.abs(desired).max())))


def assert_equal(ours: dc.Tensor | None, theirs: Any, dtype: str) -> None:
    assert error(ours, theirs) < TOLERANCES[dtype]


def both(values: Values) -> tuple[dc.Tensor, Any]:
    return dc.asarray(values.copy(), requires_grad=True), torch.tensor(values, requires_grad=True)


# ------------------------------------------------------------------------------------------------------ the operation

SHAPES = {
    "heads": ((2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 6)),
    "no heads": ((5, 4), (7, 4), (7, 6)),
    "blocks": ((1, 2, 70, 8), (1, 2, 3000, 8), (1, 2, 3000, 8)),
    "many small heads": ((50, 3, 20, 4), (50, 3, 30, 4), (50, 3, 30, 4)),
    "groups": ((2, 6, 5, 4), (2, 2, 7, 4), (2, 2, 7, 4)),
    "one key head": ((2, 6, 5, 4), (2, 1, 5, 4), (2, 1, 5, 4)),
    "square": ((2, 3, 300, 4), (2, 3, 300, 4), (2, 3, 300, 4)),
}
OPTIONS: dict[str, dict[str, Any]] = {"plain": {}, "causal": {"is_causal": True}, "scale": {"scale": 0.7}}


@pytest.mark.parametrize("keep", ["weights", "logsumexp"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
def test_scaled_dot_product_attention(shapes: Any, options: dict[str, Any], keep: str, dtype: str) -> None:
    options = {**options, "enable_gqa": len(shapes[0]) > 2 and shapes[0][1] != shapes[1][1]}
    source = rng()
    pairs = [both(2 * source.normal(size=shape).astype(dtype)) for shape in shapes]
    y, _ = dc.attention_with_kept(*[p[0] for p in pairs], keep=keep, **options)
    y_torch = F.scaled_dot_product_attention(*[p[1] for p in pairs], **options)
    assert_equal(y, y_torch, dtype)
    dy = source.normal(size=y.shape).astype(dtype)
    y.backward(dc.asarray(dy))
    y_torch.backward(torch.tensor(dy))
    for ours, theirs in pairs:
        assert_equal(ours.grad, theirs.grad, dtype)


@pytest.mark.parametrize("keep", ["weights", "logsumexp"])
@pytest.mark.parametrize("kind", ["boolean", "added", "minus infinity"])
@pytest.mark.parametrize("shape", [(5, 7), (2, 1, 1, 7), (2, 1, 5, 7), (2, 4, 5, 7), (4, 1, 1)])
@pytest.mark.parametrize("groups", [4, 2])
def test_masks(groups: int, shape: tuple[int, ...], kind: str, keep: str, dtype: str) -> None:
    source = rng()
    shapes = ((2, 4, 5, 3), (2, groups, 7, 3), (2, groups, 7, 3))
    pairs = [both(source.normal(size=s).astype(dtype)) for s in shapes]
    allowed = source.uniform(size=shape) < 0.6
    if kind == "boolean":
        pairs.append((dc.asarray(allowed), torch.tensor(allowed)))
    else:
        added = source.normal(size=shape)
        pairs.append(both((added if kind == "added" else np.where(allowed, added, -np.inf)).astype(dtype)))
    options = {"enable_gqa": groups != 4}
    y, _ = dc.attention_with_kept(*[p[0] for p in pairs], keep=keep, **options)
    operands = [p[1] for p in pairs]
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        y_torch = F.scaled_dot_product_attention(*operands[:3], attn_mask=operands[3], **options)
    assert_equal(y, y_torch, dtype)
    dy = source.normal(size=y.shape).astype(dtype)
    y.backward(dc.asarray(dy))
    y_torch.backward(torch.tensor(dy))
    for ours, theirs in pairs:
        if ours.requires_grad:
            assert_equal(ours.grad, theirs.grad, dtype)


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("size", [1e2, 1e4])
def test_large_scores_stay_finite(size: float, is_causal: bool, dtype: str) -> None:
    source = rng()
    values = [source.normal(size=(2, 9, 4)).astype(dtype) for _ in range(3)]
    values[0] *= size
    pairs = [both(x) for x in values]
    y = dc.attention(*[p[0] for p in pairs], is_causal=is_causal)
    y_torch = F.scaled_dot_product_attention(*[p[1] for p in pairs], is_causal=is_causal)
    np.testing.assert_allclose(y.numpy(), y_torch.detach().numpy(), rtol=1e-3, atol=1e-3)
    y.sum().backward()
    for ours, _ in pairs:
        assert ours.grad is not None
        assert bool(dc.all(dc.isfinite(ours.grad)))


# ------------------------------------------------------------------------------------------------------------- layers


def load(ours: nn.Module, values: dict[str, Values]) -> None:
    ours.load_state_dict(values)


def attention_state(theirs: Any, prefix: str = "") -> dict[str, Values]:
    """Return PyTorch's weights by our names."""
    state = {name: value.detach().numpy() for name, value in theirs.state_dict().items()}
    if "in_proj_weight" in state:
        weights = np.split(state["in_proj_weight"], 3)
    else:
        weights = [state[f"{x}_proj_weight"] for x in "qkv"]
    biases = np.split(state["in_proj_bias"], 3)
    found = {"output.weight": state["out_proj.weight"].T, "output.bias": state["out_proj.bias"]}
    for name, weight, bias in zip(("query", "key", "value"), weights, biases, strict=True):
        found |= {f"{name}.weight": weight.T, f"{name}.bias": bias}
    return {prefix + name: value for name, value in found.items()}


def attention_gradients(theirs: Any, prefix: str = "") -> dict[str, Values]:
    """Return the gradients of PyTorch's weights by our names."""
    with torch.no_grad():
        twin = torch.nn.MultiheadAttention(theirs.embed_dim, theirs.num_heads, kdim=theirs.kdim, vdim=theirs.vdim)
        for (_, value), (_, parameter) in zip(twin.named_parameters(), theirs.named_parameters(), strict=True):
            value.copy_(parameter.grad)
    return attention_state(twin, prefix)


def layer_values(theirs: Any, kind: str) -> dict[str, Values]:
    """Return PyTorch's weights, or their gradients, of an encoder's or a decoder's layer by our names."""
    of = attention_state if kind == "state" else attention_gradients
    found = of(theirs.self_attn, "self_attention.")
    if hasattr(theirs, "multihead_attn"):
        found |= of(theirs.multihead_attn, "cross_attention.")
    for name, parameter in theirs.named_parameters():
        if "attn" not in name:
            value = (parameter if kind == "state" else parameter.grad).detach().numpy()
            found[name] = value.T if name.startswith("linear") and name.endswith("weight") else value
    return found


def disturb(theirs: Any) -> None:
    """Give PyTorch's parameters, some of which begin at 0 or 1, other values."""
    source = rng()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(torch.tensor(0.1 * source.normal(size=tuple(parameter.shape)), dtype=parameter.dtype))


@pytest.mark.parametrize("widths", [{}, {"kdim": 6, "vdim": 10}], ids=["same", "kdim"])
@pytest.mark.parametrize("masked", ["", "mask", "padding", "both", "added", "causal"])
def test_multi_head_attention(masked: str, widths: dict[str, Any], dtype: str) -> None:
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True, **widths)
    disturb(theirs)
    ours = nn.MultiHeadAttention(8, 2, **widths)
    load(ours, attention_state(theirs))
    source = rng()
    sizes = (8, widths.get("kdim", 8), widths.get("vdim", 8))
    pairs = [both(source.normal(size=(3, n, d)).astype(dtype)) for n, d in zip((5, 7, 7), sizes, strict=True)]
    options: dict[str, Any] = {}
    options_torch: dict[str, Any] = {}
    if masked in ("mask", "both"):
        allowed = source.uniform(size=(5, 7)) < 0.7
        allowed[:, 0] = True
        options["mask"], options_torch["attn_mask"] = dc.asarray(allowed), torch.tensor(~allowed)
    if masked in ("padding", "both"):
        lengths = np.arange(7) < np.array([[7], [4], [1]])
        options["key_padding_mask"] = dc.asarray(lengths)
        options_torch["key_padding_mask"] = torch.tensor(~lengths)
    if masked == "added":
        bias = source.normal(size=(3, 2, 5, 7)).astype(dtype)
        options["mask"], options_torch["attn_mask"] = dc.asarray(bias), torch.tensor(bias.reshape(6, 5, 7))
    if masked == "causal":
        options["is_causal"] = True
        options_torch["attn_mask"] = torch.tensor(~np.tri(5, 7, dtype=bool))
    y, weights = ours(*[p[0] for p in pairs], need_weights=True, **options)
    y_torch, weights_torch = theirs(*[p[1] for p in pairs], average_attn_weights=False, **options_torch)
    assert_equal(weights, weights_torch, dtype)
    assert_equal(y, y_torch, dtype)
    assert_equal(ours(*[p[0] for p in pairs], **options), y_torch, dtype)
    dy = source.normal(size=y.shape).astype(dtype)
    y.backward(dc.asarray(dy))
    y_torch.backward(torch.tensor(dy))
    for mine, reference in pairs:
        assert_equal(mine.grad, reference.grad, dtype)
    expected = attention_gradients(theirs)
    for name, parameter in ours.named_parameters():
        assert_equal(parameter.grad, expected[name], dtype)


def test_gradients_through_weights(dtype: str) -> None:
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    ours = nn.MultiHeadAttention(8, 2)
    load(ours, attention_state(theirs))
    x, x_torch = both(rng().normal(size=(3, 5, 8)).astype(dtype))
    y, weights = ours(x, need_weights=True)
    y_torch, weights_torch = theirs(x_torch, x_torch, x_torch, average_attn_weights=False)
    (y.sum() + (weights**3).sum()).backward()
    (y_torch.sum() + (weights_torch**3).sum()).backward()
    assert_equal(x.grad, x_torch.grad, dtype)


def layers(kind: str, dtype: str, **options: Any) -> tuple[Any, Any]:
    theirs = getattr(torch.nn, f"Transformer{kind}Layer")(8, 2, 12, dropout=0.0, batch_first=True, **options)
    disturb(theirs)
    eps = {"eps": options.pop("layer_norm_eps")} if "layer_norm_eps" in options else {}
    ours = getattr(nn, f"Transformer{kind}Layer")(8, 2, 12, dropout=0.0, **eps, **options)
    load(ours, layer_values(theirs, "state"))
    return ours, theirs


def inputs(kind: str, dtype: str) -> list[tuple[dc.Tensor, Any]]:
    source = rng()
    shapes = [(3, 5, 8), (3, 7, 8)][: 1 if kind == "Encoder" else 2]
    return [both(source.normal(size=shape).astype(dtype)) for shape in shapes]


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("kind", ["Encoder", "Decoder"])
def test_transformer_layers(kind: str, norm_first: bool, activation: str, dtype: str) -> None:
    ours, theirs = layers(kind, dtype, norm_first=norm_first, activation=activation, layer_norm_eps=1e-3)
    pairs = inputs(kind, dtype)
    kept = np.arange(5) < np.array([[5], [3], [2]])
    causal = torch.tensor(~np.tri(5, dtype=bool))
    if kind == "Encoder":
        y_torch = theirs(pairs[0][1], src_mask=causal, src_key_padding_mask=torch.tensor(~kept))
        y = ours(pairs[0][0], is_causal=True, key_padding_mask=dc.asarray(kept))
    else:
        padded = np.arange(7) < np.array([[7], [3], [2]])
        y_torch = theirs(
            *[p[1] for p in pairs],
            tgt_mask=causal,
            tgt_key_padding_mask=torch.tensor(~kept),
            memory_key_padding_mask=torch.tensor(~padded),
            memory_mask=torch.tensor(~np.tri(5, 7, dtype=bool)),
        )
        y = ours(
            *[p[0] for p in pairs],
            is_causal=True,
            key_padding_mask=dc.asarray(kept),
            memory_key_padding_mask=dc.asarray(padded),
            memory_is_causal=True,
        )
    assert_equal(y, y_torch, dtype)
    dy = rng().normal(size=y.shape).astype(dtype)
    y.backward(dc.asarray(dy))
    y_torch.backward(torch.tensor(dy))
    for mine, reference in pairs:
        assert_equal(mine.grad, reference.grad, dtype)
    expected = layer_values(theirs, "gradients")
    for name, parameter in ours.named_parameters():
        assert_equal(parameter.grad, expected[name], dtype)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("kind", ["Encoder", "Decoder"])
def test_parameters_after_twenty_steps(kind: str, norm_first: bool, dtype: str) -> None:
    ours, theirs = layers(kind, dtype, norm_first=norm_first)
    mine, reference = (
        optim.SGD(ours.parameters(), lr=0.02, momentum=0.9),
        torch.optim.SGD(theirs.parameters(), lr=0.02, momentum=0.9),
    )
    pairs = inputs(kind, dtype)
    target = rng().normal(size=(3, 5, 8)).astype(dtype)
    first = last = 0.0
    for step in range(STEPS):
        ours.zero_grad()
        reference.zero_grad()
        causal = {"tgt_mask": torch.tensor(~np.tri(5, dtype=bool))} if kind == "Decoder" else {}
        loss = nn.MSE()(ours(*[p[0].detach() for p in pairs], is_causal=bool(causal)), dc.asarray(target))
        loss_torch = F.mse_loss(theirs(*[p[1].detach() for p in pairs], **causal), torch.tensor(target))
        loss.backward()
        loss_torch.backward()
        mine.step()
        reference.step()
        first, last = (loss.item() if step == 0 else first), loss.item()
    assert last < 0.9 * first
    expected = layer_values(theirs, "state")
    for name, parameter in ours.named_parameters():
        assert_equal(parameter.detach(), expected[name], dtype)


@pytest.mark.parametrize("kind", ["Encoder", "Decoder"])
def test_stacks(kind: str, dtype: str) -> None:
    of_layer = getattr(torch.nn, f"Transformer{kind}Layer")(8, 2, 12, dropout=0.0, batch_first=True)
    theirs = getattr(torch.nn, f"Transformer{kind}")(of_layer, 3, norm=torch.nn.LayerNorm(8))
    disturb(theirs)
    layer = getattr(nn, f"Transformer{kind}Layer")(8, 2, 12, dropout=0.0, generator=Generator(0))
    ours = getattr(nn, f"Transformer{kind}")(layer, 3, norm=nn.LayerNorm(8))
    state = {"norm.weight": theirs.norm.weight.detach().numpy(), "norm.bias": theirs.norm.bias.detach().numpy()}
    for i, part in enumerate(theirs.layers):
        state |= {f"layers.{i}.{name}": value for name, value in layer_values(part, "state").items()}
    load(ours, state)
    pairs = inputs(kind, dtype)
    y, y_torch = ours(*[p[0] for p in pairs]), theirs(*[p[1] for p in pairs])
    assert_equal(y, y_torch, dtype)
    dy = rng().normal(size=y.shape).astype(dtype)
    y.backward(dc.asarray(dy))
    y_torch.backward(torch.tensor(dy))
    for mine, reference in pairs:
        assert_equal(mine.grad, reference.grad, dtype)
