"""The devices that tests run on: ``--device NAME``, or the first device of every installed array library."""

from __future__ import annotations

import functools
import gc
import importlib
import os
from typing import TYPE_CHECKING, Any

import hypothesis
import numpy as np
import pytest

import deepcore
from deepcore._backend import known_backends

if TYPE_CHECKING:
    from deepcore._device import Device

ALIASES = {"array_api_strict": "array_api_strict:device1"}
CHOSEN: pytest.StashKey[list[str]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--device",
        action="append",
        metavar="NAME",
        help="run the tests on this device; may be given several times (default: every installed array library)",
    )
    parser.addoption(
        "--only-device",
        action="store_true",
        help="leave out the tests that no device is given to: they are the same everywhere",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--only-device"):
        others = [item for item in items if "device" not in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if "device" in getattr(item, "fixturenames", ())]


def pytest_configure(config: pytest.Config) -> None:
    # Compiled functions are tested with NumPy's executor, whose bits are those of eager computation, and tests/fast and
    # tests/graph test machine code. The environment can ask for that everywhere.
    os.environ.setdefault("DEEPCORE_FAST", "0")
    # What hypothesis draws is the same in every run, and how long it takes is no mistake.
    hypothesis.settings.register_profile("deepcore", derandomize=True, database=None, deadline=None)
    hypothesis.settings.load_profile("deepcore")
    names: list[str] = config.getoption("--device") or installed()
    names = list(dict.fromkeys(ALIASES.get(name, name) for name in names))
    if any(name.partition(":")[0] == "jax" for name in names):
        compile_quickly()
    try:
        config.stash[CHOSEN] = [str(deepcore.device(name)) for name in names]
    except deepcore.DeepcoreError as error:
        raise pytest.UsageError(str(error)) from None


def compile_quickly() -> None:
    """Let JAX spend as little as it can on a program: what is tested is small and compiled anew for every shape."""
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false")
    config = importlib.import_module("jax").config
    config.update("jax_enable_x64", val=True)
    config.update("jax_traceback_in_locations_limit", 0)
    # A context of MLIR takes a quarter of the time of a compilation, and one is enough for all.
    lowering: Any = importlib.import_module("jax._src.interpreters.mlir")
    lowering.make_ir_context = functools.cache(lowering.make_ir_context)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from looking through thousands of tests again and again."""
    gc.collect()
    gc.freeze()


def installed() -> list[str]:
    """Return the first device of every array library that is installed and has one."""
    names: list[str] = []
    for backend in known_backends():
        if backend.is_installed and backend.devices:
            short = {"numpy": "cpu", "cupy": "cuda:0", "array_api_strict": "array_api_strict:device1"}
            names.append(short.get(backend.name, f"{backend.name}:{backend.devices[0]}"))
    return names


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "device" in metafunc.fixturenames:
        names = metafunc.config.stash[CHOSEN]
        marked = [pytest.param(name, marks=[pytest.mark.gpu] if "cuda" in name else []) for name in names]
        metafunc.parametrize("device", marked, indirect=True)


@pytest.fixture(autouse=True)
def _the_same_random_numbers() -> None:
    """Let no test depend on what the tests before it drew."""
    deepcore.random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - scikit-learn draws from it where nobody gives it a generator


@pytest.fixture
def device(request: pytest.FixtureRequest) -> Device:
    """A device to run on."""
    return deepcore.device(request.param)


@pytest.fixture
def thrifty(device: Device, request: pytest.FixtureRequest) -> bool:
    """Whether to leave out what other devices test: JAX compiles every operation anew for every shape."""
    return device.backend.name == "jax" and "not exhaustive" in str(request.config.getoption("markexpr"))


@pytest.fixture
def xp(device: Device) -> Any:
    """The namespace of the standard that is bound to the device."""
    return deepcore.zeros((), device=device).__array_namespace__()
