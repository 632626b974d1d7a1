"""Metrics: streaming, so that they see a data set batch by batch."""

from ._metric import Metric as Metric
from .accuracy import Accuracy as Accuracy
