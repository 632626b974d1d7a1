"""``deepcore export``: what an ONNX file gives, run by onnxruntime, is what ``deepcore predict`` does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

import deepcore as dc
from deepcore._backend import Library
from deepcore.checkpoint import load_weights
from deepcore.cli import app as cli
from deepcore.cli.runs import open_run

if TYPE_CHECKING:
    from numpy.typing import NDArray

onnx: Any = pytest.importorskip("onnx", reason="onnx is not installed")
onnxruntime: Any = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def run(*arguments: object) -> Any:
    """Run a command in this process; what it raises on purpose is in the result's exception."""
    return CliRunner().invoke(cli.app, [str(a) for a in arguments], env={"COLUMNS": "200", "NO_COLOR": "1"})


def trained(path: Path, *options: object) -> Path:
    result = run("train", "--epochs", 2, "--quiet", "--checkpoint", path, *options)
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("export")


@pytest.fixture(scope="module")
def iris(folder: Path) -> Path:
    return trained(folder / "iris", "--data", "iris", "--hidden", "8")


@pytest.fixture(scope="module")
def houses(folder: Path) -> Path:
    """A regression of two numbers in large units, from a table."""
    draws = np.random.default_rng(0)
    x = draws.normal(size=(80, 3)) * [1, 10, 1000] + [0, 5, 30_000]
    table = np.column_stack([x, x @ [30.0, 4.0, 0.1], x[:, 0] * 1e5])
    np.savetxt(folder / "houses.csv", table, delimiter=",", header="a,b,c,price,rent", comments="")
    options = ("--target", "price", "--target", "rent", "--hidden", "6")
    return trained(folder / "houses", "--data", folder / "houses.csv", *options)


@pytest.fixture(scope="module")
def images(folder: Path) -> Path:
    """Bytes, which are divided by 255."""
    draws = np.random.default_rng(0)
    x = draws.integers(0, 256, (60, 1, 6, 6)).astype(np.uint8)
    np.savez(folder / "images.npz", X=x, y=x[:, 0, 0, 0] > 127)
    return trained(folder / "images", "--data", folder / "images.npz", "--model", "cnn", "--hidden", "3")


def ran(path: Path, x: NDArray[Any]) -> NDArray[Any]:
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    (found,) = session.run(None, {given.name: x.astype(np.float32)})
    return np.asarray(found)


def test_classes_of_a_table(iris: Path, tmp_path: Path) -> None:
    result = run("export", iris, "--output", tmp_path / "m.onnx", "--probabilities")
    assert result.exit_code == 0, result.output
    assert re.search(r"checked by onnxruntime \S+: largest difference \d\S* of 0\.\d+\n", result.stdout)
    x = np.asarray(dc.data.iris().inputs)
    np.savez(tmp_path / "x.npz", X=x)
    predicted = run("predict", iris, tmp_path / "x.npz", "--probabilities").stdout.splitlines()
    expected = np.array([line.split(",")[1:] for line in predicted[1:]], float)
    found = ran(tmp_path / "m.onnx", x)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    metadata = {entry.key: entry.value for entry in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert json.loads(metadata["classes"]) == ["setosa", "versicolor", "virginica"]
    assert metadata["deepcore.task"] == "classification"


def test_numbers_are_in_the_units_of_the_data(houses: Path, folder: Path, tmp_path: Path) -> None:
    result = run("export", houses, "--output", tmp_path / "m.onnx", "--opset", 21)
    assert result.exit_code == 0, result.output
    assert "ONNX operators 21" in result.stdout
    table = np.loadtxt(folder / "houses.csv", delimiter=",", skiprows=1)
    predicted = run("predict", houses, folder / "houses.csv").stdout.splitlines()
    assert predicted[0] == "price,rent"
    expected = np.array([line.split(",") for line in predicted[1:]], float)
    found = ran(tmp_path / "m.onnx", table[:, :3])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3 * np.abs(expected).max())
    assert np.abs(found).max() > 1e3


def test_images_of_bytes(images: Path, folder: Path, tmp_path: Path) -> None:
    result = run("export", images, "--output", tmp_path / "m.onnx", "--probabilities")
    assert result.exit_code == 0, result.output
    x = np.load(folder / "images.npz")["X"]
    predicted = run("predict", images, folder / "images.npz", "--probabilities").stdout.splitlines()[1:]
    expected = np.array([line.split(",")[1:] for line in predicted], float)
    np.testing.assert_allclose(ran(tmp_path / "m.onnx", x), expected, atol=1e-6)


def test_weights_alone(iris: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("export", iris, "--weights", "w.safetensors")
    assert result.exit_code == 0, result.output
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]
    model = open_run(iris).model()
    again = open_run(iris).model()
    with dc.no_grad():
        for p in again.parameters():
            p[...] = 0.0
    load_weights(tmp_path / "w.safetensors", again)
    x = dc.ones((2, 4))
    assert again(x).numpy().tolist() == model(x).numpy().tolist()
    assert run("export", iris).exit_code == 0
    assert Path("model.onnx").is_file()


def test_a_file_that_differs_is_not_saved(iris: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deepcore.cli.export.TOLERANCE", -1.0)
    result = run("export", iris, "--output", tmp_path / "m.onnx")
    assert isinstance(result.exception, dc.NumericalError)
    assert re.search(r"differ from deepcore's by up to .*; --no-check saves it", str(result.exception))
    assert list(tmp_path.iterdir()) == []
    assert run("export", iris, "--output", tmp_path / "m.onnx", "--no-check").exit_code == 0
    assert (tmp_path / "m.onnx").is_file()


def test_without_onnxruntime(iris: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deepcore.cli.export.onnxruntime", Library("no_such_library", needs="install onnxruntime"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnxruntime" else object())
    result = run("export", iris, "--output", tmp_path / "m.onnx")
    assert result.exit_code == 0, result.output
    assert 'not checked: onnxruntime is not installed; pip install "deepcore-xp[onnx]"' in result.output
    result = run("export", iris, "--output", tmp_path / "m.onnx", "--check")
    assert isinstance(result.exception, dc.BackendError)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--opset", "16"], 2, "--opset"),
        (["--output", "no/such/m.onnx"], 1, "cannot save to no/such/m.onnx"),
        (["--weights", "."], 1, "it is a folder"),
        (["--snapshot", "worst"], 1, "unknown snapshot 'worst'; the known ones are best, last"),
        (["--snapshot", "best"], 1, "best"),
        (["--check=3"], 2, "--check"),
    ],
    ids=str,
)
def test_mistakes(options: list[str], code: int, message: str, iris: Path) -> None:
    result = run("export", iris, *options)
    assert result.exit_code == code
    assert message in (str(result.exception) if code == 1 else result.output)
    assert code == 2 or isinstance(result.exception, dc.DeepcoreError)


def test_numbers_have_no_probabilities(houses: Path, tmp_path: Path) -> None:
    result = run("export", houses, "--probabilities", "--output", tmp_path / "m")
    assert "predicts numbers, which have no probabilities" in str(result.exception)
    assert "there is no run in" in str(run("export", tmp_path).exception)
