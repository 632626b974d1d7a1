"""Whether values can be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._tracing import is_tracing

if TYPE_CHECKING:
    from .._tensor import Tensor


def can_be_read(x: Tensor) -> bool:
    """Whether there are values that can be looked at for nothing, to find a mistake in them.

    Elsewhere than on the host it would be a transfer, and the array library finds the mistake, or not. The values of a
    program that is being recorded are not known.
    """
    return x.size > 0 and x.device.backend.is_host and not is_tracing()
