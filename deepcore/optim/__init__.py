"""Optimizers."""

from ._base import BaseOptimizer as BaseOptimizer
from ._group import Group as Group
from ._optimizer import Optimizer as Optimizer
from ._transform import Chain as Chain
from ._transform import PerArray as PerArray
from ._transform import Step as Step
from ._transform import Transform as Transform
from ._transform import chain as chain
from .adam import Adam as Adam
from .adam import AdamW as AdamW
from .adam import scale_by_adam as scale_by_adam
from .clip import clip_adaptively as clip_adaptively
from .clip import clip_by_norm as clip_by_norm
from .clip import clip_by_value as clip_by_value
from .clip import clip_grad_norm as clip_grad_norm
from .clip import clip_grad_value as clip_grad_value
from .decay import add_decayed_weights as add_decayed_weights
from .decay import add_sign as add_sign
from .scale import scale as scale
from .scale import scale_by_learning_rate as scale_by_learning_rate
from .sgd import SGD as SGD
from .sgd import scale_by_momentum as scale_by_momentum
