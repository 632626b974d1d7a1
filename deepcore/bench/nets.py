"""The networks of the benchmark by what they are called: perceptrons by their widths, and others by name.

Multilayer perceptrons have ReLU between their layers, and their weights and batches are NumPy arrays.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._errors import ConfigError
from .networks import NETWORKS, Network

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCHES: Final = {"784-100-50-10": 50, "784-512-512-10": 128, "784-2048-2048-10": 256, "1024-4096-4096-1024": 1024}
"""The networks that are measured where none is named, with the batch of each."""

QUICK: Final = ("784-100-50-10",)
OTHER_BATCH: Final = 64
_WRITTEN: Final = re.compile(r"[1-9]\d{0,6}(-[1-9]\d{0,6})+(@[1-9]\d{0,6})?", re.ASCII)


@dataclass(frozen=True)
class Net:
    """A multilayer perceptron with a batch to train it on.

    Attributes
    ----------
    widths
        The number of inputs, of units of each hidden layer, and of outputs.
    batch
        The number of samples.
    """

    widths: tuple[int, ...]
    batch: int

    @property
    def name(self) -> str:
        """The widths in a word: ``784-100-50-10``."""
        return "-".join(map(str, self.widths))

    @property
    def n_parameters(self) -> int:
        """The number of weights and biases."""
        return sum(n * m + m for n, m in itertools.pairwise(self.widths))

    @property
    def inference_flops(self) -> int:
        """The multiplications and additions of the matrix products, forward."""
        return 2 * self.batch * sum(n * m for n, m in itertools.pairwise(self.widths))

    @property
    def training_flops(self) -> int:
        """... of a training step: forward, and backward for the weights and, but for the first layer, the inputs."""
        return 3 * self.inference_flops - 2 * self.batch * self.widths[0] * self.widths[1]

    def weights(self) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        """Return the weights, of variance 2/n, and biases of each layer: the same in every call, in float32."""
        rng = np.random.default_rng(0)
        return [
            ((rng.standard_normal((n, m)) * (2 / n) ** 0.5).astype(np.float32), np.zeros(m, np.float32))
            for n, m in itertools.pairwise(self.widths)
        ]

    @property
    def is_random(self) -> bool:
        """Whether it draws random numbers."""
        return False

    def data(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the inputs, of variance 1, and the labels: the same in every call."""
        rng = np.random.default_rng(1)
        inputs = rng.standard_normal((self.batch, self.widths[0])).astype(np.float32)
        return inputs, rng.integers(0, self.widths[-1], self.batch)


def parse_net(text: str) -> Net | Network:
    """Return the network of some widths or some name, with ``@`` and a batch where that is not the usual one.

    Raises
    ------
    ConfigError
        If it is something else.

    Examples
    --------
    >>> parse_net("784-100-50-10")
    Net(widths=(784, 100, 50, 10), batch=50)
    >>> parse_net("8-4-2@16")
    Net(widths=(8, 4, 2), batch=16)
    >>> parse_net("cnn@16")
    Convolutional(batch=16)
    """
    named, _, own = text.partition("@")
    if named in NETWORKS and (not own or re.fullmatch(r"[1-9]\d{0,6}", own, re.ASCII)):
        return NETWORKS[named](int(own)) if own else NETWORKS[named]()
    if not _WRITTEN.fullmatch(text):
        msg = (
            f"a network is its widths, from inputs to outputs, such as 784-100-50-10 or, with a batch of its own, "
            f"784-100-50-10@50, or one of {', '.join(NETWORKS)}, not {text!r}"
        )
        raise ConfigError(msg)
    name, _, batch = text.partition("@")
    widths = tuple(map(int, name.split("-")))
    if widths[-1] < 2:
        msg = f"a network that classifies has at least 2 outputs, one for each class, and {text!r} has {widths[-1]}"
        raise ConfigError(msg)
    return Net(widths, int(batch) if batch else BATCHES.get(name, OTHER_BATCH))
