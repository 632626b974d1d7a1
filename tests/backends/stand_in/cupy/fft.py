"""``cupy.fft``."""

from ._functions import functions

globals().update(functions("fft."))
