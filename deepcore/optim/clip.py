"""Clipping: updates that are not too large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from .._errors import ConfigError
from .._tensor import Tensor, make
from ._check import check_not_negative, check_positive
from ._transform import PerArray, Transform

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .._device import Device
    from .._typing import Namespace, Raw
    from ._block import Block
    from ._transform import State, Step

    T = TypeVar("T")

_TINY = 1e-6  # as in PyTorch: added to a norm that is divided by


def _combined(squares: Sequence[tuple[Device, Raw]]) -> dict[Device, Raw]:
    """Return the root of the sum of numbers, on each of their devices; float32 and float64 add up in the wider one.

    Numbers of other devices are copied there, which is why they are made tensors.
    """
    totals: dict[Device, Raw] = {}
    for target in {device: None for device, _ in squares}:
        xp = target.kernels
        numbers = [x if device is target else make(x, device).to_device(target)._data for device, x in squares]
        widest = xp.float64 if any(x.dtype == xp.float64 for x in numbers) else xp.float32
        with target.current:
            total: Any = xp.astype(xp.asarray(numbers[0]), widest)
            for x in numbers[1:]:
                total = total + xp.astype(xp.asarray(x), widest)
            totals[target] = xp.sqrt(total)
    return totals


def _square(x: Raw, xp: Namespace) -> Raw:
    """Return the sum of the squares; types of 16 bits add up in float32."""
    wide = x if x.dtype == xp.float64 else xp.astype(x, xp.float32)
    return xp.sum(wide * wide)


def combined_norm(arrays: Sequence[tuple[Device, Raw]]) -> dict[Device, Raw]:
    """Return the norm of arrays as of one vector, on each of their devices."""
    squares: list[tuple[Device, Raw]] = []
    for device, x in arrays:
        with device.current:
            squares.append((device, _square(x, device.kernels)))
    return _combined(squares)


@dataclass(frozen=True)
class clip_by_norm(Transform):
    r"""All updates made shorter, where together they are too long.

    $$u \leftarrow \min\!\left(1, \frac{c}{\lVert u \rVert_2 + 10^{-6}}\right) u$$

    The norm is that of all updates of the parameter group, as of one vector. If they are on several devices, one number
    per device and data type is copied between them.

    Parameters
    ----------
    max_norm
        $c$.

    References
    ----------
    R. Pascanu, T. Mikolov and Y. Bengio, On the difficulty of training recurrent neural networks, ICML 2013,
    algorithm 1. The $10^{-6}$ is PyTorch's.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import optim
    >>> w = dc.zeros(2, requires_grad=True)
    >>> w.grad = dc.asarray([30.0, -40.0])
    >>> optim.Optimizer([w], optim.chain(optim.clip_by_norm(1.0), optim.scale_by_learning_rate(1.0))).step()
    >>> [round(x, 5) for x in w.tolist()]
    [-0.6, 0.8]
    """

    max_norm: float

    def __post_init__(self) -> None:
        check_not_negative("max_norm", self.max_norm)

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Clip one vector."""
        return self._factor(step.xp.sqrt(_square(updates, step.xp)), updates, step.xp) * updates, state

    def apply(self, blocks: Sequence[Block], part: int) -> None:
        """Clip the updates of a group together."""
        vectors = [block.vector(block.now.xp) for block in blocks]
        norms = combined_norm([(block.device, u) for u, block in zip(vectors, blocks, strict=True)])
        for block, u in zip(blocks, vectors, strict=True):
            with block.device.current:
                block.updates = self._factor(norms[block.device], u, block.now.xp) * u

    def _factor(self, norm: Raw, u: Raw, xp: Namespace) -> Raw:
        return xp.astype(xp.asarray(xp.minimum(self.max_norm / (norm + _TINY), 1.0)), u.dtype)


@dataclass(frozen=True)
class clip_by_value(Transform):
    r"""Every element of the updates kept within bounds. $u \leftarrow \max(-c, \min(u, c))$.

    Parameters
    ----------
    max_value
        $c$.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import optim
    >>> w = dc.zeros(2, requires_grad=True)
    >>> w.grad = dc.asarray([3.0, -0.5])
    >>> optim.Optimizer([w], optim.chain(optim.clip_by_value(1.0), optim.scale_by_learning_rate(1.0))).step()
    >>> w.tolist()
    [-1.0, 0.5]
    """

    max_value: float

    def __post_init__(self) -> None:
        check_not_negative("max_value", self.max_value)

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Clip."""
        return step.xp.clip(updates, -self.max_value, self.max_value), state


@dataclass(frozen=True)
class clip_adaptively(PerArray):
    r"""The update of each unit kept small in comparison with its weights.

    $$u_j \leftarrow \min\!\left(1, \lambda\,\frac{\max(\lVert \theta_j \rVert_2, \varepsilon)}{\lVert u_j \rVert_2}
    \right) u_j$$

    where $\theta_j$ is what leads to output $j$: the columns of a matrix, here that rows of $W$ are inputs; of an array
    with more axes, everything but the last axis; of a vector or number, the element.

    Parameters
    ----------
    clipping
        $\lambda$.
    eps
        $\varepsilon$, so that weights of zero can grow.

    References
    ----------
    A. Brock et al., High-performance large-scale image recognition without normalization, ICML 2021, equation 3.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore import optim
    >>> w = dc.asarray([[3.0, 0.1], [4.0, 0.0]], requires_grad=True)
    >>> w.grad = dc.asarray([[1.0, 1.0], [0.0, 0.0]])
    >>> optim.Optimizer([w], optim.chain(optim.clip_adaptively(0.1), optim.scale_by_learning_rate(1.0))).step()
    >>> [[round(x, 4) for x in row] for row in w.tolist()]
    [[2.5, 0.09], [4.0, 0.0]]
    """

    clipping: float = 0.01
    eps: float = 1e-3

    def __post_init__(self) -> None:
        check_positive("clipping", self.clipping)
        check_positive("eps", self.eps)

    def update(self, updates: Raw, state: State, parameters: Raw, step: Step) -> tuple[Raw, State]:
        """Clip each unit."""
        xp = step.xp
        axes = tuple(range(max(0, updates.ndim - 1)))

        def norm(x: Raw) -> Raw:
            return xp.sqrt(xp.sum(x * x, axis=axes, keepdims=True)) if axes else xp.abs(x)

        largest = self.clipping * xp.maximum(norm(parameters), self.eps)
        # Where there is no update there is nothing to clip, and no division by zero.
        return updates * xp.minimum(largest / xp.maximum(norm(updates), 1e-6), 1.0), state


# ------------------------------------------------------------------------------------------------------- functions


def clip_grad_norm(parameters: Iterable[Tensor], max_norm: float) -> Tensor:
    r"""Make all gradients shorter, where together they are too long.

    $$g \leftarrow \min\!\left(1, \frac{c}{\lVert g \rVert_2 + 10^{-6}}\right) g$$

    Nothing is read back from the device to find out whether they are.

    Parameters
    ----------
    parameters
        The tensors whose gradients are clipped, where they have any.
    max_norm
        $c$.

    Returns
    -------
    norm
        The norm before, as a tensor on the device of the first gradient. It is NaN or infinite where a gradient is.

    Raises
    ------
    ConfigError
        If ``max_norm`` is negative or not finite, or there is no gradient.

    Examples
    --------
    >>> import deepcore as dc
    >>> w = dc.zeros(2, requires_grad=True)
    >>> w.grad = dc.asarray([30.0, -40.0])
    >>> dc.optim.clip_grad_norm([w], 5.0).item()
    50.0
    >>> [round(x, 5) for x in w.grad.tolist()]
    [3.0, -4.0]
    """
    check_not_negative("clip_grad_norm: max_norm", max_norm)
    owners = _with_gradients(parameters)
    if not owners:
        msg = "clip_grad_norm: no parameter has a gradient; call it after backward()"
        raise ConfigError(msg)
    norms = combined_norm([(g.device, g._data) for _, g in owners])
    clip = clip_by_norm(max_norm)
    for p, g in owners:
        xp = g.device.kernels
        with g.device.current:
            clipped = clip._factor(norms[g.device], g._data, xp) * g._data
        p.grad = make(xp.astype(xp.asarray(clipped), g._data.dtype), g.device)
    first = owners[0][1].device
    return make(norms[first], first)


def clip_grad_value(parameters: Iterable[Tensor], max_value: float) -> None:
    r"""Keep every element of every gradient within bounds. $g \leftarrow \max(-c, \min(g, c))$.

    Parameters
    ----------
    parameters
        The tensors whose gradients are clipped, where they have any.
    max_value
        $c$.

    Examples
    --------
    >>> import deepcore as dc
    >>> w = dc.zeros(2, requires_grad=True)
    >>> w.grad = dc.asarray([3.0, -0.5])
    >>> dc.optim.clip_grad_value([w], 1.0)
    >>> w.grad.tolist()
    [1.0, -0.5]
    """
    check_not_negative("clip_grad_value: max_value", max_value)
    for p, g in _with_gradients(parameters):
        p.grad = make(g.device.kernels.clip(g._data, -max_value, max_value), g.device)


def _with_gradients(parameters: Iterable[Tensor]) -> list[tuple[Tensor, Tensor]]:
    tensors = [parameters] if isinstance(parameters, Tensor) else parameters
    return [(p, p.grad) for p in {id(p): p for p in tensors}.values() if p.grad is not None]
