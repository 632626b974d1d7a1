"""What the tests of adapters need: CUDA kernels on the host, and a process in which CuPy is a stand-in."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def loaded(path: Path) -> Any:
    """Return a module, given its file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def host() -> Any:
    """CUDA kernels, compiled for the host: ``host.run(source, function, blocks, threads, arguments)``."""
    module = loaded(HERE / "stand_in" / "cupy" / "host.py")
    if module.COMPILER is None:
        pytest.skip("there is no C++ compiler")
    return module


@pytest.fixture(scope="session")
def lanes() -> Any:
    """Generated kernels, compiled for the host, with threads that exchange what they have."""
    module = loaded(HERE / "lanes.py")
    if module.COMPILER is None:
        pytest.skip("there is no C++ compiler")
    return module


@pytest.fixture(scope="session")
def nvrtc() -> Any:
    """The compiler of CUDA, which needs neither a driver nor a GPU."""
    module = pytest.importorskip("cupy_backends.cuda.libs.nvrtc", reason="CuPy is not installed")
    try:
        module.getVersion()
    except (RuntimeError, OSError) as error:
        pytest.skip(f"NVRTC is not installed (pip install nvidia-cuda-nvrtc): {error}")
    return module


@pytest.fixture(scope="session")
def signatures() -> Any:
    """The module that lists CuPy's signatures."""
    return loaded(HERE / "signatures.py")


@pytest.fixture
def with_stand_in() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python with the stand-in in the place of CuPy, on a machine with a number of GPUs."""

    def run(*arguments: str, gpus: int = 2) -> subprocess.CompletedProcess[str]:
        inherited = os.environ.get("PYTHONPATH")
        path = os.pathsep.join([str(HERE / "stand_in"), *([inherited] if inherited else [])])
        environment = {**os.environ, "PYTHONPATH": path, "STAND_IN_DEVICES": str(gpus)}
        # -P: not the working directory, which would come before the package that is tested.
        command = [sys.executable, "-P", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    return run
