r"""Initial values of weights. The rows of a weight are its inputs, its columns its outputs.

With $n$ inputs and $m$ outputs, LeCun's scale keeps the variance of the activations, Glorot's also that of the
gradients, and He's makes up for the half that a rectifier sets to zero.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeAlias

from .._errors import ConfigError
from ..ops.creation import ones, zeros
from ..random import Generator, default_generator

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._tensor import Tensor
    from .._typing import Shape

Initializer: TypeAlias = "Callable[[Shape, Generator], Tensor]"


def _fans(shape: Shape) -> tuple[int, int]:
    """Return the number of inputs and outputs of a weight; leading axes are a receptive field."""
    if len(shape) < 2:
        msg = f"this initializer needs the inputs and outputs of a weight, and the shape is {shape}"
        raise ConfigError(msg)
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


def _uniform(shape: Shape, variance: float, generator: Generator) -> Tensor:
    limit = math.sqrt(3 * variance)
    return generator.uniform(shape, low=-limit, high=limit)


def _normal(shape: Shape, variance: float, generator: Generator) -> Tensor:
    return generator.normal(shape, std=math.sqrt(variance))


def glorot_uniform(shape: Shape, generator: Generator) -> Tensor:
    r"""Uniform with variance $2 / (n + m)$. X. Glorot and Y. Bengio, AISTATS 2010, equation 16."""
    return _uniform(shape, 2 / sum(_fans(shape)), generator)


def glorot_normal(shape: Shape, generator: Generator) -> Tensor:
    r"""Normal with variance $2 / (n + m)$. X. Glorot and Y. Bengio, AISTATS 2010, equation 12."""
    return _normal(shape, 2 / sum(_fans(shape)), generator)


def he_uniform(shape: Shape, generator: Generator) -> Tensor:
    r"""Uniform with variance $2 / n$. K. He et al., Delving deep into rectifiers, ICCV 2015, equation 10."""
    return _uniform(shape, 2 / _fans(shape)[0], generator)


def he_normal(shape: Shape, generator: Generator) -> Tensor:
    r"""Normal with variance $2 / n$. K. He et al., Delving deep into rectifiers, ICCV 2015, equation 10."""
    return _normal(shape, 2 / _fans(shape)[0], generator)


def lecun_uniform(shape: Shape, generator: Generator) -> Tensor:
    r"""Uniform with variance $1 / n$. Y. LeCun et al., Efficient BackProp, 1998, equation 16."""
    return _uniform(shape, 1 / _fans(shape)[0], generator)


def lecun_normal(shape: Shape, generator: Generator) -> Tensor:
    r"""Normal with variance $1 / n$. Y. LeCun et al., Efficient BackProp, 1998, equation 16."""
    return _normal(shape, 1 / _fans(shape)[0], generator)


def zeros_(shape: Shape, generator: Generator) -> Tensor:
    """Zeros."""
    return zeros(shape)


def ones_(shape: Shape, generator: Generator) -> Tensor:
    """Ones."""
    return ones(shape)


BY_NAME: Final[dict[str, Initializer]] = {
    function.__name__.rstrip("_"): function
    for function in (
        *(glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal),
        *(zeros_, ones_),
    )
}


def initial(initializer: str | Initializer, shape: Shape, generator: Generator | None = None) -> Tensor:
    """Return initial values, given an initializer or its name."""
    if isinstance(initializer, str):
        if initializer not in BY_NAME:
            msg = f"unknown initializer {initializer!r}; the known ones are {', '.join(BY_NAME)}"
            raise ConfigError(msg)
        initializer = BY_NAME[initializer]
    return initializer(shape, generator or default_generator())
