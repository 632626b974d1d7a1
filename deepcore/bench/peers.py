"""Other libraries that train the same networks from the same weights: PyTorch, JAX and scikit-learn."""

from __future__ import annotations

import importlib.util
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._backend import Library
from .._errors import ConfigError
from .nets import Net
from .subjects import LR, Subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from .networks import Network

torch: Any = Library("torch")
jax: Any = Library("jax")
jnp: Any = Library("jax.numpy")
sklearn: Any = Library("sklearn.neural_network")

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class Peer:
    """A library to compare with.

    Attributes
    ----------
    name
        What it is called on the command line.
    module
        The module whose presence means that it is installed.
    requirement
        What ``pip install`` needs in order to install it.
    subjects
        The ways to train with it, by name: functions of a network and a device, ``"cpu"`` or ``"cuda:0"``.
    on_gpu
        Whether it computes on GPUs too.
    """

    name: str
    module: str
    requirement: str
    subjects: dict[str, Callable[[Net | Network, str], Subject]]
    on_gpu: bool = True

    @property
    def is_installed(self) -> bool:
        """Whether it is installed; it is not imported to find out."""
        return importlib.util.find_spec(self.module) is not None

    @property
    def install_command(self) -> str:
        """The command that installs it."""
        return f"pip install {self.requirement}"


class Torch(Subject):
    """PyTorch: eager with Adam as it comes, with the fused Adam, or with that and everything else compiled.

    Parameters
    ----------
    net
        The network.
    device
        Where it computes.
    fused
        Whether Adam is fused.
    compiled
        Whether model and loss are compiled.
    """

    def __init__(self, net: Net | Network, device: str, *, fused: bool, compiled: bool) -> None:
        self.name = "torch-compile" if compiled else "torch-fused" if fused else "torch-eager"
        self.device = device
        self.infers = compiled or not fused
        model = (_torch_mlp(net) if isinstance(net, Net) else net.torch_model()).to(device)
        self._inputs, self._labels = (torch.from_numpy(x).to(device) for x in net.data())
        options = {"fused": True} if fused else {}
        self._optimizer = torch.optim.Adam(model.parameters(), lr=LR, betas=(BETA1, BETA2), eps=EPS, **options)

        def loss(x: Any, y: Any) -> Any:
            return torch.nn.functional.cross_entropy(model(x), y)

        if compiled:
            torch.compiler.reset()  # else it takes another network for the same one with other shapes
        self._loss = torch.compile(loss, dynamic=False) if compiled else loss
        self._model = torch.compile(model, dynamic=False) if compiled else model

    def step(self) -> Any:
        """Take a step."""
        self._optimizer.zero_grad()
        loss = self._loss(self._inputs, self._labels)
        loss.backward()
        self._optimizer.step()
        return loss.detach()

    def predict(self) -> Any:
        """Return the logits."""
        with torch.no_grad():
            return self._model(self._inputs)

    def set_rate(self, lr: float) -> None:
        """Set the learning rate."""
        for group in self._optimizer.param_groups:
            group["lr"] = lr

    def wait(self, result: Any) -> object:
        """Wait for the GPU."""
        if self.device != "cpu":
            torch.cuda.synchronize(self.device)
        return result


def _torch_mlp(net: Net) -> Any:
    layers: list[Any] = []
    for (n, m), (weight, bias) in zip(itertools.pairwise(net.widths), net.weights(), strict=True):
        layer = torch.nn.Linear(n, m)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(weight.T))
            layer.bias.copy_(torch.from_numpy(bias))
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def _perceptron(net: Net | Network, name: str) -> Net:
    """Return a network, or raise where it is not a perceptron."""
    if not isinstance(net, Net):
        msg = f"{net.name} is written for deepcore and PyTorch, and {name} is measured on perceptrons alone"
        raise ConfigError(msg)
    return net


class Jax(Subject):
    """JAX: the whole step, with Adam, in one ``jit`` that may overwrite the state it is given.

    Parameters
    ----------
    net
        The network.
    device
        Where it computes.

    Raises
    ------
    ConfigError
        If the network is not a perceptron.
    """

    name = "jax-jit"

    def __init__(self, net: Net | Network, device: str) -> None:
        net = _perceptron(net, "JAX")
        self.device = device
        kind, _, index = device.partition(":")
        place = jax.devices("gpu" if kind == "cuda" else kind)[int(index or 0)]
        self._weights = jax.device_put(net.weights(), place)
        zeros = [jax.tree_util.tree_map(np.zeros_like, net.weights()) for _ in range(2)]
        self._moments = jax.device_put((*zeros, np.float32(0)), place)
        self._inputs, self._labels = (jax.device_put(x, place) for x in _narrow(net))
        self._place = place
        self._step = jax.jit(_jax_step, donate_argnums=(0, 1))
        self._predict = jax.jit(_jax_logits)
        self.set_rate(LR)

    def step(self) -> Any:
        """Take a step."""
        self._weights, self._moments, loss = self._step(
            self._weights, self._moments, self._lr, self._inputs, self._labels
        )
        return loss

    def predict(self) -> Any:
        """Return the logits."""
        return self._predict(self._weights, self._inputs)

    def set_rate(self, lr: float) -> None:
        """Set the learning rate."""
        self._lr = jax.device_put(np.float32(lr), self._place)

    def wait(self, result: Any) -> object:
        """Wait for the result, and for the weights."""
        return jax.block_until_ready((result, self._weights))


def _narrow(net: Net) -> tuple[Any, Any]:
    inputs, labels = net.data()
    return inputs, labels.astype(np.int32)  # what JAX has by default


def _jax_logits(weights: Any, x: Any) -> Any:
    for weight, bias in weights[:-1]:
        x = jax.nn.relu(x @ weight + bias)
    weight, bias = weights[-1]
    return x @ weight + bias


def _jax_loss(weights: Any, x: Any, labels: Any) -> Any:
    logits = _jax_logits(weights, x)
    chosen = jnp.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    return jnp.mean(jax.nn.logsumexp(logits, axis=1) - chosen)


def _jax_step(weights: Any, moments: Any, lr: Any, x: Any, labels: Any) -> Any:
    loss, gradients = jax.value_and_grad(_jax_loss)(weights, x, labels)
    m, v, t = moments
    t += 1
    mapped = jax.tree_util.tree_map
    m = mapped(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, gradients)
    v = mapped(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, gradients)
    c1, c2 = 1 - BETA1**t, 1 - BETA2**t
    weights = mapped(lambda w, m, v: w - lr * (m / c1) / (jnp.sqrt(v / c2) + EPS), weights, m, v)
    return weights, (m, v, t), loss


class Sklearn(Subject):
    r"""scikit-learn: ``MLPClassifier.partial_fit``, which checks its input each time.

    Its Adam divides by $\sqrt v + \varepsilon$ before it corrects the bias; its $\varepsilon$ is set in every step, so
    that the numbers are those of the paper.

    Parameters
    ----------
    net
        The network.
    device
        ``"cpu"``.

    Raises
    ------
    ConfigError
        If the network is not a perceptron, or has two outputs.
    """

    name = "sklearn"

    def __init__(self, net: Net | Network, device: str) -> None:
        net = _perceptron(net, "scikit-learn")
        if net.widths[-1] == 2:
            msg = "MLPClassifier has one output for two classes, and not the two that the others have"
            raise ConfigError(msg)
        self.device = device
        self._inputs, self._labels = net.data()
        self._classes = np.arange(net.widths[-1])
        self._model = sklearn.MLPClassifier(
            net.widths[1:-1],
            alpha=0.0,
            batch_size=net.batch,
            learning_rate_init=LR,
            shuffle=False,
            beta_1=BETA1,
            beta_2=BETA2,
            epsilon=EPS,
        )
        self.step()  # makes the weights and the optimizer, which then begin again with ours
        optimizer = self._model._optimizer
        weights, biases = zip(*net.weights(), strict=True)
        for own, given in zip([*self._model.coefs_, *self._model.intercepts_], [*weights, *biases], strict=True):
            own[...] = given
        for moment in (*optimizer.ms, *optimizer.vs):
            moment[...] = 0
        optimizer.t = 0

    def step(self) -> Any:
        """Take a step."""
        optimizer = getattr(self._model, "_optimizer", None)
        if optimizer is not None:
            optimizer.epsilon = EPS * (1 - BETA2 ** (optimizer.t + 1)) ** 0.5
        self._model.partial_fit(self._inputs, self._labels, classes=self._classes)
        return self._model.loss_

    def predict(self) -> Any:
        """Return the probabilities; there is no method for logits."""
        return self._model.predict_proba(self._inputs)

    def set_rate(self, lr: float) -> None:
        """Set the learning rate, where its Adam has it."""
        self._model._optimizer.learning_rate_init = lr


PEERS: Final = {
    peer.name: peer
    for peer in (
        Peer(
            "torch",
            "torch",
            "torch",
            {
                "torch-eager": lambda net, device: Torch(net, device, fused=False, compiled=False),
                "torch-fused": lambda net, device: Torch(net, device, fused=True, compiled=False),
                "torch-compile": lambda net, device: Torch(net, device, fused=True, compiled=True),
            },
        ),
        Peer("jax", "jax", "jax", {"jax-jit": Jax}),
        Peer("sklearn", "sklearn", "scikit-learn", {"sklearn": Sklearn}, on_gpu=False),
    )
}


def parse_peers(text: str) -> list[Peer]:
    """Return the libraries that are named, with commas between them.

    Raises
    ------
    ConfigError
        If one is not known.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in PEERS]
    if unknown:
        msg = f"unknown peer {unknown[0]!r}; the known ones are {', '.join(PEERS)}"
        raise ConfigError(msg)
    return [PEERS[name] for name in dict.fromkeys(names)]
