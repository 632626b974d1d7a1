"""The adapter of deepcore for array_api_strict."""

from ._adapter import backend as backend
