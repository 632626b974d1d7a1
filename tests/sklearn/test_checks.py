"""scikit-learn's own checks of estimators, with no expected failures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from sklearn.utils.estimator_checks import check_estimator

from deepcore.sklearn import DeepClassifier, DeepRegressor

QUICK: dict[str, Any] = {"hidden_layer_sizes": (20,), "learning_rate_init": 0.03, "max_iter": 30}
VARIANTS: list[dict[str, Any]] = [
    {},
    {"solver": "lbfgs", "max_iter": 100},
    {"solver": "sgd", "learning_rate_init": 0.01, "activation": "tanh", "hidden_layer_sizes": (20,)},
    {"solver": "adamw", "hidden_layer_sizes": (50, 20), "activation": "gelu"},
]
ARRAYS = """
import json, warnings
from collections import Counter
warnings.simplefilter("ignore")
from sklearn.utils.estimator_checks import check_estimator
from deepcore.sklearn import DeepClassifier, DeepRegressor
quick = {"hidden_layer_sizes": (20,), "learning_rate_init": 0.03, "max_iter": 30}
found = [
    [result["check_name"], result["status"], str(result["exception"])]
    for estimator in (DeepClassifier(**quick), DeepRegressor(**quick))
    for result in check_estimator(estimator, on_fail=None, on_skip=None)
    if "array_api" in result["check_name"]
]
print(json.dumps(found))
"""


def check(estimator: Any) -> None:
    results = check_estimator(estimator, on_fail=None, on_skip=None)
    other = {r["check_name"]: r["exception"] for r in results if r["status"] not in {"passed", "skipped"}}
    assert not other
    assert Counter(r["status"] for r in results)["passed"] > 50
    # What is skipped wants a library that is not installed, or SCIPY_ARRAY_API, which the last test here sets.
    assert {r["check_name"] for r in results if r["status"] == "skipped"} <= {
        "check_array_api_input",
        "check_array_api_mixed_inputs",
        "check_array_api_same_namespace",
        "check_classifier_data_not_an_array",
        "check_regressor_data_not_an_array",
        "check_sample_weights_pandas_series",
    }


def test_the_classifier() -> None:
    check(DeepClassifier(**QUICK))


def test_the_regressor() -> None:
    check(DeepRegressor(**QUICK))


@pytest.mark.exhaustive
@pytest.mark.parametrize("options", VARIANTS)
@pytest.mark.parametrize("kind", [DeepClassifier, DeepRegressor])
def test_every_solver(kind: Any, options: dict[str, Any]) -> None:
    check(kind(**options))


@pytest.mark.exhaustive
def test_arrays_of_other_libraries() -> None:
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}  # which SciPy reads when it is imported
    done = subprocess.run([sys.executable, "-c", ARRAYS], env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert [entry for entry in found if entry[1] not in {"passed", "skipped"}] == []
    assert Counter(entry[1] for entry in found)["passed"] >= 4
