"""Training."""

from .callback import Callback as Callback
from .csv_logger import CSVLogger as CSVLogger
from .early_stopping import EarlyStopping as EarlyStopping
from .history import History as History
from .lambda_callback import LambdaCallback as LambdaCallback
from .learning_rate import LearningRate as LearningRate
from .learning_rate import ObservePlateau as ObservePlateau
from .nan_guard import NaNGuard as NaNGuard
from .precision import MixedPrecision as MixedPrecision
from .save_weights import SaveWeights as SaveWeights
from .snapshots import Checkpoint as Checkpoint
from .statistics import UnitStatistics as UnitStatistics
from .tensorboard import TensorBoard as TensorBoard
from .time_limit import TimeLimit as TimeLimit
from .trainer import Trainer as Trainer
