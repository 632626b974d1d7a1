"""Functions of functions: derivatives without ``backward()``.

They are the mathematics' own: they change no tensor and accumulate nowhere, and they nest, because what they compute is
recorded whenever something that it depends on is.
"""

from .custom import CustomVJP as CustomVJP
from .custom import custom_vjp as custom_vjp
from .gradient import grad as grad
from .gradient import value_and_grad as value_and_grad
from .jacobian import hessian as hessian
from .jacobian import jacobian as jacobian
from .product import hvp as hvp
from .product import jvp as jvp
from .product import vjp as vjp
from .recomputed import checkpoint as checkpoint
from .recomputed import remat as remat
from .variable import stop_gradient as stop_gradient
