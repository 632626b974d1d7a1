"""``deepcore evaluate`` and ``deepcore predict``: what goes in, what comes out, and that both agree with training."""

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
from deepcore.cli.runs import open_run

if TYPE_CHECKING:
    from pathlib import Path

IRIS = dc.data.iris()


def run(*arguments: object, given: bytes | None = None) -> Any:
    environment = {"COLUMNS": "200", "NO_COLOR": "1"}
    return CliRunner().invoke(cli.app, [str(a) for a in arguments], env=environment, input=given)


def done(*arguments: object, given: bytes | None = None) -> Any:
    result = run(*arguments, given=given)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def table(rows: Any, header: list[str] | None) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([*([header] if header else []), *rows])
    return text.getvalue()


def columns(text: str) -> dict[str, list[str]]:
    names, *rows = csv.reader(io.StringIO(text))
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tables and a run of each kind."""
    path = tmp_path_factory.mktemp("evaluate")
    names = ["sepal length", "sepal width", "petal length", "petal width"]
    rows = [[*x.tolist(), IRIS.classes[y]] for x, y in IRIS]
    (path / "iris.csv").write_text(table(rows, [*names, "kind"]))
    (path / "inputs.csv").write_text(table([row[3::-1] for row in rows], names[::-1]))  # from the back to the front
    numbers = [[a, b, c, d * 100 + 7] for a, b, c, d in IRIS.inputs.tolist()]
    (path / "widths.csv").write_text(table(numbers, None))
    quiet = ("--hidden", "8", "--epochs", 15, "--lr", 0.02, "--quiet")
    done("train", "--data", path / "iris.csv", *quiet, "--checkpoint", path / "kinds", "--json", path / "kinds.json")
    options = ("--checkpoint", path / "widths", "--json", path / "widths.json", "--validation-size", 0.2)
    done("train", "--data", path / "widths.csv", *quiet, *options)
    return path


# -------------------------------------------------------------------------------------------------------------- metrics


@pytest.mark.parametrize("name", ["kinds", "widths"])
def test_evaluation_gives_what_training_gave(name: str, folder: Path) -> None:
    trained = json.loads((folder / f"{name}.json").read_text())
    measured = json.loads(done("evaluate", folder / name, "--json", "-").output)
    for key in [key for key in trained if key.startswith("test_")]:
        assert measured[key] == trained[key], key
    assert measured["samples"] == 30


def test_parts_of_the_data(folder: Path) -> None:
    trained = json.loads((folder / "widths.json").read_text())
    measured = json.loads(done("evaluate", folder / "widths", "--part", "validation", "--json", "-").output)
    assert measured["test_loss"] == pytest.approx(trained["validation_loss"], rel=1e-6)
    assert json.loads(done("evaluate", folder / "widths", "--part", "training", "--json", "-").output)["samples"] == 96


def test_the_matrix_is_that_of_the_predictions(folder: Path, tmp_path: Path) -> None:
    result = done("evaluate", folder / "kinds", "--data", folder / "iris.csv", "--json", tmp_path / "m.json")
    content = json.loads((tmp_path / "m.json").read_text())
    guesses = columns(done("predict", folder / "kinds", folder / "iris.csv").stdout)["kind"]
    labels = [IRIS.classes[y] for y in IRIS.targets]
    expected = [
        [sum(a == i and b == j for a, b in zip(labels, guesses, strict=True)) for j in IRIS.classes]
        for i in IRIS.classes
    ]
    assert content["confusion_matrix"] == expected
    assert content["test_accuracy"] == np.trace(expected) / 150
    assert content["samples"] == 150
    for i, row in enumerate(content["classes"]):
        assert row["class"] == IRIS.classes[i]
        assert row["recall"] == expected[i][i] / 50
        assert row["precision"] == expected[i][i] / sum(line[i] for line in expected)
        assert row["samples"] == 50
    for word in ("confusion matrix", "setosa", "precision", "F1", str(tmp_path / "m.json")):
        assert word in result.output


def test_a_class_that_is_not_there_has_no_recall(folder: Path, tmp_path: Path) -> None:
    lines = (folder / "iris.csv").read_text().splitlines(keepends=True)
    (tmp_path / "few.csv").write_text("".join([lines[0], *(line for line in lines if "setosa" in line)]))
    done("evaluate", folder / "kinds", "--data", tmp_path / "few.csv", "--json", tmp_path / "m")
    rows = json.loads((tmp_path / "m").read_text())["classes"]
    assert [row["recall"] is None for row in rows] == [False, True, True]


def test_names_with_brackets_are_names(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("".join(f"{i},{('[bold]', '[/]')[i % 2]}\n" for i in range(20)))
    done("train", "--data", tmp_path / "t.csv", "--epochs", 1, "--checkpoint", tmp_path / "run")
    output = done("evaluate", tmp_path / "run").output
    assert "[bold]" in output
    assert "[/]" in output


def test_a_file_of_weights(tmp_path: Path) -> None:
    options = ("--data", "iris", "--hidden", "8", "--activation", "tanh")
    file = tmp_path / "w.safetensors"
    done(
        "train", *options, "--epochs", 2, "--save", file, "--json", tmp_path / "m.json", "--checkpoint", tmp_path / "r"
    )
    trained = json.loads((tmp_path / "m.json").read_text())
    measured = json.loads(done("evaluate", file, *options, "--json", "-").output)
    assert measured["test_loss"] == trained["test_loss"]
    config = ("--config", tmp_path / "r" / "config.toml")
    assert json.loads(done("evaluate", file, *config, "--json", "-").output)["test_loss"] == trained["test_loss"]
    expected = done("predict", tmp_path / "r", "iris").stdout
    assert done("predict", file, "iris", *options).stdout == expected
    assert done("predict", file, "iris", *config).stdout == expected
    assert isinstance(run("evaluate", file, "--data", "iris", "--hidden", "9").exception, dc.StateError)


def test_on_another_device(device: Any, folder: Path) -> None:
    trained = json.loads((folder / "kinds.json").read_text())
    measured = json.loads(done("evaluate", folder / "kinds", "--device", device, "--json", "-").output)
    assert measured["test_loss"] == pytest.approx(trained["test_loss"], rel=1e-4)


# ---------------------------------------------------------------------------------------------------------- predictions


def test_classes_have_their_names_and_columns_any_order(folder: Path) -> None:
    whole = done("predict", folder / "kinds", folder / "iris.csv").stdout
    assert set(columns(whole)) == {"kind"}
    assert set(columns(whole)["kind"]) <= set(IRIS.classes)
    assert done("predict", folder / "kinds", folder / "inputs.csv").stdout == whole
    assert done("predict", folder / "kinds", "iris").stdout == whole


def test_standard_input_and_output(folder: Path, tmp_path: Path) -> None:
    whole = done("predict", folder / "kinds", folder / "iris.csv").stdout
    text = (folder / "inputs.csv").read_bytes()
    assert done("predict", folder / "kinds", given=text).stdout == whole
    assert done("predict", folder / "kinds", "-", "--output", "-", given=text).stdout == whole
    np.savez(tmp_path / "x.npz", X=IRIS.inputs)
    assert done("predict", folder / "kinds", given=(tmp_path / "x.npz").read_bytes()).stdout == whole


def test_probabilities(folder: Path) -> None:
    found = columns(done("predict", folder / "kinds", "iris", "--probabilities").stdout)
    shares = np.array([[float(x) for x in found[f"p({name})"]] for name in IRIS.classes]).T
    assert shares.sum(axis=1) == pytest.approx(np.ones(150), abs=1e-5)
    assert [IRIS.classes[i] for i in shares.argmax(axis=1)] == found["kind"]
    run_ = open_run(folder / "kinds")
    scores = run_.model()(dc.asarray(run_.preprocess(IRIS.inputs))).numpy()
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert shares == pytest.approx(expected, abs=1e-5)


def test_numbers_are_in_the_units_of_the_data(folder: Path) -> None:
    found = columns(done("predict", folder / "widths", folder / "widths.csv").stdout)
    values = np.array([float(x) for x in found["target 3"]])
    wanted = IRIS.inputs[:, 3] * 100 + 7
    assert 1 - np.square(values - wanted).sum() / np.square(wanted - wanted.mean()).sum() > 0.8
    few = "".join(",".join(line.split(",")[:3]) + "\n" for line in (folder / "widths.csv").read_text().splitlines())
    assert columns(done("predict", folder / "widths", given=few.encode()).stdout) == found


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".npz", ".npy"])
def test_files_of_predictions(suffix: str, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / f"out{suffix}"
    result = done("predict", folder / "kinds", "iris", "-o", path)
    expected = columns(done("predict", folder / "kinds", "iris").stdout)["kind"]
    assert result.stdout == ""
    if suffix == ".npz":
        assert np.load(path)["kind"].tolist() == expected
    elif suffix == ".npy":
        assert np.load(path).tolist() == expected
    else:
        assert path.read_text().splitlines() == ["kind", *expected]


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".parquet"])
def test_files_of_samples(suffix: str, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    if suffix == ".npy":
        np.save(path, IRIS.inputs)
    elif suffix == ".npz":
        np.savez(path, some_name=IRIS.inputs)
    else:
        csv_, parquet = pytest.importorskip("pyarrow.csv"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(csv_.read_csv(folder / "inputs.csv"), path)
    assert done("predict", folder / "kinds", path).stdout == done("predict", folder / "kinds", "iris").stdout


def test_images(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for i in range(12):
        (tmp_path / "pets" / "ab"[i % 2]).mkdir(exist_ok=True, parents=True)
        image.new("RGB", (6, 6), (255 * (i % 2), 0, 0)).save(tmp_path / "pets" / "ab"[i % 2] / f"{i}.png")
    options = (
        "--epochs",
        20,
        "--lr",
        0.01,
        "--model",
        "cnn",
        "--hidden",
        "4",
        "--size",
        5,
        "--checkpoint",
        tmp_path / "r",
    )
    done("train", "--data", tmp_path / "pets", *options)
    found = columns(done("predict", tmp_path / "r", tmp_path / "pets").stdout)
    assert len(found["file"]) == 12
    assert all(file.split("/")[-2] == name for file, name in zip(found["file"], found["class"], strict=True))
    assert columns(done("predict", tmp_path / "r", tmp_path / "pets" / "b" / "3.png").stdout)["class"] == ["b"]


# ------------------------------------------------------------------------------------------------------------ mistakes


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["evaluate", "nowhere"], "cannot read nowhere: there is no folder of a run, and no file of weights"),
        (["evaluate", "."], "there is no run in .: it has no config.toml; deepcore train --checkpoint . makes one"),
        (["evaluate", "kinds", "--part", "some"], "unknown part 'some'; the known ones are test, validation, training"),
        (["evaluate", "kinds", "--part", "validation"], "has no validation part"),
        (["evaluate", "kinds", "--part", "test", "--data", "iris"], "leave --data or --part out"),
        (["evaluate", "kinds", "--snapshot", "first"], "unknown snapshot 'first'; the known ones are best, last"),
        (["evaluate", "kinds", "--snapshot", "best"], "there is no 'best' in"),
        (["evaluate", "kinds", "--hidden", "3"], "has its own configuration; --hidden is for files of weights"),
        (["evaluate", "kinds", "--config", "x.toml"], "--config is for files of weights"),
        (["evaluate", "kinds", "--data", "widths.csv"], "has no column"),
        (["evaluate", "kinds", "--data", "moons"], "have shape (2,), and not (4,)"),
        (["evaluate", "kinds", "--json", "/proc/no/m"], "cannot save to /proc/no/m"),
        (["evaluate", "iris.csv"], "is not a safetensors file"),
        (["predict", "kinds", "none.csv"], "cannot read none.csv: there is no file or folder of this name"),
        (["predict", "kinds", "three.csv"], "has 3 columns, and the model takes 4: sepal length, sepal width"),
        (["predict", "kinds", "digits"], "takes samples of shape (4,), and these have (8, 8)"),
        (["predict", "kinds", "few.csv"], "has no column petal length, petal width, which the model needs"),
        (["predict", "kinds", "words.csv"], "'big' is no number"),
        (["predict", "kinds", "nan.csv"], "sample 1 has a value that is NaN or infinite"),
        (["predict", "kinds", "x.txt"], "is a file of no known kind"),
        (["predict", "kinds", "x.png"], "and no images of three colours"),
        (["predict", "kinds", "two.npz"], "has no array named inputs, X or x; its arrays are a, b"),
        (["predict", "kinds", "iris", "-o", "out.txt"], "--output is a file .csv, .tsv, .npz, .npy, or -"),
        (["predict", "kinds", "iris", "-o", "/proc/no/out.csv"], "cannot save to /proc/no/out.csv"),
        (["predict", "widths", "iris", "-p"], "predicts numbers, which have no probabilities"),
        (["predict", "kinds"], "standard input is empty"),
    ],
    ids=str,
)
def test_mistakes(options: list[str], said: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    names = "sepal length,sepal width,petal length,petal width\n"
    (folder / "few.csv").write_text("sepal length,sepal width\n1,2\n")
    (folder / "words.csv").write_text(f"{names}1,2,3,big\n")
    (folder / "nan.csv").write_text(f"{names}1,2,3,4\n1,2,nan,4\n")
    (folder / "three.csv").write_text("1,2,3\n")
    for name in ("x.txt", "x.png"):
        (folder / name).touch()
    np.savez(folder / "two.npz", a=np.zeros(3), b=np.zeros(3))
    result = run(*options)
    assert result.exit_code == 1
    assert isinstance(result.exception, dc.DeepcoreError), result.exception
    assert said in str(result.exception)
