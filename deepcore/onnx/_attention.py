"""Attention."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..ops.attention import scale_or_default
from ._graph import Graph, maps, suits

if TYPE_CHECKING:
    from ..graph import Call, Program, Value


@suits("attention_with_kept")
def _is_plain(program: Program, call: Call) -> bool:
    """Whether every query may attend to some key, and heads are as many: then weights are a softmax."""
    _, _, _, *mask = call.arguments
    kept = call.results[1]
    is_used = kept in program.outputs or any(kept in set(user.operands()) for user in program.calls)
    weights = call.parameters.get("keep", "weights") == "weights"
    return all(m is None for m in mask) and not call.parameters.get("enable_gqa") and (weights or not is_used)


@maps("attention_with_kept")
def _attention(
    g: Graph,
    call: Call,
    query: Value,
    key: Value,
    value: Value,
    mask: None = None,
    *,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    keep: str = "weights",
) -> list[str]:
    n = len(key.shape)
    turned = g.add("Transpose", g.value(key), perm=[*range(n - 2), n - 1, n - 2])
    factor = g.number(float(scale_or_default(scale, query)), query.dtype)
    scores = g.add("MatMul", g.add("Mul", g.value(query), factor), turned)
    if is_causal:
        later = np.triu(np.full((query.shape[-2], key.shape[-2]), -np.inf), 1)
        scores = g.add("Add", scores, g.constant(later, query.dtype))
    weights = g.add("Softmax", scores, axis=-1)
    return [g.add("MatMul", weights, g.value(value)), weights]
