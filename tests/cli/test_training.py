"""What a network is trained with: models, optimizers, schedules, precisions, and the files that come of it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import deepcore as dc
from deepcore import optim
from deepcore.cli import app as cli
from deepcore.cli.models import build
from deepcore.cli.optimizers import OPTIMIZERS, SCHEDULES, plateau_in, rate
from deepcore.cli.settings import Settings
from deepcore.optim import schedules

if TYPE_CHECKING:
    from pathlib import Path

    from deepcore.train import History

QUICK = ("train", "--data", "iris", "--epochs", 2, "--hidden", "8")


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli.app, [str(a) for a in arguments], env={"COLUMNS": "200", "NO_COLOR": "1"})


def metrics(tmp_path: Path, *arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--json", tmp_path / "m.json")
    assert result.exit_code == 0, (result.output, result.exception)
    found: dict[str, Any] = json.loads((tmp_path / "m.json").read_text())
    return found


# ---------------------------------------------------------------------------------------------------------- optimizers


def test_every_optimizer_has_a_name() -> None:
    public = [x for x in vars(optim).values() if isinstance(x, type) and issubclass(x, optim.BaseOptimizer)]
    general = {optim.BaseOptimizer, optim.Optimizer, optim.Optimizers, optim.Accumulate}
    assert set(public) - general == set(OPTIMIZERS.values())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_makes_the_loss_smaller(name: str, tmp_path: Path) -> None:
    found = metrics(
        tmp_path, *QUICK, "--optimizer", name, *(["--lr", 0.01] if name in ("lion", "radam", "adam") else [])
    )
    first = metrics(tmp_path, *QUICK, "--optimizer", name, "--lr", 1e-12)
    assert found["test_loss"] < first["test_loss"]
    assert found["settings"]["optimizer"] == name


def test_options_of_optimizers(tmp_path: Path) -> None:
    assert metrics(tmp_path, *QUICK, "--optimizer", "sgd")["settings"]["momentum"] == 0.9
    losses = [
        metrics(tmp_path, *QUICK, "--optimizer", "sgd", "--momentum", m, "--weight-decay", w)["train_loss"]
        for m, w in ((0, 0), (0.5, 0), (0, 0.5))
    ]
    assert len(set(losses)) == 3
    for option in ("--momentum", "--weight-decay"):
        assert f"{option} is an option of" in str(run(*QUICK, "--optimizer", "lbfgs", option, 0.1).exception)
    assert "searches for its own steps" in str(run(*QUICK, "--optimizer", "lbfgs", "--schedule", "cosine").exception)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_begin_with_the_rate_and_fall(name: str) -> None:
    found = rate(Settings(schedule=name, lr=0.5, epochs=9), 10)
    if name == "constant":
        assert found == 0.5
        return
    assert callable(found)
    values = [found(t) for t in range(91)]
    if name == "one-cycle":
        assert max(values) == pytest.approx(0.5)
        assert values[0] < 0.1
    elif name != "plateau":
        assert values[0] == 0.5
        assert max(values) == 0.5
    if name not in ("warm-restarts", "plateau"):
        assert values[90] < 0.2 * 0.5


def test_the_rate_rises_first() -> None:
    found = rate(Settings(schedule="cosine", lr=0.5, epochs=5, warmup=2), 10)
    assert callable(found)
    assert [round(found(t), 3) for t in (0, 10, 20, 50)] == [0.0, 0.25, 0.5, 0.0]


def test_a_plateau_is_found_behind_a_warmup() -> None:
    plateau = schedules.ReduceOnPlateau(0.1)
    assert plateau_in(schedules.LinearWarmup(plateau, steps=3)) is plateau
    assert plateau_in(plateau) is plateau
    assert plateau_in(schedules.Constant(0.1)) is None
    assert plateau_in(0.1) is None


# -------------------------------------------------------------------------------------------------------------- models


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        *(("mlp", shape) for shape in [(4,), (8, 8), (3, 6, 5)]),
        *(("cnn", shape) for shape in [(8, 8), (3, 6, 5), (1, 2, 2)]),
        *(("lstm", shape) for shape in [(4,), (6, 3), (3, 6, 5)]),
    ],
)
def test_models_take_samples_of_these_shapes(model: str, shape: tuple[int, ...], device: Any) -> None:
    with dc.use_device(device):
        made = build(Settings(model=model, hidden=[4, 5], dropout=0.1), shape, 3)
    assert made(dc.ones((2, *shape), device=device)).shape == (2, 3)


@pytest.mark.parametrize(("model", "shape"), [("cnn", (4,)), ("cnn", (1, 2, 3, 4)), ("lstm", (1, 2, 3, 4))])
def test_models_refuse_samples_of_other_shapes(model: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(dc.ConfigError, match=rf"--model {model} is for"):
        build(Settings(model=model, hidden=[4]), shape, 3)


def test_a_row_of_an_image_is_a_time() -> None:
    from deepcore.cli.models import Rows

    x = dc.reshape(dc.arange(2 * 3 * 4 * 5), (2, 3, 4, 5))
    rows = Rows()(x)
    assert rows.shape == (2, 4, 15)
    assert rows[1, 2, :].tolist() == [x[1, c, 2, w].item() for c in range(3) for w in range(5)]


FACTORIES = """
from deepcore import nn, ShapeError

def line(input_shape, n_outputs):
    return nn.Sequential(nn.Flatten(), nn.Dense(input_shape[0], n_outputs))

def other(width): ...

def fails(input_shape, n_outputs):
    return {}["key"]

def refuses(input_shape, n_outputs):
    raise ShapeError("too small")

def nothing(input_shape, n_outputs): ...

VALUE = 3
"""


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"factories_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(FACTORIES)
    (tmp_path / f"{name}_broken.py").write_text("def f(:")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return name


def test_a_model_of_ones_own(factories: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("train", "--data", "iris", "--epochs", 2, "--model", f"{factories}:line")
    assert metrics(tmp_path, *options, "--checkpoint", "run")["parameters"] == 4 * 3 + 3
    # The module is found again from elsewhere.
    del sys.modules[factories]
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(tmp_path)])
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    result = run("evaluate", tmp_path / "run")
    assert result.exit_code == 0, result.exception


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (":other", "unexpected keyword argument 'input_shape'; expected is a function of the keyword arguments"),
        (":fails", ".py: KeyError: 'key'; expected is"),
        (":nothing", "returned NoneType, and not a model"),
        (":refuses", "too small"),
        (":VALUE", "has no function 'VALUE'; its functions are line, other, fails, refuses, nothing"),
        (":absent", "has no function 'absent'"),
        ("_broken:f", "SyntaxError"),
        ("_absent:f", "No module named"),
    ],
)
def test_what_is_wrong_with_ones_own_model(name: str, said: str, factories: str) -> None:
    result = run("train", "--data", "iris", "--epochs", 1, "--model", f"{factories}{name}")
    assert result.exit_code == 1
    assert isinstance(result.exception, dc.DeepcoreError)
    assert said in str(result.exception)


# ---------------------------------------------------------------------------------------------------- how it is trained


@pytest.mark.parametrize("precision", ["float64", "bfloat16", "float16"])
def test_precisions(precision: str, tmp_path: Path) -> None:
    found = metrics(tmp_path, *QUICK, "--precision", precision)
    plain = metrics(tmp_path, *QUICK)
    assert found["train_loss"] != plain["train_loss"]
    assert found["train_loss"] == pytest.approx(plain["train_loss"], rel=0.05)


def test_a_compiled_step_gives_the_same_bits(tmp_path: Path) -> None:
    options = (*QUICK, "--dropout", 0.2, "--ema", 0.9, "--clip-norm", 0.3, "--accumulate", 2)
    compiled, plain = (metrics(tmp_path, *options, which) for which in ("--compile", "--no-compile"))
    for name in ("train_loss", "test_loss", "test_accuracy"):
        assert compiled[name] == plain[name]


def test_a_regression_is_measured_in_the_units_of_the_data(tmp_path: Path) -> None:
    rows = [(i / 10, (i * 7 % 13) / 5) for i in range(200)]
    (tmp_path / "t.csv").write_text("a,b,y\n" + "".join(f"{a},{b},{1e5 + 3e4 * a - 2e4 * b}\n" for a, b in rows))
    options = (
        "train",
        "--data",
        tmp_path / "t.csv",
        "--hidden",
        "",
        "--lr",
        0.1,
        "--epochs",
        25,
        "--schedule",
        "cosine",
    )
    found = metrics(tmp_path, *options)
    assert found["test_r2"] > 0.999
    assert 1 < found["test_mae"] <= found["test_rmse"] < 5000
    assert found["settings"]["task"] == "regression"


def test_early_stopping(tmp_path: Path) -> None:
    result = run(*QUICK[:3], "--epochs", 100, "--patience", 2, "--optimizer", "sgd", "--lr", 1, "--csv", tmp_path / "c")
    assert result.exit_code == 0
    assert "stopped early: val_loss was best in epoch" in result.output
    assert len((tmp_path / "c").read_text().splitlines()) < 100


def test_quiet_prints_the_result_alone() -> None:
    lines = run(*QUICK, "-q").output.splitlines()
    assert lines[0].strip() == "result"
    assert len(lines) == 7


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_curves(suffix: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / f"curves.{suffix}"
    assert run(*QUICK, "--plot", path).exit_code == 0
    assert path.read_bytes().startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix])


def test_curves_need_matplotlib_and_say_so_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deepcore.cli.training.find_spec", lambda name: None)
    result = run(*QUICK, "--plot", tmp_path / "x.png")
    assert isinstance(result.exception, dc.BackendError)
    assert "pip install 'deepcore-xp[plot]'" in str(result.exception)


def test_event_files(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    result = run(*QUICK, "--tensorboard", tmp_path / "events", "--validation-size", 0.1)
    assert result.exit_code == 0, result.exception
    assert {path.name for path in (tmp_path / "events").iterdir()} == {"training", "validation"}


def test_a_loss_that_becomes_nan_is_named_with_its_layer(tmp_path: Path) -> None:
    result = run(*QUICK, "--optimizer", "sgd", "--lr", 1e30, "--no-compile", "--checkpoint", tmp_path / "run")
    assert isinstance(result.exception, dc.NumericalError)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--optimizer", "adamm"], "unknown optimizer 'adamm'; the known ones are adam, sgd, adamw"),
        (["--schedule", "cosin"], "unknown schedule 'cosin'; the known ones are constant, cosine"),
        (["--precision", "float8"], "unknown precision 'float8'; the known ones are float32, float64"),
        (["--precision", "float16", "--compile"], "cannot be compiled; use bfloat16"),
        (["--dropout", "1"], "--dropout is a share from 0 to below 1, not 1.0"),
        (["--dropout", "nan"], "--dropout is a share"),
        (["--ema", "1"], "--ema is a decay between 0 and 1"),
        (["--clip-norm", "0"], "--clip-norm is a number above 0"),
        (["--clip-norm", "inf"], "--clip-norm is a number above 0"),
        (["--test-size", "-1"], "--test-size is a share of the samples"),
        (["--test-size", "1.5"], "--test-size is a share of the samples"),
        (["--validation-size", "nan"], "--validation-size is a share of the samples"),
        (["--validation-size", "inf"], "--validation-size is a share of the samples"),
        (["--tensorboard", "/dev/null"], "cannot save to /dev/null: it is a file; --tensorboard is a folder"),
        (["--model", "lstm", "--activation", "relu"], "--activation is not for --model lstm"),
        (["--model", "a:b", "--hidden", "3"], "--hidden is not for --model a:b"),
        (["--model", "a b"], "unknown model 'a b'; the known ones are mlp, cnn, lstm, and module:factory"),
        (["--model", "a:b c"], "unknown model 'a:b c'"),
        (["--plot", "curves.gif"], "--plot is a file .png, .svg, .pdf, not curves.gif"),
        (["--plot", "/proc/no/curves.png"], "cannot save to /proc/no/curves.png"),
        (["--csv", "/proc/no/c"], "cannot save to /proc/no/c"),
        (["--checkpoint", "/proc/no"], "cannot save to /proc/no"),
    ],
    ids=str,
)
def test_mistakes(options: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: object, **options: object) -> History:
        pytest.fail("training began")

    monkeypatch.setattr("deepcore.train.trainer.Trainer.fit", never)
    result = run("train", "--data", "iris", "--epochs", 1, *options)
    assert result.exit_code == 1
    assert isinstance(result.exception, dc.DeepcoreError), result.exception
    assert said in str(result.exception)
