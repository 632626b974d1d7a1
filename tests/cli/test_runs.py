"""Runs: what is kept of them, that they are resumed to the same bits, and what is said of damaged ones."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

import deepcore as dc
from deepcore.checkpoint import load_weights
from deepcore.cli import app as cli
from deepcore.cli.progress import TrainingProgress
from deepcore.cli.runs import Run, open_run
from deepcore.train import Callback

if TYPE_CHECKING:
    from pathlib import Path

SMALL = ("train", "--data", "iris", "--hidden", "8", "--epochs", 6)
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "200", "NO_COLOR": "1"}
can_interrupt = pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="jobs that a shell runs in the background ignore Ctrl-C"
)


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli.app, [str(a) for a in arguments], env={"COLUMNS": "200", "NO_COLOR": "1"})


def done(*arguments: object) -> Any:
    result = run(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def weights(found: Run, name: str | None = None) -> dict[str, Any]:
    return {key: x.numpy() for key, x in found.model(name).state_dict().items()}


def assert_same_bits(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, x in one.items():
        assert x.tobytes() == other[name].tobytes(), name


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "iris"
    done(*SMALL, "--checkpoint", folder, "--validation-size", 0.2)
    return folder


def test_a_run_knows_its_settings_its_data_and_its_weights(finished: Path) -> None:
    found = open_run(finished)
    assert (found.config.hidden, found.config.lr, found.config.epochs) == ([8], 0.001, 6)
    assert found.config.checkpoint is None
    assert found.input_shape == (4,)
    assert found.classes == ("setosa", "versicolor", "virginica")
    assert found.facts.task == "classification"
    assert {path.name for path in finished.iterdir()} == {"config.toml", "data.json", "history.csv", "checkpoints"}
    assert len((finished / "history.csv").read_text().splitlines()) == 7
    model = found.model()
    x = found.preprocess(dc.data.iris().inputs)
    assert x.dtype == np.float32
    assert model(dc.asarray(x)).shape == (150, 3)


def test_samples_are_prepared_as_in_training(finished: Path) -> None:
    found = open_run(finished)
    iris = dc.data.iris().inputs
    mean, std = (np.asarray(getattr(found.facts.inputs, name)) for name in ("mean", "std"))
    assert found.preprocess(iris) == pytest.approx((iris - mean) / std, abs=1e-6)
    with pytest.raises(dc.DataError, match=r"takes samples of shape \(4,\), and these have \(2,\)"):
        found.preprocess(iris[:, :2])


def test_the_best_weights_are_those_of_the_smallest_loss_in_validation(tmp_path: Path) -> None:
    # With such a rate the loss goes up and down.
    folder, file = tmp_path / "run", tmp_path / "w.safetensors"
    options = ("--optimizer", "sgd", "--lr", 2, "--validation-size", 0.3, "--save", file)
    done(*SMALL, *options, "--checkpoint", folder, "--json", tmp_path / "m.json")
    rows = [line.split(",") for line in (folder / "history.csv").read_text().splitlines()]
    losses = [float(row[rows[0].index("val_loss")]) for row in rows[1:]]
    content = json.loads((tmp_path / "m.json").read_text())
    assert content["best_epoch"] == int(np.argmin(losses)) + 1 < 6
    assert content["validation_loss"] == min(losses)
    found = open_run(folder)
    assert_same_bits(weights(found), weights(found, "best"))
    last = weights(found, "last")
    assert any(x.tobytes() != last[name].tobytes() for name, x in weights(found).items())
    model = found.model("last")
    load_weights(file, model)
    assert_same_bits({key: x.numpy() for key, x in model.state_dict().items()}, weights(found, "best"))


def test_averaged_weights_are_those_of_the_run(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    done(*SMALL, "--ema", 0.9, "--checkpoint", tmp_path / "run", "--save", file)
    found = open_run(tmp_path / "run")
    model = found.model()
    load_weights(file, model)
    assert_same_bits({key: x.numpy() for key, x in model.state_dict().items()}, weights(found))
    plain = found.checkpoints.load("last")["model"]
    assert any(x.tobytes() != plain[name].tobytes() for name, x in weights(found).items())


# -------------------------------------------------------------------------------------------------------------- ctrl-c


class Interrupts(Callback):
    """Ctrl-C after a batch."""

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def on_batch_end(self, trainer: Any, batch: int, values: Any) -> None:
        if trainer.progress.iteration == self.batch:
            signal.raise_signal(signal.SIGINT)


VARIANTS = [
    (),
    ("--dropout", 0.2, "--ema", 0.9, "--accumulate", 3, "--schedule", "one-cycle", "--warmup", 1),
    ("--validation-size", 0.2, "--optimizer", "sgd", "--schedule", "plateau", "--no-compile", "--clip-norm", 0.5),
    ("--precision", "float64", "--optimizer", "rmsprop", "--patience", 3),
]


@can_interrupt
@pytest.mark.parametrize("options", VARIANTS, ids=lambda options: " ".join(map(str, options)) or "plain")
def test_what_was_interrupted_and_resumed_has_the_bits_of_what_never_stopped(
    options: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parted = tmp_path / "whole", tmp_path / "par ted"
    done(*SMALL, *options, "--checkpoint", whole)
    interrupts = Interrupts(5)
    monkeypatch.setattr(TrainingProgress, "on_batch_end", lambda self, *given: interrupts.on_batch_end(*given))
    result = run(*SMALL, *options, "--checkpoint", parted)
    assert result.exit_code == 130
    assert f"interrupted in the first epoch; everything is saved in {parted}; go on with:" in result.output
    assert f"  deepcore train --resume '{parted}'\n" in result.output
    interrupts.batch = 17
    result = run("train", "--resume", parted)
    assert result.exit_code == 130
    assert "interrupted after 2 complete epochs" in result.output
    interrupts.batch = -1
    done("train", "--resume", parted)
    for name in open_run(whole).checkpoints.names():
        one, other = (open_run(folder).checkpoints.load(name) for folder in (whole, parted))
        assert_same_bits(flat(one["model"]), flat(other["model"]))
        assert_same_bits(flat(one["optimizer"]), flat(other["optimizer"]))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    histories = [(folder / "history.csv").read_text().splitlines() for folder in (whole, parted)]
    assert [row.split(",")[:2] for row in histories[0]] == [row.split(",")[:2] for row in histories[1]]


def flat(state: Any, path: str = "") -> dict[str, Any]:
    if isinstance(state, dict):
        return {k: x for key, value in state.items() for k, x in flat(value, f"{path}/{key}").items()}
    if isinstance(state, list):
        return {k: x for i, value in enumerate(state) for k, x in flat(value, f"{path}/{i}").items()}
    return {path: np.asarray(state)}


@can_interrupt
def test_the_second_ctrl_c_stops_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(self: TrainingProgress, trainer: Any, batch: int, values: Any) -> None:
        if trainer.progress.iteration == 12:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(TrainingProgress, "on_batch_end", twice)
    result = run(*SMALL, "--checkpoint", tmp_path / "run")
    assert result.exit_code == 130
    assert "interrupted after 1 complete epoch; everything is saved" in result.output
    assert open_run(tmp_path / "run").checkpoints.load()["progress"]["iteration"] == 8


@can_interrupt
def test_a_process_is_interrupted_and_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "deepcore.cli", "train", "--data", "iris", "--hidden", "8", "--epochs", "100000"]
    with subprocess.Popen(
        [*command, "--checkpoint", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as child:
        try:
            end = time.monotonic() + 60
            while not (folder / "history.csv").exists() and child.poll() is None and time.monotonic() < end:
                time.sleep(0.02)
            child.send_signal(signal.SIGINT)
            _, err = child.communicate(timeout=30)
        finally:
            child.kill()
    assert child.returncode == 130, err
    assert err.endswith(f"everything is saved in {folder}; go on with:\n  deepcore train --resume {folder}\n"), err
    epoch = open_run(folder).checkpoints.load()["progress"]["epoch"]
    done("train", "--resume", folder, "--epochs", epoch + 2)
    assert open_run(folder).checkpoints.load()["progress"]["epoch"] == epoch + 2
    assert open_run(folder).config.epochs == epoch + 2


def test_more_epochs_are_those_that_there_would_have_been(tmp_path: Path) -> None:
    done(*SMALL, "--checkpoint", tmp_path / "a")
    done("train", "--resume", tmp_path / "a", "--epochs", 9)
    done(*SMALL[:-1], 9, "--checkpoint", tmp_path / "b")
    assert_same_bits(weights(open_run(tmp_path / "a")), weights(open_run(tmp_path / "b")))


# ------------------------------------------------------------------------------------------------------------ mistakes


def test_there_is_a_run_already(finished: Path) -> None:
    result = run(*SMALL, "--checkpoint", finished)
    assert result.exit_code == 1
    assert f"there is a run in {finished} already; go on with it by --resume {finished}" in str(result.exception)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "--checkpoint is a folder" in str(run(*SMALL, "--checkpoint", tmp_path / "file").exception)
    assert "there is no run in" in str(run("train", "--resume", tmp_path / "file").exception)


def test_a_run_keeps_its_options(finished: Path, tmp_path: Path) -> None:
    result = run("train", "--resume", finished, "--lr", 1, "--batch-size", 3)
    assert "leave --lr, --batch-size out" in str(result.exception)
    result = run("train", "--resume", finished, "--config", tmp_path / "x.toml")
    assert "leave --config out" in str(result.exception)


def test_other_data_are_refused(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("".join(f"{i % 7},{i % 3},{'ab'[i % 2]}\n" for i in range(40)))
    done("train", "--data", table, "--epochs", 1, "--checkpoint", tmp_path / "run")
    table.write_text("".join(f"{i % 5},{i % 3},{'ab'[i % 2]}\n" for i in range(40)))
    result = run("train", "--resume", tmp_path / "run", "--epochs", 2)
    assert "the data are not those that the run in" in str(result.exception)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("config.toml", None, "it has no config.toml"),
        ("data.json", None, "it has no data.json"),
        ("config.toml", "data = ", "is not a TOML file"),
        ("data.json", "{", "is damaged"),
        ("data.json", "{}", "is damaged, or of another version of deepcore"),
        ("data.json", "[1]", "is damaged, or of another version of deepcore"),
        ("checkpoints/manifest.json", "{}", "is not of deepcore"),
        ("checkpoints/manifest.json", None, "there is no checkpoint in"),
    ],
)
def test_damaged_runs_are_named(file: str, content: str | None, said: str, finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    if content is None:
        (copy / file).unlink()
    else:
        (copy / file).write_text(content)
    for command in ("evaluate", "predict"):
        result = run(command, copy, *(["iris"] if command == "predict" else []))
        assert result.exit_code == 1
        assert isinstance(result.exception, dc.DeepcoreError)
        assert said in str(result.exception)
