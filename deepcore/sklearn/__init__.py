"""Neural networks as scikit-learn's estimators.

>>> from deepcore.sklearn import DeepClassifier
>>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], ["no", "yes", "yes", "no"]
>>> classifier = DeepClassifier((8,), "tanh", solver="lbfgs", random_state=0).fit(X, y)
>>> classifier.predict(X).tolist()
['no', 'yes', 'yes', 'no']
"""

from . import _library as _library
from ._estimator import DeepEstimator as DeepEstimator
from .classifier import DeepClassifier as DeepClassifier
from .regressor import DeepRegressor as DeepRegressor
