"""The adapter of deepcore for cupy."""

from ._adapter import backend as backend
