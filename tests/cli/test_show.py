"""``deepcore show``: the table, and what a model computes as text and as a drawing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

import deepcore as dc
from deepcore import graph, nn
from deepcore.cli import app as cli
from deepcore.cli.show import flops

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: object) -> Any:
    """Run a command in this process; what it raises on purpose is in the result's exception."""
    return CliRunner().invoke(cli.app, [str(a) for a in arguments], env={"COLUMNS": "200", "NO_COLOR": "1"})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "digits"
    result = run("train", "--epochs", 1, "--hidden", "8", "--optimizer", "sgd", "--quiet", "--checkpoint", path)
    assert result.exit_code == 0, result.output
    return path


def test_a_run(trained: Path) -> None:
    result = run("show", trained)
    assert result.exit_code == 0, result.output
    assert re.search(r"1 +Dense 64 → 8 +\(n, 8\) +520\n", result.stdout)
    assert "610 parameters, 610 of them trainable" in result.stdout
    assert result.stdout.endswith(f"{2 * (64 * 8 + 8 * 10) / 1000:.3g} kFLOP for a sample, in products of matrices\n")


@pytest.mark.parametrize(
    ("arguments", "layer"),
    [
        (["mlp", "--hidden", ""], r"Dense 64 → 10"),
        (["mlp", "--hidden", "5", "--activation", "gelu", "--outputs", "3"], r"GELU"),
        (["cnn", "--input-shape", "3,8,8", "--hidden", "4"], r"Conv2d 3 → 4, 3×3"),
        (["lstm", "--input-shape", "6,2", "--hidden", "4"], r"LSTMCell"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
@pytest.mark.parametrize("program", ["forward", "backward", "step"])
def test_models_and_programs(arguments: list[str], layer: str, program: str) -> None:
    result = run("show", *arguments, "--program", program, "--batch", 2)
    assert result.exit_code == 0, result.output
    table, _, text = result.stdout.partition("\n\n")
    assert re.search(layer, table)
    assert text.startswith("input %0: ")
    assert ("softmax_cross_entropy_vjp" in text) == (program != "forward")
    returned = text.strip().splitlines()[-1]
    assert returned.startswith("return ")
    # A step has the loss, and the parameters as they are then; and gradients are kept.
    assert (returned.count("%") > 1) == (program != "forward")


def test_a_model_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets_of_show.py").write_text(
        "from deepcore import nn\n"
        "def plain(input_shape, n_outputs):\n    return nn.Sequential(nn.Dense(input_shape[0], n_outputs))\n"
        "def wrong(input_shape, n_outputs):\n    return nn.Dense(7, n_outputs)\n"
    )
    result = run("show", "nets_of_show:plain", "--input-shape", "4", "--outputs", 2, "--text")
    assert result.exit_code == 0, result.output
    assert "Dense 4 → 2" in result.stdout
    assert "linear(%2, %0, %1)" in result.stdout
    result = run("show", "nets_of_show:wrong", "--input-shape", "4")
    assert isinstance(result.exception, dc.ShapeError)


def test_a_drawing(trained: Path, tmp_path: Path) -> None:
    for program in ("forward", "step"):
        result = run("show", trained, "--program", program, "--graph", tmp_path / f"{program}.svg")
        assert result.exit_code == 0, result.output
        assert result.stdout.endswith(f"drawing: {tmp_path / program}.svg\n")
        assert "input %0" not in result.stdout
    drawn = {path.stem: path.read_text("utf-8") for path in tmp_path.iterdir()}
    for text in drawn.values():
        assert ET.fromstring(text).tag.endswith("svg")
    assert len(drawn["step"]) > len(drawn["forward"])
    assert ">1.weight</" in drawn["forward"]
    both = run("show", trained, "--text", "--graph", tmp_path / "both.svg").stdout
    assert "linear(" in both
    assert "drawing: " in both


def test_double_precision(tmp_path: Path) -> None:
    path = tmp_path / "run"
    options = ("--data", "xor", "--precision", "float64", "--epochs", 1, "--quiet")
    assert run("train", *options, "--checkpoint", path).exit_code == 0
    result = run("show", path, "--text")
    assert result.exit_code == 0, result.output
    assert "float64[1,2]" in result.stdout


MISTAKES: list[tuple[list[str], type[Exception], str]] = [
    (["nothing"], dc.StorageError, r"there is no run in nothing"),
    (["mlpp"], dc.StorageError, r"there is no run in mlpp"),
    (["no_such_module:f"], dc.ConfigError, r"no_such_module"),
    (["json:loads"], dc.ConfigError, r"json:loads failed"),
    (["mlp", "--input-shape", "8,x"], dc.ConfigError, r"--input-shape is whole numbers from 1"),
    (["mlp", "--input-shape", "0"], dc.ConfigError, r"--input-shape is whole numbers from 1"),
    (["mlp", "--input-shape", ""], dc.ConfigError, r"--input-shape is that of a sample"),
    (["mlp", "--input-shape", "99999999,99999999"], dc.ConfigError, r"--input-shape is that of a sample"),
    (["mlp", "--hidden", "a"], dc.ConfigError, r"--hidden is whole numbers"),
    (["mlp", "--activation", "rellu"], dc.ConfigError, r"unknown activation 'rellu'"),
    (["mlp", "--program", "sideways"], dc.ConfigError, r"unknown program 'sideways'; the known ones are forward"),
    (["mlp", "--graph", "no/such/folder.svg"], dc.StorageError, r"cannot save to no/such/folder.svg"),
    (["cnn", "--input-shape", "4"], dc.ConfigError, r"--model cnn is for images"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), MISTAKES, ids=lambda value: str(value)[:30])
def test_mistakes(arguments: list[str], error: type[Exception], message: str) -> None:
    result = run("show", *arguments)
    assert result.exit_code == 1
    assert isinstance(result.exception, error)
    assert re.search(message, str(result.exception))


def test_a_run_has_its_own_shape(trained: Path) -> None:
    result = run("show", trained, "--input-shape", "3")
    assert re.search(r"a run has its own model, .*; leave --input-shape out", str(result.exception))


def test_products_are_counted() -> None:
    model = nn.Sequential(nn.Dense(3, 4), nn.ReLU(), nn.Dense(4, 2))
    assert flops(graph.traced(model, dc.zeros((5, 3)))) == 2 * 5 * (3 * 4 + 4 * 2)
