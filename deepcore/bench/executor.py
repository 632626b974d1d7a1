"""Which executor compiled functions get that are recorded meanwhile: the best that there is, or NumPy's own."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator

RECORDED: Final = 3
"""The calls after which a function is a program."""

_VARIABLE: Final = "DEEPCORE_FAST"


@contextmanager
def executor(*, plain: bool) -> Generator[None]:
    """Let functions that are recorded in this block have NumPy's executor if it is to be plain, as it is without fast.

    Parameters
    ----------
    plain
        Whether they do.
    """
    before = os.environ.get(_VARIABLE)
    if plain:
        os.environ[_VARIABLE] = "0"
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE, None)
        if before is not None:
            os.environ[_VARIABLE] = before
