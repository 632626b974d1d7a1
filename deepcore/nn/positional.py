r"""Encodings of positions: without one, attention does not see the order of what it attends to."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import ConfigError, ShapeError
from ..ops.creation import asarray
from ..ops.manipulation import concat
from ..ops.rotary import rotary
from ._module import Module
from ._parameter import Parameter
from .initializers import initial, normal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._tensor import Tensor
    from ..random import Generator
    from .initializers import Initializer


@lru_cache(maxsize=64)
def _angles(start: int, end: int, n: int, features: int, base: float) -> NDArray[Any]:
    """Return the angle of each position from start to end, at each of n frequencies."""
    frequencies = base ** (-np.arange(0, 2 * n, 2, dtype=np.float64) / features)
    return np.arange(start, end, dtype=np.float64)[:, None] * frequencies


@lru_cache(maxsize=64)
def _sinusoids(start: int, end: int, features: int, base: float) -> NDArray[Any]:
    angles = _angles(start, end, (features + 1) // 2, features, base)
    both = np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(end - start, -1)
    return both[:, :features]


def _check(layer: Module, x: Tensor, features: int, offset: int) -> None:
    if x.ndim < 2 or x.shape[-1] != features:
        hint = "; time is the last axis but one" if x.ndim > 1 and x.shape[-2] == features else ""
        msg = f"{layer!r}: expected an input of shape (..., time, {features}), got {x.shape}{hint}"
        raise ShapeError(msg)
    _check_offset(layer, offset)


def _check_offset(layer: Module, offset: int) -> None:
    if offset < 0:
        msg = f"{layer!r}: the offset is the position of the first element, 0 or more, not {offset}"
        raise ConfigError(msg)


class SinusoidalEncoding(Module):
    r"""Sines and cosines of the position, added: $y_{p} = x_{p} + e_{p}$ with $e_{p, 2i} = \sin \omega_i p$,
    $e_{p, 2i + 1} = \cos \omega_i p$ and $\omega_i = b^{-2i / d}$.

    Parameters
    ----------
    features
        The number of features, $d$.
    base
        $b$: the longest wave is $2 \pi b$ positions long.

    Raises
    ------
    ShapeError
        When called on an array whose last axis is not ``features`` long.

    Notes
    -----
    The input has shape (..., time, d), and ``layer(x, offset=p)`` is for a part of a sequence that begins at position
    p. Vaswani et al. multiply embeddings by $\sqrt d$ first, and drop out of the sum; neither is done here.

    References
    ----------
    A. Vaswani et al., Attention is all you need, NeurIPS 2017, section 3.5.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.SinusoidalEncoding(4)(dc.zeros((1, 2, 4)))[0, 0, :].tolist()
    [0.0, 1.0, 0.0, 1.0]
    """

    def __init__(self, features: int, *, base: float = 10000.0) -> None:
        _check_sizes("SinusoidalEncoding", features, base)
        self.features = features
        self.base = base

    def forward(self, x: Tensor, *, offset: int = 0) -> Tensor:
        """Return the input with the encoding added."""
        _check(self, x, self.features, offset)
        table = _sinusoids(offset, offset + x.shape[-2], self.features, self.base)
        return x + asarray(table, dtype=x.dtype, device=x.device)

    def describe(self) -> str:
        """Return the number of features."""
        return str(self.features)


class LearnedEncoding(Module):
    r"""A vector for every position, learned and added: $y_p = x_p + w_p$.

    Parameters
    ----------
    max_length
        The number of positions.
    features
        The number of features.
    initializer
        How $w$ begins: a function of the shape and a generator, or its name. By default it is normal with a standard
        deviation of 0.02.
    generator
        The source of the initial vectors; the default one, if not given.

    Attributes
    ----------
    weight
        $w$, of shape (max_length, features).

    Raises
    ------
    ShapeError
        When called on an array whose last axis is not ``features`` long, or that goes on after the last position.

    Notes
    -----
    The input has shape (..., time, features), and ``layer(x, offset=p)`` is for a part of a sequence that begins at
    position p.

    References
    ----------
    J. Gehring et al., Convolutional sequence to sequence learning, ICML 2017, section 3.1; A. Radford et al., Improving
    language understanding by generative pre-training, 2018.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.LearnedEncoding(100, 8)(dc.zeros((5, 20, 8))).shape
    (5, 20, 8)
    """

    def __init__(
        self,
        max_length: int,
        features: int,
        *,
        initializer: str | Initializer | None = None,
        generator: Generator | None = None,
    ) -> None:
        if max_length < 1 or features < 1:
            msg = f"LearnedEncoding: there is at least 1 position and feature, not {max_length} and {features}"
            raise ConfigError(msg)
        self.max_length = max_length
        self.features = features
        self.weight = Parameter(initial(initializer or normal(std=0.02), (max_length, features), generator))

    def forward(self, x: Tensor, *, offset: int = 0) -> Tensor:
        """Return the input with the vectors added."""
        _check(self, x, self.features, offset)
        end = offset + x.shape[-2]
        if end > self.max_length:
            msg = (
                f"{self!r}: the input has positions up to {end}, and only {self.max_length} were learned; got {x.shape}"
            )
            raise ShapeError(msg)
        return x + self.weight[offset:end, :]

    def describe(self) -> str:
        """Return the numbers of positions and features."""
        return f"{self.max_length} × {self.features}"


class RotaryEncoding(Module):
    r"""Pairs of features, rotated by an angle in proportion to the position: $\theta_{p, i} = p\,b^{-2i / d}$.

    Products of queries and keys that were rotated depend on how far apart they are, and not on where. It is applied to
    both, after their projection; :class:`MultiHeadAttention` does so when it is given one.

    Parameters
    ----------
    features
        The number of features that are rotated, $d$: those of a head, or the first of them.
    base
        $b$.
    interleaved
        Whether a pair is two neighbours, as in the paper, or one feature of each half, as in GPT-NeoX and Llama.

    Raises
    ------
    ConfigError
        If ``features`` is not even.
    ShapeError
        When called on an array with fewer features.

    Notes
    -----
    The input has shape (..., time, features), and ``layer(x, offset=p)`` is for a part of a sequence that begins at
    position p.

    References
    ----------
    J. Su et al., RoFormer: enhanced transformer with rotary position embedding, arXiv:2104.09864, 2021, section 3.2.2.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.RotaryEncoding(2)(dc.asarray([[1.0, 0.0], [1.0, 0.0]], dtype=dc.float64)).numpy().round(3).tolist()
    [[1.0, 0.0], [0.54, 0.841]]
    """

    def __init__(self, features: int, *, base: float = 10000.0, interleaved: bool = True) -> None:
        _check_sizes("RotaryEncoding", features, base)
        if features % 2:
            msg = f"RotaryEncoding: features are rotated in pairs, so their number is even, not {features}"
            raise ConfigError(msg)
        self.features = features
        self.base = base
        self.interleaved = interleaved

    def forward(self, x: Tensor, *, offset: int = 0) -> Tensor:
        """Return the input with its features rotated."""
        n = self.features
        if x.ndim < 2 or x.shape[-1] < n:
            msg = f"{self!r}: expected an input of shape (..., time, {n} features or more), got {x.shape}"
            raise ShapeError(msg)
        _check_offset(self, offset)
        table = _angles(offset, offset + x.shape[-2], n // 2, n, self.base)
        # Without whole turns, so that the angles of late positions are as accurate as those of early ones.
        angles = asarray(table % (2 * math.pi), dtype=x.dtype, device=x.device)
        if x.shape[-1] == n:
            return rotary(x, angles, interleaved=self.interleaved)
        return concat([rotary(x[..., :n], angles, interleaved=self.interleaved), x[..., n:]], axis=-1)

    def describe(self) -> str:
        """Return the number of features."""
        return f"{self.features}" if self.interleaved else f"{self.features}, in halves"


def _check_sizes(name: str, features: int, base: float) -> None:
    if features < 1 or not base > 0:
        msg = f"{name}: there is at least 1 feature, and the base is above 0; got {features} and {base}"
        raise ConfigError(msg)
