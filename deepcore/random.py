r"""Random numbers by counting: Philox4x64-10, the same on every device.

A counter-based generator is a function of a key and a position; nothing is carried from one draw to the next but the
number of draws. Here the key is (seed, draw), so a state is two integers, and the same seed gives the same weights,
dropout masks and shuffles on every array library. The words are those of :class:`numpy.random.Philox`, bit for bit.

Source: J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from ._device import device as find_device
from ._errors import ConfigError
from ._tensor import Tensor, make
from .ops.creation import default_dtype

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._dtype import DType
    from ._typing import DeviceLike, Shape


class Generator:
    """A source of random tensors.

    Parameters
    ----------
    seed
        A whole number from 0 to 2**64 - 1.
    draw
        How many draws were made before: the state of an interrupted run.

    Examples
    --------
    >>> from deepcore.random import Generator
    >>> Generator(0).uniform((2,)).tolist() == Generator(0).uniform((2,)).tolist()
    True
    """

    __slots__ = ("draw", "seed")

    def __init__(self, seed: int = 0, *, draw: int = 0) -> None:
        try:
            value = operator.index(seed)
        except TypeError:
            value = -1
        if not 0 <= value < 2**64:
            msg = f"a seed is a whole number from 0 to 2**64 - 1, not {seed!r}"
            raise ConfigError(msg)
        self.seed = value
        self.draw = draw

    def _next(self) -> np.random.Generator:
        bits = np.random.Philox(key=np.array([self.seed, self.draw], dtype=np.uint64))
        self.draw += 1
        return np.random.Generator(bits)

    def uniform(
        self,
        shape: Shape = (),
        *,
        low: float = 0.0,
        high: float = 1.0,
        dtype: DType | None = None,
        device: DeviceLike = None,
    ) -> Tensor:
        """Return values spread evenly over [low, high)."""
        own = dtype or default_dtype()
        host = self._next().random(shape, dtype=_host_type(own))
        if (low, high) != (0.0, 1.0):
            host = host * host.dtype.type(high - low) + host.dtype.type(low)
        return _placed(host, own, device)

    def normal(
        self,
        shape: Shape = (),
        *,
        mean: float = 0.0,
        std: float = 1.0,
        dtype: DType | None = None,
        device: DeviceLike = None,
    ) -> Tensor:
        """Return values of a normal distribution."""
        own = dtype or default_dtype()
        host = self._next().standard_normal(shape, dtype=_host_type(own))
        if (mean, std) != (0.0, 1.0):
            host = host * host.dtype.type(std) + host.dtype.type(mean)
        return _placed(host, own, device)

    def bernoulli(
        self, shape: Shape = (), *, p: float, dtype: DType | None = None, device: DeviceLike = None
    ) -> Tensor:
        """Return 1 with probability p, and 0 otherwise."""
        if not 0.0 <= p <= 1.0:
            msg = f"a probability is from 0 to 1, not {p}"
            raise ConfigError(msg)
        own = dtype or default_dtype()
        return _placed(self._next().random(shape, dtype=np.float32) < p, own, device)

    def permutation(self, n: int) -> NDArray[np.int64]:
        """Return the whole numbers below n in random order, on the host."""
        return self._next().permutation(n)

    def __repr__(self) -> str:
        return f"Generator(seed={self.seed}, draw={self.draw})"


def _host_type(dtype: DType) -> type[np.float32 | np.float64]:
    return np.float64 if dtype.name == "float64" else np.float32


def _placed(host: NDArray[Any], dtype: DType, device: DeviceLike) -> Tensor:
    target = find_device(device)
    cpu = find_device("cpu")
    values = np.asarray(host).astype(cpu.backend.raw_dtype(dtype), copy=False)
    return make(target.backend.from_host(values, target.name), target)


_global = Generator(0)


def seed(value: int, /) -> None:
    """Restart the default generator, which initialises weights and drops units.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.random.seed(1)
    """
    fresh = Generator(value)
    _global.seed, _global.draw = fresh.seed, fresh.draw


def default_generator() -> Generator:
    """Return the generator that is used where none is given."""
    return _global
