"""Tools to test operations, layers and models that are written on deepcore."""

from .arrays import assert_close as assert_close
from .gradients import GradientMismatchError as GradientMismatchError
from .gradients import KinkError as KinkError
from .gradients import check_grads as check_grads
from .parity import check_parity as check_parity
from .recording import recording as recording
from .samples import sample_arguments as sample_arguments
