"""What a call of an operation gives, in a form that can be compared and differentiated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._tensor import Tensor
from ..ops import conj, real

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FREE_SIGNS: Final = {
    "linalg.eigh": ("eigenvectors",),
    "linalg.eig": ("eigenvectors",),
    "linalg.svd": ("U", "Vh"),
    "linalg.qr": ("Q", "R"),
}
"""Results that are determined but for the signs, or the phases, of vectors."""


def determined_results(
    function: Callable[..., Any], operands: Sequence[Any], parameters: Mapping[str, Any]
) -> list[Tensor]:
    """Return the results of a call; of those with a free sign or phase, the squares of the magnitudes.

    Two libraries that decompose a matrix are both right where they choose another sign, and so is one that chooses
    another from one call to the next.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore.testing.results import determined_results
    >>> [y.tolist() for y in determined_results(dc.linalg.qr, [dc.eye(1)], {})]
    [[[1.0]], [[1.0]]]
    """
    y = function(*operands, **parameters)
    free = FREE_SIGNS.get(getattr(function, "name", ""), ())
    fields = getattr(y, "_fields", ("y",))
    values: Sequence[Tensor] = [y] if isinstance(y, Tensor) else y
    return [_squared(v) if name in free else v for name, v in zip(fields, values, strict=True)]


def _squared(x: Tensor) -> Tensor:
    return real(conj(x) * x) if x.dtype.is_kind("complex floating") else x * x
