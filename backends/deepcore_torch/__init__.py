"""The adapter of deepcore for torch."""

from ._adapter import backend as backend
