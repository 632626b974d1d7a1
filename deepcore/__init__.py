"""deepcore: a differentiable array over any array library, and deep learning written on it.

``deepcore`` is a namespace of the Python Array API standard, on the default device. Its arrays compute with NumPy on
``"cpu"``, with CuPy on ``"cuda"``, and with any other conforming library on a device of its name.

>>> import deepcore as dc
>>> x = dc.asarray([0.0, 0.5], requires_grad=True)
>>> dc.square(x).sum().backward()
>>> x.grad
Tensor([0., 1.], dtype=float32)
"""

import importlib
from typing import TYPE_CHECKING, Any

from . import fft as fft
from . import linalg as linalg
from . import random as random
from . import special as special
from ._device import Device as Device
from ._device import default_device as default_device
from ._device import device as device
from ._device import devices as devices
from ._device import set_default_device as set_default_device
from ._device import synchronize as synchronize
from ._device import use_device as use_device
from ._dtype import DType as DType
from ._dtype import bfloat16 as bfloat16
from ._dtype import bool_
from ._dtype import complex64 as complex64
from ._dtype import complex128 as complex128
from ._dtype import float16 as float16
from ._dtype import float32 as float32
from ._dtype import float64 as float64
from ._dtype import int8 as int8
from ._dtype import int16 as int16
from ._dtype import int32 as int32
from ._dtype import int64 as int64
from ._dtype import uint8 as uint8
from ._dtype import uint16 as uint16
from ._dtype import uint32 as uint32
from ._dtype import uint64 as uint64
from ._errors import *
from ._namespace import API_VERSION, default_info
from ._tape import enable_grad as enable_grad
from ._tape import is_grad_enabled as is_grad_enabled
from ._tape import no_grad as no_grad
from ._tensor import Tensor as Tensor
from ._threads import num_threads as num_threads
from ._threads import set_num_threads as set_num_threads
from ._threads import use_threads as use_threads
from ._version import __version__ as __version__
from .ops import *
from .transform import custom_vjp as custom_vjp
from .transform import grad as grad
from .transform import hessian as hessian
from .transform import hvp as hvp
from .transform import jacobian as jacobian
from .transform import jvp as jvp
from .transform import remat as remat
from .transform import stop_gradient as stop_gradient
from .transform import value_and_grad as value_and_grad
from .transform import vjp as vjp

if TYPE_CHECKING:
    from . import data as data
    from . import graph as graph
    from . import metrics as metrics
    from . import nn as nn
    from . import optim as optim
    from . import plot as plot
    from . import train as train
    from .graph import compile as compile

bool = bool_
__array_namespace_info__ = default_info
__array_api_version__ = API_VERSION
e = 2.718281828459045
inf = float("inf")
nan = float("nan")
newaxis = None
pi = 3.141592653589793


def __getattr__(name: str) -> Any:
    # What is built on the array is imported when it is first used: who wants the array alone does not wait for it.
    if name in ("data", "graph", "metrics", "nn", "optim", "plot", "train"):
        return importlib.import_module(f".{name}", __name__)
    if name == "compile":
        return importlib.import_module(".graph", __name__).compile
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
