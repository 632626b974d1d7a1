"""Every layer and every loss in a compiled training step: bit for bit what it is eagerly."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn, optim, random

if TYPE_CHECKING:
    from collections.abc import Callable

RNG = np.random.default_rng(0)


def normal(*shape: int) -> dc.Tensor:
    return dc.asarray(RNG.normal(size=shape).astype(np.float32))


def whole(high: int, *shape: int) -> dc.Tensor:
    return dc.asarray(RNG.integers(0, high, shape))


def shares(*shape: int) -> dc.Tensor:
    return dc.asarray(RNG.dirichlet(np.ones(shape[-1]), shape[:-1]).astype(np.float32))


ROWS, STEPS, MORE = normal(4, 6), normal(3, 5, 8), normal(3, 4, 8)
BY_AXES = {1: normal(3, 4, 8), 2: normal(2, 4, 6, 6), 3: normal(2, 4, 4, 4, 4)}
IMAGE = BY_AXES[2]

LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[dc.Tensor, ...]]] = {
    "AlphaDropout": (nn.AlphaDropout, (ROWS,)),
    "Bilinear": (partial(nn.Bilinear, 6, 6, 3), (ROWS, ROWS)),
    "Concatenate": (lambda: nn.Sequential(nn.Parallel(nn.Tanh(), nn.Sigmoid()), nn.Concatenate()), (ROWS,)),
    "Dense": (partial(nn.Dense, 6, 3, activation="silu"), (ROWS,)),
    "Dropout": (nn.Dropout, (ROWS,)),
    "Embedding": (partial(nn.Embedding, 9, 4, padding_idx=0), (whole(9, 3, 5),)),
    "EmbeddingBag": (partial(nn.EmbeddingBag, 9, 4), (whole(9, 3, 5),)),
    "GRU": (partial(nn.GRU, 8, 4, bidirectional=True), (STEPS,)),
    "GRUCell": (partial(nn.GRUCell, 6, 4), (ROWS,)),
    "GaussianDropout": (nn.GaussianDropout, (ROWS,)),
    "GaussianNoise": (nn.GaussianNoise, (ROWS,)),
    "GlobalAvgPool": (nn.GlobalAvgPool, (IMAGE,)),
    "GlobalMaxPool": (nn.GlobalMaxPool, (IMAGE,)),
    "GroupNorm": (partial(nn.GroupNorm, 2, 4), (IMAGE,)),
    "LSTM": (partial(nn.LSTM, 8, 4, num_layers=2), (STEPS,)),
    "LSTMCell": (partial(nn.LSTMCell, 6, 4), (ROWS,)),
    "Lambda": (partial(nn.Lambda, dc.sin), (ROWS,)),
    "LayerNorm": (partial(nn.LayerNorm, 8), (STEPS,)),
    "LearnedEncoding": (partial(nn.LearnedEncoding, 16, 8), (STEPS,)),
    "Maxout": (partial(nn.Maxout, 6, 3), (ROWS,)),
    "MultiHeadAttention": (partial(nn.MultiHeadAttention, 8, 2), (STEPS, STEPS, STEPS)),
    "Parallel": (lambda: nn.Parallel(nn.Dense(6, 2), nn.Tanh()), (ROWS,)),
    "RMSNorm": (partial(nn.RMSNorm, 8), (STEPS,)),
    "RNN": (partial(nn.RNN, 8, 4), (STEPS,)),
    "RNNCell": (partial(nn.RNNCell, 6, 4), (ROWS,)),
    "RReLU": (nn.RReLU, (ROWS,)),
    "Reshape": (partial(nn.Reshape, 2, 3), (ROWS,)),
    "Residual": (lambda: nn.Residual(nn.Dense(6, 6)), (ROWS,)),
    "RotaryEncoding": (partial(nn.RotaryEncoding, 8), (STEPS,)),
    "Sequential": (lambda: nn.Sequential(nn.Dense(6, 2), nn.Tanh()), (ROWS,)),
    "SinusoidalEncoding": (partial(nn.SinusoidalEncoding, 8), (STEPS,)),
    "TransformerDecoder": (lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 12), 2), (STEPS, MORE)),
    "TransformerDecoderLayer": (partial(nn.TransformerDecoderLayer, 8, 2, 12), (STEPS, MORE)),
    "TransformerEncoder": (lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12), 2), (STEPS,)),
    "TransformerEncoderLayer": (partial(nn.TransformerEncoderLayer, 8, 2, 12), (STEPS,)),
    "Upsample": (partial(nn.Upsample, scale_factor=2), (IMAGE,)),
}
for name in (
    *("CELU", "ELU", "Flatten", "GELU", "GLU", "Gaussian", "HardSigmoid", "HardSwish", "Identity", "LeakyReLU"),
    *("LogSoftmax", "Mish", "PReLU", "ReLU", "SELU", "SiLU", "Sigmoid", "Softmax", "Softplus", "Softsign", "Step"),
    *("SwiGLU", "Swish", "Tanh"),
):
    LAYERS[name] = (getattr(nn, name), (ROWS,))
for n, x in BY_AXES.items():
    for name, options in {
        "AdaptiveAvgPool{}d": (3,),
        "AdaptiveMaxPool{}d": (3,),
        "AvgPool{}d": (2,),
        "BatchNorm{}d": (4,),
        "Conv{}d": (4, 3, 3),
        "ConvTranspose{}d": (4, 3, 3),
        "Dropout{}d": (0.5,),
        "InstanceNorm{}d": (4,),
        "MaxPool{}d": (2,),
    }.items():
        LAYERS[name.format(n)] = (partial(getattr(nn, name.format(n)), *options), (x,))

LOSSES: dict[str, tuple[Callable[[], nn.Module], tuple[dc.Tensor, ...]]] = {
    "BinaryCrossEntropy": (nn.BinaryCrossEntropy, (shares(4, 6),)),
    "BinaryFocal": (nn.BinaryFocal, (whole(2, 4, 6),)),
    "CategoricalCrossEntropy": (nn.CategoricalCrossEntropy, (whole(6, 4),)),
    "CategoricalFocal": (nn.CategoricalFocal, (whole(6, 4),)),
    "CategoricalHinge": (nn.CategoricalHinge, (whole(6, 4),)),
    "Contrastive": (nn.Contrastive, (normal(4, 6), whole(2, 4))),
    "Cosine": (nn.Cosine, (normal(4, 6),)),
    "GaussianNLL": (nn.GaussianNLL, (normal(4, 6), shares(4, 6))),
    "Hinge": (nn.Hinge, (2 * whole(2, 4, 6) - 1,)),
    "Huber": (nn.Huber, (normal(4, 6),)),
    "KLDivergence": (partial(nn.KLDivergence, from_logits=True), (shares(4, 6),)),
    "MAE": (nn.MAE, (normal(4, 6),)),
    "MSE": (nn.MSE, (normal(4, 6),)),
    "NLL": (nn.NLL, (whole(6, 4),)),
    "Triplet": (nn.Triplet, (normal(4, 6), normal(4, 6))),
}
LEFT_OUT = {"CTC": "test_ctc.py compiles it", "Loss": "the base", "Module": "the base"}


def test_every_module_is_here() -> None:
    modules = {name for name, x in vars(nn).items() if isinstance(x, type) and issubclass(x, nn.Module)}
    assert modules == LAYERS.keys() | LOSSES.keys() | LEFT_OUT.keys()


def tensors(result: Any) -> list[dc.Tensor]:
    return [x for part in result for x in tensors(part)] if isinstance(result, tuple) else [result]


def run(
    model: nn.Module,
    arguments: tuple[dc.Tensor, ...],
    loss: Any,
    wrap: Callable[[Any], Any],
    method: Callable[..., optim.BaseOptimizer] = optim.SGD,
) -> list[Any]:
    parameters = model.parameters()
    optimizer = method(parameters, lr=0.1) if parameters else None

    def step(*args: dc.Tensor) -> dc.Tensor:
        model.zero_grad()
        value = loss(model(*args))
        if optimizer is not None:
            value.backward()
            optimizer.step()
        value_alone: dc.Tensor = value.detach()
        return value_alone

    random.seed(1)
    step = wrap(step)
    values = [step(*arguments).item() for _ in range(4)]
    return [values, {name: x.numpy() for name, x in model.named_tensors()}, random.default_generator().draw]


def squares(result: Any) -> dc.Tensor:
    total = dc.zeros(())
    for y in tensors(result):
        total = total + dc.mean(y * y)
    return total


def made(make: Callable[[], nn.Module]) -> nn.Module:
    random.seed(0)
    return make()


@pytest.mark.parametrize("executor", ["numpy", "fast"], indirect=True)
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, executor: str, alike: Callable[[Any, Any], None]) -> None:
    make, arguments = LAYERS[name]
    # Adam makes steps of 0.1 of gradients that are nothing but rounding, such as that of a key's bias.
    method = optim.Adam if executor == "numpy" else optim.SGD
    programs: list[Any] = []

    def wrap(step: Any) -> Any:
        programs.append(dc.compile(step))
        return programs[0]

    compiled, eager = (run(made(make), arguments, squares, f, method) for f in (wrap, lambda step: step))
    alike(compiled, eager)
    assert sum(map(len, programs[0].plans.values())) == 1


@pytest.mark.parametrize("executor", ["numpy", "fast"], indirect=True)
@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str, alike: Callable[[Any, Any], None]) -> None:
    make, targets = LOSSES[name]
    loss = make()
    results = [
        run(made(partial(nn.Dense, 6, 6)), (ROWS,), lambda y: loss(y, *targets), wrap)
        for wrap in (dc.compile, lambda f: f)
    ]
    alike(*results)
