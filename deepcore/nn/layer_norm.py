"""Layer normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import ops
from .._errors import ConfigError, ShapeError
from ._channel_norm import check_eps, check_floating
from ._module import Module
from ._parameter import Parameter
from .initializers import initial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._tensor import Tensor
    from .._typing import Shape


class LayerNorm(Module):
    r"""Layer normalisation, $y = w \odot \hat x + b$ with $\hat x = (x - \mu) / \sqrt{\sigma^2 + \varepsilon}$, where
    $\mu$ and $\sigma^2$ are the mean and the variance over the last axes.

    Parameters
    ----------
    normalized_shape
        The lengths of the last axes, or the length of the last one.
    eps
        $\varepsilon$.
    elementwise_affine
        Whether there are $w$ and $b$.
    use_bias
        Whether there is a $b$, where there is a $w$.

    Attributes
    ----------
    weight, bias
        $w$ and $b$, of shape ``normalized_shape``, which begin at 1 and 0; or None.

    Raises
    ------
    ShapeError
        When called on an array whose last axes have other lengths.

    References
    ----------
    J. L. Ba, J. R. Kiros and G. E. Hinton, Layer normalization, arXiv:1607.06450, 2016, equations 3 and 4.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.round(dc.nn.LayerNorm(2)(dc.asarray([[1.0, 3.0], [10.0, 90.0]]))).tolist()
    [[-1.0, 1.0], [-1.0, 1.0]]
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        *,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        use_bias: bool = True,
    ) -> None:
        check_eps("LayerNorm", eps)
        self.normalized_shape = last_lengths(type(self).__name__, normalized_shape)
        self.eps = eps
        self.weight = Parameter(initial("ones", self.normalized_shape)) if elementwise_affine else None
        self.bias = Parameter(initial("zeros", self.normalized_shape)) if elementwise_affine and use_bias else None

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $w \odot \hat x + b$."""
        check_last(self, x, self.normalized_shape)
        return ops.layer_norm(x, self.weight, self.bias, axes=len(self.normalized_shape), eps=self.eps)

    def describe(self) -> str:
        """Return the lengths of the axes."""
        return in_words(self.normalized_shape)


def last_lengths(name: str, normalized_shape: int | Sequence[int]) -> Shape:
    """Return the lengths of the axes that are normalised over, or raise if there are none."""
    lengths = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not lengths or min(lengths) < 1:
        msg = f"{name}: normalized_shape has the lengths of the last axes, each at least 1, not {normalized_shape}"
        raise ConfigError(msg)
    return lengths


def check_last(layer: Module, x: Tensor, lengths: Shape) -> None:
    """Raise if the last axes of an input have other lengths, or it is not of floating-point numbers."""
    if x.shape[-len(lengths) :] != lengths:
        hint = ""
        if len(lengths) == 1 and x.ndim > 2 and x.shape[1] == lengths[0]:
            hint = "; channels on the second axis are for GroupNorm(1, channels), or move them to the end"
        msg = f"{layer!r}: expected (..., {in_words(lengths)}), got {x.shape}{hint}"
        raise ShapeError(msg)
    check_floating(layer, x)


def in_words(lengths: Shape) -> str:
    """Return lengths as they are written in a shape."""
    return ", ".join(map(str, lengths))
