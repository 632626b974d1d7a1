"""The command line: results, options, messages, exit codes, and Ctrl-C."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

import deepcore as dc
from deepcore import nn
from deepcore.checkpoint import load_weights
from deepcore.cli import app as cli
from deepcore.cli import settings, sources

if TYPE_CHECKING:
    from collections.abc import Sequence

ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "200", "NO_COLOR": "1"}
MNIST = Path(os.environ.get("DEEPCORE_MNIST") or Path(__file__).parents[3] / "shared" / "data" / "mnist")
needs_mnist = pytest.mark.skipif(not MNIST.is_dir(), reason=f"there is no MNIST in {MNIST}; set DEEPCORE_MNIST")


def run(*arguments: object) -> Any:
    """Run a command in this process; what it raises on purpose is in the result's exception."""
    return CliRunner().invoke(cli.app, [str(a) for a in arguments], env={"COLUMNS": "200", "NO_COLOR": "1"})


def main(*arguments: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Run the command line as the console script does, and return its exit code and what it says to stderr."""
    monkeypatch.setattr(sys, "argv", ["deepcore", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as caught:
        cli.main()
    code = caught.value.code
    return (code if isinstance(code, int) else 0), capsys.readouterr().err


def process(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deepcore.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=ENVIRONMENT, check=False)


def mlp(widths: Sequence[int]) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten()]
    for n, m in itertools.pairwise(widths[:-1]):
        layers += [nn.Dense(n, m), nn.ReLU()]
    return nn.Sequential(*layers, nn.Dense(widths[-2], widths[-1]))


# ------------------------------------------------------------------------------------------------------------ training


def test_the_environment_names_the_device_where_the_command_line_does_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEEPCORE_DEVICE", "nowhere")
    code, said = main("train", "--epochs", 1, monkeypatch=monkeypatch, capsys=capsys)
    assert code == 1
    assert "unknown device 'nowhere'" in said
    assert run("train", "--epochs", 1, "--device", "cpu").exit_code == 0


def test_two_epochs_with_files(tmp_path: Path) -> None:
    metrics, weights = tmp_path / "metrics.json", tmp_path / "w.safetensors"
    result = run("train", "--epochs", 2, "--json", metrics, "--save", weights, "--seed", 3)
    assert result.exit_code == 0, result.output
    content = json.loads(metrics.read_text())
    assert content.keys() == {
        *("test_accuracy", "test_loss", "train_accuracy", "train_loss", "epochs", "seconds", "samples_per_second"),
        *("parameters", "device", "deepcore", "settings"),
    }
    assert (content["epochs"], content["device"], content["deepcore"]) == (2, "cpu", dc.__version__)
    assert content["parameters"] == 64 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10
    assert 0.7 < content["test_accuracy"] <= 1.0
    expected = {
        "data": "digits",
        "data_dir": None,
        "device": "cpu",
        "epochs": 2,
        "batch_size": 32,
        "lr": 0.001,
        "optimizer": "adam",
        "momentum": None,
        "seed": 3,
        "hidden": [256, 128],
        "activation": "relu",
        "save": str(weights),
    }
    assert content["settings"].items() >= expected.items()
    assert content["settings"].keys() == settings.TYPES.keys()
    model = mlp([64, 256, 128, 10])
    load_weights(weights, model)
    _, test = dc.data.train_test_split(dc.data.digits(), test_size=0.2, seed=3)
    guess = model(dc.asarray(test.inputs)).numpy().argmax(1)
    assert (guess == test.targets).mean() == pytest.approx(content["test_accuracy"])
    for text in ("1,438 samples to train, 359 to test; on cpu", "epoch 2/2  loss", str(weights), "How to go on"):
        assert text in result.output
    assert "\x1b" not in result.output
    assert sorted(tmp_path.iterdir()) == [metrics, weights]


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    contents: list[bytes] = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run("train", "--epochs", 1, "--hidden", "8", "--seed", seed, "--save", tmp_path / name)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1] != contents[2]


@pytest.mark.parametrize(
    "options",
    [
        ["--hidden", ""],
        ["--hidden", " 12 , 7 ", "--activation", "tanh"],
        ["--optimizer", "sgd", "--lr", "0.1", "--momentum", "0"],
        ["--batch-size", "5000", "--activation", "leaky_relu", "--hidden", "4"],
    ],
    ids=" ".join,
)
def test_options(options: list[str], tmp_path: Path) -> None:
    result = run("train", "--epochs", 1, "--json", tmp_path / "m", *options)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "m").read_text())["settings"]
    given = options[options.index("--hidden") + 1] if "--hidden" in options else "256,128"
    assert found["hidden"] == [int(part) for part in given.split(",") if part]


@pytest.mark.parametrize("name", ["torch:cpu", "jax:cpu"])
def test_other_libraries(name: str, tmp_path: Path) -> None:
    if name not in dc.devices():
        pytest.skip(f"{name} is not installed")
    result = run(
        "train", "--epochs", 1, "--hidden", "16", "--batch-size", 1500, "--device", name, "--json", tmp_path / "m"
    )
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "m").read_text())["device"] == name


def test_the_default_reaches_97_percent(tmp_path: Path) -> None:
    done = process("train", "--json", tmp_path / "m")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "m").read_text())["test_accuracy"] >= 0.97
    assert done.stderr == ""


@needs_mnist
def test_one_epoch_of_mnist_reaches_90_percent(tmp_path: Path) -> None:
    result = run("train", "--data", "mnist", "--data-dir", MNIST, "--epochs", 1, "--json", tmp_path / "m")
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "m").read_text())
    assert content["test_accuracy"] > 0.9
    assert content["parameters"] == 84060
    assert "60,000 samples to train, 10,000 to test" in result.output


@needs_mnist
@pytest.mark.exhaustive
def test_mnist_reaches_97_percent(tmp_path: Path) -> None:
    result = run("train", "--data", "mnist", "--data-dir", MNIST, "--json", tmp_path / "m")
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "m").read_text())["test_accuracy"] > 0.97


# ------------------------------------------------------------------------------------------------------------ mistakes

MISTAKES: list[tuple[list[str], int, str]] = [
    (["--device", "gpu"], 1, "unknown device 'gpu'; the known devices are cpu"),
    (["--device", "cpu:7"], 1, "unknown device 'cpu:7': numpy has cpu"),
    (["--optimizer", "adamm"], 1, "unknown optimizer 'adamm'; the known ones are adam, sgd"),
    (["--activation", "rellu"], 1, "unknown activation 'rellu'; the known ones are identity"),
    (["--data", "cifar"], 1, "unknown data 'cifar'; the known ones are cifar10, circles, digits"),
    (["--lr", "0"], 1, "--lr is a number above 0, not 0.0"),
    (["--lr", "nan"], 1, "--lr is a number above 0, not nan"),
    (["--lr", "inf"], 1, "--lr is a number above 0, not inf"),
    (["--lr", "-0.1"], 1, "--lr is a number above 0, not -0.1"),
    (["--lr", "fast"], 2, "Invalid value for '--lr'"),
    (["--hidden", "a,b"], 1, "--hidden is whole numbers from 1 to 999999999"),
    (["--hidden", "10,,20"], 1, "--hidden is whole numbers from 1 to 999999999"),
    (["--hidden", "10,0"], 1, "--hidden is whole numbers from 1 to 999999999"),
    (["--hidden", "²"], 1, "--hidden is whole numbers from 1 to 999999999"),
    (["--hidden", "1" * 5000], 1, "--hidden is whole numbers from 1 to 999999999"),
    (["--hidden", "1000000000"], 1, "--hidden is whole numbers from 1"),
    (["--momentum", "1.5", "--optimizer", "sgd"], 1, "momentum is from 0"),
    (["--epochs", "0"], 2, "--epochs"),
    (["--batch-size", "-1"], 2, "--batch-size"),
    (["--batch-size", str(2**32)], 1, "batch_size is an integer from 1"),
    (["--seed", "-1"], 2, "--seed"),
    (["--seed", str(2**64)], 1, "seed is an integer from 0 to 2**64 - 1"),
    (["--save", "/proc/none/w"], 1, "cannot save to /proc/none/w: No such file or directory"),
    (["--json", "/proc/none/m"], 1, "cannot save to /proc/none/m"),
    (["--save", "."], 1, "it is a folder"),
    (["--json", "/dev/null"], 1, "it is a device or a pipe"),
    (["--checkpoint", "a" * 300], 1, ": File name too long; give another path"),
    (["--nonsense"], 2, "No such option: --nonsense"),
]


@pytest.mark.parametrize(("options", "code", "message"), MISTAKES, ids=lambda value: str(value)[:40])
def test_mistakes_are_messages(
    options: list[str], code: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(*arguments: object, **options: object) -> None:
        pytest.fail("training began")

    monkeypatch.setattr("deepcore.train.trainer.Trainer._epoch", never)
    found, text = main("train", *options, monkeypatch=monkeypatch, capsys=capsys)
    assert (found, message in text) == (code, True), text
    assert "Traceback" not in text
    if code == 1:
        assert text.startswith("error: ")
        assert text.count("\n") == 1


def test_paths_are_checked_before_data_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sources, "load", lambda *given, **options: pytest.fail("data was loaded"))
    code, text = main("train", "--save", tmp_path / "no" / "w", monkeypatch=monkeypatch, capsys=capsys)
    assert (code, "cannot save to" in text) == (1, True)


def test_a_truncated_data_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    images = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (10, 28, 28))
    labels = b"\0\0\x08\x01" + (10).to_bytes(4, "big")
    for part in ("train", "t10k"):
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(images + bytes(10 * 28 * 28))
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels + bytes(range(10))))
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(images + bytes(100))
    code, text = main("train", "--data", "mnist", "--data-dir", tmp_path, monkeypatch=monkeypatch, capsys=capsys)
    assert code == 1
    assert "t10k-images-idx3-ubyte is damaged: its header says uint8 of shape (10, 28, 28)" in text
    assert "Traceback" not in text


def test_errors_are_printed_with_their_notes_and_brackets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*given: object, **options: object) -> None:
        error = dc.ShapeError("x[bold] of [/] and [0, 1] \\[x]")
        error.add_note("in layer 2 of 3")
        raise error

    monkeypatch.setattr(sources, "load", fails)
    assert main("train", monkeypatch=monkeypatch, capsys=capsys) == (
        1,
        "error: x[bold] of [/] and [0, 1] \\[x]\nin layer 2 of 3\n",
    )


def test_too_little_memory_is_one_message(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(*given: object, **options: object) -> None:
        msg = "Unable to allocate 233. TiB"
        raise MemoryError(msg)

    monkeypatch.setattr(sources, "load", fails)
    code, text = main("train", monkeypatch=monkeypatch, capsys=capsys)
    assert code == 1
    assert text.startswith("error: out of memory: Unable to allocate 233. TiB; a smaller network")


def test_ctrl_c_outside_of_training(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*given: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sources, "load", interrupted)
    code, text = main("train", monkeypatch=monkeypatch, capsys=capsys)
    assert code == 130
    assert "Traceback" not in text


def test_a_loss_that_becomes_nan_is_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with np.errstate(all="ignore"):
        code, text = main(
            *("train", "--optimizer", "sgd", "--lr", "1e30", "--epochs", 3), monkeypatch=monkeypatch, capsys=capsys
        )
    assert code == 1
    assert re.fullmatch(r"error: the loss became (nan|inf) in epoch 1, batch \d+; .*\n", text)


# -------------------------------------------------------------------------------------------------------------- ctrl-c


@pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="jobs that a shell runs in the background ignore Ctrl-C"
)
def test_ctrl_c_keeps_the_last_complete_epoch(tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    command = [sys.executable, "-m", "deepcore.cli", "train", "--epochs", "100000", "--hidden", "32"]
    with subprocess.Popen(
        [*command, "--save", str(weights)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as child:
        try:
            end = time.monotonic() + 60
            while not weights.exists() and child.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
            time.sleep(0.3)
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=30)
        finally:
            child.kill()
    assert child.returncode == 130, err
    found = re.fullmatch(
        rf"interrupted after (\d+) complete epochs?; the weights after epoch (\d+) are in {weights}\n", err
    )
    assert found, err
    # Ctrl-C may come between an epoch's end, its line in the output, and its file.
    complete, saved, shown = int(found[1]), int(found[2]), int(re.findall(r"epoch (\d+)/100000", out)[-1])
    assert complete - 1 <= saved <= shown <= complete
    load_weights(weights, mlp([64, 32, 10]))
    assert list(tmp_path.iterdir()) == [weights]


@pytest.mark.parametrize("save", [True, False])
def test_ctrl_c_in_the_first_epoch(save: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("deepcore.train.trainer.Trainer._epoch", interrupted)
    result = run("train", *(["--save", tmp_path / "w"] if save else []))
    assert result.exit_code == 130
    assert "interrupted in the first epoch; nothing was saved" in result.output
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------------ other commands


def test_devices() -> None:
    result = run("devices")
    assert result.exit_code == 0
    for text in ("numpy", np.__version__, "cpu", "cupy", "torch", "jax", "array_api_strict", "--device"):
        assert text in result.output
    for name in map(str, dc.devices()):
        assert name in result.output


def test_version_and_help() -> None:
    assert run("--version").output == f"deepcore {dc.__version__}\n"
    for arguments in (["--help"], ["-h"]):
        result = run(*arguments)
        assert result.exit_code == 0
        assert "train" in result.output
        assert "devices" in result.output
        assert "130 interrupted" in result.output
    result = run("train", "--help")
    assert result.exit_code == 0
    for option in ("--data", "--device", "--epochs", "--hidden", "--save", "--json", "--seed"):
        assert option in result.output
    assert "deepcore train --data mnist" in result.output
    assert run().exit_code == 2  # no command: the help


def test_the_module_is_the_command() -> None:
    done = process("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"deepcore {dc.__version__}\n", "")
    done = process("train", "--device", "gpu")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: unknown device 'gpu'")
    assert "Traceback" not in done.stderr
