"""Libraries that reading some formats needs, imported when they are first used."""

from __future__ import annotations

from typing import Any, Final

from .._backend import Library

_ARROW: Final = "reading Parquet files needs pyarrow; install it with pip install 'deepcore-xp[parquet]'"
_PILLOW: Final = "reading images needs Pillow; install it with pip install 'deepcore-xp[images]'"

parquet: Final[Any] = Library("pyarrow.parquet", needs=_ARROW)
arrow: Final[Any] = Library("pyarrow", needs=_ARROW)
pillow: Final[Any] = Library("PIL.Image", needs=_PILLOW)
