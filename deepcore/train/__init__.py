"""Training."""

from .callback import Callback as Callback
from .callback import SaveWeights as SaveWeights
from .history import History as History
from .trainer import Trainer as Trainer
