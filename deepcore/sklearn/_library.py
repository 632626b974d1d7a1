"""scikit-learn, which this package cannot be without: a missing one is named, with what installs it."""

from __future__ import annotations

from importlib.util import find_spec

from .._errors import BackendError


def require() -> None:
    """Raise if scikit-learn is not installed.

    Raises
    ------
    BackendError
        With the command that installs it.
    """
    if find_spec("sklearn") is None:
        msg = 'deepcore.sklearn needs scikit-learn, which is not installed; pip install "deepcore-xp[sklearn]"'
        raise BackendError(msg)


require()  # when it is imported, which is before anything of scikit-learn is
