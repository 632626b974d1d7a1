r"""Convolution, in one, two, three or any number of spatial axes, and its two transposes.

As everywhere in deep learning, *convolution* is cross-correlation: the kernel is not reversed. Arrays have shape
(samples, channels, \*spatial), and weights (outputs, inputs / groups, \*kernel). With $g$ ``groups``, outputs and
inputs are split into $g$ equal parts, and each part of the outputs sees its own part of the inputs.

$Y = X \star W$ is linear in $X$ and in $W$. So there are three operations, and each is a derivative of the others:
:func:`convolution` $X \star W$; :func:`convolution_transpose`, which is $\bar X$ from $\bar Y$ and $W$; and
:func:`convolution_weight`, which is $\bar W$ from $X$ and $\bar Y$. The bodies gather the elements of all windows into
the columns of a matrix, so that what remains is one matrix product.

Source: K. Chellapilla, S. Puri and P. Simard, High performance convolutional neural networks for document processing,
2006, section 3.1 (columns); V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning,
arXiv:1603.07285, 2016 (shapes).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from .._primitive import Sample
from .._record import composite
from .._window import convolution_windows, rest_of, transposed_windows, weight_windows
from ._windowed import added, padded

if TYPE_CHECKING:
    from .._typing import Array, Namespace, Shape
    from .._window import Lengths, Padding, Windows

STRIDED: Final = {"stride": (2, 1), "padding": (1, (0, 2)), "dilation": (1, 2)}


def _columns(x: Any, w: Windows, groups: int, xp: Namespace) -> Any:
    """Return the elements of all windows, of shape (samples, groups, channels · places / groups, windows)."""
    x = padded(x, w, xp)
    parts = xp.stack([x[key] for key in w.keys], axis=2)
    return xp.reshape(parts, (x.shape[0], groups, x.shape[1] // groups * w.places, math.prod(w.number)))


def _matrices(weight: Any, groups: int, xp: Namespace) -> Any:
    """Return the weight as a matrix for each group, of shape (groups, outputs / groups, inputs · places / groups)."""
    return xp.reshape(weight, (groups, weight.shape[0] // groups, math.prod(weight.shape[1:])))


def _biased(y: Any, bias: Any, xp: Namespace) -> Any:
    return y if bias is None else y + xp.reshape(bias, (-1,) + (1,) * (y.ndim - 2))


def _bias(dy: Any, xp: Namespace) -> Any:
    return xp.sum(dy, axis=(0, *range(2, dy.ndim)))


@composite(
    Sample(((2, 2, 5), (3, 2, 2), (3,)), parameters={"stride": 2}),
    Sample(((2, 2, 3, 4), (2, 2, 2, 2), (2,)), parameters=STRIDED),
    Sample(((2, 4, 3, 3), (2, 2, 2, 3)), parameters={"padding": 1, "groups": 2}),
    Sample(((1, 2, 2, 3, 2), (2, 1, 2, 2, 1)), parameters={"padding": ((1, 0), 0, 0), "groups": 2}),
)
def convolution(
    xp: Namespace,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    /,
    *,
    stride: Lengths = 1,
    padding: Padding = 0,
    dilation: Lengths = 1,
    groups: int = 1,
) -> Any:
    r"""Cross-correlation. $Y_{noi} = b_o + \sum_{ck} X_{n, c, si + dk - p} W_{ock}$, where $i$ and $k$ have a component
    for each spatial axis, and $X$ is 0 outside; $\bar X$ is the transposed convolution of $\bar Y$, $\bar W_{ock} =
    \sum_{ni} \bar Y_{noi} X_{n, c, si + dk - p}$, and $\bar b_o = \sum_{ni} \bar Y_{noi}$.

    Parameters
    ----------
    x
        $X$, of shape (samples, inputs, \*spatial).
    weight
        $W$, of shape (outputs, inputs / groups, \*kernel).
    bias
        $b$, of shape (outputs,), or None.
    stride
        $s$: the steps from window to window.
    padding
        $p$: how many zeros are put at both ends of an axis, or pairs of numbers, before and after each.
    dilation
        $d$: the steps from element to element of a window.
    groups
        Into how many parts the channels are split.

    Raises
    ------
    ShapeError
        If the channels do not fit, or the kernel is larger than the padded input.

    Examples
    --------
    >>> import deepcore as dc
    >>> x = dc.asarray([[[1.0, 2.0, 4.0, 8.0]]])
    >>> dc.convolution(x, dc.asarray([[[-1.0, 1.0]]])).tolist()
    [[[1.0, 2.0, 4.0]]]
    """
    w = convolution_windows(x.shape, weight.shape, stride, padding, dilation, groups)
    y = xp.matmul(_matrices(weight, groups, xp), _columns(x, w, groups, xp))
    return _biased(xp.reshape(y, (x.shape[0], weight.shape[0], *w.number)), bias, xp)


@composite(
    Sample(((2, 3, 2), (3, 2, 2), (2,)), parameters={"stride": 2, "output_padding": 1}),
    Sample(((2, 2, 3, 4), (2, 2, 2, 2)), parameters={"stride": (2, 1), "padding": (1, (0, 2)), "dilation": (1, 2)}),
    Sample(((2, 2, 3, 2), (2, 2, 2, 3), (4,)), parameters={"padding": 1, "groups": 2}),
)
def convolution_transpose(
    xp: Namespace,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    /,
    *,
    stride: Lengths = 1,
    padding: Padding = 0,
    dilation: Lengths = 1,
    groups: int = 1,
    output_padding: Lengths = 0,
) -> Any:
    r"""Transposed convolution: the derivative of :func:`convolution` with respect to its input. $Y_{nc, si + dk - p} =
    b_c + \sum_{oik} X_{noi} W_{ock}$; $\bar X = \bar Y \star W$, and $\bar W$ is that of the convolution of $\bar Y$.

    Parameters
    ----------
    x
        $X$, of shape (samples, inputs, \*spatial).
    weight
        $W$, of shape (inputs, outputs / groups, \*kernel): that of the convolution from the outputs to the inputs.
    bias
        $b$, of shape (outputs,), or None.
    stride, padding, dilation, groups
        Those of the convolution that is transposed: the stride spreads the input, and padding is taken away.
    output_padding
        How much longer the output is than the shortest that the convolution takes to the input's shape; less than the
        stride.

    Examples
    --------
    >>> import deepcore as dc
    >>> x = dc.asarray([[[1.0, 2.0]]])
    >>> dc.convolution_transpose(x, dc.asarray([[[1.0, 10.0, 100.0]]]), stride=2).tolist()
    [[[1.0, 10.0, 102.0, 20.0, 200.0]]]
    """
    w = transposed_windows(x.shape, weight.shape, stride, padding, dilation, groups, output_padding)
    n, inputs, inner = x.shape[0], x.shape[1], weight.shape[1]
    dy = xp.reshape(x, (n, groups, inputs // groups, math.prod(w.number)))
    columns = xp.matmul(xp.matrix_transpose(_matrices(weight, groups, xp)), dy)
    columns = xp.reshape(columns, (n, groups * inner, w.places, *w.number))
    return _biased(added([columns[:, :, k, ...] for k in range(w.places)], w, xp), bias, xp)


@composite(
    Sample(((2, 2, 5), (2, 3, 2)), parameters={"kernel_size": 2, "stride": 2}),
    Sample(((2, 2, 3, 4), (2, 2, 2, 4)), parameters={"kernel_size": (2, 2), **STRIDED}),
    Sample(((2, 4, 3, 3), (2, 2, 4, 3)), parameters={"kernel_size": (2, 3), "padding": 1, "groups": 2}),
)
def convolution_weight(
    xp: Namespace,
    x: Array,
    cotangent: Array,
    /,
    *,
    kernel_size: Lengths,
    stride: Lengths = 1,
    padding: Padding = 0,
    dilation: Lengths = 1,
    groups: int = 1,
) -> Any:
    r"""Derivative of :func:`convolution` with respect to its weight. $W_{ock} = \sum_{ni} Y_{noi} X_{n, c, si + dk -
    p}$ for an input $X$ and a cotangent $Y$ of the result; $\bar X$ is the transposed convolution of $Y$ with $\bar W$,
    and $\bar Y = X \star \bar W$.

    Parameters
    ----------
    x
        $X$, of shape (samples, inputs, \*spatial).
    cotangent
        $Y$, of shape (samples, outputs, \*spatial).
    kernel_size
        The spatial shape of the weight.
    stride, padding, dilation, groups
        Those of the convolution.
    """
    w = weight_windows(x.shape, cotangent.shape, kernel_size, stride, padding, dilation, groups)
    n, outputs, inner = x.shape[0], cotangent.shape[1], x.shape[1] // groups
    columns = _columns(x, w, groups, xp)
    dy = xp.reshape(cotangent, (n, groups, outputs // groups, columns.shape[3]))
    by_group = [
        xp.reshape(xp.permute_dims(a, (1, 2, 0, 3)), (groups, a.shape[2], n * columns.shape[3])) for a in (dy, columns)
    ]
    dw = xp.matmul(by_group[0], xp.matrix_transpose(by_group[1]))
    return xp.reshape(dw, (outputs, inner, *w.kernel))


def _input_cotangent(
    dy: Any,
    weight: Any,
    shape: Shape,
    stride: Lengths,
    padding: Padding,
    dilation: Lengths,
    groups: int,
    xp: Namespace,
) -> Any:
    rest = rest_of(tuple(shape[2:]), tuple(weight.shape[2:]), stride, padding, dilation)
    return xp.convolution_transpose(
        dy, weight, stride=stride, padding=padding, dilation=dilation, groups=groups, output_padding=rest
    )


convolution.vjp(
    x=_input_cotangent,
    weight=lambda dy, x, shape, stride, padding, dilation, groups, xp: xp.convolution_weight(
        x, dy, kernel_size=tuple(shape[2:]), stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
    bias=lambda dy, xp: _bias(dy, xp),
)
convolution_transpose.vjp(
    x=lambda dy, weight, stride, padding, dilation, groups, xp: xp.convolution(
        dy, weight, stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
    weight=lambda dy, x, shape, stride, padding, dilation, groups, xp: xp.convolution_weight(
        dy, x, kernel_size=tuple(shape[2:]), stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
    bias=lambda dy, xp: _bias(dy, xp),
)
convolution_weight.vjp(
    x=lambda dy, cotangent, shape, stride, padding, dilation, groups, xp: _input_cotangent(
        cotangent, dy, shape, stride, padding, dilation, groups, xp
    ),
    cotangent=lambda dy, x, stride, padding, dilation, groups, xp: xp.convolution(
        x, dy, stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
)
