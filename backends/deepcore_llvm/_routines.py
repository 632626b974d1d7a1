"""Which operations have routines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deepcore.graph.trace import NOTHING

from ._attention import AttentionBackward, AttentionForward
from ._convolution import ConvolutionForward, ConvolutionTransposed, ConvolutionWeight
from ._pooling import MaxPlaces, MaxSpread
from ._recurrence import LSTMBackward, LSTMForward

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deepcore.graph.program import Call, Value

    from ._routine import Routine

ROUTINES: Final[dict[str, type[Routine]]] = {
    "attention_gradients": AttentionBackward,
    "attention_with_kept": AttentionForward,
    "convolution": ConvolutionForward,
    "convolution_transpose": ConvolutionTransposed,
    "convolution_weight": ConvolutionWeight,
    "lstm_backward": LSTMBackward,
    "lstm_sequence": LSTMForward,
    "max_pool_indices": MaxPlaces,
    "max_unpool": MaxSpread,
}
"""The routines, by the operation."""

_LIKE: Final = {"attention_gradients": {0: 2, 1: 3, 2: 4}, "attention_with_kept": {0: 0}}
"""For results that lie in memory as an operand does: its position, by that of the result."""


def has_routine(call: Call) -> bool:
    """Whether there is a routine for a call, if its values are in memory as it needs them."""
    return call.operation in ROUTINES and ROUTINES[call.operation].accepts(call)


def ordered(call: Call, value: Value, array: Any, arrays: Mapping[Value, Any]) -> Any:
    """Return the array of a result with its axes in the order in which those of an operand lie in memory.

    Whoever joins the heads of attention again need not move them then.
    """
    if value is NOTHING or call.operation not in _LIKE or not has_routine(call):
        return array
    position = _LIKE[call.operation].get(call.results.index(value))
    like = None if position is None else arrays.get(call.arguments[position])
    if like is None:
        return array
    axes = sorted(range(like.ndim), key=lambda axis: -abs(like.strides[axis]))
    return array.reshape([value.shape[axis] for axis in axes]).transpose(np.argsort(axes))
