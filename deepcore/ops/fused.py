r"""Compositions that are worth a rule of their own, for speed or for numbers that stay finite."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .._backend import place
from .._primitive import Sample
from .._record import composite, kernel

if TYPE_CHECKING:
    from .._typing import Array, Namespace, Shape


def _rows(x: Any, xp: Namespace) -> Any:
    return x if x.ndim == 2 else xp.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def _weight(dy: Any, x: Any, xp: Namespace) -> Any:
    if x.ndim != 2:
        x, dy = _rows(x, xp), _rows(dy, xp)
    return xp.matmul(xp.matrix_transpose(x), dy)


def _bias(dy: Any, shape: Shape, xp: Namespace) -> Any:
    total = xp.sum(dy if dy.ndim == 2 else _rows(dy, xp), axis=0)
    return total if total.shape == shape else xp.reshape(total, shape)


@composite(Sample(((2, 3), (3, 4), (4,))), Sample(((3, 2, 3), (3, 2), (2,))), Sample(((3,), (3, 2), (2,))))
def linear(xp: Namespace, x: Array, weight: Array, bias: Array, /) -> Any:
    r"""Affine map of the last axis. $Y = XW + b$, $\bar X = \bar Y W^\top$, $\bar W = X^\top \bar Y$, and $\bar b$ is
    the sum of $\bar Y$ over the samples (rows).
    """
    return xp.matmul(x, weight) + bias


linear.vjp(
    x=lambda dy, weight, xp: xp.matmul(dy, xp.matrix_transpose(weight)),
    weight=_weight,
    bias=_bias,
)


def _chosen(x: Any, labels: Any, xp: Namespace) -> Any:
    return xp.take_along_axis(x, labels[..., None], axis=-1)


@kernel
def softmax_cross_entropy_vjp(xp: Namespace, dy: Any, logits: Any, labels: Any, y: Any) -> Any:
    """Return the cotangent of the logits of a softmax cross-entropy."""
    # ln sum_j exp(z_j) is the loss plus the label's logit, so the softmax costs one exponential and no reduction.
    normaliser = y[..., None] + _chosen(logits, labels, xp)
    classes = xp.arange(logits.shape[-1], dtype=labels.dtype, device=place(logits))
    one_hot = xp.astype(labels[..., None] == classes, logits.dtype)
    return dy[..., None] * (xp.exp(logits - normaliser) - one_hot)


@composite(Sample(((4, 3), (4,)), integers={1: 3}), Sample(((2, 2, 5), (2, 2)), integers={1: 5}))
def softmax_cross_entropy(xp: Namespace, logits: Array, labels: Array, /) -> Any:
    r"""Cross-entropy of the softmax of logits with labels. $\ell = \ln \sum_j e^{z_j} - z_t$ for the label $t$,
    $\bar z = \bar\ell\,(\operatorname{softmax}(z) - e_t)$, where $e_t$ is the one-hot vector.
    """
    shift = xp.max(logits, axis=-1, keepdims=True)
    normaliser = shift + xp.log(xp.sum(xp.exp(logits - shift), axis=-1, keepdims=True))
    return (normaliser - _chosen(logits, labels, xp))[..., 0]


softmax_cross_entropy.vjp(logits=lambda dy, logits, labels, y, xp: xp.softmax_cross_entropy_vjp(dy, logits, labels, y))


def _smoothed_cross_entropy(dy: Any, logits: Any, labels: Any, y: Any, label_smoothing: float, xp: Namespace) -> Any:
    chosen, mean = _chosen(logits, labels, xp), xp.mean(logits, axis=-1, keepdims=True)
    normaliser = y[..., None] + (1 - label_smoothing) * chosen + label_smoothing * mean
    classes = xp.arange(logits.shape[-1], dtype=labels.dtype, device=place(logits))
    one_hot = xp.astype(labels[..., None] == classes, logits.dtype)
    target = (1 - label_smoothing) * one_hot + label_smoothing / logits.shape[-1]
    return dy[..., None] * (xp.exp(logits - normaliser) - target)


@composite(Sample(((4, 3), (4,)), integers={1: 3}, parameters={"label_smoothing": 0.2}))
def smoothed_cross_entropy(xp: Namespace, logits: Array, labels: Array, /, *, label_smoothing: float = 0.1) -> Any:
    r"""Cross-entropy of the softmax of logits with labels, a share $\varepsilon$ of which is spread over all classes.
    $\ell = \ln \sum_j e^{z_j} - (1 - \varepsilon) z_t - \frac{\varepsilon}{C} \sum_j z_j$ for the label $t$,
    $\bar z = \bar\ell\,\bigl(\operatorname{softmax}(z) - (1 - \varepsilon) e_t - \varepsilon / C\bigr)$.

    Source: C. Szegedy et al., Rethinking the Inception architecture for computer vision, CVPR 2016, section 7.
    """
    shift = xp.max(logits, axis=-1, keepdims=True)
    logits = logits - shift
    normaliser = xp.log(xp.sum(xp.exp(logits), axis=-1, keepdims=True))
    target = (1 - label_smoothing) * _chosen(logits, labels, xp)
    return (normaliser - target - label_smoothing * xp.mean(logits, axis=-1, keepdims=True))[..., 0]


smoothed_cross_entropy.vjp(
    logits=lambda dy, logits, labels, y, label_smoothing, xp: _smoothed_cross_entropy(
        dy, logits, labels, y, label_smoothing, xp
    ),
)


@composite(Sample(((4, 3), (4, 3))), Sample(((4, 3), (4, 3)), integers={1: 2}))
def sigmoid_cross_entropy(xp: Namespace, logits: Array, targets: Array, /) -> Any:
    r"""Cross-entropy of the logistic function of logits with targets in $[0, 1]$, element by element.
    $\ell = \max(z, 0) - zt + \ln(1 + e^{-|z|})$, $\bar z = \bar\ell\,(\sigma(z) - t)$, $\bar t = -\bar\ell z$.
    """
    return xp.maximum(logits, 0) - logits * xp.astype(targets, logits.dtype) + xp.log1p(xp.exp(-xp.abs(logits)))


sigmoid_cross_entropy.vjp(
    logits=lambda dy, logits, targets, xp: dy * (xp.sigmoid(logits) - xp.astype(targets, logits.dtype)),
    targets=lambda dy, logits: -dy * logits,
)
