"""Reports and curves of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

import deepcore as dc
from deepcore.cli import app as cli

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("matplotlib")


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli.app, [str(a) for a in arguments], env={"COLUMNS": "200", "NO_COLOR": "1"})


def test_a_run_is_reported_drawn_and_evaluated_again(tmp_path: Path) -> None:
    report, curves, folder = tmp_path / "r.html", tmp_path / "c.svg", tmp_path / "run"
    given = ("--data", "moons", "--epochs", 2, "--seed", 3, "--checkpoint", folder, "--validation-size", 0.2)
    result = run("train", *given, "--report", report, "--plot", curves)
    assert result.exit_code == 0, result.output
    assert f"report: {report}" in result.output
    text = report.read_text()
    for said in ("<dt>seed</dt><dd>3</dd>", "every point of the plane", "validation, last epoch", "upper"):
        assert said in text
    assert curves.read_text().startswith("<?xml")
    again = tmp_path / "again.html"
    result = run("evaluate", folder, "--report", again)
    assert result.exit_code == 0, result.output
    assert f"report: {again}" in result.output
    assert "What is taken for what" in again.read_text()
    assert "validation, last epoch" not in again.read_text()


def test_numbers_are_in_the_units_of_the_data(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    table = tmp_path / "houses.csv"
    rows = "\n".join(f"{a:.4f},{b:.4f},{5e6 + 1e6 * a:.1f}" for a, b in X)
    table.write_text(f"size,age,price\n{rows}\n")
    report = tmp_path / "r.html"
    result = run("train", "--data", table, "--epochs", 1, "--report", report)
    assert result.exit_code == 0, result.output
    text = report.read_text()
    worst = text[text.index("<th>prediction</th>") :].partition("</table>")[0]
    target = worst.split("<td>")[2].partition("</td>")[0]
    assert 1e6 < float(target.replace(",", "")) < 1e7
    assert ">size</text>" in text
    assert ">age</text>" in text


def test_files_that_cannot_be_written_are_found_before_training(tmp_path: Path) -> None:
    for option in ("--report", "--plot"):
        result = run("train", "--epochs", 1, option, tmp_path / "none" / "x.svg")
        assert isinstance(result.exception, dc.DeepcoreError), option
        assert "samples to train" not in result.output


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deepcore.cli.training.find_spec", lambda name: None)
    result = run("train", "--epochs", 1, "--report", tmp_path / "r.html")
    assert isinstance(result.exception, dc.BackendError)
    assert "--report needs Matplotlib; install it with: pip install 'deepcore-xp[plot]'" in str(result.exception)
    assert "samples to train" not in result.output
