"""Networks of other kinds than perceptrons: a convolutional, a recurrent, and an attentive one.

Each is what a textbook would have of its kind, with softmax cross-entropy behind it, and is the same in deepcore and
PyTorch: from the same weights.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from .. import nn, ops
from .._backend import Library
from ..random import Generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._tensor import Tensor

torch: Any = Library("torch")

CLASSES: Final = 10


@dataclass(frozen=True)
class Network(ABC):
    """A network with a batch to train it on.

    Attributes
    ----------
    batch
        The number of samples.
    """

    name: ClassVar[str]
    is_random: ClassVar[bool] = False
    """Whether it draws random numbers, so that the losses of two libraries are not the same."""

    shape: ClassVar[tuple[int, ...]]
    """The shape of a sample."""

    batch: int = 32

    @property
    @abstractmethod
    def inference_flops(self) -> int:
        """The multiplications and additions of the products, forward."""

    @property
    @abstractmethod
    def first_flops(self) -> int:
        """Those of the products with the inputs, which need no cotangents."""

    @property
    def training_flops(self) -> int:
        """... of a training step: forward, and backward for the weights and for what they are multiplied with."""
        return 3 * self.inference_flops - self.first_flops

    @abstractmethod
    def model(self) -> nn.Module:
        """Return the network, with the same weights in every call."""

    @abstractmethod
    def torch_model(self) -> Any:
        """Return the network of PyTorch, with the same weights."""

    def data(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the inputs, of variance 1, and the labels: the same in every call."""
        rng = np.random.default_rng(1)
        inputs = rng.standard_normal((self.batch, *self.shape)).astype(np.float32)
        return inputs, rng.integers(0, CLASSES, self.batch)


class Convolutional(Network):
    """Two convolutions of 3 x 3, each with ReLU and max pooling, and a dense layer, for images of 3 x 32 x 32."""

    name = "cnn"
    shape = (3, 32, 32)

    @property
    def inference_flops(self) -> int:
        """The multiplications and additions of the products, forward."""
        return self.first_flops + 2 * self.batch * (64 * 32 * 9 * 16 * 16 + 64 * 8 * 8 * CLASSES)

    @property
    def first_flops(self) -> int:
        """Those of the first convolution."""
        return 2 * self.batch * 32 * 3 * 9 * 32 * 32

    def model(self) -> nn.Module:
        """Return the network."""
        generator = Generator(0)
        first, second = (nn.Conv2d(n, m, 3, padding=1, generator=generator) for n, m in ((3, 32), (32, 64)))
        last = nn.Dense(64 * 8 * 8, CLASSES, generator=generator)
        return nn.Sequential(
            first, nn.ReLU(), nn.MaxPool2d(2), second, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), last
        )  # fmt: skip

    def torch_model(self) -> Any:
        """Return the network of PyTorch."""
        layers = torch.nn
        first, second = (layers.Conv2d(n, m, 3, padding=1) for n, m in ((3, 32), (32, 64)))
        last = layers.Linear(64 * 8 * 8, CLASSES)
        relu, pool = layers.ReLU(), layers.MaxPool2d(2)
        state = _state(self.model())
        _fill(last, state["7.weight"].T, state["7.bias"])
        _fill(first, state["0.weight"], state["0.bias"])
        _fill(second, state["3.weight"], state["3.bias"])
        return layers.Sequential(first, relu, pool, second, relu, pool, layers.Flatten(), last)


class _Last(nn.Module):
    """A dense layer of the last state of an LSTM."""

    def __init__(self, recurrent: nn.Module, dense: nn.Module) -> None:
        self.recurrent = recurrent
        self.dense = dense

    def forward(self, x: Tensor) -> Any:
        """Return the logits."""
        return self.dense(self.recurrent(x))


class Recurrent(Network):
    """An LSTM of 128 units over 64 steps of 64 features, and a dense layer of its last state."""

    name = "lstm"
    shape = (64, 64)
    units: ClassVar[int] = 128

    @property
    def inference_flops(self) -> int:
        """The multiplications and additions of the products, forward."""
        steps, units = self.shape[0], self.units
        return self.first_flops + 2 * self.batch * (steps * units * 4 * units + units * CLASSES)

    @property
    def first_flops(self) -> int:
        """Those of the projections of the inputs."""
        steps, features = self.shape
        return 2 * self.batch * steps * features * 4 * self.units

    def model(self) -> nn.Module:
        """Return the network."""
        generator = Generator(0)
        recurrent = nn.LSTM(self.shape[1], self.units, returns="last", generator=generator)
        return _Last(recurrent, nn.Dense(self.units, CLASSES, generator=generator))

    def torch_model(self) -> Any:
        """Return the network of PyTorch."""
        recurrent = torch.nn.LSTM(self.shape[1], self.units, batch_first=True)
        dense = torch.nn.Linear(self.units, CLASSES)
        state = _state(self.model())
        for what in ("weight", "bias"):
            for own, other in (("input", "ih"), ("hidden", "hh")):
                values = state[f"recurrent.cells.0.{what}_{own}"]
                getattr(recurrent, f"{what}_{other}_l0").data.copy_(torch.from_numpy(values.T.copy()))
        _fill(dense, state["dense.weight"].T, state["dense.bias"])
        return _torch_module(lambda x: dense(recurrent(x)[0][:, -1]), recurrent, dense)


class _Mean(nn.Module):
    """A dense layer of the mean over positions."""

    def __init__(self, encoder: nn.Module, dense: nn.Module) -> None:
        self.encoder = encoder
        self.dense = dense

    def forward(self, x: Tensor) -> Any:
        """Return the logits."""
        return self.dense(ops.mean(self.encoder(x), axis=1))


@dataclass(frozen=True)
class Transformer(Network):
    """An encoder of two layers with 8 heads, 256 features and 1024 hidden units, over 256 positions."""

    name = "transformer"
    shape = (256, 256)
    hidden: ClassVar[int] = 1024
    heads: ClassVar[int] = 8
    layers: ClassVar[int] = 2
    dropout: ClassVar[float] = 0.0

    batch: int = 8

    @property
    def inference_flops(self) -> int:
        """The multiplications and additions of the products, forward."""
        n, d = self.shape
        layer = 4 * n * d * d + 2 * n * n * d + 2 * n * d * self.hidden
        return 2 * self.batch * (self.layers * layer + d * CLASSES)

    @property
    def first_flops(self) -> int:
        """Those of the queries, keys and values of the first layer."""
        n, d = self.shape
        return 2 * self.batch * 3 * n * d * d

    def model(self) -> nn.Module:
        """Return the network."""
        d, generator = self.shape[1], Generator(0)
        layer = nn.TransformerEncoderLayer(d, self.heads, self.hidden, dropout=self.dropout, generator=generator)
        return _Mean(nn.TransformerEncoder(layer, self.layers), nn.Dense(d, CLASSES, generator=generator))

    def torch_model(self) -> Any:
        """Return the network of PyTorch."""
        d = self.shape[1]
        options = {"dropout": self.dropout, "batch_first": True}
        layer = torch.nn.TransformerEncoderLayer(d, self.heads, self.hidden, **options)
        encoder = torch.nn.TransformerEncoder(layer, self.layers)
        dense = torch.nn.Linear(d, CLASSES)
        state = _state(self.model())
        for i, part in enumerate(encoder.layers):
            own = {key.removeprefix(f"encoder.layers.{i}."): x for key, x in state.items()}
            three = [f"self_attention.{name}" for name in ("query", "key", "value")]
            joined = [np.concatenate([own[f"{name}.{what}"].T for name in three]) for what in ("weight", "bias")]
            attention = part.self_attn
            attention.in_proj_weight.data.copy_(torch.from_numpy(joined[0]))
            attention.in_proj_bias.data.copy_(torch.from_numpy(joined[1]))
            _fill(attention.out_proj, own["self_attention.output.weight"].T, own["self_attention.output.bias"])
            for name in ("linear1", "linear2"):
                _fill(getattr(part, name), own[f"{name}.weight"].T, own[f"{name}.bias"])
            for name in ("norm1", "norm2"):
                _fill(getattr(part, name), own[f"{name}.weight"], own[f"{name}.bias"])
        _fill(dense, state["dense.weight"].T, state["dense.bias"])
        return _torch_module(lambda x: dense(encoder(x).mean(1)), encoder, dense)


@dataclass(frozen=True)
class TransformerWithDropout(Transformer):
    """... with dropout of a tenth."""

    name = "transformer-dropout"
    is_random = True
    dropout = 0.1


NETWORKS: Final[dict[str, type[Network]]] = {
    network.name: network for network in (Convolutional, Recurrent, Transformer, TransformerWithDropout)
}
"""The networks, by name."""


def _state(model: nn.Module) -> dict[str, NDArray[Any]]:
    """Return the weights, by name."""
    return {name: parameter.numpy() for name, parameter in model.named_parameters()}


def _fill(layer: Any, weight: NDArray[Any], bias: NDArray[Any]) -> None:
    """Give a layer of PyTorch its weights."""
    layer.weight.data.copy_(torch.from_numpy(weight.copy()))
    layer.bias.data.copy_(torch.from_numpy(bias.copy()))


def _torch_module(forward: Any, *parts: Any) -> Any:
    """Return a module of PyTorch that has some parts and computes a function."""
    module = torch.nn.ModuleList(parts)
    module.forward = forward
    return module
