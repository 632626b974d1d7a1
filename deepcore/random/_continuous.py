"""Draws from continuous distributions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .._device import device as find_device
from .._dtype import DType, float32, float64
from .._errors import ConfigError, DTypeError, ShapeError
from .._sweep import op
from .._tensor import Tensor, make
from ..ops.creation import default_dtype
from ._bits import uniforms
from ._inverse import exponential_quantile, gumbel_quantile, normal_probability, normal_quantile, transformed
from ._state import State, made

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .._device import Device
    from .._typing import DeviceLike, Raw, Shape
    from ._inverse import Floats

Parameter: TypeAlias = "float | Tensor"
"""A parameter of a distribution: a number, or a tensor, to which gradients flow."""


class Continuous(State):
    """A generator of floating-point numbers.

    In each method ``shape`` is the shape of the result. It may be left out where parameters are tensors, whose common
    shape it is then, and is that of one number otherwise. ``dtype`` and ``device`` are by default those of the
    parameters that are tensors, or else the defaults of deepcore.
    """

    __slots__ = ()

    def uniform(
        self,
        shape: int | Shape | None = None,
        *,
        low: Parameter = 0.0,
        high: Parameter = 1.0,
        dtype: DType | None = None,
        device: DeviceLike = None,
    ) -> Tensor:
        r"""Return values spread evenly over [low, high): $y = l + (h - l)\,u$.

        Parameters
        ----------
        low, high
            The bounds, finite numbers or tensors. Where they are numbers, every value is below ``high`` also after
            rounding, unless the two are equal; gradients flow to tensors.

        Raises
        ------
        ConfigError
            If the bounds are numbers that are not finite or not in order.

        Examples
        --------
        >>> import deepcore as dc
        >>> dc.random.Generator(0).uniform((2,), low=-1, high=1)
        Tensor([-0.93051624, -0.97690654], dtype=float32)
        """
        where, own, place = _common("uniform", shape, dtype, device, low=low, high=high)
        bounded = not isinstance(low, Tensor) and not isinstance(high, Tensor)
        if bounded and not -math.inf < low <= high < math.inf:
            msg = f"uniform: the bounds are finite, and low is not above high; they are {low} and {high}"
            raise ConfigError(msg)
        y = _affine(_uniform(self._next(), where, _wide(own), place), high - low, low).astype(own)
        if not bounded or ((low, high) == (0.0, 1.0) and own is _wide(own)):
            return y
        ends = np.asarray([high, low]).astype(find_device("cpu").backend.raw_dtype(own))
        return op.minimum(y, float(np.nextafter(ends[0], ends[1]))).astype(own)

    def normal(
        self,
        shape: int | Shape | None = None,
        *,
        mean: Parameter = 0.0,
        std: Parameter = 1.0,
        dtype: DType | None = None,
        device: DeviceLike = None,
    ) -> Tensor:
        r"""Return values of a normal distribution, $y = \mu + \sigma z$ with $z = \Phi^{-1}(u)$.

        Parameters
        ----------
        mean, std
            $\mu$ and $\sigma$, numbers or tensors. Gradients flow to tensors: $\bar\mu = \bar y$,
            $\bar\sigma = \bar y z$.

        Notes
        -----
        $z$ reaches 6.3 standard deviations in float32 and 8.1 in float64. It is the same on every machine.

        Examples
        --------
        >>> import deepcore as dc
        >>> mean = dc.zeros(3, requires_grad=True)
        >>> dc.random.Generator(0).normal(mean=mean, std=0.1).sum().backward()
        >>> mean.grad
        Tensor([1., 1., 1.], dtype=float32)
        """
        where, own, place = _common("normal", shape, dtype, device, mean=mean, std=std)
        return _affine(self._inverted(normal_quantile, where, own, place), std, mean).astype(own)

    def truncated_normal(
        self,
        shape: int | Shape | None = None,
        *,
        low: float = -2.0,
        high: float = 2.0,
        mean: Parameter = 0.0,
        std: Parameter = 1.0,
        dtype: DType | None = None,
        device: DeviceLike = None,
    ) -> Tensor:
        r"""Return values $y = \mu + \sigma z$ of a normal distribution, given that $a \le z \le b$.

        With $p$ uniform over $[\Phi(a), \Phi(b)]$, $z = \Phi^{-1}(p)$; nothing is rejected.

        Parameters
        ----------
        low, high
            $a$ and $b$, in standard deviations from the mean; either may be infinite. No value is outside
            $[\mu + \sigma a, \mu + \sigma b]$, as these bounds are rounded to the data type.
        mean, std
            $\mu$ and $\sigma$ of the distribution before it is truncated, numbers or tensors.

        Raises
        ------
        ConfigError
            If the bounds are not in order, or if the probability between them is too small for float64.

        Notes
        -----
        $\Phi(a)$ and $\Phi(b)$ come from the C library, so that between machines whose libraries differ the last bit of
        a float64, and very rarely of a float32, may differ too.

        Examples
        --------
        >>> import deepcore as dc
        >>> weight = dc.random.Generator(0).truncated_normal((100, 100), std=0.02)
        >>> dc.max(dc.abs(weight)).item() <= 0.04
        True
        """
        where, own, place = _common("truncated_normal", shape, dtype, device, mean=mean, std=std)
        if not low < high:
            msg = f"truncated_normal: low is below high; they are {low} and {high}"
            raise ConfigError(msg)
        mirrored = low > 0  # in the lower tail small probabilities are exact, in the upper one 1 - p is rounded
        a, b = (-high, -low) if mirrored else (low, high)
        start, end = normal_probability(a), normal_probability(b)
        if not start < end or end < np.finfo(np.float64).tiny:
            msg = f"truncated_normal: the probability between low={low} and high={high} is too small for float64"
            raise ConfigError(msg)

        def quantile(u: Floats) -> Floats:
            u *= end - start
            u += start
            # No end has an infinite quantile, and log has no special cases.
            z = np.clip(normal_quantile(np.clip(u, np.finfo(np.float64).tiny, 1 - 2.0**-53)), a, b)
            return -z if mirrored else z

        return _affine(self._inverted(quantile, where, own, place), std, mean).astype(own)

    def exponential(
        self,
        shape: int | Shape | None = None,
        *,
        rate: Parameter = 1.0,
        dtype: DType | None = None,
        device: DeviceLike = None,
    ) -> Tensor:
        r"""Return values of an exponential distribution, $y = -\log(u) / \lambda$, whose mean is $1 / \lambda$.

        Parameters
        ----------
        rate
            $\lambda$, a number above 0, or a tensor.

        Examples
        --------
        >>> import deepcore as dc
        >>> dc.random.Generator(0).exponential((2,), rate=2)
        Tensor([1.6799042, 2.2306755], dtype=float32)
        """
        where, own, place = _common("exponential", shape, dtype, device, rate=rate)
        if not isinstance(rate, Tensor) and not 0.0 < rate < math.inf:
            msg = f"exponential: the rate is a number above 0, not {rate}"
            raise ConfigError(msg)
        y = self._inverted(exponential_quantile, where, own, place)
        # Not y / number, which XLA makes a product with the reciprocal as it is rounded to float32.
        return (y / rate if isinstance(rate, Tensor) else _affine(y, 1.0 / rate, 0.0)).astype(own)

    def gumbel(
        self,
        shape: int | Shape | None = None,
        *,
        loc: Parameter = 0.0,
        scale: Parameter = 1.0,
        dtype: DType | None = None,
        device: DeviceLike = None,
    ) -> Tensor:
        r"""Return values of a Gumbel distribution, $y = \mu - \beta \log(-\log u)$.

        Parameters
        ----------
        loc, scale
            $\mu$, the mode, and $\beta$, numbers or tensors.

        Notes
        -----
        The largest of $x_i + g_i$ with standard Gumbel numbers $g_i$ is that of $i$ with probability
        $\operatorname{softmax}(x)_i$, which is how :meth:`Generator.categorical` draws.
        """
        where, own, place = _common("gumbel", shape, dtype, device, loc=loc, scale=scale)
        return _affine(self._inverted(gumbel_quantile, where, own, place), scale, loc).astype(own)

    def _inverted(self, quantile: Callable[[Floats], Floats], shape: Shape, dtype: DType, device: Device) -> Tensor:
        """Return quantiles of uniform numbers, computed on the host."""

        def produce(seed: int, draw: int) -> Raw:
            host = transformed(seed, draw, math.prod(shape), _host_type(dtype), quantile)
            return device.backend.from_host(host.reshape(shape), device.name)

        return make(made(self._next(), produce), device)


def _uniform(key: tuple[int, int], shape: Shape, dtype: DType, device: Device) -> Tensor:
    """Return uniform numbers in [0, 1) of float32 or float64 on a device: the one place where they are made."""

    def produce(seed: int, draw: int) -> Raw:
        raw = device.backend.uniform((seed, draw), shape, dtype, device.name)
        if raw is not None:
            return raw
        host = uniforms(seed, draw, math.prod(shape), _host_type(dtype))
        return device.backend.from_host(host.reshape(shape), device.name)

    return make(made(key, produce), device)


def _common(
    function: str, shape: int | Shape | None, dtype: DType | None, device: DeviceLike, **parameters: Parameter
) -> tuple[Shape, DType, Device]:
    """Return the shape, the data type and the device of a result."""
    tensors = {name: value for name, value in parameters.items() if isinstance(value, Tensor)}
    first = next(iter(tensors.values()), None)
    place = first.device if first is not None and device is None else find_device(device)
    own = dtype or (default_dtype() if first is None else first.dtype)
    if not own.is_kind("real floating"):
        msg = f"{function}: the result is real floating point, and cannot be {own}"
        raise DTypeError(msg)
    return common_shape(function, shape, tensors), own, place


def common_shape(function: str, shape: int | Shape | None, tensors: Mapping[str, Tensor]) -> Shape:
    """Return the shape of a result: the one asked for, if parameters fit it, or else the common one of parameters."""
    given = as_shape(shape)
    if not tensors:
        return given
    wanted = [x.shape for x in tensors.values()] + ([] if shape is None else [given])
    try:
        common = np.broadcast_shapes(*wanted)
    except ValueError:
        common = None
    if common is None or (shape is not None and common != given):
        shapes = ", ".join(f"{name} {x.shape}" for name, x in tensors.items())
        msg = f"{function}: parameters of shapes {shapes} do not fit the shape {given} of the result"
        raise ShapeError(msg)
    return common


def as_shape(shape: int | Shape | None) -> Shape:
    """Return a shape that may be given as one length, or left out."""
    return () if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)


def _affine(x: Tensor, scale: Parameter, shift: Parameter) -> Tensor:
    y = x if _is(scale, 1) else x * scale
    return y if _is(shift, 0) else y + shift


def _is(parameter: Parameter, number: float) -> bool:
    """Whether a parameter is this number, so that computing with it may be left out."""
    return not isinstance(parameter, Tensor) and parameter == number


def _wide(dtype: DType) -> DType:
    """Return the data type that values are computed in: half precision is rounded at the end."""
    return float64 if dtype is float64 else float32


def _host_type(dtype: DType) -> type[np.floating[Any]]:
    return np.float64 if dtype is float64 else np.float32
