"""Data that nothing can be learned from, and disks that nothing can be written to: one message."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import nn, optim
from deepcore.checkpoint import CheckpointFolder
from deepcore.cli import app as cli
from deepcore.data import DataLoader
from deepcore.train import Trainer

if TYPE_CHECKING:
    from collections.abc import Generator

ROWS = [f"{i % 3},{i * 0.5},{'ab'[i % 2]}" for i in range(20)]


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command line as the console script does, and return its exit code and what it says to stderr."""

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["deepcore", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        code = caught.value.code
        return (code if isinstance(code, int) else 0), capsys.readouterr().err

    return run


def table(path: Path, *rows: str, header: str = "x,y,kind") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


TABLES: dict[str, tuple[list[str], list[str], str]] = {
    "no rows": ([], [], "no lines but the names of the columns"),
    "one row": (ROWS[:1], [], "of one class only"),
    "one class": ([row for row in ROWS if row.endswith("a")], [], "samples of one class only"),
    "nan": ([*ROWS, "nan,1,a"], [], "NaN"),
    "inf": ([*ROWS, "inf,1,a"], [], "infinite"),
    "missing": ([*ROWS, ",1,a"], [], "line 22"),
    "words to predict as numbers": (ROWS, ["--task", "regression"], ""),
    "numbers as classes": ([f"{i},1,{i * 0.37}" for i in range(20)], ["--task", "classification"], "no labels"),
    "ragged": ([*ROWS, "1,2,3,a"], [], "line 22"),
    "words as inputs": ([*ROWS, "two,1,a"], [], "line 22"),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_from_which_nothing_can_be_learned(name: str, main: Any, tmp_path: Path) -> None:
    rows, options, message = TABLES[name]
    path = table(tmp_path / "t.csv", *rows)
    with np.errstate(invalid="ignore"):  # of the mean of a column with an infinity
        code, said = main("train", "--data", path, "--epochs", 1, "--quiet", *options)
    if name == "words to predict as numbers":
        assert code in (0, 1)
    else:
        assert code == 1
        assert said.startswith("error: ")
        assert message in said
    assert "Traceback" not in said


def test_a_feature_that_never_changes(main: Any, tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", *[f"7,{i},{'ab'[i % 2]}" for i in range(20)])
    assert main("train", "--data", path, "--epochs", 1, "--quiet") == (0, "")


def test_numbers_that_are_too_large_for_what_is_computed(main: Any, tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", *[f"{i % 7}e38,{i},{'ab'[i % 2]}" for i in range(20)])
    with np.errstate(all="ignore"):
        code, said = main("train", "--data", path, "--epochs", 2, "--no-standardize", "--quiet")
    assert code in (0, 1)
    assert "Traceback" not in said


# --------------------------------------------------------------------------------------------------------- the trainer


def trainer(model: nn.Module, loss: nn.Loss | None = None) -> Trainer:
    return Trainer(model, loss or nn.CategoricalCrossEntropy(), optim.SGD(model.parameters(), lr=0.1))


def test_a_million_classes() -> None:
    model = nn.Embedding(5, 1_000_000)  # a score of each class for each of five samples
    x, y = np.arange(5), np.array([0, 1, 999_999, 3, 4])
    history = trainer(model).fit((x, y), epochs=1, batch_size=5)
    assert history.last["loss"] == pytest.approx(np.log(1e6), rel=0.1)


def test_no_classes_at_all() -> None:
    with pytest.raises(dc.DeepcoreError):
        trainer(nn.Dense(3, 0)).fit((np.ones((4, 3), np.float32), np.zeros(4, np.int64)))


@pytest.mark.parametrize(
    ("x", "y", "error"),
    [
        (np.ones((4, 3), np.float32), np.array(["a", "b", "a", "b"]), dc.DeepcoreError),
        (np.ones((4, 3), np.float32), np.ones((4, 2), np.complex64), dc.DeepcoreError),
        (np.ones((4, 3), np.float32), np.zeros(3, np.int64), dc.DeepcoreError),
        (np.ones((4, 3), np.float32), np.full(4, 2), dc.DeepcoreError),
        (np.ones((4, 3), np.float32), np.full(4, -2), dc.DeepcoreError),
        (np.ones((4, 3), np.float32), np.full(4, 0.5, np.float32), dc.DeepcoreError),
        (np.ones((0, 3), np.float32), np.zeros(0, np.int64), dc.DeepcoreError),
        (np.full((4, 3), np.nan, np.float32), np.zeros(4, np.int64), dc.DataError),
        (np.full((4, 3), np.inf, np.float32), np.zeros(4, np.int64), dc.DataError),
        (np.full((4, 3), "x"), np.zeros(4, np.int64), dc.DeepcoreError),
    ],
    ids=["words", "complex", "too few", "too large", "negative", "fractions", "empty", "nan", "inf", "words as inputs"],
)
def test_data_that_do_not_fit(x: Any, y: Any, error: type[Exception]) -> None:
    with np.errstate(all="ignore"), pytest.raises(error):
        trainer(nn.Dense(3, 2)).fit((x, y))


def test_one_sample() -> None:
    history = trainer(nn.Dense(3, 2)).fit((np.ones((1, 3), np.float32), np.zeros(1, np.int64)), epochs=2)
    assert history["loss"][1] < history["loss"][0]


def test_a_worker_that_raises_ends_training_with_its_error() -> None:
    def broken(x: Any) -> Any:
        msg = "sample 3 is broken"
        raise OSError(msg)

    data = dc.data.Dataset(np.ones((8, 3), np.float32), np.zeros(8, np.int64))
    loader = DataLoader(data, batch_size=2, transform=broken, workers=2, prefetch=2)
    with pytest.raises(Exception, match="sample 3 is broken"):
        trainer(nn.Dense(3, 2)).fit(loader)


# --------------------------------------------------------------------------------------------------------------- disks


def test_two_runs_that_write_to_one_folder(main: Any, tmp_path: Path) -> None:
    """Another process holds the snapshots of the run for as long as it lives."""
    run = tmp_path / "run"
    assert main("train", "--epochs", 1, "--hidden", 4, "--quiet", "--checkpoint", run)[0] == 0
    code = (
        "import sys; from deepcore.checkpoint import CheckpointFolder\n"
        "held = CheckpointFolder(sys.argv[1]).open(); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(run / "checkpoints")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        exit_code, said = main("train", "--resume", run, "--epochs", 2)
        assert exit_code == 1
        assert f"another run is saving to {run / 'checkpoints'}: process {other.pid}" in said
        other.communicate("")
    assert main("train", "--resume", run, "--epochs", 2, "--quiet")[0] == 0


@pytest.fixture
def full(tmp_path: Path) -> Generator[Path]:
    """A disk with room for some kilobytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], check=False)
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("option", ["--save", "--checkpoint"])
def test_a_full_disk(option: str, main: Any, full: Path) -> None:
    code, said = main("train", "--epochs", 1, "--quiet", option, full / "x")
    assert code == 1
    assert "No space left on device" in said
    assert said.startswith("error: ")
    left = [path for path in full.rglob("*") if path.is_file() and path.stat().st_size > 2048]
    assert left == []  # nothing half written


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here is always full")
def test_output_that_nothing_can_hold(main: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as nowhere:
        monkeypatch.setattr(sys, "stdout", nowhere)
        assert main("show", "mlp", "--hidden", 2) == (1, "error: No space left on device\n")
        nowhere.write("what is printed as Python ends is no second error")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_terminals_without_arrows(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding))
    monkeypatch.setattr(sys, "argv", ["deepcore", "show", "mlp", "--hidden", "2"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert not caught.value.code
    sys.stdout.flush()
    assert "Dense 64 ? 2" in out.getvalue().decode(encoding)


@pytest.mark.parametrize("option", ["--save", "--checkpoint", "--json", "--csv"])
def test_a_folder_that_cannot_be_written(option: str, main: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, said = main("train", "--epochs", 1, "--quiet", option, tmp_path / "file" / "x")
    assert code == 1
    assert said.startswith("error: cannot save to")
    assert CheckpointFolder(tmp_path / "none").names() == []
