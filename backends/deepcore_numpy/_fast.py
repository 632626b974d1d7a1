"""Whether compiled programs become machine code."""

from __future__ import annotations

import importlib
import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from deepcore._errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

ENVIRONMENT = "DEEPCORE_FAST"
"""0 keeps NumPy's executor, and 1 asks for machine code; without it there is machine code where llvmlite is there."""


def fast_executor() -> Callable[[Any], Any] | None:
    """Return the executor that makes machine code, or None where NumPy's is wanted."""
    wanted = os.environ.get(ENVIRONMENT, "")
    if wanted not in ("", "0", "1"):
        msg = f"{ENVIRONMENT} is 0 or 1, not {wanted!r}"
        raise ConfigError(msg)
    if wanted == "0" or (not wanted and find_spec("llvmlite") is None):
        return None
    executor: Callable[[Any], Any] = importlib.import_module("deepcore_llvm").NativeExecutor
    return executor
