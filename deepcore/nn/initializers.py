r"""Initial values of weights.

A dense weight has shape (inputs, outputs): $Y = XW + b$. A convolution's kernel has shape (outputs, inputs / groups,
\*kernel), as in PyTorch. So with $r = \prod \text{kernel}$ places that a kernel looks at, the fan in is
$n = r \cdot \text{inputs} / \text{groups}$ and the fan out $m = r \cdot \text{outputs}$; a dense weight has $r = 1$.

LeCun's scale keeps the variance of the activations, Glorot's also that of the gradients, and He's makes up for the half
that a rectifier sets to zero. Values are drawn on the host, so they are the same on every backend.

An initializer is a function of a shape and a generator. Some are such functions, and have names
(``Dense(3, 2, initializer="he_normal")``); others have options, and a call makes the function
(``initializer=nn.initializers.constant(0.5)``); of these the names mean the defaults.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from .._errors import ConfigError
from ..ops.creation import asarray, default_dtype, full, ones, zeros
from ..random import Generator, default_generator

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .._tensor import Tensor
    from .._typing import Shape

Initializer: TypeAlias = "Callable[[Shape, Generator], Tensor]"

TRUNCATED_STD: Final = 0.8796256610342398
"""The standard deviation of a standard normal variable that is cut off at -2 and 2."""


def fans(shape: Shape) -> tuple[int, int]:
    """Return the fan in and the fan out of a weight.

    Raises
    ------
    ConfigError
        If the shape has fewer than two axes.

    Examples
    --------
    >>> from deepcore.nn.initializers import fans
    >>> fans((784, 100)), fans((32, 3, 5, 5))
    ((784, 100), (75, 800))
    """
    if len(shape) < 2:
        msg = f"this initializer needs the inputs and outputs of a weight, and the shape is {shape}"
        raise ConfigError(msg)
    if len(shape) == 2:
        return shape[0], shape[1]
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def _uniform(shape: Shape, variance: float, generator: Generator) -> Tensor:
    limit = math.sqrt(3 * variance)
    return generator.uniform(shape, low=-limit, high=limit)


def _normal(shape: Shape, variance: float, generator: Generator) -> Tensor:
    return generator.normal(shape, std=math.sqrt(variance))


# ------------------------------------------------------------------------------------------------- scaled by the fans


def glorot_uniform(shape: Shape, generator: Generator) -> Tensor:
    r"""Uniform with variance $2 / (n + m)$, also known as Xavier's. X. Glorot and Y. Bengio, AISTATS 2010,
    equation 16.
    """
    return _uniform(shape, 2 / sum(fans(shape)), generator)


def glorot_normal(shape: Shape, generator: Generator) -> Tensor:
    r"""Normal with variance $2 / (n + m)$. X. Glorot and Y. Bengio, AISTATS 2010, equation 12."""
    return _normal(shape, 2 / sum(fans(shape)), generator)


def he_uniform(shape: Shape, generator: Generator) -> Tensor:
    r"""Uniform with variance $2 / n$, also known as Kaiming's. K. He et al., Delving deep into rectifiers, ICCV 2015,
    equation 10.
    """
    return _uniform(shape, 2 / fans(shape)[0], generator)


def he_normal(shape: Shape, generator: Generator) -> Tensor:
    r"""Normal with variance $2 / n$. K. He et al., Delving deep into rectifiers, ICCV 2015, equation 10."""
    return _normal(shape, 2 / fans(shape)[0], generator)


def lecun_uniform(shape: Shape, generator: Generator) -> Tensor:
    r"""Uniform with variance $1 / n$. Y. LeCun et al., Efficient BackProp, 1998, equation 16."""
    return _uniform(shape, 1 / fans(shape)[0], generator)


def lecun_normal(shape: Shape, generator: Generator) -> Tensor:
    r"""Normal with variance $1 / n$. Y. LeCun et al., Efficient BackProp, 1998, equation 16."""
    return _normal(shape, 1 / fans(shape)[0], generator)


def variance_scaling(scale: float = 1.0, *, mode: str = "fan_in", distribution: str = "normal") -> Initializer:
    r"""Values of variance $s / k$, of which the six above are special cases.

    Parameters
    ----------
    scale
        $s$: 2 for a rectifier, and $2 / (1 + a^2)$ for one with the slope $a$ on the left.
    mode
        What $k$ is: ``"fan_in"`` keeps the scale forward, ``"fan_out"`` backward, ``"fan_avg"`` half of each.
    distribution
        ``"normal"``, ``"uniform"``, or ``"truncated_normal"``, which has no values beyond two standard deviations of
        the variable that was cut.

    Examples
    --------
    >>> from deepcore.nn.initializers import variance_scaling
    >>> from deepcore.random import Generator
    >>> round(variance_scaling(2.0, mode="fan_out")((30, 5000), Generator(0)).numpy().std(), 3)
    np.float32(0.02)
    """
    modes = {"fan_in": lambda n, m: n, "fan_out": lambda n, m: m, "fan_avg": lambda n, m: (n + m) / 2}
    draws = {"normal": _normal, "uniform": _uniform, "truncated_normal": _truncated}
    for value, known, what in ((mode, modes, "mode"), (distribution, draws, "distribution")):
        if value not in known:
            msg = f"variance_scaling: unknown {what} {value!r}; the known ones are {', '.join(known)}"
            raise ConfigError(msg)
    if not scale > 0.0:
        msg = f"variance_scaling: the scale is above 0, not {scale}"
        raise ConfigError(msg)

    def initialize(shape: Shape, generator: Generator) -> Tensor:
        return draws[distribution](shape, scale / modes[mode](*fans(shape)), generator)

    return initialize


# --------------------------------------------------------------------------------------------------- of a given scale


def zeros_(shape: Shape, generator: Generator) -> Tensor:
    """Zeros."""
    return zeros(shape)


def ones_(shape: Shape, generator: Generator) -> Tensor:
    """Ones."""
    return ones(shape)


def constant(value: float) -> Initializer:
    """Return an initializer of the same value everywhere.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.initializers.constant(0.5)((2,), dc.random.Generator(0)).tolist()
    [0.5, 0.5]
    """
    return lambda shape, generator: full(shape, value, dtype=default_dtype())


def uniform(low: float = -0.05, high: float = 0.05) -> Initializer:
    """Return an initializer of values spread evenly over [low, high)."""
    if not low <= high:
        msg = f"uniform: low, {low}, is above high, {high}"
        raise ConfigError(msg)
    return lambda shape, generator: generator.uniform(shape, low=low, high=high)


def normal(mean: float = 0.0, std: float = 0.05) -> Initializer:
    """Return an initializer of values of a normal distribution."""
    _check_std(std, "normal")
    return lambda shape, generator: generator.normal(shape, mean=mean, std=std)


def truncated_normal(mean: float = 0.0, std: float = 0.05, low: float = -2.0, high: float = 2.0) -> Initializer:
    r"""Return an initializer of values of a normal distribution $\mathcal N(\mu, \sigma^2)$ without its tails.

    Parameters
    ----------
    mean, std
        $\mu$ and $\sigma$ of the variable that is cut. What is left varies less: with the default limits by
        $0.88\,\sigma$.
    low, high
        Where it is cut, in units of $\sigma$ from $\mu$. PyTorch's ``trunc_normal_`` has the values themselves.

    Examples
    --------
    >>> import deepcore as dc
    >>> values = dc.nn.initializers.truncated_normal(std=1.0)((1000,), dc.random.Generator(0))
    >>> bool(dc.max(dc.abs(values)) <= 2.0)
    True
    """
    _check_std(std, "truncated_normal")
    if not low < high:
        msg = f"truncated_normal: low, {low}, is not below high, {high}"
        raise ConfigError(msg)
    return lambda shape, generator: generator.truncated_normal(shape, low=low, high=high, mean=mean, std=std)


def _check_std(std: float, name: str) -> None:
    if std < 0.0:
        msg = f"{name}: a standard deviation is at least 0, not {std}"
        raise ConfigError(msg)


def _truncated(shape: Shape, variance: float, generator: Generator) -> Tensor:
    return generator.truncated_normal(shape, std=math.sqrt(variance) / TRUNCATED_STD)


def _as_weight(values: NDArray[Any]) -> Tensor:
    return asarray(asarray(values, device="cpu", dtype=default_dtype()), device=zeros(()).device)


# ----------------------------------------------------------------------------------------------------------- matrices


def orthogonal(gain: float = 1.0) -> Initializer:
    r"""Return an initializer of matrices with orthonormal rows, or columns where there are fewer, times a gain.

    The matrix is $Q$ of the QR decomposition of normal variables, with the signs of the diagonal of $R$, which makes
    it uniform among all orthogonal matrices. A kernel counts as the matrix (outputs, inputs · places). The
    decomposition is computed on the host in double precision.

    References
    ----------
    A. M. Saxe, J. L. McClelland and S. Ganguli, Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks, ICLR 2014; F. Mezzadri, How to generate random matrices from the classical compact groups, Notices
    of the AMS 54, 2007.

    Examples
    --------
    >>> import deepcore as dc
    >>> Q = dc.nn.initializers.orthogonal()((2, 5), dc.random.Generator(0))
    >>> bool(dc.all(dc.abs(Q @ Q.T - dc.eye(2)) < 1e-6))
    True
    """

    def initialize(shape: Shape, generator: Generator) -> Tensor:
        fans(shape)
        rows, columns = shape[0], math.prod(shape[1:])
        tall = (max(rows, columns), min(rows, columns))
        drawn = generator.normal(tall, dtype=default_dtype(), device="cpu").numpy().astype(np.float64)
        Q, R = np.linalg.qr(drawn)
        Q = Q * np.where(np.diagonal(R) < 0, -1.0, 1.0)
        return _as_weight(gain * (Q if rows >= columns else Q.T).reshape(shape))

    return initialize


def sparse(sparsity: float = 0.9, *, std: float = 0.01) -> Initializer:
    r"""Return an initializer of matrices of which every output has the same number of weights other than 0.

    Parameters
    ----------
    sparsity
        The share of the inputs of each output whose weight is 0, rounded up.
    std
        The standard deviation of the other weights.

    References
    ----------
    J. Martens, Deep learning via Hessian-free optimization, ICML 2010, section 5.

    Examples
    --------
    >>> import deepcore as dc
    >>> W = dc.nn.initializers.sparse(0.75)((8, 3), dc.random.Generator(0))
    >>> dc.count_nonzero(W, axis=0).tolist()
    [2, 2, 2]
    """
    if not 0.0 <= sparsity <= 1.0:
        msg = f"sparse: the sparsity is a share from 0 to 1, not {sparsity}"
        raise ConfigError(msg)
    _check_std(std, "sparse")

    def initialize(shape: Shape, generator: Generator) -> Tensor:
        if len(shape) != 2:
            msg = f"sparse: weights of shape (inputs, outputs) can be sparse in this way, and the shape is {shape}"
            raise ConfigError(msg)
        values = generator.normal(shape, std=std, dtype=default_dtype(), device="cpu").numpy().copy()
        order = generator.uniform(shape, device="cpu").numpy().argsort(axis=0, kind="stable")
        np.put_along_axis(values, order[: math.ceil(sparsity * shape[0])], 0.0, axis=0)
        return _as_weight(values)

    return initialize


def identity(gain: float = 1.0) -> Initializer:
    r"""Return an initializer of layers that pass on what they get, times a gain, as far as there are outputs for it.

    A dense weight is the identity matrix. A kernel is 0 but for its middle, from each input to the output of the same
    number (Dirac's delta), so a convolution that keeps the size is the identity.

    References
    ----------
    Q. V. Le, N. Jaitly and G. E. Hinton, A simple way to initialize recurrent networks of rectified linear units,
    arXiv:1504.00941, 2015.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.initializers.identity()((2, 3), dc.random.Generator(0)).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """

    def initialize(shape: Shape, generator: Generator) -> Tensor:
        fans(shape)
        values = np.zeros(shape)
        middle = [n // 2 for n in shape[2:]]
        for i in range(min(shape[:2])):
            values[(i, i, *middle)] = gain
        return _as_weight(values)

    return initialize


BY_NAME: Final[dict[str, Initializer]] = {
    function.__name__.rstrip("_"): function
    for function in (
        *(glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal),
        *(zeros_, ones_),
    )
} | {factory.__name__: factory() for factory in (uniform, normal, truncated_normal, orthogonal, sparse, identity)}


def initial(initializer: str | Initializer, shape: Shape, generator: Generator | None = None) -> Tensor:
    """Return initial values, given an initializer or its name."""
    if isinstance(initializer, str):
        if initializer not in BY_NAME:
            msg = f"unknown initializer {initializer!r}; the known ones are {', '.join(BY_NAME)}"
            raise ConfigError(msg)
        initializer = BY_NAME[initializer]
    return initializer(shape, generator or default_generator())
