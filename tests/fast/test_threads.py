"""The threads that compute together: several programs at once, other processes, and other numbers of threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore._threads import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

pytest.importorskip("llvmlite", reason="llvmlite is not installed")

from deepcore_llvm._blas import blas
from deepcore_llvm._pool import pool

pytestmark = [
    pytest.mark.skipif(pool() is None, reason="NumPy's BLAS is not OpenBLAS, or there are no POSIX threads"),
    pytest.mark.filterwarnings("ignore:JAX keeps the threads"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*fork:RuntimeWarning"),
]


def compiled() -> tuple[Any, Any, Any]:
    x = dc.asarray(np.random.default_rng(0).normal(size=(200, 300)).astype(np.float32))
    f = dc.compile(lambda x: dc.softmax(dc.tanh(x @ x.mT) * 2.0, axis=-1) @ x)
    with dc.use_threads(2):
        results = [f(x).numpy() for _ in range(3)]
    return f, x, results[-1]


def at_once(work: Sequence[Callable[[], None]]) -> None:
    """Call each function in a thread of its own, and see all of them come back."""
    workers = [threading.Thread(target=each, daemon=True) for each in work]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not any(worker.is_alive() for worker in workers)


def test_programs_of_several_threads_of_python() -> None:
    functions = [compiled() for _ in range(4)]
    wrong: list[int] = []

    def work(f: Any, x: Any, expected: Any) -> None:
        wrong.extend(i for i in range(100) if not np.allclose(f(x).numpy(), expected, atol=1e-6))

    at_once([partial(work, *function) for function in functions])
    assert not wrong


def test_products_of_numpy_on_the_same_threads() -> None:
    a = np.random.default_rng(0).normal(size=(300, 300)).astype(np.float32)
    expected = a.astype(np.float64) @ a
    wrong: list[str] = []

    def multiply() -> None:
        for _ in range(20):
            if not np.allclose(a @ a, expected, atol=1e-3):
                wrong.append("product")
            if not np.allclose(np.linalg.solve(a, expected), a, atol=1e-2):
                wrong.append("solution")

    def run(f: Any, x: Any, y: Any) -> None:
        wrong.extend("program" for _ in range(20) if not np.allclose(f(x).numpy(), y, atol=1e-6))

    work: list[Callable[[], None]] = [partial(run, *compiled()), partial(run, *compiled()), multiply, multiply]
    with dc.use_threads(3):  # one more than there were
        at_once(work)
    assert not wrong


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say on which processor a thread is")
def test_threads_keep_off_one_processor_at_most() -> None:
    f, x, _ = compiled()
    f(x)
    allowed = os.sched_getaffinity(0)
    missing = [len(allowed - os.sched_getaffinity(int(path.name))) for path in Path("/proc/self/task").iterdir()]
    assert max(missing) == (1 if len(allowed) > 1 else 0)


def test_after_a_pause_threads_wake_up() -> None:
    f, x, expected = compiled()
    for _ in range(5):
        threading.Event().wait(0.02)
        np.testing.assert_allclose(f(x).numpy(), expected, atol=1e-6)


def test_results_do_not_depend_on_other_processes() -> None:
    f, x, expected = compiled()
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(usable_cores())]
    try:
        with dc.use_threads(2):  # at times one of them computes all shares
            wrong = sum(not np.array_equal(f(x).numpy(), expected) for _ in range(200))
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert not wrong


def test_blas_has_its_number_of_threads_again() -> None:
    import ctypes

    library = blas()
    assert library is not None
    threads = ctypes.CFUNCTYPE(ctypes.c_int)(library.threads)
    f, x, _ = compiled()
    before = threads()
    f(x)
    assert threads() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_process_that_was_forked_has_threads_of_its_own() -> None:
    f, x, expected = compiled()
    child = os.fork()
    if not child:
        with dc.use_threads(2):
            g = dc.compile(lambda x: dc.softmax(dc.tanh(x @ x.mT) * 2.0, axis=-1) @ x)
            same = np.allclose(f(x).numpy(), expected, atol=1e-6) and np.allclose(g(x).numpy(), expected, atol=1e-6)
        os._exit(0 if same else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
