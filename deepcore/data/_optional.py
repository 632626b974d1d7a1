"""Libraries that reading some formats needs, imported when they are first used."""

from __future__ import annotations

import importlib
from typing import Any, Final

from .._errors import BackendError


class OptionalLibrary:
    """A module of an optional library, imported when something of it is first used.

    Where it is not installed, that raises BackendError, which says what installs it.
    """

    def __init__(self, module: str, *, library: str, extra: str, purpose: str) -> None:
        self._module = module
        self._needs = f"{purpose} needs {library}; install it with pip install 'deepcore-xp[{extra}]'"

    def __getattr__(self, name: str) -> Any:
        try:
            value = getattr(importlib.import_module(self._module), name)
        except ImportError as error:
            message = f"{self._needs} ({error})"
            raise BackendError(message) from error
        setattr(self, name, value)
        return value


parquet: Final[Any] = OptionalLibrary(
    "pyarrow.parquet", library="pyarrow", extra="parquet", purpose="reading Parquet files"
)
arrow: Final[Any] = OptionalLibrary("pyarrow", library="pyarrow", extra="parquet", purpose="reading Parquet files")
pillow: Final[Any] = OptionalLibrary("PIL.Image", library="Pillow", extra="images", purpose="reading images")
