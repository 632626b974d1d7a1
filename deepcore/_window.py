r"""Windows that slide over the spatial axes of an array: where each begins, and the elements at one place of them all.

Convolution and pooling differ in what they do with the elements of a window, not in where the windows are. With a
kernel of $k$ places that are $d$ apart, steps of $s$ and $p$, $p'$ zeros before and after an axis of $n$ elements,
there are $\lfloor (n + p + p' - d(k - 1) - 1) / s \rfloor + 1$ windows along the axis.

Reference: V. Dumoulin and F. Visin, *A guide to convolution arithmetic for deep learning*, arXiv:1603.07285, 2016.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache
from operator import index
from typing import TYPE_CHECKING, Any, TypeAlias

from ._errors import ConfigError, ShapeError

if TYPE_CHECKING:
    from ._typing import Shape

Lengths: TypeAlias = "int | tuple[int, ...]"
"""A number for all spatial axes, or one for each."""

Padding: TypeAlias = "int | tuple[int | tuple[int, int], ...]"
"""The number of elements added at both ends of all spatial axes, of each, or before and after each."""


@dataclass(frozen=True)
class Windows:
    """The windows over one spatial shape.

    Attributes
    ----------
    size
        The spatial shape that they slide over.
    kernel, stride, dilation
        The places of a window along each axis, the steps from window to window, and those from place to place.
    before
        How far an array is moved by the padding in front of it.
    padded
        The spatial shape with all that some window reaches.
    number
        How many windows there are along each axis.
    keys
        For each place in a window, the last one varying fastest, the index into a padded array of shape (samples,
        channels, ...) that gives the element there of every window.
    inside
        The index of what is not padding.
    """

    size: Shape
    kernel: Shape
    stride: Shape
    dilation: Shape
    before: Shape
    padded: Shape
    number: Shape
    keys: tuple[tuple[Any, ...], ...]
    inside: tuple[Any, ...]

    @property
    def places(self) -> int:
        """How many places a window has."""
        return len(self.keys)

    @property
    def is_padded(self) -> bool:
        """Whether a window reaches beyond the array."""
        return self.padded != self.size


def per_axis(value: Lengths, ndim: int, name: str, *, least: int = 1) -> Shape:
    """Return one whole number for each spatial axis.

    Raises
    ------
    ConfigError
        If there are not as many as axes, or one is too small.
    """
    found = (value,) * ndim if isinstance(value, int) else tuple(index(n) for n in value)
    if len(found) != ndim or not all(n >= least for n in found):
        msg = f"{name} is a whole number of at least {least}, or {ndim} of them, one per spatial axis; not {value!r}"
        raise ConfigError(msg)
    return found


def padding_pairs(value: Padding, ndim: int) -> tuple[tuple[int, int], ...]:
    """Return how many elements are added before and after each spatial axis.

    Raises
    ------
    ConfigError
        If there are not as many entries as axes, or one is negative.
    """
    entries = (value,) * ndim if isinstance(value, int) else tuple(value)
    pairs = tuple((p, p) if isinstance(p, int) else tuple(p) for p in entries)
    if len(pairs) != ndim or not all(len(p) == 2 and min(p) >= 0 for p in pairs):
        msg = (
            f"padding is a number of elements, at least 0, or {ndim} of them, one per spatial axis, or as many pairs "
            f"(before, after); not {value!r}"
        )
        raise ConfigError(msg)
    return tuple((p[0], p[1]) for p in pairs)


def reach(kernel: Shape, dilation: Shape) -> Shape:
    """Return how many elements there are from the first place of a window to the last, along each axis."""
    return tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))


def windows(
    size: Shape,
    kernel: Lengths,
    stride: Lengths,
    padding: Padding,
    dilation: Lengths,
    *,
    ceil_mode: bool = False,
    name: str,
) -> Windows:
    """Return the windows over a spatial shape.

    Parameters
    ----------
    size
        The spatial shape.
    kernel, stride, padding, dilation
        As documented with convolution and pooling.
    ceil_mode
        Whether there is one more window where the steps leave a rest, unless it would begin in the padding behind.
    name
        Of the operation, for messages.

    Raises
    ------
    ConfigError
        If an option is not what it should be.
    ShapeError
        If not one window fits.
    """
    fixed = [v if isinstance(v, int) else tuple(v) for v in (kernel, stride, padding, dilation)]
    return _windows(size, *fixed, ceil_mode, name)


@lru_cache(maxsize=1024)
def _windows(size: Shape, *given: Any) -> Windows:
    """Find the windows, once for each combination of arguments."""
    kernel_size, strides, padding, dilations, ceil_mode, name = given
    ndim = len(size)
    kernel = per_axis(kernel_size, ndim, "kernel_size")
    stride = per_axis(strides, ndim, "stride")
    dilation = per_axis(dilations, ndim, "dilation")
    pairs = padding_pairs(padding, ndim)
    reached = reach(kernel, dilation)
    rest = [n + sum(p) - r for n, p, r in zip(size, pairs, reached, strict=True)]
    if min(rest) < 0:
        whole = tuple(n + sum(p) for n, p in zip(size, pairs, strict=True))
        dilated = f" dilated to {reached}" if reached != kernel else ""
        padded = f" padded to {whole}" if whole != size else ""
        remedy = "use a smaller kernel or more padding"
        msg = f"{name}: the kernel {kernel}{dilated} is larger than the input {size}{padded}; {remedy}"
        raise ShapeError(msg)
    number = [r // s + 1 for r, s in zip(rest, stride, strict=True)]
    if ceil_mode:
        rounded = [-(-r // s) + 1 for r, s in zip(rest, stride, strict=True)]
        number = [m - ((m - 1) * s >= n + p[0]) for m, n, s, p in zip(rounded, size, stride, pairs, strict=True)]
    return _placed(size, kernel, stride, dilation, tuple(p[0] for p in pairs), tuple(number))


def _placed(size: Shape, kernel: Shape, stride: Shape, dilation: Shape, before: Shape, number: Shape) -> Windows:
    reached = reach(kernel, dilation)
    needed = [(m - 1) * s + r for m, s, r in zip(number, stride, reached, strict=True)]
    padded = tuple(max(n + p, m) for n, p, m in zip(size, before, needed, strict=True))
    keys = tuple(
        (
            ...,
            *[
                slice(i * d, i * d + (m - 1) * s + 1, s)
                for i, d, m, s in zip(place, dilation, number, stride, strict=True)
            ],
        )
        for place in itertools.product(*map(range, kernel))
    )
    inside = (..., *[slice(p, p + n) for p, n in zip(before, size, strict=True)])
    return Windows(size, kernel, stride, dilation, before, padded, number, keys, inside)


def transposed_size(
    number: Shape,
    kernel: Lengths,
    stride: Lengths,
    padding: Padding,
    dilation: Lengths,
    output_padding: Lengths,
    *,
    name: str,
) -> Shape:
    r"""Return the spatial shape over which there are so many windows: $(m - 1) s + d(k - 1) + 1 - p - p' + q$.

    Steps greater than 1 leave a rest, so that several shapes have as many windows; the ``output_padding`` $q$, less
    than the stride, says which one is meant.

    Raises
    ------
    ConfigError
        If the output padding is not less than the stride.
    ShapeError
        If the padding takes everything away.
    """
    ndim = len(number)
    strides = per_axis(stride, ndim, "stride")
    extra = per_axis(output_padding, ndim, "output_padding", least=0)
    if not all(q < s for q, s in zip(extra, strides, strict=True)):
        msg = f"{name}: output_padding, {output_padding}, is less than stride, {stride}; a larger one would add zeros"
        raise ConfigError(msg)
    reached = reach(per_axis(kernel, ndim, "kernel_size"), per_axis(dilation, ndim, "dilation"))
    pairs = padding_pairs(padding, ndim)
    size = tuple(
        (m - 1) * s + r - sum(p) + q for m, s, r, p, q in zip(number, strides, reached, pairs, extra, strict=True)
    )
    if min(size) < 0:
        msg = f"{name}: an input of {number} and padding {padding} leave an output of {size}; use less padding"
        raise ShapeError(msg)
    return size


def rest_of(size: Shape, kernel: Lengths, stride: Lengths, padding: Padding, dilation: Lengths) -> Shape:
    """Return the ``output_padding`` that leads back to a spatial shape."""
    ndim = len(size)
    reached = reach(per_axis(kernel, ndim, "kernel_size"), per_axis(dilation, ndim, "dilation"))
    pairs = padding_pairs(padding, ndim)
    strides = per_axis(stride, ndim, "stride")
    return tuple((n + sum(p) - r) % s for n, p, r, s in zip(size, pairs, reached, strides, strict=True))


def spatial(shape: Shape, name: str) -> Shape:
    """Return the lengths of the spatial axes of an array with channels first."""
    if len(shape) < 3:
        msg = f"{name}: expected an array of shape (samples, channels, length, ...), got {tuple(shape)}"
        raise ShapeError(msg)
    return tuple(shape[2:])


def check_number(shape: Shape, w: Windows, name: str) -> None:
    """Raise a ShapeError unless an array has one element for each window."""
    if tuple(shape[2:]) != w.number:
        msg = (
            f"{name}: over an array of {w.size} there are {w.number} windows, and the values have shape {tuple(shape)}"
        )
        raise ShapeError(msg)


def convolution_windows(
    x: Shape, weight: Shape, stride: Lengths, padding: Padding, dilation: Lengths, groups: int
) -> Windows:
    """Return the windows of a convolution, or raise a ShapeError where the operands do not fit together."""
    name = "convolution"
    size = spatial(x, name)
    if len(weight) != len(x):
        msg = f"{name}: x {tuple(x)} and weight {tuple(weight)} do not have the same number of axes"
        raise ShapeError(msg)
    if groups < 1 or weight[0] % groups or x[1] != weight[1] * groups:
        msg = (
            f"{name}: x {tuple(x)} has {x[1]} channels and weight {tuple(weight)}, of shape (outputs, inputs / groups, "
            f"...), is for {weight[1] * groups} in {groups} groups of {weight[0]} outputs"
        )
        raise ShapeError(msg)
    return windows(size, tuple(weight[2:]), stride, padding, dilation, name=name)


def transposed_windows(
    x: Shape,
    weight: Shape,
    stride: Lengths,
    padding: Padding,
    dilation: Lengths,
    groups: int,
    output_padding: Lengths,
) -> Windows:
    """Return the windows over the result of a transposed convolution, or raise where shapes do not fit."""
    name = "convolution_transpose"
    number = spatial(x, name)
    if len(weight) != len(x) or x[1] != weight[0] or groups < 1 or x[1] % groups:
        msg = (
            f"{name}: x {tuple(x)} has {x[1]} channels, in {groups} groups, and weight {tuple(weight)}, of shape "
            f"(inputs, outputs / groups, ...), is for {weight[0]}"
        )
        raise ShapeError(msg)
    kernel = tuple(weight[2:])
    size = transposed_size(number, kernel, stride, padding, dilation, output_padding, name=name)
    return windows(size, kernel, stride, padding, dilation, name=name)


def weight_windows(
    x: Shape, cotangent: Shape, kernel_size: Lengths, stride: Lengths, padding: Padding, dilation: Lengths, groups: int
) -> Windows:
    """Return the windows of a convolution with a weight of that size, or raise where shapes do not fit."""
    name = "convolution_weight"
    w = windows(spatial(x, name), kernel_size, stride, padding, dilation, name=name)
    if x[0] != cotangent[0] or groups < 1 or x[1] % groups or cotangent[1] % groups:
        msg = f"{name}: x {tuple(x)} and the cotangent {tuple(cotangent)} do not fit, with {groups} groups"
        raise ShapeError(msg)
    check_number(cotangent, w, name)
    return w


def pool_windows(
    size: Shape,
    kernel_size: Lengths,
    stride: Lengths | None,
    padding: Padding,
    dilation: Lengths,
    ceil_mode: bool,
    name: str,
) -> Windows:
    """Return the windows of a pooling operation; the stride is by default the kernel's size."""
    stride = kernel_size if stride is None else stride
    w = windows(size, kernel_size, stride, padding, dilation, ceil_mode=ceil_mode, name=name)
    if any(2 * max(p) > k for p, k in zip(padding_pairs(padding, len(size)), reach(w.kernel, w.dilation), strict=True)):
        msg = f"{name}: padding {padding} is more than half of kernel_size {kernel_size}; some windows would be empty"
        raise ConfigError(msg)
    return w


def counts(w: Windows, padding: Padding, count_include_pad: bool) -> list[list[int]]:
    """Return for each axis how many elements of each of its windows count. A window counts as many as their product.

    Padding counts or does not; what a last window reaches beyond the padding never does.
    """
    found: list[list[int]] = []
    for n, k, s, (p, q), m in zip(
        w.size, w.kernel, w.stride, padding_pairs(padding, len(w.size)), w.number, strict=True
    ):
        low, high = (-p, n + q) if count_include_pad else (0, n)
        found.append([min(i * s - p + k, high) - max(i * s - p, low) for i in range(m)])
    return found
