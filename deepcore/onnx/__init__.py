"""Models as ONNX files, which run where there is no deepcore."""

from . import _activation as _activation
from . import _attention as _attention
from . import _elementwise as _elementwise
from . import _indexing as _indexing
from . import _linear_algebra as _linear_algebra
from . import _manipulation as _manipulation
from . import _normalization as _normalization
from . import _recurrence as _recurrence
from . import _reduction as _reduction
from . import _window as _window
from .model import export as export
from .model import model_proto as model_proto
