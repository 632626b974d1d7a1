"""What the command line standardises and measures, next to scikit-learn."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

import deepcore as dc
from deepcore.cli import app as cli
from deepcore.cli.parts import prepare
from deepcore.cli.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

preprocessing = pytest.importorskip("sklearn.preprocessing")
metrics = pytest.importorskip("sklearn.metrics")


def done(*arguments: object) -> Any:
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def predicted(run: Path, table: Path) -> list[str]:
    _, *rows = csv.reader(io.StringIO(done("predict", run, table).stdout))
    return [row[0] for row in rows]


def test_features_are_standardised_as_by_scikit_learn() -> None:
    raw = prepare(Settings(data="iris", standardize=False))[1]
    ours = prepare(Settings(data="iris"))[1]
    scaler = preprocessing.StandardScaler().fit(raw.training.inputs.astype(np.float64))
    assert ours.facts.inputs.mean == pytest.approx(scaler.mean_, rel=1e-12)
    assert ours.facts.inputs.std == pytest.approx(scaler.scale_, rel=1e-12)
    assert ours.test is not None
    assert raw.test is not None
    assert ours.test.inputs == pytest.approx(scaler.transform(raw.test.inputs), abs=1e-5)


def test_a_constant_feature_is_left_as_by_scikit_learn(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("".join(f"{i},7,{i % 2}\n" for i in range(20)))
    facts = prepare(Settings(data=str(tmp_path / "t.csv"), test_size=0))[1].facts
    scaler = preprocessing.StandardScaler().fit(np.array([[i, 7] for i in range(20)], np.float64))
    assert facts.inputs.mean == pytest.approx(scaler.mean_)
    assert facts.inputs.std == pytest.approx(scaler.scale_)


def test_a_classification_is_measured_as_by_scikit_learn(tmp_path: Path) -> None:
    iris = dc.data.iris()
    rows = [[*(f"{value:.1f}" for value in x), iris.classes[y]] for x, y in iris]
    (tmp_path / "iris.csv").write_text("\n".join(",".join(row) for row in [["a", "b", "c", "d", "kind"], *rows]))
    done("train", "--data", tmp_path / "iris.csv", "--epochs", 3, "--hidden", 4, "--checkpoint", tmp_path / "run")
    done("evaluate", tmp_path / "run", "--data", tmp_path / "iris.csv", "--json", tmp_path / "m.json")
    ours = json.loads((tmp_path / "m.json").read_text())
    wanted, guessed = [row[4] for row in rows], predicted(tmp_path / "run", tmp_path / "iris.csv")
    assert ours["test_accuracy"] == pytest.approx(metrics.accuracy_score(wanted, guessed))
    assert ours["confusion_matrix"] == metrics.confusion_matrix(wanted, guessed).tolist()
    report = metrics.classification_report(wanted, guessed, output_dict=True, zero_division=0)
    for row in ours["classes"]:
        theirs = report[row["class"]]
        for name, key in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            assert (row[name] or 0) == pytest.approx(theirs[key])


def test_a_regression_is_measured_as_by_scikit_learn(tmp_path: Path) -> None:
    table = [[i % 11, i % 7, 500 + 30 * (i % 11) - 80 * (i % 7) + i % 3] for i in range(100)]
    (tmp_path / "t.csv").write_text("a,b,y\n" + "".join(f"{a},{b},{y}\n" for a, b, y in table))
    options = ("--task", "regression", "--epochs", 5, "--hidden", 8, "--checkpoint", tmp_path / "run")
    done("train", "--data", tmp_path / "t.csv", *options)
    done("evaluate", tmp_path / "run", "--data", tmp_path / "t.csv", "--json", tmp_path / "m.json")
    ours = json.loads((tmp_path / "m.json").read_text())
    wanted, guessed = [row[2] for row in table], [float(x) for x in predicted(tmp_path / "run", tmp_path / "t.csv")]
    assert ours["test_r2"] == pytest.approx(metrics.r2_score(wanted, guessed), rel=1e-5)
    assert ours["test_mae"] == pytest.approx(metrics.mean_absolute_error(wanted, guessed), rel=1e-5)
    assert ours["test_rmse"] == pytest.approx(metrics.root_mean_squared_error(wanted, guessed), rel=1e-5)
