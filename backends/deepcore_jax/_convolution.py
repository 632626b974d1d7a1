"""Convolution by XLA, and its transposes as JAX finds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deepcore._backend import Library
from deepcore._window import convolution_windows, padding_pairs, transposed_windows, weight_windows

if TYPE_CHECKING:
    from deepcore._typing import Kernel
    from deepcore._window import Lengths, Padding, Windows

jax: Any = Library("jax")
jnp: Any = Library("jax.numpy")


def _convolved(x: Any, weight: Any, w: Windows, padding: Padding, groups: int) -> Any:
    return jax.lax.conv_general_dilated(
        x,
        weight,
        window_strides=w.stride,
        padding=padding_pairs(padding, len(w.size)),
        rhs_dilation=w.dilation,
        feature_group_count=groups,
    )


def _biased(y: Any, bias: Any) -> Any:
    return y if bias is None else y + jnp.reshape(bias, (-1,) + (1,) * (y.ndim - 2))


def convolution(
    x: Any,
    weight: Any,
    bias: Any = None,
    /,
    *,
    stride: Lengths = 1,
    padding: Padding = 0,
    dilation: Lengths = 1,
    groups: int = 1,
) -> Any:
    """Return the cross-correlation: see ``deepcore.convolution``."""
    w = convolution_windows(x.shape, weight.shape, stride, padding, dilation, groups)
    return _biased(_convolved(x, weight, w, padding, groups), bias)


def convolution_transpose(
    x: Any,
    weight: Any,
    bias: Any = None,
    /,
    *,
    stride: Lengths = 1,
    padding: Padding = 0,
    dilation: Lengths = 1,
    groups: int = 1,
    output_padding: Lengths = 0,
) -> Any:
    """Return the transposed convolution: see ``deepcore.convolution_transpose``."""
    w = transposed_windows(x.shape, weight.shape, stride, padding, dilation, groups, output_padding)
    before = jax.ShapeDtypeStruct((x.shape[0], groups * weight.shape[1], *w.size), x.dtype)
    (y,) = jax.linear_transpose(lambda z: _convolved(z, weight, w, padding, groups), before)(x)
    return _biased(y, bias)


def convolution_weight(
    x: Any,
    cotangent: Any,
    /,
    *,
    kernel_size: Lengths,
    stride: Lengths = 1,
    padding: Padding = 0,
    dilation: Lengths = 1,
    groups: int = 1,
) -> Any:
    """Return the derivative of a convolution with respect to its weight: see ``deepcore.convolution_weight``."""
    w = weight_windows(x.shape, cotangent.shape, kernel_size, stride, padding, dilation, groups)
    shape = jax.ShapeDtypeStruct((cotangent.shape[1], x.shape[1] // groups, *w.kernel), x.dtype)
    (dw,) = jax.linear_transpose(lambda v: _convolved(x, v, w, padding, groups), shape)(cotangent)
    return dw


KERNELS: dict[str, Kernel] = {f.__name__: f for f in (convolution, convolution_transpose, convolution_weight)}
