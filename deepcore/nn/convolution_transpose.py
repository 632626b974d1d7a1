"""Transposed convolutional layers over one, two and three spatial axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._window import padding_pairs, per_axis, transposed_size
from ..ops.convolution import convolution_transpose
from ..ops.manipulation import permute_dims, reshape
from ._convolution import Convolutional
from ._spatial import check_input
from .initializers import initial

if TYPE_CHECKING:
    from .._tensor import Tensor
    from .._window import Lengths, Padding
    from ..random import Generator
    from ._module import Module
    from .initializers import Initializer


class _ConvolutionTranspose(Convolutional):
    """Transposed convolution over as many spatial axes as a subclass says."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Lengths,
        stride: Lengths = 1,
        padding: Padding = 0,
        output_padding: Lengths = 0,
        *,
        dilation: Lengths = 1,
        groups: int = 1,
        activation: str | Module | None = None,
        use_bias: bool = True,
        initializer: str | Initializer = "glorot_uniform",
        generator: Generator | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, dilation, groups, activation)
        self.padding = padding
        self._pairs = padding_pairs(padding, self.ndim)
        name = type(self).__name__
        self._extra = per_axis(output_padding, self.ndim, f"{name}: output_padding", least=0)
        # Looked at by the initializer as what it is for an output: a kernel over inputs / groups channels.
        outputs, inputs, kernel = out_channels // groups, in_channels // groups, self._kernel
        drawn = initial(initializer, (out_channels, inputs, *kernel), generator)
        split = reshape(drawn, (groups, outputs, inputs, *kernel))
        swapped = permute_dims(split, (0, 2, 1, *range(3, 3 + self.ndim)))
        self._begin(reshape(swapped, (in_channels, outputs, *kernel)), use_bias=use_bias)
        transposed_size((9,) * self.ndim, self._kernel, self._stride, 0, self._dilation, self._extra, name=self._name)

    @property
    def output_padding(self) -> tuple[int, ...]:
        """How much longer the output is than the shortest possible one."""
        return self._extra

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi$ of the transposed convolution."""
        check_input(self._name, x, self.ndim, self.in_channels)
        transposed_size(
            x.shape[2:], self._kernel, self._stride, self._pairs, self._dilation, self._extra, name=self._name
        )
        y = convolution_transpose(
            x,
            self.weight,
            self.bias,
            stride=self._stride,
            padding=self._pairs,
            dilation=self._dilation,
            groups=self.groups,
            output_padding=self._extra,
        )
        return self._activated(y)

    def describe(self) -> str:
        """Return the numbers of channels, the kernel, and what differs from the defaults."""
        padding = self.padding or None
        return self._described(padding=padding, output_padding=self._extra if any(self._extra) else None)


class ConvTranspose1d(_ConvolutionTranspose):
    r"""Transposed convolution of sequences, $Y_{nc, si + dk - p} = \phi\bigl(b_c + \sum_{oik} X_{noi} W_{ock}\bigr)$.

    The parameters are those of :class:`ConvTranspose2d`, with one number for the one spatial axis. $X$ has shape
    (batch, in_channels, length).

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.ConvTranspose1d(4, 8, 4, stride=2, padding=1)(dc.ones((2, 4, 50))).shape
    (2, 8, 100)
    """

    ndim = 1


class ConvTranspose2d(_ConvolutionTranspose):
    r"""Transposed convolution of images, $Y_{nc, si + dk - p} = \phi\bigl(b_c + \sum_{oik} X_{noi} W_{ock}\bigr)$.

    It is the linear map that takes the cotangent of a convolution's result to that of its input: with the same options
    it leads from the shape after the convolution to the shape before it, and so enlarges images.

    Parameters
    ----------
    in_channels
        The number of channels of the input.
    out_channels
        The number of channels of the output.
    kernel_size
        The shape of the kernel: a number for both axes, or one for each.
    stride
        $s$: the steps between the places where the elements of the input are put.
    padding
        $p$: how many elements are *taken away* at both ends of an axis; also pairs (before, after).
    output_padding
        How much longer the output is at its end than the shortest one that the convolution takes to the shape of the
        input; less than the stride.
    dilation
        $d$: the steps from element to element of the kernel.
    groups
        Into how many parts the channels are split.
    activation
        The function $\phi$: a module, its name (``"relu"``), or None for the identity.
    use_bias
        Whether there is a $b$. It begins at 0.
    initializer
        How $W$ begins: a function of the shape and a generator, or its name. It is given the shape (out_channels,
        in_channels / groups, height, width), so that the fan in is that of an output.
    generator
        The source of the initial weights; the default one, if not given.

    Attributes
    ----------
    weight
        $W$, of shape (in_channels, out_channels / groups, height, width), as in PyTorch.
    bias
        $b$, of shape (out_channels,), or None.

    Raises
    ------
    ConfigError
        If an option is not what it should be, or the groups do not divide the channels.
    ShapeError
        When called on an array that is not of shape (batch, in_channels, height, width), or where the padding takes
        everything away.

    Notes
    -----
    An output has $(n - 1) s + d(k - 1) + 1 - 2p + q$ elements along an axis of $n$, with $q$ the ``output_padding``.
    PyTorch allows a $q$ from the stride up to the dilation, too.

    References
    ----------
    M. D. Zeiler et al., Deconvolutional networks, CVPR 2010; V. Dumoulin and F. Visin, A guide to convolution
    arithmetic for deep learning, arXiv:1603.07285, 2016, section 4.

    Examples
    --------
    >>> import deepcore as dc
    >>> layer = dc.nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1, output_padding=1)
    >>> layer(dc.ones((5, 8, 16, 16))).shape
    (5, 3, 32, 32)
    """

    ndim = 2


class ConvTranspose3d(_ConvolutionTranspose):
    r"""Transposed convolution of volumes, $Y_{nc, si + dk - p} = \phi\bigl(b_c + \sum_{oik} X_{noi} W_{ock}\bigr)$.

    The parameters are those of :class:`ConvTranspose2d`, for three spatial axes. $X$ has shape (batch, in_channels,
    depth, height, width).

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.ConvTranspose3d(2, 1, 2, stride=2)(dc.ones((5, 2, 4, 4, 4))).shape
    (5, 1, 8, 8, 8)
    """

    ndim = 3
