"""The command ``bench``: a quick run of everything, files, messages, and Ctrl-C."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import deepcore as dc
from deepcore import bench
from deepcore.bench import load_report, runner
from deepcore.bench.peers import Peer
from deepcore.cli import app as cli

if TYPE_CHECKING:
    from pathlib import Path

NET = ("--net", "8-4-2@16")


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli.app, ["bench", *map(str, arguments)], env={"COLUMNS": "80", "NO_COLOR": "1"})


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    folder = tmp_path_factory.mktemp("bench")
    arguments = ("--quick", "--rounds", 3, *NET, "--json", folder / "b.json", "--html", folder / "b.html")
    return run(*arguments), folder


def test_a_quick_run_measures_everything(quick: tuple[Any, Path]) -> None:
    result, folder = quick
    assert result.exit_code == 0, result.output
    report = load_report(folder / "b.json")
    assert report.complete
    kinds = {r.kind for r in report.results}
    assert kinds == {
        *("train_step", "inference", "overhead", "matmul", "activation", "layer_norm", "softmax_xent"),
        *("convolution", "attention", "elementwise", "optimizer_update", "transfer"),
    }
    for r in report.results:
        assert r.q1_s <= r.median_s <= r.q3_s
        assert r.rounds == 3
        assert r.floor is None or r.ratio_to_floor is not None
        assert (r.net is not None) is (r.kind in ("train_step", "inference"))
    for r in report.results:
        if r.subject == r.floor:
            assert r.ratio_to_floor == 1


def test_training_and_inference_are_measured_as_written_and_compiled(quick: tuple[Any, Path]) -> None:
    content = json.loads((quick[1] / "b.json").read_text())
    rows = [r for r in content["results"] if r["kind"] == "train_step"]
    assert [r["subject"] for r in rows] == ["gemm-floor", "deepcore-eager", "deepcore-compiled", "deepcore-plain"]
    assert {(r["net"], r["batch"], r["device"]) for r in rows} == {("8-4-2", 16, "cpu")}
    eager, compiled, plain = (r["loss"] for r in rows[1:])
    assert eager == pytest.approx(compiled, abs=1e-6)
    assert plain == eager
    assert all(r["samples_per_s"] == pytest.approx(16 / r["median_s"]) for r in rows)
    inference = [r["subject"] for r in content["results"] if r["kind"] == "inference"]
    assert inference == ["gemm-floor", "deepcore-eager", "deepcore-compiled", "deepcore-plain"]
    assert content["settings"]["threads"] >= 1
    assert content["machine"]["versions"]["deepcore"] == dc.__version__


def test_the_tables_fit_into_80_columns(quick: tuple[Any, Path]) -> None:
    lines = quick[0].output.splitlines()
    tables = [line.rstrip() for line in lines if "  " in line]
    assert any("train step: 8-4-2, batch 16" in line for line in lines)
    assert any("deepcore-compiled" in line and "×" in line for line in tables)
    assert max(map(len, tables)) <= 80
    assert not any("…" in line for line in lines)


def test_the_page_has_plots(quick: tuple[Any, Path]) -> None:
    assert "<svg" in (quick[1] / "b.html").read_text()


def test_a_run_is_compared_with_an_older_one(quick: tuple[Any, Path]) -> None:
    content = json.loads((quick[1] / "b.json").read_text())
    for row in content["results"]:
        for key in ("q1_s", "median_s", "q3_s"):
            row[key] *= 0.01
    (quick[1] / "old.json").write_text(json.dumps(content))
    result = run("--quick", "--rounds", 2, *NET, "--only", "inference", "--compare", quick[1] / "old.json")
    assert result.exit_code == 0, result.output
    assert result.output.count("slower") == 4
    assert "train_step" not in result.output
    other = run("--quick", "--rounds", 2, "--net", "3-2", "--only", "inference", "--compare", quick[1] / "old.json")
    assert "nothing that was measured now" in other.output


def test_a_device_and_a_peer(device: Any, thrifty: bool, tmp_path: Path) -> None:
    if device.backend.name == "array_api_strict":
        pytest.skip("it is not made to be fast")
    arguments = ("--quick", "--rounds", 1, *NET, "--only", "training,inference", "--json", tmp_path / "b.json")
    result = run(*arguments, "--device", device, "--device", "cpu")
    assert result.exit_code == 0, result.output
    report = load_report(tmp_path / "b.json")
    assert report.notes == []
    assert {r.device for r in report.results if r.kind == "train_step"} >= {str(device), "cpu"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--net", "784"], "such as 784-100-50-10"),
        (["--net", "8-0-2"], "such as 784-100-50-10"),
        (["--peers", "torch,keras"], "unknown peer 'keras'; the known ones are torch, jax, sklearn"),
        (["--only", "everything"], "there are training, inference, hot-path, overhead"),
        (["--compare", "nowhere.json"], "cannot read nowhere.json"),
        (["--json", "nowhere/b.json"], "cannot save to"),
        (["--html", "nowhere/b.html"], "cannot save to"),
    ],
    ids=str,
)
def test_mistakes_are_said_at_once(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["deepcore", "bench", *arguments])
    monkeypatch.setattr(bench, "run", lambda *given, **options: pytest.fail("it began to measure"))
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1
    found = capsys.readouterr()
    assert said in " ".join(found.err.split())
    assert "Traceback" not in found.err


def test_a_peer_that_is_missing_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Peer, "is_installed", False)
    result = run("--quick", "--rounds", 1, *NET, "--peers", "torch,sklearn", "--only", "training")
    assert result.exit_code == 0, result.output
    for said in ("torch: is not installed; install it with: pip install torch", "pip install scikit-learn"):
        assert result.output.count(said) == 1
    assert "deepcore-eager" in result.output


def test_a_peer_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(net: Any, device: str) -> Any:
        msg = "no compiler\nand much more"
        raise RuntimeError(msg)

    monkeypatch.setitem(bench.PEERS, "sklearn", Peer("sklearn", "numpy", "scikit-learn", {"sklearn": fails}))
    result = run("--quick", "--rounds", 1, *NET, "--only", "training", "--peers", "sklearn")
    assert result.exit_code == 0, result.output
    assert "sklearn on cpu: RuntimeError: no compiler" in result.output
    assert "much more" not in result.output


def test_losses_that_differ_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from deepcore.bench.subjects import Deepcore

    class Other(Deepcore):
        def __init__(self, net: Any, device: str) -> None:
            super().__init__(net, dc.device("cpu"), compiled=False)
            self._optimizer.lr = 1.1e-3

    monkeypatch.setitem(bench.PEERS, "sklearn", Peer("sklearn", "numpy", "scikit-learn", {"other": Other}))
    result = run("--quick", "--rounds", 1, *NET, "--only", "training", "--peers", "sklearn")
    assert result.exit_code == 0, result.output
    assert "the loss of other on cpu is" in result.output
    assert "they do not compute the same" in result.output


def test_ctrl_c_shows_what_was_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    measure = runner.measure

    def interrupted(case: Any, *arguments: Any) -> Any:
        if case.kind == "inference":
            raise KeyboardInterrupt
        return measure(case, *arguments)

    monkeypatch.setattr(runner, "measure", interrupted)
    path = tmp_path / "b.json"
    result = run("--quick", "--rounds", 1, *NET, "--only", "training,inference", "--json", path)
    assert result.exit_code == 130
    assert "interrupted: this is what was measured until then" in result.output
    assert "train step: 8-4-2" in result.output
    report = load_report(path)
    assert not report.complete
    assert {r.kind for r in report.results} == {"train_step"}
