"""Every layer as an ONNX file, run by onnxruntime next to deepcore, with other numbers of samples than it was given."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn, onnx
from deepcore.random import Generator

if TYPE_CHECKING:
    from collections.abc import Callable


NOT_EXPORTED = {
    "CTC": "a loss",
    "Lambda": "what the user's function does; a test of its own",
    "Loss": "a loss",
    "Module": "the base of all layers",
}
"""Modules that inference does not need, and why. Subclasses of Loss are not listed."""

g = Generator(3)
dense = partial(nn.Dense, generator=g)


def rows(*shape: int) -> Any:
    return np.random.default_rng(5).normal(size=shape).astype(np.float32)


def numbers(*shape: int) -> Any:
    return np.random.default_rng(5).integers(0, 7, size=shape)


def heads(features: int, n: int, **options: Any) -> Any:
    return nn.MultiHeadAttention(features, n, generator=g, **options)


def encoder(**options: Any) -> Any:
    return nn.TransformerEncoderLayer(8, 2, 16, generator=g, **options)


def decoder(**options: Any) -> Any:
    return nn.TransformerDecoderLayer(8, 2, 16, generator=g, **options)


def settled(layer: Any) -> Any:
    """Give a normalisation statistics, weights and biases that are not those of the identity."""
    rng = np.random.default_rng(1)
    state = layer.state_dict()
    for name, value in state.items():
        if value.dtype.is_inexact:
            state[name] = rng.uniform(0.5, 2.0, size=value.shape).astype(np.float32)
    layer.load_state_dict(state)
    return layer


X = rows(4, 6)
SEQUENCE = rows(4, 5, 8)
STEPS = rows(4, 3, 6)
IMAGE = rows(3, 4, 9, 7)
LINE = rows(3, 4, 9)
BODY = rows(2, 4, 5, 6, 7)

LAYERS: dict[str, tuple[Callable[[], Any], tuple[Any, ...]]] = {
    "AdaptiveAvgPool1d": (lambda: nn.AdaptiveAvgPool1d(4), (LINE,)),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d((3, None)), (IMAGE,)),
    "AdaptiveAvgPool3d": (lambda: nn.AdaptiveAvgPool3d(3), (BODY,)),
    "AdaptiveMaxPool1d": (lambda: nn.AdaptiveMaxPool1d(4), (LINE,)),
    "AdaptiveMaxPool2d": (lambda: nn.AdaptiveMaxPool2d((3, 2)), (IMAGE,)),
    "AdaptiveMaxPool3d": (lambda: nn.AdaptiveMaxPool3d(3), (BODY,)),
    "AlphaDropout": (nn.AlphaDropout, (X,)),
    "AvgPool1d": (lambda: nn.AvgPool1d(3, padding=1, ceil_mode=True), (LINE,)),
    "AvgPool2d": (lambda: nn.AvgPool2d(2), (IMAGE,)),
    "AvgPool2d, without padding": (lambda: nn.AvgPool2d(3, 2, padding=1, count_include_pad=False), (IMAGE,)),
    "AvgPool3d": (lambda: nn.AvgPool3d(2, ceil_mode=True), (BODY,)),
    "BatchNorm1d": (lambda: settled(nn.BatchNorm1d(6)), (X,)),
    "BatchNorm1d, of sequences": (lambda: settled(nn.BatchNorm1d(4)), (LINE,)),
    "BatchNorm2d": (lambda: settled(nn.BatchNorm2d(4, affine=False)), (IMAGE,)),
    "BatchNorm3d": (lambda: settled(nn.BatchNorm3d(4)), (BODY,)),
    "Bilinear": (lambda: nn.Bilinear(6, 8, 3, generator=g), (X, rows(4, 8))),
    "CELU": (lambda: nn.CELU(0.7), (X,)),
    "Concatenate": (lambda: nn.Sequential(nn.Parallel(dense(6, 2), dense(6, 3)), nn.Concatenate()), (X,)),
    "Conv1d": (lambda: nn.Conv1d(4, 6, 3, stride=2, padding=1, generator=g), (LINE,)),
    "Conv2d": (lambda: nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), groups=2, generator=g), (IMAGE,)),
    "Conv2d, dilated": (lambda: nn.Conv2d(4, 2, 2, dilation=2, use_bias=False, generator=g), (IMAGE,)),
    "Conv3d": (lambda: nn.Conv3d(4, 2, 2, generator=g), (BODY,)),
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(4, 3, 3, stride=2, generator=g), (LINE,)),
    "ConvTranspose2d": (
        lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, generator=g),
        (IMAGE,),
    ),
    "ConvTranspose3d": (lambda: nn.ConvTranspose3d(4, 2, 2, generator=g), (BODY,)),
    "Dense": (lambda: dense(6, 3, activation="relu"), (X,)),
    "Dense, without bias": (lambda: dense(8, 3, use_bias=False), (SEQUENCE,)),
    "Dense, of sequences": (lambda: dense(8, 3), (SEQUENCE,)),
    "Dropout": (nn.Dropout, (X,)),
    "Dropout1d": (nn.Dropout1d, (LINE,)),
    "Dropout2d": (nn.Dropout2d, (IMAGE,)),
    "Dropout3d": (nn.Dropout3d, (BODY,)),
    "ELU": (nn.ELU, (X,)),
    "Embedding": (lambda: nn.Embedding(7, 5, padding_idx=0, generator=g), (numbers(4, 3),)),
    "EmbeddingBag": (lambda: nn.EmbeddingBag(7, 5, generator=g), (numbers(4, 3),)),
    "EmbeddingBag, padded": (lambda: nn.EmbeddingBag(7, 5, padding_idx=2, generator=g), (numbers(4, 3),)),
    "EmbeddingBag, max": (lambda: nn.EmbeddingBag(7, 5, mode="max", padding_idx=2, generator=g), (numbers(4, 3),)),
    "Flatten": (nn.Flatten, (IMAGE,)),
    "GELU": (nn.GELU, (X,)),
    "GLU": (nn.GLU, (X,)),
    "GRU": (lambda: nn.GRU(6, 5, num_layers=2, bidirectional=True, generator=g), (STEPS,)),
    "GRU, without bias": (lambda: nn.GRU(6, 5, use_bias=False, returns="last", generator=g), (STEPS,)),
    "GRUCell": (lambda: nn.GRUCell(6, 5, generator=g), (X,)),
    "Gaussian": (nn.Gaussian, (X,)),
    "GaussianDropout": (nn.GaussianDropout, (X,)),
    "GaussianNoise": (nn.GaussianNoise, (X,)),
    "GlobalAvgPool": (nn.GlobalAvgPool, (IMAGE,)),
    "GlobalMaxPool": (nn.GlobalMaxPool, (IMAGE,)),
    "GroupNorm": (lambda: settled(nn.GroupNorm(2, 4)), (IMAGE,)),
    "HardSigmoid": (nn.HardSigmoid, (2 * X,)),
    "HardSwish": (nn.HardSwish, (2 * X,)),
    "Identity": (nn.Identity, (X,)),
    "InstanceNorm1d": (lambda: nn.InstanceNorm1d(4), (LINE,)),
    "InstanceNorm2d": (lambda: settled(nn.InstanceNorm2d(4, affine=True)), (IMAGE,)),
    "InstanceNorm3d": (lambda: settled(nn.InstanceNorm3d(4, affine=True)), (BODY,)),
    "LSTM": (lambda: nn.LSTM(6, 5, num_layers=2, bidirectional=True, generator=g), (STEPS,)),
    "LSTM, time first": (lambda: nn.LSTM(6, 5, returns="sequence", use_bias=False, generator=g), (STEPS,)),
    "LSTMCell": (lambda: nn.LSTMCell(6, 5, generator=g), (X,)),
    "LayerNorm": (lambda: settled(nn.LayerNorm((5, 8))), (SEQUENCE,)),
    "LeakyReLU": (lambda: nn.LeakyReLU(0.2), (X,)),
    "LearnedEncoding": (lambda: nn.LearnedEncoding(9, 8, generator=g), (SEQUENCE,)),
    "LogSoftmax": (nn.LogSoftmax, (X,)),
    "MaxPool1d": (lambda: nn.MaxPool1d(2, ceil_mode=True), (LINE,)),
    "MaxPool2d": (lambda: nn.MaxPool2d(3, 2, padding=1), (IMAGE,)),
    "MaxPool2d, dilated": (lambda: nn.MaxPool2d(2, 1, dilation=2), (IMAGE,)),
    "MaxPool3d": (lambda: nn.MaxPool3d(2), (BODY,)),
    "Maxout": (lambda: nn.Maxout(6, 3, pieces=2, generator=g), (X,)),
    "Mish": (nn.Mish, (X,)),
    "MultiHeadAttention": (lambda: heads(8, 2), (SEQUENCE,)),
    "MultiHeadAttention, of a memory": (lambda: heads(8, 4, num_kv_heads=2), (SEQUENCE, rows(4, 6, 8))),
    "PReLU": (lambda: settled(nn.PReLU(4)), (IMAGE,)),
    "Parallel": (lambda: nn.Parallel(dense(6, 2), nn.Tanh()), (X,)),
    "RMSNorm": (lambda: settled(nn.RMSNorm(8)), (SEQUENCE,)),
    "RNN": (lambda: nn.RNN(6, 5, bidirectional=True, generator=g), (STEPS,)),
    "RNN, relu": (lambda: nn.RNN(6, 5, activation="relu", generator=g), (STEPS,)),
    "RNNCell": (lambda: nn.RNNCell(6, 5, generator=g), (X,)),
    "RReLU": (nn.RReLU, (X,)),
    "ReLU": (nn.ReLU, (X,)),
    "ReLU, another subgradient": (lambda: nn.ReLU(subgradient=0.5), (X,)),
    "Reshape": (lambda: nn.Reshape(2, -1), (IMAGE,)),
    "Residual": (lambda: nn.Residual(dense(6, 6), shortcut=dense(6, 6)), (X,)),
    "RotaryEncoding": (lambda: nn.RotaryEncoding(8), (SEQUENCE,)),
    "SELU": (nn.SELU, (X,)),
    "Sequential": (lambda: nn.Sequential(dense(6, 4, activation="tanh"), dense(4, 2)), (X,)),
    "SiLU": (nn.SiLU, (X,)),
    "Sigmoid": (nn.Sigmoid, (X,)),
    "SinusoidalEncoding": (lambda: nn.SinusoidalEncoding(8), (SEQUENCE,)),
    "Softmax": (nn.Softmax, (X,)),
    "Softplus": (lambda: nn.Softplus(beta=2.0), (X,)),
    "Softsign": (nn.Softsign, (X,)),
    "Step": (nn.Step, (X,)),
    "SwiGLU": (nn.SwiGLU, (X,)),
    "Swish": (lambda: nn.Swish(beta=1.5), (X,)),
    "Tanh": (nn.Tanh, (X,)),
    "TransformerDecoder": (lambda: nn.TransformerDecoder(decoder(), 2), (SEQUENCE, rows(4, 6, 8))),
    "TransformerDecoderLayer": (lambda: decoder(norm_first=True), (SEQUENCE, rows(4, 6, 8))),
    "TransformerEncoder": (lambda: nn.TransformerEncoder(encoder(activation="gelu"), 2), (SEQUENCE,)),
    "TransformerEncoderLayer": (lambda: encoder(rotary=nn.RotaryEncoding(4)), (SEQUENCE,)),
    "Upsample": (lambda: nn.Upsample(scale_factor=2), (IMAGE,)),
    "Upsample, linear": (lambda: nn.Upsample(size=(5, 12), mode="bilinear"), (IMAGE,)),
}
"""For each layer one that is made, and what it is called with. What follows a comma is another way to make it."""

EVERY_OPSET = ("GELU", "GRU", "LayerNorm", "Mish", "AvgPool2d", "RMSNorm", "GroupNorm", "EmbeddingBag, max")
"""Layers that are written in another way in later versions of ONNX's operators."""


def of_size(x: Any, n: int) -> Any:
    """Return n samples that are not those of the example."""
    more = np.random.default_rng(n)
    return more.normal(size=(n, *x.shape[1:])).astype(x.dtype) if x.dtype.kind == "f" else numbers(n, *x.shape[1:])


def flat(results: Any) -> list[Any]:
    if isinstance(results, (tuple, list)):
        return [array for part in results for array in flat(part)]
    return [results.numpy()]


def worst_error(prepare: Any, layer: Any, example: tuple[Any, ...], **options: Any) -> float:
    """Return the largest difference between onnxruntime and deepcore, for 1 and for 7 samples."""
    proto = onnx.model_proto(layer, tuple(map(dc.asarray, example)), **options)
    run = prepare(proto)
    layer.eval()
    worst = 0.0
    for n in (1, 7):
        arrays = [of_size(x, n) for x in example]
        with dc.no_grad():
            expected = flat(layer(*map(dc.asarray, arrays)))
        for a, b in zip(run(*arrays), expected, strict=True):
            assert a.shape == b.shape
            assert a.dtype == b.dtype
            worst = max(worst, float(np.abs(a - b).max()))
    return worst


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_computes_the_same_in_onnxruntime(name: str, prepare: Any) -> None:
    make, example = LAYERS[name]
    assert worst_error(prepare, make(), example) < 1e-5


@pytest.mark.parametrize("opset", [18, 20, 23])
@pytest.mark.parametrize("name", EVERY_OPSET)
def test_later_versions_of_the_operators(name: str, opset: int, prepare: Any) -> None:
    make, example = LAYERS[name]
    assert worst_error(prepare, make(), example, opset=opset) < 1e-5


def test_every_layer_is_held_to_onnxruntime() -> None:
    found = {
        name
        for name, x in vars(nn).items()
        if inspect.isclass(x) and issubclass(x, nn.Module) and not issubclass(x, nn.Loss)
    }
    assert found - {name for name in NOT_EXPORTED if name != "Loss"} == {name.partition(",")[0] for name in LAYERS}
