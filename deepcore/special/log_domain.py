r"""Sums of exponentials, and probabilities as logarithms and logits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .. import ops
from .._primitive import Sample
from .._record import composite
from ..ops.reduction import spread

if TYPE_CHECKING:
    from .._tensor import Tensor
    from .._typing import Array, Axis, Namespace, Operand, Shape


@composite(Sample(low=0.02, high=0.98))
def logit(xp: Namespace, x: Array, /) -> Any:
    r"""Logarithm of the odds, the inverse of the logistic function. $y = \ln \frac{x}{1 - x}$,
    $\bar x = \bar y / (x (1 - x))$.

    Near $\tfrac12$, where it crosses zero, it is $\ln(1 + \frac{2x - 1}{1 - x})$.
    """
    near = xp.abs(x - 0.5) < 0.2
    inner = xp.where(near, x, 0.5)
    inside = (x > 0) & (x < 1)
    outer = xp.where(inside, x, 0.25)
    y = xp.where(near, xp.log1p((2 * inner - 1) / (1 - inner)), xp.log(outer) - xp.log1p(-outer))
    end = xp.where(x == 0, xp.full_like(x, -math.inf), xp.where(x == 1, xp.full_like(x, math.inf), math.nan))
    return xp.where(inside, y, end)


logit.vjp(x=lambda dy, x: dy / (x * (1 - x)))


def log_expit(x: Tensor) -> Tensor:
    r"""Logarithm of the logistic function, $\ln \sigma(x) = -\ln(1 + e^{-x})$: the softplus of $-x$, negated.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.special.log_expit(dc.asarray([-800.0, 0.0]))
    Tensor([-8.000000e+02, -6.931472e-01], dtype=float32)
    """
    return -ops.softplus(-x)


def softmax(x: Tensor, axis: Axis = None) -> Tensor:
    r"""Exponentials, normalised: :func:`deepcore.softmax`, by default over all axes, as SciPy has it.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.special.softmax(dc.zeros((2, 2)))
    Tensor([[0.25, 0.25],
            [0.25, 0.25]], dtype=float32)
    """
    return ops.softmax(x, axis=axis)


def log_softmax(x: Tensor, axis: Axis = None) -> Tensor:
    r"""Logarithm of the softmax: :func:`deepcore.log_softmax`, by default over all axes, as SciPy has it.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.special.log_softmax(dc.zeros(4))
    Tensor([-1.3862944, -1.3862944, -1.3862944, -1.3862944], dtype=float32)
    """
    return ops.log_softmax(x, axis=axis)


def _shares(a: Any, y: Any, shape: Shape, axis: Axis, xp: Namespace) -> Any:
    """Return exp(a - y), each relative to the sum; 0 where the whole sum is."""
    y = xp.where(xp.abs(y) == math.inf, xp.zeros_like(y), y)
    return xp.exp(a - spread(y, shape, axis, xp))


def _logsumexp_a(dy: Any, a: Any, b: Any, y: Any, axis: Axis, xp: Namespace) -> Any:
    shape = a.shape if b is None else (a + b).shape
    da = spread(dy, shape, axis, xp) * _shares(a, y, shape, axis, xp)
    return da if b is None else da * b


def _logsumexp_b(dy: Any, a: Any, b: Any, y: Any, axis: Axis, xp: Namespace) -> Any:
    shape = (a + b).shape
    return spread(dy, shape, axis, xp) * _shares(a, y, shape, axis, xp)


@composite(
    Sample(),
    Sample(((2, 3, 4),), parameters={"axis": (0, -1), "keepdims": True}),
    Sample(((2, 3), (2, 3)), low=0.2, high=2.0, parameters={"axis": 1}),
    Sample(((2, 3), (3,)), low=0.2, high=2.0),
)
def logsumexp(
    xp: Namespace, a: Array, /, b: Operand | None = None, *, axis: Axis = None, keepdims: bool = False
) -> Any:
    r"""Logarithm of a sum of exponentials, with weights $b$. $y = \ln \sum_i b_i e^{a_i}$,
    $\bar a_i = \bar y\,b_i e^{a_i - y}$, $\bar b_i = \bar y\,e^{a_i - y}$.

    The largest $a_i$ is taken out of the sum (of those with $b_i \ne 0$), so that nothing overflows. A negative sum
    gives NaN.
    """
    if b is not None:
        b = xp.zeros_like(a) + b
        a = xp.where(b == 0, -math.inf, a + xp.zeros_like(b))
    shift = xp.max(a, axis=axis, keepdims=True)
    shift = xp.where(xp.abs(shift) == math.inf, xp.zeros_like(shift), shift)
    e = xp.exp(a - shift)
    total = xp.sum(e if b is None else b * e, axis=axis, keepdims=True)
    y = xp.log(xp.where(total > 0, total, 1.0)) + shift
    y = xp.where(total > 0, y, xp.where(total == 0, xp.full_like(y, -math.inf), math.nan))
    return y if keepdims else xp.reshape(y, xp.sum(a, axis=axis).shape)


logsumexp.vjp(
    a=lambda dy, a, b, y, axis, xp: _logsumexp_a(dy, a, b, y, axis, xp),
    b=lambda dy, a, b, y, axis, xp: _logsumexp_b(dy, a, b, y, axis, xp),
)
