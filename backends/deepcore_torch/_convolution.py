"""Convolution by PyTorch's own kernels, which know one to three spatial axes and the same padding at both ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deepcore._backend import Library, composites
from deepcore._window import convolution_windows, padding_pairs, transposed_windows, weight_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deepcore._typing import Kernel, Kernels
    from deepcore._window import Windows

torch: Any = Library("torch")

Pairs = tuple[tuple[int, int], ...]


def _even(x: Any, pairs: Pairs) -> tuple[Any, list[int]]:
    """Return an array and its padding, of which there is none left where the two ends differ."""
    if all(p == q for p, q in pairs):
        return x, [p for p, _ in pairs]
    return torch.nn.functional.pad(x, [n for pair in reversed(pairs) for n in pair]), [0] * len(pairs)


def _options(w: Windows) -> tuple[list[int], list[int]]:
    return list(w.stride), list(w.dilation)


def _convolution(x: Any, weight: Any, bias: Any, pairs: Pairs, w: Windows, groups: int) -> Any:
    stride, dilation = _options(w)
    x, padding = _even(x, pairs)
    return torch.convolution(x, weight, bias, stride, padding, dilation, False, [0] * len(pairs), groups)


def _transposed(x: Any, weight: Any, bias: Any, pairs: Pairs, w: Windows, groups: int) -> Any:
    stride, dilation = _options(w)
    lengths: Sequence[tuple[int, int, int, int, int]] = list(
        zip(w.number, w.stride, w.dilation, w.kernel, w.size, strict=True)
    )
    whole = [(m - 1) * s + d * (k - 1) + 1 for m, s, d, k, _ in lengths]
    if all(p == q for p, q in pairs):
        extra = [n + 2 * p - r for (*_, n), (p, _), r in zip(lengths, pairs, whole, strict=True)]
        padding = [p for p, _ in pairs]
        return torch.convolution(x, weight, bias, stride, padding, dilation, True, extra, groups)
    extra = [max(n + p - r, 0) for (*_, n), (p, _), r in zip(lengths, pairs, whole, strict=True)]
    y = torch.convolution(x, weight, bias, stride, [0] * len(pairs), dilation, True, extra, groups)
    return y[w.inside]


def _weight(x: Any, cotangent: Any, pairs: Pairs, w: Windows, groups: int) -> Any:
    stride, dilation = _options(w)
    shape = (cotangent.shape[1], x.shape[1] // groups, *w.kernel)
    x, padding = _even(x, pairs)
    none = [0] * len(pairs)
    asked = [False, True, False]
    backward = torch.ops.aten.convolution_backward
    empty = x.new_empty(shape)
    return backward(cotangent, x, empty, None, stride, padding, dilation, False, none, groups, asked)[1]


def kernels(own: Kernels) -> dict[str, Kernel]:
    """Return the kernels; what PyTorch does not know, they leave to deepcore's bodies on its other functions."""

    def convolution(x: Any, weight: Any, bias: Any = None, /, **options: Any) -> Any:
        if not _is_known(x, weight):
            return composites["convolution"](own, x, weight, bias, **options)
        groups, given = _split(options)
        w = convolution_windows(tuple(x.shape), tuple(weight.shape), **given, groups=groups)
        return _convolution(x, weight, bias, padding_pairs(given["padding"], x.ndim - 2), w, groups)

    def convolution_transpose(x: Any, weight: Any, bias: Any = None, /, **options: Any) -> Any:
        if not _is_known(x, weight):
            return composites["convolution_transpose"](own, x, weight, bias, **options)
        rest = options.pop("output_padding", 0)
        groups, given = _split(options)
        w = transposed_windows(tuple(x.shape), tuple(weight.shape), **given, groups=groups, output_padding=rest)
        return _transposed(x, weight, bias, padding_pairs(given["padding"], x.ndim - 2), w, groups)

    def convolution_weight(x: Any, cotangent: Any, /, **options: Any) -> Any:
        if not _is_known(x, cotangent):
            return composites["convolution_weight"](own, x, cotangent, **options)
        kernel = options.pop("kernel_size")
        groups, given = _split(options)
        w = weight_windows(tuple(x.shape), tuple(cotangent.shape), kernel, **given, groups=groups)
        return _weight(x, cotangent, padding_pairs(given["padding"], x.ndim - 2), w, groups)

    return {f.__name__: f for f in (convolution, convolution_transpose, convolution_weight)}


def _split(options: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    given = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, **options}
    return given.pop("groups"), given


def _is_known(*operands: Any) -> bool:
    return all(3 <= x.ndim <= 5 and x.dtype.is_floating_point and x.numel() for x in operands)
