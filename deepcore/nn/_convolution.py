"""What convolutions and transposed convolutions have in common: their options, parameters and names."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from .._errors import ConfigError
from .._window import per_axis
from ._module import Module
from ._parameter import Parameter
from ._spatial import options, times
from .activation import activation_named
from .initializers import initial

if TYPE_CHECKING:
    from typing import Any

    from .._tensor import Tensor
    from .._typing import Shape
    from .._window import Lengths


class Convolutional(Module):
    """The base of layers with a kernel."""

    ndim: ClassVar[int]
    """The number of spatial axes."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Lengths,
        stride: Lengths,
        dilation: Lengths,
        groups: int,
        activation: str | Module | None,
    ) -> None:
        name = type(self).__name__
        if min(in_channels, out_channels, groups) < 1:
            found = f"{in_channels}, {out_channels} and {groups}"
            msg = f"{name}: the numbers of channels and groups are at least 1, not {found}"
            raise ConfigError(msg)
        if in_channels % groups or out_channels % groups:
            msg = (
                f"{name}: groups, {groups}, has to divide in_channels, {in_channels}, and out_channels, {out_channels}"
            )
            raise ConfigError(msg)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.groups = groups
        self._kernel = per_axis(kernel_size, self.ndim, f"{name}: kernel_size")
        self._stride = per_axis(stride, self.ndim, f"{name}: stride")
        self._dilation = per_axis(dilation, self.ndim, f"{name}: dilation")
        self.activation = activation_named(activation) if isinstance(activation, str) else activation

    def _begin(self, weight: Tensor, *, use_bias: bool) -> None:
        """Set the parameters, and the name in messages: a layer's last step of becoming one."""
        self.weight = Parameter(weight)
        self.bias = Parameter(initial("zeros", (self.out_channels,))) if use_bias else None
        self._name = repr(self)

    @property
    def kernel_size(self) -> Shape:
        """The shape of the kernel."""
        return self._kernel

    @property
    def stride(self) -> Shape:
        """The steps from window to window."""
        return self._stride

    @property
    def dilation(self) -> Shape:
        """The steps from element to element of a window."""
        return self._dilation

    def _activated(self, y: Tensor) -> Tensor:
        return y if self.activation is None else self.activation(y)

    def _described(self, **more: Any) -> str:
        ones = (1,) * self.ndim
        values = {"stride": self._stride, "dilation": self._dilation, "groups": self.groups, **more}
        defaults = {"stride": ones, "dilation": ones, "groups": 1, **dict.fromkeys(more)}
        shown = options(values, defaults)
        return f"{self.in_channels} → {self.out_channels}, {times(self._kernel)}{shown}"
