r"""Connectionist temporal classification: labels of a sequence, without saying where they are.

For $L = 2S + 1$ states, the labels with blanks around them, the forward variables $\alpha_t(s)$ are the logarithms of
the probability of all paths that are in state $s$ at time $t$:

$$\alpha_t(s) = \ln p_t(s) + \ln \sum_{k \in K_s} e^{\alpha_{t-1}(s - k)}.$$

$K_s$ is $\{0, 1, 2\}$, or $\{0, 1\}$ where the step from $s - 2$ would skip a blank between equal labels, or a label.
The loop is over time alone; samples and states are axes of arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .. import ops
from .._dtype import int64
from .._errors import ConfigError, DataError, ShapeError
from .._primitive import Sample
from .._record import composite
from .._tracing import is_tracing
from ._loss import Loss

if TYPE_CHECKING:
    from .._dtype import DType
    from .._tensor import Tensor
    from .._typing import Array, Namespace

IMPOSSIBLE: Final = -1e30
"""The logarithm of a probability of 0: finite, so that differences of two of them are no NaN."""


def _two_columns(x: Any, xp: Namespace) -> Any:
    """Return zeros for two more states."""
    return xp.broadcast_to(xp.zeros_like(x[..., :1]), (*x.shape[:-1], 2))


def _predecessors(alphas: Any, none: Any, skips: Any, xp: Namespace) -> tuple[Any, Any, Any]:
    """Return the variables of the states that lead to each state: itself, the one before, and the one before that."""
    before = xp.concat([none, alphas], axis=-1)
    return alphas, before[..., 1:-1], before[..., :-2] + skips


@composite(Sample(((4, 2, 5), (5,), (2, 5)), low=-2.0, high=-0.1))
def ctc_forward(xp: Namespace, logs: Array, start: Array, skips: Array, /) -> Any:
    r"""Forward variables of connectionist temporal classification: $\alpha_0 = \ell_0 + b$ and
    $\alpha_t(s) = \ell_t(s) + \ln \sum_k e^{\alpha_{t-1}(s - k) + [k = 2] c(s)}$ for $k$ from 0 to 2, where $b$ is the
    logarithm of the chance to begin in a state, and $c$ that to come from two states before. With the weights
    $w_t(s, k)$ of the terms of the sum, $g_t(s) = \bar\alpha_t(s) + \sum_k w_{t+1}(s + k, k)\,g_{t+1}(s + k)$,
    $\bar\ell = g$, $\bar b = g_0$ and $\bar c(s) = \sum_t w_t(s, 2)\,g_t(s)$.

    Operands have shapes (time, samples, states), (states,) and (samples, states).

    Source: A. Graves et al., Connectionist temporal classification, ICML 2006, equations 5 to 8.
    """
    first = logs[0, ...]
    alphas = [first + start]
    none = _two_columns(first, xp) + IMPOSSIBLE
    for t in range(1, logs.shape[0]):
        stay, step, skip = _predecessors(alphas[-1], none, skips, xp)
        largest = xp.maximum(xp.maximum(stay, step), skip)
        total = xp.exp(stay - largest) + xp.exp(step - largest) + xp.exp(skip - largest)
        alphas.append(logs[t, ...] + (largest + xp.log(total)))
    return xp.stack(alphas, axis=0)


@ctc_forward.vjp_all
def _ctc_forward(dy: Any, y: Any, skips: Any, xp: Namespace) -> tuple[Any, Any, Any]:
    # The weights are a softmax over what leads to a state, of all times at once. Only the sums over them need a loop.
    stay, step, skip = _predecessors(y[:-1, ...], _two_columns(y[:-1, ...], xp) + IMPOSSIBLE, skips, xp)
    largest = xp.maximum(xp.maximum(stay, step), skip)
    stay, step, skip = (xp.exp(stay - largest), xp.exp(step - largest), xp.exp(skip - largest))
    total = stay + step + skip
    stay, step, skip = stay / total, step / total, skip / total
    after = _two_columns(y[0, ...], xp)
    g = dy[-1, ...]
    found = [g]
    for t in range(dy.shape[0] - 2, -1, -1):
        by_step, by_skip = (xp.concat([weights[t, ...] * g, after], axis=-1) for weights in (step, skip))
        g = dy[t, ...] + stay[t, ...] * g + by_step[..., 1:-1] + by_skip[..., 2:]
        found.append(g)
    d_logs = xp.stack(found[::-1], axis=0)
    return d_logs, g, xp.sum(skip * d_logs[1:, ...], axis=0)


class CTC(Loss):
    r"""Connectionist temporal classification, $\ell = -\ln p(y \mid x)$, where the probability of the labels $y$ is the
    sum over all sequences of classes that become $y$ when repetitions and then blanks are removed.

    Call it with predictions of shape (n, T, C), labels of shape (n, S), and optionally the lengths of both, whole
    numbers of shape (n,): what is behind them is padding.

    Parameters
    ----------
    blank
        The class that stands for no label.
    from_logits
        Whether predictions are logits, to which the log-softmax is applied, or logarithms of probabilities.
    zero_infinity
        Whether labels that are too long for the input cost nothing instead of infinity.
    reduction
        As in :class:`Loss`, over the samples. As in PyTorch, the mean is of the losses per label, $\ell / \max(S, 1)$.

    Raises
    ------
    DataError
        If a label is not a class, or is the blank, or a length is out of range. A compiled function does not look.

    Notes
    -----
    Samples come first here, and time second; PyTorch has them the other way round and takes logarithms.

    References
    ----------
    A. Graves, S. Fernández, F. Gomez and J. Schmidhuber, Connectionist temporal classification, ICML 2006, section 4.

    Examples
    --------
    Two steps with equal chances: of nine paths, three become the label 1.

    >>> import deepcore as dc
    >>> loss = dc.nn.CTC()(dc.zeros((1, 2, 3)), dc.asarray([[1]]))
    >>> round(dc.exp(-loss).item(), 4)
    0.3333
    """

    def __init__(
        self, *, blank: int = 0, from_logits: bool = True, zero_infinity: bool = False, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction=reduction)
        if blank < 0:
            msg = f"CTC: the blank is a class, at least 0, not {blank}"
            raise ConfigError(msg)
        self.blank = blank
        self.from_logits = from_logits
        self.zero_infinity = zero_infinity

    def forward(
        self,
        prediction: Tensor,
        target: Tensor,
        input_lengths: Tensor | None = None,
        target_lengths: Tensor | None = None,
        weight: Tensor | None = None,
    ) -> Tensor:
        """Return the loss."""
        self.floating(prediction)
        if prediction.ndim != 3 or target.ndim != 2 or len(prediction) != len(target) or 0 in prediction.shape:
            msg = (
                "CTC: expected predictions of shape (n, T, C) and labels of shape (n, S), "
                f"got {prediction.shape} and {target.shape}"
            )
            raise ShapeError(msg)
        _, T, classes = prediction.shape
        S = target.shape[1]
        times = self._lengths(input_lengths, prediction, T, 1, "input_lengths")
        counts = self._lengths(target_lengths, prediction, S, 0, "target_lengths")
        labels = self._checked(_whole(target, prediction), counts, classes)
        states, skips = self._states(labels, prediction.dtype)
        logs = ops.log_softmax(prediction) if self.from_logits else ops.maximum(prediction, IMPOSSIBLE)
        if input_lengths is not None:  # what is padding may be anything, also NaN
            inside = ops.arange(T, dtype=int64, device=logs.device) < times[:, None]
            logs = ops.where(inside[:, :, None], logs, 0.0)
        of_states, start = self._of_states(logs, states)
        alphas = ctc_forward(of_states, start, skips)
        losses = -self._at_the_end(alphas, times, counts)
        needed = counts
        if S > 1:
            repeats = (labels[:, 1:] == labels[:, :-1]) & (_positions(labels)[1:] < counts[:, None])
            needed = counts + ops.sum(ops.astype(repeats, int64), axis=1)
        losses = ops.where(times < needed, 0.0 if self.zero_infinity else float("inf"), losses)
        if self.reduction == "mean":
            losses = losses / ops.astype(ops.maximum(counts, 1), losses.dtype)
        return self.reduced(losses, weight)

    def _lengths(self, given: Tensor | None, prediction: Tensor, longest: int, least: int, name: str) -> Tensor:
        n = len(prediction)
        if given is None:
            return ops.full((n,), longest, dtype=int64, device=prediction.device)
        if given.shape != (n,) or not given.dtype.is_kind("integral"):
            msg = f"CTC: {name} are whole numbers of shape ({n},), got {given.dtype} {given.shape}"
            raise ShapeError(msg)
        if not is_tracing():
            lengths = given.numpy()
            if lengths.min() < least or lengths.max() > longest:
                found = f"from {lengths.min()} to {lengths.max()}"
                msg = f"CTC: {name} are {found}, but must be from {least} to {longest}"
                raise DataError(msg)
        return _whole(given, prediction)

    def _checked(self, labels: Tensor, counts: Tensor, classes: int) -> Tensor:
        """Return the labels, with blanks for what is padding."""
        padding = _positions(labels) >= counts[:, None]
        if not is_tracing():
            known = labels.numpy()
            wrong = ~padding.numpy() & ((known < 0) | (known >= classes) | (known == self.blank))
            if wrong.any() or self.blank >= classes:
                found = known[wrong][0] if wrong.any() else f"blank {self.blank}"
                range_ = f"the {classes} classes from 0 to {classes - 1} without the blank {self.blank}"
                msg = f"CTC: label {found} is not one of {range_}"
                raise DataError(msg)
        return ops.where(padding, self.blank, labels)

    def _states(self, labels: Tensor, dtype: DType) -> tuple[Tensor, Tensor]:
        """Return the classes of the states, and what skipping a state costs: nothing, or all."""
        n, S = labels.shape
        first = ops.full((n, 1), self.blank, dtype=int64, device=labels.device)
        both = ops.stack([labels, ops.full_like(labels, self.blank)], axis=-1)
        states = ops.concat([first, ops.reshape(both, (n, 2 * S))], axis=1)
        never = ops.full((n, min(2, 2 * S + 1)), IMPOSSIBLE, dtype=dtype, device=labels.device)
        if not S:
            return states, never
        may_skip = (states[:, 2:] != self.blank) & (states[:, 2:] != states[:, :-2])
        free = ops.zeros(may_skip.shape, dtype=dtype, device=labels.device)
        return states, ops.concat([never, ops.where(may_skip, free, IMPOSSIBLE)], axis=1)

    def _of_states(self, logs: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logarithms of the classes of the states, and of the chance to begin in each."""
        n, T, _ = logs.shape
        of_states = ops.take_along_axis(logs, ops.broadcast_to(states[:, None, :], (n, T, states.shape[1])), axis=-1)
        start = np.where(np.arange(states.shape[1]) < 2, 0.0, IMPOSSIBLE)  # the blank, or the first label
        return ops.moveaxis(of_states, 1, 0), ops.asarray(start, dtype=logs.dtype, device=logs.device)

    def _at_the_end(self, alphas: Tensor, times: Tensor, counts: Tensor) -> Tensor:
        """Return the logarithm of the probability of ending in the last label or the blank after it."""
        samples = ops.arange(len(times), dtype=int64, device=times.device)
        in_blank = alphas[times - 1, samples, 2 * counts]
        in_label = alphas[times - 1, samples, ops.maximum(2 * counts - 1, 0)]
        return ops.logaddexp(in_blank, ops.where(counts > 0, in_label, IMPOSSIBLE))


def _whole(x: Tensor, prediction: Tensor) -> Tensor:
    """Return whole numbers where the predictions are."""
    x = x if x.device is prediction.device else x.to_device(prediction.device)
    return x if x.dtype is int64 else ops.astype(x, int64)


def _positions(labels: Tensor) -> Tensor:
    """Return the positions of labels."""
    return ops.arange(labels.shape[1], dtype=int64, device=labels.device)
