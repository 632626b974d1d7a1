"""The adapter of deepcore for jax."""

from ._adapter import backend as backend
