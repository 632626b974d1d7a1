"""The generator: draws from discrete distributions, and all that it is made of."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from .._device import device as find_device
from .._dtype import DType, float32, float64, int64
from .._errors import ConfigError, DTypeError, ShapeError
from .._sweep import op
from .._tensor import Tensor, make
from ..ops.creation import default_dtype
from ._bits import WORDS, below, check_word, order, uniforms
from ._continuous import Continuous, _uniform, as_shape, common_shape
from ._inverse import exponential_quantile, transformed
from ._state import made

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .._typing import DeviceLike, Raw, Shape
    from ._continuous import Parameter


class Generator(Continuous):
    """A source of random tensors.

    Each call of a method is one draw, with a key of its own: (seed, draw). It gives the same on every array library and
    every machine, and does not depend on what was drawn before, only on how many draws were made.

    Parameters
    ----------
    seed
        An integer from 0 to 2**64 - 1.
    draw
        How many draws were made before: the state of an interrupted run.

    Raises
    ------
    ConfigError
        If either is not such an integer.

    Examples
    --------
    >>> from deepcore.random import Generator
    >>> Generator(0).uniform((2,)).tolist() == Generator(0).uniform((2,)).tolist()
    True
    """

    __slots__ = ()

    def bernoulli(
        self,
        shape: int | Shape | None = None,
        *,
        p: Parameter,
        dtype: DType | None = None,
        device: DeviceLike = None,
    ) -> Tensor:
        """Return 1 with probability p, and 0 otherwise.

        Parameters
        ----------
        shape
            The shape of the result; that of ``p`` by default.
        p
            The probability: a number from 0 to 1, or a tensor of probabilities.
        dtype, device
            By default those of ``p``, if it is a tensor, or else the defaults. Any data type will do.

        Examples
        --------
        >>> from deepcore.random import Generator
        >>> Generator(0).bernoulli((8,), p=0.5)
        Tensor([1., 1., 0., 1., 1., 1., 1., 0.], dtype=float32)
        """
        if isinstance(p, Tensor):
            where = common_shape("bernoulli", shape, {"p": p})
            own, place = dtype or p.dtype, p.device if device is None else find_device(device)
        else:
            if not 0.0 <= p <= 1.0:
                msg = f"a probability is from 0 to 1, not {p}"
                raise ConfigError(msg)
            where, own, place = as_shape(shape), dtype or default_dtype(), find_device(device)
        kind = float64 if isinstance(p, Tensor) and p.dtype is float64 else float32
        return op.less(_uniform(self._next(), where, kind, place), p).astype(own)

    def integers(
        self,
        low: int,
        high: int | None = None,
        shape: int | Shape = (),
        *,
        dtype: DType = int64,
        device: DeviceLike = None,
    ) -> Tensor:
        r"""Return whole numbers from low to high - 1, each equally likely.

        They are remainders of random words of 64 bits, by rejection: of the $2^{64}$ words the last
        $2^{64} \bmod (\text{high} - \text{low})$ are not used, so that there is no bias at all.

        Parameters
        ----------
        low, high
            The range. With one number given, that is ``high``, and ``low`` is 0.
        dtype
            An integer type that has room for the range.

        Raises
        ------
        ConfigError
            If the range is empty, or does not fit the data type.

        Examples
        --------
        >>> from deepcore.random import Generator
        >>> Generator(0).integers(6, shape=8)
        Tensor([5, 2, 3, 0, 3, 3, 5, 0], dtype=int64)
        """
        first, end = (0, operator.index(low)) if high is None else (operator.index(low), operator.index(high))
        if not dtype.is_kind("integral"):
            msg = f"integers: the result has an integer type, and cannot be {dtype}"
            raise DTypeError(msg)
        least = -(2 ** (dtype.bits - 1)) if dtype.is_kind("signed integer") else 0
        if not least <= first < end <= least + 2**dtype.bits:
            msg = (
                f"integers: low is below high, and both fit {dtype}, from {least} to {least + 2**dtype.bits - 1}; "
                f"they are {first} and {end}"
            )
            raise ConfigError(msg)
        where = as_shape(shape)

        def values(seed: int, draw: int) -> NDArray[Any]:
            found = below(end - first, seed, draw, math.prod(where))
            found += np.uint64(first % WORDS)  # arithmetic modulo 2**64, as that of signed integers is
            return found.view(np.int64).reshape(where)

        return _placed(self._next(), values, dtype, device)

    def categorical(self, logits: Tensor, shape: int | Shape = (), *, axis: int = -1) -> Tensor:
        r"""Return the position $i$ along an axis with probability $\operatorname{softmax}(x)_i$.

        It is that of the largest $x_i + g_i$ with Gumbel numbers $g_i$.

        Parameters
        ----------
        logits
            $x$: logarithms of probabilities, up to a constant.
        shape
            How many draws are made with the same logits: the first axes of the result. The others are those of the
            logits without ``axis``.
        axis
            The axis of the categories.

        Returns
        -------
        Tensor
            Positions, which have no gradient.

        References
        ----------
        E. J. Gumbel, Statistical theory of extreme values and some practical applications, 1954.

        Examples
        --------
        >>> import deepcore as dc
        >>> dc.random.Generator(0).categorical(dc.asarray([0.0, -dc.inf, 0.0]), 8)
        Tensor([2, 0, 2, 0, 0, 0, 2, 0], dtype=int64)
        """
        if not -logits.ndim <= axis < logits.ndim or logits.shape[axis] == 0:
            msg = f"categorical: logits of shape {logits.shape} have no category along axis {axis}"
            raise ShapeError(msg)
        noise = self.gumbel((*as_shape(shape), *logits.shape), dtype=logits.dtype, device=logits.device)
        return op.argmax(logits.detach() + noise, axis=axis % logits.ndim - logits.ndim)

    def permutation(self, x: int | Tensor, *, axis: int = 0, device: DeviceLike = None) -> Tensor:
        """Return the whole numbers below x in random order, or a tensor with an axis in random order.

        Parameters
        ----------
        x
            A number, or a tensor, to which gradients flow.
        axis
            The axis of the tensor; what lies along it stays together.
        device
            Where the numbers are; a tensor stays on its own.

        Examples
        --------
        >>> from deepcore.random import Generator
        >>> Generator(0).permutation(5)
        Tensor([0, 2, 1, 4, 3], dtype=int64)
        """
        n = _length("permutation", x, axis)
        return self._taken(x, lambda seed, draw: order(n, seed, draw), (n,), axis, device)

    def choice(
        self,
        x: int | Tensor,
        shape: int | Shape = (),
        *,
        replace: bool = True,
        p: Any = None,
        axis: int = 0,
        device: DeviceLike = None,
    ) -> Tensor:
        r"""Return elements of a tensor, or whole numbers below x, at random.

        Parameters
        ----------
        x
            A number, or a tensor, to which gradients flow.
        shape
            How many are drawn: these axes take the place of ``axis``.
        replace
            Whether an element can be drawn more than once.
        p
            The probability of each element: non-negative numbers, in a sequence or an array, whose sum is 1. All are
            equally likely by default.
        axis
            The axis of the tensor that elements are drawn from.
        device
            Where the numbers are; a tensor stays on its own.

        Raises
        ------
        ConfigError
            If there are too few elements, or ``p`` is no distribution of them.

        Notes
        -----
        With replacement and ``p``, position $i$ is the first whose cumulative probability exceeds a uniform number.
        Without replacement the draws are successive: of those left, each has a probability proportional to its $p$.
        They are the first arrivals of independent exponential times with rates $p_i$ (P. S. Efraimidis and
        P. G. Spirakis, Weighted random sampling with a reservoir, Information Processing Letters 97, 2006).

        Examples
        --------
        >>> from deepcore.random import Generator
        >>> Generator(0).choice(10, 4, replace=False)
        Tensor([0, 2, 9, 1], dtype=int64)
        >>> Generator(0).choice(3, 8, p=[0.5, 0.0, 0.5])
        Tensor([0, 0, 0, 2, 2, 0, 2, 2], dtype=int64)
        """
        n, where = _length("choice", x, axis), as_shape(shape)
        count = math.prod(where)
        weights = None if p is None else _probabilities(p, n)
        available = n if weights is None else int(np.count_nonzero(weights))
        if count and (available == 0 or (count > available and not replace)):
            again = "" if replace else " without replacement"
            msg = f"choice: {count} elements cannot be drawn from {available}{again}"
            raise ConfigError(msg)

        def rows(seed: int, draw: int) -> NDArray[Any]:
            if weights is None:
                return below(max(n, 1), seed, draw, count).astype(np.intp) if replace else order(n, seed, draw)[:count]
            if replace:
                ends = np.cumsum(weights)
                found = np.searchsorted(ends, uniforms(seed, draw, count, np.float64) * ends[-1], side="right")
                return np.minimum(found, np.flatnonzero(weights)[-1])  # the product may round up to the last end
            times = transformed(seed, draw, n, np.float64, exponential_quantile)
            arrivals = np.divide(times, weights, out=np.full(n, np.inf), where=weights > 0)
            return np.argsort(arrivals, kind="stable")[:count]

        return self._taken(x, rows, where, axis, device)

    def _taken(
        self,
        x: int | Tensor,
        rows: Callable[[int, int], NDArray[Any]],
        shape: Shape,
        axis: int,
        device: DeviceLike,
    ) -> Tensor:
        """Return the elements at the positions that a function makes of the next key."""
        if not isinstance(x, Tensor):
            return _placed(self._next(), lambda seed, draw: rows(seed, draw).reshape(shape), int64, device)
        flat = op.take(x, _placed(self._next(), rows, int64, x.device), axis=axis)
        k = axis % x.ndim
        return flat if len(shape) == 1 else flat.reshape(*x.shape[:k], *shape, *x.shape[k + 1 :])


def _length(function: str, x: int | Tensor, axis: int) -> int:
    """Return how many elements there are to order or to draw from."""
    if not isinstance(x, Tensor):
        return check_word(f"{function}: x", x)
    if not -x.ndim <= axis < x.ndim:
        msg = f"{function}: a tensor of shape {x.shape} has no axis {axis}"
        raise ShapeError(msg)
    return x.shape[axis]


def _probabilities(p: Any, n: int) -> NDArray[np.float64]:
    weights = np.asarray(p.numpy() if isinstance(p, Tensor) else p, dtype=np.float64)
    total = weights.sum()
    # The sum of probabilities in float32 is off by about √n roundings.
    if weights.shape != (n,) or not (weights >= 0).all() or not abs(total - 1) < 1e-4:
        what = f"of shape {weights.shape}, from {weights.min(initial=np.inf)}, with sum {total}"
        msg = f"choice: p is {n} non-negative numbers whose sum is 1, not an array {what}"
        raise ConfigError(msg)
    return weights


def _placed(
    key: tuple[int, int], values: Callable[[int, int], NDArray[Any]], dtype: DType, device: DeviceLike
) -> Tensor:
    """Return the whole numbers that a function of the host makes of a key, on a device."""
    target = find_device(device)
    raw_dtype = find_device("cpu").backend.raw_dtype(dtype)

    def produce(seed: int, draw: int) -> Raw:
        return target.backend.from_host(values(seed, draw).astype(raw_dtype, copy=False), target.name)

    return make(made(key, produce), target)
