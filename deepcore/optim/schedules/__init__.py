"""Learning rates that depend on the step: functions that optimizers take as ``lr``."""

from ._schedule import Schedule as Schedule
from .chained import Chained as Chained
from .chained import PerEpoch as PerEpoch
from .constant import Constant as Constant
from .cosine import CosineDecay as CosineDecay
from .cosine import WarmRestarts as WarmRestarts
from .exponential import ExponentialDecay as ExponentialDecay
from .inverse_time import InverseTimeDecay as InverseTimeDecay
from .one_cycle import OneCycle as OneCycle
from .plateau import ReduceOnPlateau as ReduceOnPlateau
from .polynomial import PolynomialDecay as PolynomialDecay
from .steps import MultiStepDecay as MultiStepDecay
from .steps import StepDecay as StepDecay
from .warmup import LinearWarmup as LinearWarmup
