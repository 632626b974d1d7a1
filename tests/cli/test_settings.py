"""Options: on the command line and in files, which of them wins, and what is saved."""

from __future__ import annotations

import inspect
import tomllib
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import deepcore as dc
from deepcore.cli import app as cli
from deepcore.cli.runs import open_run
from deepcore.cli.settings import Settings, as_toml, read, settled, write
from deepcore.cli.train import train

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli.app, [str(a) for a in arguments], env={"COLUMNS": "200", "NO_COLOR": "1"})


def test_every_setting_is_an_option_and_every_option_a_setting() -> None:
    parameters = inspect.signature(train).parameters
    options = set(parameters) - {"context", "config", "resume"}
    assert options == {field.name for field in fields(Settings)}
    for field in fields(Settings):
        assert parameters[field.name].default == field.default, field.name


def test_the_command_line_wins_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('batch-size = 7\nlr = 1\noptimizer = "sgd"\nhidden = [3]\nstratify = false\n')
    found = settled(path, {"lr": 0.5})
    assert found == Settings(batch_size=7, lr=0.5, optimizer="sgd", hidden=[3], stratify=False)
    assert isinstance(read(path).lr, float)
    folder = tmp_path / "run"
    result = run("train", "--config", path, "--data", "iris", "--epochs", 1, "--lr", "0.25", "--checkpoint", folder)
    assert result.exit_code == 0, result.output
    config = open_run(folder).config
    assert (config.batch_size, config.lr, config.optimizer, config.hidden) == (7, 0.25, "sgd", [3])


def test_an_option_that_is_given_with_its_default_wins_too(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('data = "iris"\nepochs = 1\nseed = 5\nmodel = "lstm"\n')
    result = run("train", "--config", path, "--seed", 0, "--model", "mlp", "--checkpoint", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert (open_run(tmp_path / "run").config.seed, open_run(tmp_path / "run").config.model) == (0, "mlp")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("epoch = 3", "there is no option 'epoch'; did you mean 'epochs'?"),
        ("batchsize = 3", "did you mean 'batch_size'?"),
        ("zzzzzz = 3", "there is no option 'zzzzzz'; the known ones are data, data_dir"),
        ("[train]\nepochs = 3", "there is no option 'train'"),
        ("epochs = 3.5", "epochs is a whole number, not 3.5"),
        ("epochs = true", "epochs is a whole number, not True"),
        ("epochs = 0", "--epochs is a whole number from 1, not 0"),
        ("seed = -1", "--seed is a whole number from 0, not -1"),
        ('lr = "fast"', "lr is a number, not 'fast'"),
        ("stratify = 1", "stratify is true or false, not 1"),
        ("data = 1", "data is text, not 1"),
        ('hidden = "3"', "hidden is a list of whole numbers, not '3'"),
        ("hidden = [1.5]", "hidden is a list of whole numbers"),
        ("hidden = [0]", "--hidden is whole numbers from 1"),
        ('target = "kind"', "target is a list of texts, not 'kind'"),
        ("epochs = ", "is not a TOML file"),
        ("epochs = 1\nepochs = 2", "is not a TOML file"),
        ("\x00", "is not a TOML file"),
    ],
)
def test_mistakes_in_a_file_are_named(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(content)
    result = run("train", "--config", path)
    assert result.exit_code == 1
    assert isinstance(result.exception, dc.ConfigError)
    assert said in str(result.exception)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert "cannot read" in str(run("train", "--config", tmp_path / "no.toml").exception)
    (tmp_path / "c.toml").write_bytes(b'data = "\xff"')
    assert "is not a TOML file" in str(run("train", "--config", tmp_path / "c.toml").exception)


@given(
    data=st.text(st.characters(codec="utf-8")),
    lr=st.floats(allow_nan=False),
    hidden=st.lists(st.integers(-(2**62), 2**62)),
    target=st.lists(st.text(st.characters(codec="utf-8"))),
    quiet=st.booleans(),
)
def test_what_is_written_is_read(data: str, lr: float, hidden: list[int], target: list[str], quiet: bool) -> None:
    settings = Settings(data=data, lr=lr, hidden=hidden, target=target, quiet=quiet)
    found = tomllib.loads(as_toml(settings, comment="a comment"))
    assert Settings(**found) == settings
    assert "device" not in found


def test_a_name_that_is_not_unicode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(dc.ConfigError, match="rename the file"):
        write(tmp_path / "c", Settings(data="a\udcff"), comment="")


@pytest.mark.parametrize(
    "options",
    [
        ("--data", "iris", "--epochs", 3),
        ("--data", "moons", "--epochs", 2, "--dropout", 0.3, "--validation-size", 0.25, "--optimizer", "lion"),
        ("--data", "digits", "--epochs", 1, "--model", "lstm", "--hidden", "8,8", "--ema", 0.5, "--seed", 7),
    ],
    ids=lambda options: " ".join(map(str, options)),
)
def test_a_saved_configuration_gives_the_same_bits(options: tuple[object, ...], tmp_path: Path) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    assert run("train", *options, "--checkpoint", first).exit_code == 0
    assert run("train", "--config", first / "config.toml", "--checkpoint", again).exit_code == 0
    assert open_run(first).config == open_run(again).config
    one, other = (open_run(folder).model("last").state_dict() for folder in (first, again))
    for name, x in one.items():
        assert x.numpy().tobytes() == other[name].numpy().tobytes(), name


def test_paths_are_saved_as_from_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("".join(f"{i},{i % 2}\n" for i in range(20)))
    result = run("train", "--data", "t.csv", "--epochs", 1, "--save", "w", "--checkpoint", "run")
    assert result.exit_code == 0, result.output
    config = open_run("run").config
    assert (config.data, config.save) == (str(tmp_path / "t.csv"), str(tmp_path / "w"))
