"""Whether compiled programs become machine code."""

from __future__ import annotations

import importlib
import os
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

from deepcore._errors import BackendError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

ENVIRONMENT: Final = "DEEPCORE_FAST"
"""0 keeps NumPy's executor, and 1 asks for machine code; without it there is machine code where llvmlite is there."""

OLDEST: Final = (0, 45)
"""The oldest version of llvmlite whose language is the one that is written here."""


def fast_executor() -> Callable[[Any], Any] | None:
    """Return the executor that makes machine code, or None where NumPy's is wanted.

    Raises
    ------
    BackendError
        If machine code is asked for and llvmlite is missing or too old.
    ConfigError
        If the variable of the environment is something else than 0 and 1.
    """
    wanted = os.environ.get(ENVIRONMENT, "")
    if wanted not in ("", "0", "1"):
        msg = f"{ENVIRONMENT} is 0 or 1, not {wanted!r}"
        raise ConfigError(msg)
    if wanted == "0" or (not wanted and not _is_there()):
        return None
    if not _is_there():
        oldest = ".".join(map(str, OLDEST))
        msg = f'{ENVIRONMENT}=1 needs llvmlite {oldest} or newer; install it with: pip install "deepcore-xp[fast]"'
        raise BackendError(msg)
    executor: Callable[[Any], Any] = importlib.import_module("deepcore_llvm").NativeExecutor
    return executor


@cache
def _is_there() -> bool:
    try:
        found = version("llvmlite").split(".")[:2]
    except PackageNotFoundError:
        return False
    return all(part.isdecimal() for part in found) and tuple(map(int, found)) >= OLDEST
