"""SciPy reads SCIPY_ARRAY_API when it is imported, so these tests have a session of their own: `tox -e consumers`."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING

import pytest

import deepcore as dc

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

LIBRARIES = ("scipy", "sklearn", "array_api_extra", "einops", "xarray")
MISSING = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what cannot be asked here."""
    ready = os.environ.get("SCIPY_ARRAY_API") == "1" and not MISSING
    return None if ready or collection_path.name != "test_consumers.py" else True


def pytest_report_header() -> str | None:
    """Say why the functions of other libraries are left out, where they are."""
    if MISSING:
        return f"consumers: not tested, without {', '.join(MISSING)}"
    if os.environ.get("SCIPY_ARRAY_API") != "1":
        return "consumers: not tested, without SCIPY_ARRAY_API=1 in the environment"
    return None


@pytest.fixture(autouse=True)
def _double_precision() -> Generator[None]:
    """Create what has no data type in float64, as NumPy does: SciPy makes its constants so."""
    dc.set_default_dtype(dc.float64)
    yield
    dc.set_default_dtype(dc.float32)
