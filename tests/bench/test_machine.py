"""The machine, what else it does, memory and threads."""

from __future__ import annotations

import subprocess
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

import deepcore as dc
from deepcore._backend import backend_for_module
from deepcore._threads import usable_cores
from deepcore.bench import machine, memory, parse_peers, threads
from deepcore.bench.machine import ForeignLoad
from deepcore.bench.report import Report

if TYPE_CHECKING:
    from pathlib import Path

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


def test_the_machine() -> None:
    found = machine.describe()
    assert found["cpu"]
    assert 1 <= found["usable_cores"] <= found["cores"]
    assert found["versions"]["numpy"] == np.__version__
    assert found["versions"]["deepcore"] == dc.__version__
    assert "openblas" in str(found["blas"]["name"]) or found["blas"]["name"]


@needs_linux
def test_a_busy_process_is_foreign_load_and_our_own_work_is_not() -> None:
    load = ForeignLoad()
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            time.sleep(0.1)
            with load:
                time.sleep(0.4)
            helped = ForeignLoad()
            helped.helpers.append(busy.pid)
            alone = ForeignLoad()
            with helped, alone:
                before = machine._process_seconds(busy.pid)
                time.sleep(0.4)
                share = machine._process_seconds(busy.pid) - before
        finally:
            busy.kill()
    assert load.cores is not None
    assert load.cores > 0.3
    assert 0.38 < load.seconds < 2
    assert alone.cores is not None
    assert helped.cores is not None
    assert share > 0.02
    left_out = alone.cores * alone.seconds - helped.cores * helped.seconds
    assert left_out == pytest.approx(share, abs=0.04)  # a process that is one of ours is none of the others


@needs_linux
def test_the_seconds_of_others_are_what_the_cores_did_but_for_us(monkeypatch: pytest.MonkeyPatch) -> None:
    busy, own, now = iter([100.0, 103.0, 200.0, 201.0]), iter([10.0, 11.0, 20.0, 20.5]), iter([0.0, 4.0, 10.0, 11.0])
    monkeypatch.setattr(machine, "_busy_seconds", lambda: next(busy))
    clocks = SimpleNamespace(process_time=lambda: next(own), perf_counter=lambda: next(now))
    monkeypatch.setattr("deepcore.bench.machine.time", clocks)
    load = ForeignLoad()
    assert load.cores is None
    for _ in range(2):
        with load:
            pass
    assert load.seconds == 5
    assert load.cores == pytest.approx((2 + 0.5) / 5)


def test_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for file in (tmp_path / "none", tmp_path / "zeros"):
        (tmp_path / "zeros").write_text("cpu  0 0 0 0 0 0 0 0 0 0\n")
        monkeypatch.setattr(machine, "_STAT", file)
        load = ForeignLoad()
        with load:
            pass
        assert load.cores is None
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "none")
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "none")
    assert memory.peak_of(list, len, len) == ([], None)
    assert machine.describe()["cpu"]


@pytest.mark.parametrize(("cores", "said"), [(0.05, False), (0.2, True), (None, True)])
def test_foreign_load_is_said_above_a_tenth_of_a_core(cores: float | None, said: bool) -> None:
    report = Report({}, {}, complete=True, foreign_cores=cores)
    assert bool(report.warnings()) is said


@needs_linux
def test_the_peak_is_what_is_held_and_what_a_run_needs() -> None:
    mebi = 2**20

    def run(held: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> None:
        np.ones(32 * mebi, np.uint8)

    def once(held: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> None:
        np.ones(160 * mebi, np.uint8)  # what only the first runs need is not counted

    held, peak = memory.peak_of(lambda: np.ones(64 * mebi, np.uint8), once, run)
    assert held.nbytes == 64 * mebi
    assert peak is not None
    assert 94 * mebi < peak < 110 * mebi


def test_threads_are_those_of_blas(monkeypatch: pytest.MonkeyPatch) -> None:
    found = threads.threads_in_use()
    with threads.using_threads(None) as n:
        assert n == found
    with threads.using_threads(found) as n:
        assert n == found


def test_threads_where_blas_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "blas", lambda: {"threads": None})
    for name in machine.THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert threads.threads_in_use() == usable_cores()
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    assert threads.threads_in_use() == 3


def test_threads_that_are_asked_for() -> None:
    before = threads.threads_in_use()
    wanted = 2 if before == 1 else 1
    with threads.using_threads(wanted) as n:
        assert n == threads.threads_in_use() == dc.num_threads() == wanted
    assert threads.threads_in_use() == before


def test_jax_may_have_begun_with_other_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    report = Report({}, {})
    peers = parse_peers("jax")
    monkeypatch.setattr(type(peers[0]), "is_installed", True)
    jax = backend_for_module("jax")
    assert jax is not None
    own = jax.num_threads or usable_cores()
    threads.note_on_threads(report, own, peers)
    assert not report.notes
    threads.note_on_threads(report, own + 1, peers)
    assert f"JAX computes on {own} threads, and the others on {own + 1}" in report.notes[0]
