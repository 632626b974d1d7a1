"""Models as ONNX files, which run where there is no deepcore."""

from .export import export as export
from .export import model_proto as model_proto
