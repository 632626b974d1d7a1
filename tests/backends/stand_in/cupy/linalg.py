"""``cupy.linalg``."""

from ._functions import functions

globals().update(functions("linalg."))
