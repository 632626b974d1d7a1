"""Root mean square normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import ops
from ._channel_norm import check_eps
from ._module import Module
from ._parameter import Parameter
from .initializers import initial
from .layer_norm import check_last, in_words, last_lengths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._tensor import Tensor


class RMSNorm(Module):
    r"""Root mean square normalisation, $y = w \odot x / \sqrt{\langle x^2 \rangle + \varepsilon}$, where
    $\langle x^2 \rangle$ is the mean square over the last axes.

    Parameters
    ----------
    normalized_shape
        The lengths of the last axes, or the length of the last one.
    eps
        $\varepsilon$; by default, as in PyTorch, the spacing of the input's data type at 1.
    elementwise_affine
        Whether there is a $w$.

    Attributes
    ----------
    weight
        $w$, of shape ``normalized_shape``, which begins at 1; or None.

    Raises
    ------
    ShapeError
        When called on an array whose last axes have other lengths.

    References
    ----------
    B. Zhang and R. Sennrich, Root mean square layer normalization, NeurIPS 2019, equation 4, which has no
    $\varepsilon$.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.round(dc.nn.RMSNorm(2)(dc.asarray([[5.0, -5.0], [80.0, 80.0]]))).tolist()
    [[1.0, -1.0], [1.0, 1.0]]
    """

    def __init__(
        self, normalized_shape: int | Sequence[int], *, eps: float | None = None, elementwise_affine: bool = True
    ) -> None:
        if eps is not None:
            check_eps("RMSNorm", eps)
        self.normalized_shape = last_lengths(type(self).__name__, normalized_shape)
        self.eps = eps
        self.weight = Parameter(initial("ones", self.normalized_shape)) if elementwise_affine else None

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $w \odot \hat x$."""
        check_last(self, x, self.normalized_shape)
        eps = ops.finfo(x.dtype).eps if self.eps is None else self.eps
        return ops.rms_norm(x, self.weight, axes=len(self.normalized_shape), eps=eps)

    def describe(self) -> str:
        """Return the lengths of the axes."""
        return in_words(self.normalized_shape)
