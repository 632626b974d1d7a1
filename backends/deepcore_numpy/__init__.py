"""The adapter of deepcore for numpy."""

from ._adapter import backend as backend
