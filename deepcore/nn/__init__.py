"""Layers, activations and losses."""

from ._loss import Loss as Loss
from ._module import Module as Module
from ._module import Parameter as Parameter
from ._summary import summary as summary
from .activation import Identity as Identity
from .activation import LeakyReLU as LeakyReLU
from .activation import ReLU as ReLU
from .activation import Sigmoid as Sigmoid
from .activation import Softmax as Softmax
from .activation import Tanh as Tanh
from .activation import activation_named as activation_named
from .container import Sequential as Sequential
from .cross_entropy import BinaryCrossEntropy as BinaryCrossEntropy
from .cross_entropy import CategoricalCrossEntropy as CategoricalCrossEntropy
from .dense import Dense as Dense
from .dropout import Dropout as Dropout
from .shape import Flatten as Flatten
from .squared_error import MSE as MSE
