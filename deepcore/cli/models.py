"""The models that ``--model`` names, and those of the user's own modules."""

from __future__ import annotations

import importlib
import inspect
import itertools
import math
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .. import nn, permute_dims
from .._errors import ConfigError, DeepcoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from .settings import Settings

KNOWN: Final = ("mlp", "cnn", "lstm")
CHANNELS: Final = (32, 64)
UNITS: Final = (128,)
EXPECTED: Final = "a function of the keyword arguments input_shape and n_outputs that returns a deepcore.nn.Module"


def is_known(model: str) -> bool:
    """Return whether a model is one of ours. Raise a ConfigError, if it is no function of a module either."""
    if model in KNOWN:
        return True
    module, _, factory = model.partition(":")
    if not module or not factory.isidentifier():
        msg = (
            f"unknown model {model!r}; the known ones are {', '.join(KNOWN)}, and module:factory names {EXPECTED}, "
            "in a module that can be imported from the current folder"
        )
        raise ConfigError(msg)
    return False


def build(settings: Settings, input_shape: Sequence[int], n_outputs: int, *, folder: str = "") -> nn.Module:
    """Return the model of settings, with new weights.

    Parameters
    ----------
    settings
        Of which this uses ``model``, ``hidden``, ``activation`` and ``dropout``.
    input_shape
        The shape of a sample.
    n_outputs
        The number of classes, or of numbers that are predicted.
    folder
        Where modules are imported from besides; the current folder, if empty.

    Raises
    ------
    ConfigError
        If there is no such model, or not for samples of this shape.
    """
    shape = tuple(input_shape)
    if not is_known(settings.model):
        return _made(settings.model, shape, n_outputs, folder)
    hidden, activation = settings.hidden or [], settings.activation or "relu"
    if settings.model == "mlp":
        return _mlp(shape, hidden, n_outputs, activation, settings.dropout)
    if settings.model == "cnn":
        return _cnn(shape, hidden, n_outputs, activation, settings.dropout)
    return _lstm(shape, hidden, n_outputs, settings.dropout)


def _initializer(activation: str) -> str:
    return "he_uniform" if activation in ("relu", "leaky_relu") else "glorot_uniform"


def _dropout(rate: float) -> list[nn.Module]:
    return [nn.Dropout(rate)] if rate else []


def _mlp(shape: tuple[int, ...], hidden: list[int], n_outputs: int, activation: str, dropout: float) -> nn.Module:
    """Return a multilayer perceptron."""
    widths = [math.prod(shape), *hidden]
    layers: list[nn.Module] = [nn.Flatten()]
    for n, m in itertools.pairwise(widths):
        layers += [nn.Dense(n, m, initializer=_initializer(activation)), nn.activation_named(activation)]
        layers += _dropout(dropout)
    return nn.Sequential(*layers, nn.Dense(widths[-1], n_outputs))


def _cnn(shape: tuple[int, ...], hidden: list[int], n_outputs: int, activation: str, dropout: float) -> nn.Module:
    """Return convolutions of 3 by 3, each with an activation and, while the image is large enough, pooling by 2."""
    if len(shape) not in (2, 3):
        msg = (
            f"--model cnn is for images, (channels, height, width) or (height, width), and the samples have shape "
            f"{shape}; use --model mlp"
        )
        raise ConfigError(msg)
    channels, height, width = shape if len(shape) == 3 else (1, *shape)
    layers: list[nn.Module] = [nn.Reshape(1, height, width)] if len(shape) == 2 else []
    for m in hidden:
        layers += [nn.Conv2d(channels, m, 3, padding="same", initializer=_initializer(activation))]
        layers += [nn.activation_named(activation)]
        if min(height, width) >= 4:
            layers.append(nn.MaxPool2d(2))
            height, width = height // 2, width // 2
        channels = m
    return nn.Sequential(*layers, nn.Flatten(), *_dropout(dropout), nn.Dense(channels * height * width, n_outputs))


class Rows(nn.Module):
    """Images as sequences of their rows: (n, channels, height, width) becomes (n, height, channels · width)."""

    def forward(self, x: Any) -> Any:
        """Return the sequences."""
        n, channels, height, width = x.shape
        return permute_dims(x, (0, 2, 1, 3)).reshape(n, height, channels * width)


def _lstm(shape: tuple[int, ...], hidden: list[int], n_outputs: int, dropout: float) -> nn.Module:
    """Return a long short-term memory, whose last state is read out. A row of a table is a sequence of numbers."""
    if len(shape) not in (1, 2, 3) or not hidden:
        msg = (
            f"--model lstm is for sequences, (time, features), and images, whose rows are the times, and has at least "
            f"one layer; the samples have shape {shape}, and --hidden has {len(hidden)} widths"
        )
        raise ConfigError(msg)
    layers: list[nn.Module] = []
    features = shape[-1]
    if len(shape) == 1:
        layers.append(nn.Reshape(shape[0], 1))
        features = 1
    elif len(shape) == 3:
        layers.append(Rows())
        features = shape[0] * shape[2]
    for i, width in enumerate(hidden):
        last = i + 1 == len(hidden)
        layers += [nn.LSTM(features, width, returns="last" if last else "sequence"), *_dropout(dropout)]
        features = width
    return nn.Sequential(*layers, nn.Dense(features, n_outputs))


# ---------------------------------------------------------------------------------------------------- the user's own


def _made(name: str, shape: tuple[int, ...], n_outputs: int, folder: str) -> nn.Module:
    factory = _factory(name, folder)
    with _Mistakes(name):
        model = factory(input_shape=shape, n_outputs=n_outputs)
    if not isinstance(model, nn.Module):
        msg = f"--model {name} returned {type(model).__name__}, and not a model; expected is {EXPECTED}"
        raise ConfigError(msg)
    return model


def _factory(name: str, folder: str) -> Callable[..., Any]:
    module_name, _, attribute = name.partition(":")
    here = folder or str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    with _Mistakes(name):
        module = importlib.import_module(module_name)
    factory = getattr(module, attribute, None)
    if not callable(factory):
        others = [key for key, value in vars(module).items() if inspect.isfunction(value) and not key.startswith("_")]
        msg = (
            f"--model {name}: {module.__name__} has no function {attribute!r}; its functions are "
            f"{', '.join(others) or 'none'}; expected is {EXPECTED}"
        )
        raise ConfigError(msg)
    return factory


class _Mistakes:
    """A context that makes one message of whatever the user's own code raises, with the line that did."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, Exception):
            return
        if isinstance(error, DeepcoreError):
            error.add_note(f"in --model {self.name}")
            return
        where = ""
        for frame in traceback.extract_tb(trace):
            if frame.filename != __file__ and "importlib" not in frame.filename:
                where = f", in line {frame.lineno} of {frame.filename}"
        msg = f"--model {self.name} failed{where}: {type(error).__name__}: {error}; expected is {EXPECTED}"
        raise ConfigError(msg) from error
