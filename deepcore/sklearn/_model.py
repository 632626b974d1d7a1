"""How a model is built from hyperparameters."""

from __future__ import annotations

import copy
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import ConfigError
from ..nn import Dense, Dropout, Module, Sequential, activation_named
from ..random import Generator, default_generator

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Generator as Generation
    from contextlib import AbstractContextManager

SYNONYMS = {"logistic": "sigmoid"}  # scikit-learn's name, and deepcore's


@dataclass(frozen=True)
class Architecture:
    """What a model is made of, as it was when the model was fitted.

    Parameters
    ----------
    features, outputs
        The numbers of inputs and outputs.
    hidden
        The numbers of units of the hidden layers.
    activation
        The function of the hidden layers: its name, or what makes a module when it is called.
    dropout
        The probability that a hidden unit is dropped while training.
    model
        A user's own model instead: what makes it, called with the numbers of features and outputs; or a module, which
        is copied with its weights.
    """

    features: int
    outputs: int
    hidden: tuple[int, ...]
    activation: str | Callable[[], Module]
    dropout: float
    model: Module | Callable[[int, int], Module] | None

    def build(self, generator: Generator) -> Module:
        """Return a new model, whose weights come from a generator, and the masks of whose dropout will."""
        if self.model is None:
            return self._perceptron(generator)
        if isinstance(self.model, Module):
            return copy.deepcopy(self.model)
        with self.drawing(generator):
            made: Any = self.model(self.features, self.outputs)
        if not isinstance(made, Module):
            msg = (
                f"model(n_features, n_outputs) is to return a deepcore.nn.Module, and returned a {type(made).__name__}"
            )
            raise ConfigError(msg)
        return made

    def _perceptron(self, generator: Generator) -> Sequential:
        layers: list[Module] = []
        n = self.features
        for units in self.hidden:
            activation = self.activation
            if isinstance(activation, str):
                module = activation_named(SYNONYMS.get(activation, activation))
            else:
                module = activation()
            layers.append(Dense(n, units, activation=module, generator=generator))
            if self.dropout:
                layers.append(Dropout(self.dropout, generator=generator))
            n = units
        return Sequential(*layers, Dense(n, self.outputs, generator=generator))

    def drawing(self, generator: Generator) -> AbstractContextManager[object]:
        """Return a context in which the model draws from a generator.

        A user's model takes its numbers from the default generator, which is therefore replaced for a while.
        """
        return nullcontext() if self.model is None else _instead_of_default(generator)


@contextmanager
def _instead_of_default(generator: Generator) -> Generation[None]:
    default = default_generator()
    before = default.state_dict()
    default.load_state_dict(generator.state_dict())
    try:
        yield
    finally:
        generator.load_state_dict(default.state_dict())
        default.load_state_dict(before)


def sizes(hidden_layer_sizes: Any) -> tuple[int, ...]:
    """Return the numbers of units of the hidden layers, given as scikit-learn has them: numbers, or one.

    Raises
    ------
    ConfigError
        If one of them is not a positive integer.
    """
    given = np.asarray(hidden_layer_sizes).ravel().tolist() if np.size(hidden_layer_sizes) else []
    if not all(isinstance(n, int) and n > 0 for n in given):
        msg = f"hidden_layer_sizes must be > 0, one whole number for each hidden layer; got {hidden_layer_sizes!r}"
        raise ConfigError(msg)
    return tuple(given)
