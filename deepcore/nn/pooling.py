"""Pooling layers: the largest element or the mean of windows of a given shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .._window import padding_pairs, per_axis, pool_windows
from ..ops.pooling import average_pool, max_pool
from ._module import Module
from ._spatial import check_input, options, times

if TYPE_CHECKING:
    from .._tensor import Tensor
    from .._window import Lengths, Padding


class _Pool(Module):
    """Pooling of windows over as many spatial axes as a subclass says."""

    ndim: ClassVar[int]

    def __init__(
        self, kernel_size: Lengths, stride: Lengths | None, padding: Padding, dilation: Lengths, *, ceil_mode: bool
    ) -> None:
        name = type(self).__name__
        self._kernel = per_axis(kernel_size, self.ndim, f"{name}: kernel_size")
        self._stride = per_axis(self._kernel if stride is None else stride, self.ndim, f"{name}: stride")
        self._dilation = per_axis(dilation, self.ndim, f"{name}: dilation")
        self._pairs = padding_pairs(padding, self.ndim)
        self.padding = padding
        self.ceil_mode = ceil_mode
        self._name = repr(self)

    def _check(self, x: Tensor) -> None:
        check_input(self._name, x, self.ndim)
        pool_windows(x.shape[2:], self._kernel, self._stride, self._pairs, self._dilation, self.ceil_mode, self._name)

    def describe(self) -> str:
        """Return the shape of a window, and what differs from the defaults."""
        values: dict[str, Any] = {"stride": self._stride, "padding": self.padding, "dilation": self._dilation}
        ones = (1,) * self.ndim
        shown = options(values, {"stride": self._kernel, "padding": 0, "dilation": ones})
        return times(self._kernel) + shown + (", ceil_mode" if self.ceil_mode else "")


class _MaxPool(_Pool):
    def __init__(
        self,
        kernel_size: Lengths,
        stride: Lengths | None = None,
        padding: Padding = 0,
        *,
        dilation: Lengths = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, dilation, ceil_mode=ceil_mode)

    def forward(self, x: Tensor) -> Tensor:
        """Return the largest element of each window."""
        self._check(x)
        return max_pool(
            x,
            kernel_size=self._kernel,
            stride=self._stride,
            padding=self._pairs,
            dilation=self._dilation,
            ceil_mode=self.ceil_mode,
        )


class MaxPool1d(_MaxPool):
    r"""Largest element of each window of a sequence, $y_{nci} = \max_k x_{n, c, si + dk - p}$.

    The parameters are those of :class:`MaxPool2d`. $X$ has shape (batch, channels, length).

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.MaxPool1d(2)(dc.asarray([[[1.0, 5.0, 2.0, 3.0, 9.0]]])).tolist()
    [[[5.0, 3.0]]]
    """

    ndim = 1


class MaxPool2d(_MaxPool):
    r"""Largest element of each window of an image, $y_{nci} = \max_k x_{n, c, si + dk - p}$.

    The gradient goes to the first of the elements that reach the maximum, in the order of memory, as in PyTorch.

    Parameters
    ----------
    kernel_size
        The shape of a window: a number for both axes, or one for each.
    stride
        $s$: the steps from window to window; by default the kernel's size, so that windows do not overlap.
    padding
        $p$: how far the windows reach beyond both ends of an axis; at most half of the kernel's size. What is outside
        is never the maximum.
    dilation
        $d$: the steps from element to element of a window.
    ceil_mode
        Whether there is one more, smaller window where the steps leave a rest.

    Raises
    ------
    ConfigError
        If an option is not what it should be.
    ShapeError
        When called on an array that is not of shape (batch, channels, height, width), or that is smaller than a window.

    Examples
    --------
    >>> import deepcore as dc
    >>> x = dc.asarray([[4.0, 7.0, 1.0, 2.0], [6.0, 3.0, 0.0, 8.0], [9.0, 1.0, 6.0, 0.0], [6.0, 4.0, 1.0, 7.0]])
    >>> dc.nn.MaxPool2d(2)(x[None, None])[0, 0].tolist()
    [[7.0, 8.0], [9.0, 7.0]]
    """

    ndim = 2


class MaxPool3d(_MaxPool):
    r"""Largest element of each window of a volume, $y_{nci} = \max_k x_{n, c, si + dk - p}$.

    The parameters are those of :class:`MaxPool2d`. $X$ has shape (batch, channels, depth, height, width).
    """

    ndim = 3


class _AvgPool(_Pool):
    def __init__(
        self,
        kernel_size: Lengths,
        stride: Lengths | None = None,
        padding: Padding = 0,
        *,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self.count_include_pad = count_include_pad
        super().__init__(kernel_size, stride, padding, 1, ceil_mode=ceil_mode)

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean of each window."""
        self._check(x)
        return average_pool(
            x,
            kernel_size=self._kernel,
            stride=self._stride,
            padding=self._pairs,
            ceil_mode=self.ceil_mode,
            count_include_pad=self.count_include_pad,
        )


class AvgPool1d(_AvgPool):
    r"""Mean of each window of a sequence, $y_{nci} = \frac1K \sum_k x_{n, c, si + k - p}$.

    The parameters are those of :class:`AvgPool2d`. $X$ has shape (batch, channels, length).

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.AvgPool1d(2)(dc.asarray([[[1.0, 5.0, 2.0, 3.0, 9.0]]])).tolist()
    [[[3.0, 2.5]]]
    """

    ndim = 1


class AvgPool2d(_AvgPool):
    r"""Mean of each window of an image, $y_{nci} = \frac1K \sum_k x_{n, c, si + k - p}$.

    Parameters
    ----------
    kernel_size
        The shape of a window: a number for both axes, or one for each.
    stride
        $s$: the steps from window to window; by default the kernel's size, so that windows do not overlap.
    padding
        $p$: how far the windows reach beyond both ends of an axis; at most half of the kernel's size.
    ceil_mode
        Whether there is one more, smaller window where the steps leave a rest.
    count_include_pad
        Whether $K$ counts the zeros of the padding, or only elements of $x$.

    Raises
    ------
    ConfigError
        If an option is not what it should be.
    ShapeError
        When called on an array that is not of shape (batch, channels, height, width), or that is smaller than a window.

    Examples
    --------
    >>> import deepcore as dc
    >>> x = dc.asarray([[4.0, 7.0, 1.0, 2.0], [6.0, 3.0, 0.0, 8.0], [9.0, 1.0, 6.0, 0.0], [6.0, 4.0, 1.0, 7.0]])
    >>> dc.nn.AvgPool2d(2)(x[None, None])[0, 0].tolist()
    [[5.0, 2.75], [5.0, 3.5]]
    """

    ndim = 2


class AvgPool3d(_AvgPool):
    r"""Mean of each window of a volume, $y_{nci} = \frac1K \sum_k x_{n, c, si + k - p}$.

    The parameters are those of :class:`AvgPool2d`. $X$ has shape (batch, channels, depth, height, width).
    """

    ndim = 3
