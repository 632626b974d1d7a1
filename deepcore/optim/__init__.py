"""Optimizers."""

from ._optimizer import Optimizer as Optimizer
from .adam import Adam as Adam
from .sgd import SGD as SGD
