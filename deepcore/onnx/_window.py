"""Convolution and pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._window import counts, padding_pairs, per_axis, pool_windows, reach
from ._graph import Graph, maps

if TYPE_CHECKING:
    from .._window import Windows
    from ..graph import Call, Value


def _attributes(n: int, stride: Any, padding: Any, dilation: Any, groups: int) -> dict[str, Any]:
    pairs = padding_pairs(padding, n)
    return {
        "strides": list(per_axis(stride, n, "stride")),
        "pads": [*(p for p, _ in pairs), *(q for _, q in pairs)],
        "dilations": list(per_axis(dilation, n, "dilation")),
        "group": groups,
    }


@maps("convolution")
def _convolution(
    g: Graph,
    call: Call,
    x: Value,
    weight: Value,
    bias: Value | None = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> str:
    names = [g.value(v) for v in (x, weight, bias) if v is not None]
    return g.add("Conv", *names, **_attributes(len(x.shape) - 2, stride, padding, dilation, groups))


@maps("convolution_transpose")
def _convolution_transpose(
    g: Graph,
    call: Call,
    x: Value,
    weight: Value,
    bias: Value | None = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    output_padding: Any = 0,
) -> str:
    n = len(x.shape) - 2
    names = [g.value(v) for v in (x, weight, bias) if v is not None]
    more = list(per_axis(output_padding, n, "output_padding", least=0))
    return g.add("ConvTranspose", *names, output_padding=more, **_attributes(n, stride, padding, dilation, groups))


def _behind(w: Windows, padding: Any) -> list[int]:
    """Return how far the last windows reach beyond the array, so that no more and no fewer fit."""
    reached = reach(w.kernel, w.dilation)
    return [
        max((m - 1) * s + r - n - p, 0)
        for m, s, r, n, (p, _) in zip(
            w.number, w.stride, reached, w.size, padding_pairs(padding, len(w.size)), strict=True
        )
    ]


@maps("max_pool")
def _max_pool(
    g: Graph,
    call: Call,
    x: Value,
    *,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> str:
    w = pool_windows(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode, "max_pool")
    before = [p for p, _ in padding_pairs(padding, len(w.size))]
    return g.add(
        "MaxPool",
        g.value(x),
        kernel_shape=list(w.kernel),
        strides=list(w.stride),
        dilations=list(w.dilation),
        pads=[*before, *_behind(w, padding)],
    )


@maps("average_pool")
def _average_pool(
    g: Graph,
    call: Call,
    x: Value,
    *,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> str:
    w = pool_windows(x.shape[2:], kernel_size, stride, padding, 1, ceil_mode, "average_pool")
    pairs = padding_pairs(padding, len(w.size))
    before, behind, name = [p for p, _ in pairs], _behind(w, padding), g.value(x)
    counted = count_include_pad
    found = counts(w, padding, count_include_pad)
    if counted and not all(set(along) <= {k} for along, k in zip(found, w.kernel, strict=True)):
        # What a last window reaches beyond the padding does not count: so the padding becomes part of the array.
        after = [q for _, q in pairs]
        name = g.add("Pad", name, g.ints(0, 0, *before, 0, 0, *after), g.number(0, x.dtype))
        behind = [max(b - q, 0) for b, q in zip(behind, after, strict=True)]
        before, counted = [0] * len(before), False
    return g.add(
        "AveragePool",
        name,
        kernel_shape=list(w.kernel),
        strides=list(w.stride),
        pads=[*before, *behind],
        count_include_pad=int(counted),
    )
