"""What is compared: training and inference of one network, by deepcore as it is written and compiled."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from .. import nn, optim
from .._tape import no_grad
from ..graph import compile
from ..ops.creation import asarray
from .executor import RECORDED, executor
from .nets import Net

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._device import Device
    from .._tensor import Tensor
    from .networks import Network

LR: Final = 1e-3
STILL: Final = 1e-7
"""The learning rate of steps that are timed. A network that learns one batch by heart, in thousands of steps, ends with
gradients of zero and moments that are denormal numbers, which processors are slow at; so it hardly learns."""
STEPS: Final = 20


class Subject(ABC):
    """Training of a network: forward, softmax cross-entropy, backward and Adam, in float32, on one batch.

    Attributes
    ----------
    name
        What it is called in a report.
    device
        Where it computes.
    infers
        Whether inference is something else than that of another subject.
    """

    name: str
    device: str
    infers: bool = True

    @abstractmethod
    def step(self) -> Any:
        """Take a step, and return the loss that it began with."""

    @abstractmethod
    def predict(self) -> Any:
        """Return the outputs for the batch."""

    @abstractmethod
    def set_rate(self, lr: float) -> None:
        """Set the learning rate of the next steps."""

    def wait(self, result: Any) -> object:
        """Wait until a result is there."""
        return result

    def value(self, loss: Any) -> float:
        """Return a loss as a number."""
        return float(loss)

    def losses(self, steps: int = STEPS) -> list[float]:
        """Return the losses before the first of some steps, after it, and so on. Then the weights are held still."""
        found = [self.value(self.step()) for _ in range(steps)]
        self.set_rate(STILL)
        return [*found, self.value(self.step())]


class Deepcore(Subject):
    """deepcore on a device.

    Parameters
    ----------
    net
        The network.
    device
        Where it computes.
    compiled
        Whether the step is compiled.
    plain
        Whether it is NumPy alone that computes what is compiled.
    """

    def __init__(self, net: Net | Network, device: Device, *, compiled: bool, plain: bool = False) -> None:
        self.name = "deepcore-plain" if plain else "deepcore-compiled" if compiled else "deepcore-eager"
        self._plain = plain
        self.device = str(device)
        self._backend = device.backend
        model = (_mlp(net) if isinstance(net, Net) else net.model()).to(device)
        loss = nn.CategoricalCrossEntropy()
        adam = self._optimizer = optim.Adam(model.parameters(), lr=LR)
        inputs, labels = (asarray(x, device=device) for x in net.data())

        def step(x: Tensor, y: Tensor) -> Tensor:
            adam.zero_grad()
            value: Tensor = loss(model(x), y)
            value.backward()
            adam.step()
            return value.detach()

        def predict(x: Tensor) -> Tensor:
            with no_grad():
                y: Tensor = model(x)
                return y

        run: Callable[..., Any] = compile(step) if compiled else step
        infer: Callable[..., Any] = compile(predict) if compiled else predict
        self._step = partial(run, inputs, labels)
        self._predict = partial(infer, inputs)

    def losses(self, steps: int = STEPS) -> list[float]:
        """Return the losses of the first steps, in which programs are recorded, and record that of the outputs."""
        with executor(plain=self._plain):
            found = super().losses(steps)
            for _ in range(RECORDED):
                self.predict()
        return found

    def step(self) -> Any:
        """Take a step."""
        return self._step()

    def predict(self) -> Any:
        """Return the logits."""
        return self._predict()

    def set_rate(self, lr: float) -> None:
        """Set the learning rate."""
        self._optimizer.lr = lr

    def wait(self, result: Any) -> object:
        """Wait for the device."""
        self._backend.synchronize()
        return result


def _mlp(net: Net) -> nn.Module:
    layers: list[nn.Module] = []
    for (n, m), (weight, bias) in zip(itertools.pairwise(net.widths), net.weights(), strict=True):
        layer = nn.Dense(n, m)
        layer.load_state_dict({"weight": asarray(weight), "bias": asarray(bias)})
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])
