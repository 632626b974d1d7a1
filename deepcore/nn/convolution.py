"""Convolutional layers over one, two and three spatial axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._errors import ConfigError
from .._window import padding_pairs, windows
from ..ops.convolution import convolution
from ._convolution import Convolutional
from ._padding import MODES, surrounded
from ._spatial import check_input
from .initializers import initial

if TYPE_CHECKING:
    from .._tensor import Tensor
    from .._window import Lengths, Padding
    from ..random import Generator
    from ._module import Module
    from .initializers import Initializer

PADDING_MODES: Final = ("zeros", *MODES)


class _Convolution(Convolutional):
    """Convolution over as many spatial axes as a subclass says."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Lengths,
        stride: Lengths = 1,
        padding: Padding | str = 0,
        *,
        dilation: Lengths = 1,
        groups: int = 1,
        padding_mode: str = "zeros",
        activation: str | Module | None = None,
        use_bias: bool = True,
        initializer: str | Initializer = "glorot_uniform",
        generator: Generator | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, dilation, groups, activation)
        if padding_mode not in PADDING_MODES:
            known = ", ".join(PADDING_MODES)
            msg = f"{type(self).__name__}: unknown padding_mode {padding_mode!r}; the known ones are {known}"
            raise ConfigError(msg)
        self.padding = padding
        self.padding_mode = padding_mode
        self._pairs = self._resolved(padding)
        weight = initial(initializer, (out_channels, in_channels // groups, *self._kernel), generator)
        self._begin(weight, use_bias=use_bias)

    def _resolved(self, padding: Padding | str) -> tuple[tuple[int, int], ...]:
        """Return how many elements are added before and after each axis."""
        if not isinstance(padding, str):
            return padding_pairs(padding, self.ndim)
        name = type(self).__name__
        if padding == "valid":
            return ((0, 0),) * self.ndim
        if padding != "same":
            msg = f"{name}: unknown padding {padding!r}; it is 'same', 'valid', or numbers of elements"
            raise ConfigError(msg)
        if max(self._stride) > 1:
            msg = (
                f"{name}: padding='same' keeps the shape, and stride {self._stride} does not; give numbers of elements"
            )
            raise ConfigError(msg)
        totals = [d * (k - 1) for k, d in zip(self._kernel, self._dilation, strict=True)]
        return tuple((t // 2, t - t // 2) for t in totals)

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(X \star W + b)$."""
        check_input(self._name, x, self.ndim, self.in_channels)
        pairs = self._pairs
        if self.padding_mode != "zeros":
            x = surrounded(x, pairs, self.padding_mode, self._name)
            pairs = ((0, 0),) * self.ndim
        # Found before, so that the message about a kernel that is too large names the layer.
        windows(x.shape[2:], self._kernel, self._stride, pairs, self._dilation, name=self._name)
        y = convolution(
            x,
            self.weight,
            self.bias,
            stride=self._stride,
            padding=pairs,
            dilation=self._dilation,
            groups=self.groups,
        )
        return self._activated(y)

    def describe(self) -> str:
        """Return the numbers of channels, the kernel, and what differs from the defaults."""
        padding = None if self.padding in (0, "valid") else self.padding
        mode = None if self.padding_mode == "zeros" else self.padding_mode
        return self._described(padding=padding, padding_mode=mode)


class Conv1d(_Convolution):
    r"""Convolution of sequences, $Y_{noi} = \phi\bigl(b_o + \sum_{ck} X_{n, c, si + dk - p} W_{ock}\bigr)$.

    The parameters are those of :class:`Conv2d`, with one number for the one spatial axis. $X$ has shape (batch,
    in_channels, length).

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.Conv1d(4, 8, 3, padding="same")(dc.ones((2, 4, 100))).shape
    (2, 8, 100)
    """

    ndim = 1


class Conv2d(_Convolution):
    r"""Convolution of images, $Y_{noi} = \phi\bigl(b_o + \sum_{ck} X_{n, c, si + dk - p} W_{ock}\bigr)$.

    It is cross-correlation: the kernel is not reversed. The place $i$ of a window and the place $k$ in it have a
    component for each spatial axis.

    Parameters
    ----------
    in_channels
        The number of channels of the input.
    out_channels
        The number of channels of the output, each with a kernel of its own.
    kernel_size
        The shape of the kernel: a number for both axes, or one for each.
    stride
        $s$: the steps from window to window.
    padding
        $p$: how many elements are added at both ends of an axis; a number for all axes, one for each, or a pair
        (before, after) for each. ``"valid"`` adds none, and ``"same"`` so many that the shape stays; where that is an
        odd number, one more behind than in front.
    dilation
        $d$: the steps from element to element of a window.
    groups
        Into how many parts the channels are split: each part of the output sees its own part of the input alone. With
        ``groups=in_channels`` the convolution is depthwise.
    padding_mode
        What is added: ``"zeros"``; ``"reflect"``, the array mirrored at its last element; ``"replicate"``, its last
        element; ``"circular"``, its other end.
    activation
        The function $\phi$: a module, its name (``"relu"``), or None for the identity.
    use_bias
        Whether there is a $b$. It begins at 0.
    initializer
        How $W$ begins: a function of the shape and a generator, or its name. The fan in of a kernel is the number of
        elements it looks at, in_channels / groups · height · width. (PyTorch's default is smaller:
        ``variance_scaling(1 / 3, distribution="uniform")``.)
    generator
        The source of the initial weights; the default one, if not given.

    Attributes
    ----------
    weight
        $W$, of shape (out_channels, in_channels / groups, height, width), as in PyTorch.
    bias
        $b$, of shape (out_channels,), or None.

    Raises
    ------
    ConfigError
        If an option is not what it should be, or the groups do not divide the channels.
    ShapeError
        When called on an array that is not of shape (batch, in_channels, height, width), or on images that are smaller
        than the kernel.

    References
    ----------
    Y. LeCun et al., Gradient-based learning applied to document recognition, Proceedings of the IEEE 86, 1998,
    section II; V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning, arXiv:1603.07285, 2016.

    Examples
    --------
    >>> import deepcore as dc
    >>> layer = dc.nn.Conv2d(3, 8, 3, stride=2, padding=1, activation="relu")
    >>> layer(dc.ones((5, 3, 32, 32))).shape
    (5, 8, 16, 16)
    """

    ndim = 2


class Conv3d(_Convolution):
    r"""Convolution of volumes, $Y_{noi} = \phi\bigl(b_o + \sum_{ck} X_{n, c, si + dk - p} W_{ock}\bigr)$.

    The parameters are those of :class:`Conv2d`, for three spatial axes. $X$ has shape (batch, in_channels, depth,
    height, width).

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.Conv3d(1, 2, (1, 3, 3))(dc.ones((5, 1, 4, 8, 8))).shape
    (5, 2, 4, 6, 6)
    """

    ndim = 3
