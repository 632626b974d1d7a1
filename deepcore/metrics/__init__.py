"""Metrics: streaming, for data sets seen batch by batch, and mergeable, where several saw parts of it."""

from ._metric import Metric as Metric
from .accuracy import Accuracy as Accuracy
from .accuracy import TopKAccuracy as TopKAccuracy
from .confusion import F1 as F1
from .confusion import ConfusionMatrix as ConfusionMatrix
from .confusion import FBeta as FBeta
from .confusion import Precision as Precision
from .confusion import Recall as Recall
from .perplexity import Perplexity as Perplexity
from .ranking import ROCAUC as ROCAUC
from .regression import MAE as MAE
from .regression import MSE as MSE
from .regression import R2 as R2
from .regression import RMSE as RMSE
