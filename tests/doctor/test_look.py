"""What is read of a machine: in folders that are made up, and on this one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from deepcore import doctor as clinic
from deepcore._backend import adapters
from deepcore.cli import app as cli
from deepcore.doctor import Finding, Machine, probe
from deepcore.doctor.look import cuda_parts, gpus_on_the_bus, quota, shadows, storage
from deepcore.doctor.machine import Probe

if TYPE_CHECKING:
    from collections.abc import Mapping


def files(folder: Path, contents: Mapping[str, str]) -> Path:
    for name, text in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_gpus_on_the_bus(tmp_path: Path) -> None:
    names = {"0/vendor": "0x10de\n", "0/class": "0x030200\n"}  # a GPU, ...
    names |= {"1/vendor": "0x10de\n", "1/class": "0x040300\n"}  # ... its sound, and another maker's
    names |= {"2/vendor": "0x8086\n", "2/class": "0x030000\n", "3/vendor": "0x10de\n"}
    assert gpus_on_the_bus(files(tmp_path, names)) == 1
    assert gpus_on_the_bus(tmp_path / "none") == 0


@pytest.mark.parametrize(
    ("contents", "own", "cores"),
    [
        ({"a/b/cpu.max": "150000 100000\n", "a/cpu.max": "max 100000\n"}, "0::/a/b\n", 1.5),
        ({"a/b/cpu.max": "800000 100000", "a/cpu.max": "200000 100000"}, "0::/a/b", 2.0),  # the group above is tighter
        ({"cpu.max": "50000 100000"}, "0::/", 0.5),
        ({"cpu.max": "max 100000"}, "0::/", None),
        ({"cpu/x/cpu.cfs_quota_us": "300000", "cpu/x/cpu.cfs_period_us": "100000"}, "4:cpu:/x\n2:memory:/x", 3.0),
        ({"cpu/x/cpu.cfs_quota_us": "-1", "cpu/x/cpu.cfs_period_us": "100000"}, "4:cpu:/x", None),
        ({"cpu.max": "nonsense"}, "0::/", None),
        ({}, "", None),
    ],
)
def test_quotas(contents: dict[str, str], own: str, cores: float | None, tmp_path: Path) -> None:
    assert quota(files(tmp_path, contents), own) == cores


def test_parts_of_cuda(tmp_path: Path) -> None:
    wheel = files(tmp_path / "cublas", {"lib/libcublas.so.12": "", "lib/libcublasLt.so.13": ""})
    thirteen = {"lib/libnvrtc.so.13": "", "lib/libnvrtc-builtins.so.12.8": "", "lib/libcublas.so.13.1.0": ""}
    thirteen |= {"include/cuda_fp16.h": "", "include/cuda_runtime_api.h": "#define CUDART_VERSION  13000\n"}
    windows = files(tmp_path / "w", {"bin/cublas64_12.dll": "", "bin/nvrtc64_120_0.dll": ""})
    found = cuda_parts([wheel, files(tmp_path / "cu13", thirteen), windows, tmp_path / "none"])
    assert found == {"nvrtc": {12, 13}, "cublas": {12, 13}, "headers": {13}}
    assert cuda_parts([]) == {"nvrtc": set(), "cublas": set(), "headers": set()}


def test_libraries_that_come_first(tmp_path: Path) -> None:
    files(tmp_path, {"a/libcublasLt.so.12": "", "a/libpng.so": "", "a/libcuda.so.1": "", "stubs/libcuda.so": ""})
    found = shadows(f"{tmp_path}/a::{tmp_path}/stubs:{tmp_path}/none:{tmp_path}/a")
    assert found == {f"{tmp_path}/a": ["libcublasLt"], f"{tmp_path}/stubs": ["libcuda"], f"{tmp_path}/none": []}


def test_storage(tmp_path: Path) -> None:
    assert storage(tmp_path / "a" / "b").parent == tmp_path
    assert storage(tmp_path / "a" / "b").is_writable
    (tmp_path / "file").touch()
    assert not storage(tmp_path / "file" / "b").is_writable
    assert storage(Path("~")).parent == Path.home()


def test_pools_are_known_by_their_files() -> None:
    paths = [
        "/a/libiomp5.so",
        "C:\\x\\libomp140.dll",
        "/b/libmkl_rt.so.2",
        "/c/libblis.so.4",
        "/d/gomp.py",
        "/e/libgomp.a",
    ]
    found = [(pool.kind, pool.name) for pool in probe.pools_in(paths)]
    assert found == [("openmp", "libiomp"), ("openmp", "libomp"), ("blas", "mkl"), ("blas", "blis")]


# --------------------------------------------------------------------------------------------------- another process

ADAPTER = """
import os, sys, time
class Backend:
    name, module, requirement, install_command, is_installed = "{name}", "x", "x", "pip install x", True
    @property
    def devices(self):
        {what}
backend = Backend()
"""
BROKEN = {
    "raises": ("raise OSError('libmpi.so.12: cannot open\\nx')", "cannot be used: OSError: libmpi.so.12: cannot open"),
    "aborts": (
        "os.write(2, b'OMP: Error #15'); os.abort()",
        "importing it ends the interpreter (exit code -6): OMP: Er",
    ),
    "surprises": ("raise MemoryError('x')", "importing it ends the interpreter (exit code 1): MemoryError: x"),
    "hangs": ("time.sleep(60)", "importing it takes longer than 2 seconds"),
}


def test_libraries_that_break_what_imports_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adapters of a third party are found by their entry points, in the other process too."""
    entries = "\n".join(f"{name} = {name}_adapter:backend" for name in BROKEN)
    files(tmp_path, {"broken-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: broken\nVersion: 1\n"})
    files(tmp_path, {"broken-1.dist-info/entry_points.txt": f"[deepcore.backends]\n{entries}\n"})
    for name, (what, _) in BROKEN.items():
        files(tmp_path, {f"{name}_adapter.py": ADAPTER.format(name=name, what=what)})
    paths = [str(tmp_path), *(str(Path(x).parent) for x in _roots())]
    monkeypatch.setattr(sys, "path", [*paths, *[x for x in sys.path if x not in paths]])
    adapters.cache_clear()
    try:
        found = probe.probed([*BROKEN, "numpy"], patience=2)
    finally:
        monkeypatch.undo()
        adapters.cache_clear()
    libraries = {library.name: library for library in found.libraries}
    assert libraries.keys() == {*BROKEN, "numpy"}
    for name, (_, error) in BROKEN.items():
        assert error in libraries[name].error
    assert libraries["numpy"].devices == ("cpu",)


def _roots() -> list[str]:
    import deepcore
    import deepcore_numpy

    return [str(Path(str(module.__file__)).parent) for module in (deepcore, deepcore_numpy)]


# ------------------------------------------------------------------------------------------------------- the command


def run(*arguments: str, width: int = 200) -> Any:
    return CliRunner().invoke(cli.app, ["doctor", *arguments], env={"COLUMNS": str(width), "NO_COLOR": "1"})


def test_this_machine() -> None:
    before = {"torch", "jax", "cupy"} & {*sys.modules}
    result = run("--json")
    assert {"torch", "jax", "cupy"} & {*sys.modules} == before  # another process has imported them
    content = json.loads(result.stdout)
    assert result.exit_code == (content["verdict"] == "problem")
    found = {x["subject"]: x for x in content["findings"]}
    assert found["numpy"]["verdict"] == "ok"
    assert found["BLAS"]["verdict"] == "ok"
    assert all(x["verdict"] in ("ok", "note") or x["mend"] for x in content["findings"])


def ill(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    monkeypatch.setattr(clinic, "look", lambda: machine)


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_commands_can_be_copied_from_terminals_of_any_width(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"cupy-cuda12x": "14.2.0", "cupy-cuda13x": "14.2.0"}
    ill(
        monkeypatch,
        Machine(installed=installed, blas=("openblas", "0.3"), probe=Probe(), environment={"DEEPCORE_X": "[b]"}),
    )
    result = run(width=width)
    assert result.exit_code == 1
    mend = '  $ pip uninstall -y cupy-cuda12x cupy-cuda13x && pip install "deepcore-xp[cuda13]"\n'
    assert mend in result.stdout
    assert "advice: DEEPCORE_X: '[b]'\n" in result.stdout
    assert "problems: 1, advice: 1\n" in result.stdout
    assert "\x1b" not in result.stdout


def test_advice_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    ill(monkeypatch, Machine(blas=("openblas", "0.3"), environment={"OMP_WAIT_POLICY": "ACTIVE"}))
    assert run().exit_code == 0
    ill(monkeypatch, Machine(blas=("openblas", "0.3")))
    assert "Nothing is wrong." in run().stdout
    monkeypatch.setattr(clinic, "examine", lambda machine: [Finding("x", "problem", "y", "z", "true")])
    assert json.loads(run("--json").stdout)["verdict"] == "problem"
