"""What is found on machines that are made up, and the commands that mend them."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deepcore.doctor import VERDICTS, Finding, Machine, examine, worst
from deepcore.doctor.machine import ArrayLibrary, Driver, Gpu, Pool, Probe, Storage
from deepcore.doctor.packages import EXTRAS
from deepcore.doctor.surroundings import VARIABLES

ROOT = Path(__file__).parents[2]

REQUIRES = [
    *("numpy<2.6,>=2.1", "typer>=0.15", "torch>=2.8; extra == 'torch'", "jax>=0.7; extra == 'jax'"),
    *("cupy-cuda13x[ctk]<15,>=14.2; extra == 'cuda13'", "cupy-cuda12x[ctk]<15,>=14.2; extra == 'cuda12'"),
    *("onnx>=1.18; extra == 'onnx'", "onnxruntime>=1.22; extra == 'onnx'"),
]
CPU = Machine(
    python="3.12.1, /usr/bin/python3",
    installed={"deepcore-xp": "1.0", "numpy": "2.4.1", "typer": "0.20", "onnx": "1.19", "onnxruntime": "1.22"},
    requires=REQUIRES,
    probe=Probe(
        libraries=[ArrayLibrary("numpy", "pip install numpy", "2.4.1", ("cpu",))],
        pools=[Pool("blas", "openblas", "/x/libopenblas.so", 4)],
    ),
    cores=4,
    usable_cores=4,
    blas=("scipy-openblas", "0.3.29"),
)
HOPPER, PASCAL = Gpu("NVIDIA H200", (9, 0)), Gpu("Tesla P100", (6, 0))
CUDA13 = {"nvrtc": frozenset({13}), "cublas": frozenset({13}), "headers": frozenset({13})}
GPU = replace(
    CPU,
    installed={**CPU.installed, "cupy-cuda13x": "14.2.0"},
    probe=replace(CPU.probe, driver=Driver(is_found=True, cuda=(13, 0), devices=(HOPPER,))),
    gpus=1,
    cuda_parts=CUDA13,
)
OLD_DRIVER = Driver(is_found=True, cuda=(12, 8), devices=(HOPPER,))


def having(machine: Machine, **installed: str) -> Machine:
    """Return the machine with other versions; an underscore is a hyphen, and ``""`` is not installed."""
    versions = {**machine.installed, **{name.replace("_", "-"): version for name, version in installed.items()}}
    return replace(machine, installed={name: version for name, version in versions.items() if version})


def under(machine: Machine, **environment: str) -> Machine:
    return replace(machine, environment={**machine.environment, **environment})


def driven(machine: Machine, driver: Driver) -> Machine:
    return replace(machine, probe=replace(machine.probe, driver=driver))


def pooled(*pools: Pool, **changes: Any) -> Machine:
    return replace(CPU, probe=replace(CPU.probe, pools=pools), **changes)


def wrong(machine: Machine) -> list[Finding]:
    return [finding for finding in examine(machine) if finding.verdict in ("advice", "problem")]


def made_for(*versions: int) -> dict[str, frozenset[int]]:
    return {part: frozenset(versions) for part in CUDA13}


WELL = {
    "a CPU": CPU,
    "a GPU": GPU,
    "a GPU with everything": under(having(GPU, torch="2.9", jax="0.7", jax_cuda13_plugin="0.7"), JAX_ENABLE_X64="1"),
    "an older GPU, and CUDA 12 on a newer driver": driven(
        replace(having(GPU, cupy_cuda13x="", cupy_cuda12x="14.2"), cuda_parts=made_for(12, 13)),
        Driver(is_found=True, cuda=(13, 0), devices=(PASCAL,)),
    ),
    "CuPy built from its source": replace(having(GPU, cupy_cuda13x="", cupy="14.2"), cuda_parts=made_for(12)),
    "a quota": replace(under(CPU, OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="4"), quota=6.0),
    "a driver and no GPU": driven(CPU, Driver(is_found=True, error=100)),
}


@pytest.mark.parametrize("name", WELL)
def test_nothing_is_wrong_with(name: str) -> None:
    assert wrong(WELL[name]) == []


ILL: dict[str, tuple[Machine, str, str, str, str]] = {
    # name: the machine, then subject, verdict, and parts of what is found and of what mends it
    "too new": (having(CPU, numpy="2.6.0"), "numpy", "problem", "2.6.0", 'pip install "numpy>=2.1,<2.6"'),
    "too old": (having(CPU, typer="0.9"), "typer", "problem", "0.9", 'pip install "typer>=0.15"'),
    "an extra that is too old": (having(CPU, torch="2.7.1+cu126"), "torch", "problem", "2.7.1", '"torch>=2.8"'),
    "missing": (having(CPU, typer=""), "typer", "problem", "not installed", 'pip install "typer>=0.15"'),
    "another deepcore": (having(CPU, deepcore="0.3"), "deepcore", "problem", "0.3 is installed too", "-y deepcore "),
    "not installed": (replace(CPU, requires=None), "deepcore", "problem", "its source", "pip install -e ."),
    "twice": (replace(CPU, twice=["scipy"]), "scipy", "advice", "more than once", "pip uninstall -y scipy"),
    "a library that does not load": (
        replace(CPU, probe=Probe(libraries=[ArrayLibrary("jax", 'pip install "jax"', error="cannot be used: no .so")])),
        *("jax", "problem", "no .so", 'pip install --force-reinstall "jax"'),
    ),
    "two CuPys": (
        having(GPU, cupy_cuda12x="14.2.0"),
        *("CuPy", "problem", "cupy-cuda13x, cupy-cuda12x are installed at once"),
        'pip uninstall -y cupy-cuda13x cupy-cuda12x && pip install "deepcore-xp[cuda13]"',
    ),
    "CuPy for a newer driver": (
        driven(GPU, OLD_DRIVER),
        *("CuPy", "problem", "for a newer driver", "deepcore-xp[cuda12]"),
    ),
    "CuPy for newer GPUs": (
        driven(GPU, Driver(is_found=True, cuda=(13, 0), devices=(PASCAL,))),
        *("CuPy", "problem", "for newer GPUs", "deepcore-xp[cuda12]"),
    ),
    "CuPy for CUDA 11": (
        having(GPU, cupy_cuda13x="", cupy_cuda11x="13.0"),
        *("CuPy", "problem", "cupy-cuda11x", "pip uninstall -y cupy-cuda11x"),
    ),
    "CuPy for another maker": (
        having(GPU, cupy_cuda13x="", cupy_rocm_5_0="13.0"),
        *("CuPy", "advice", "AMD", "pip uninstall -y cupy-rocm-5-0"),
    ),
    "no CUDA at all": (
        replace(GPU, cuda_parts=made_for()),
        *("CUDA", "problem", "no nvrtc, cublas, headers", 'pip install "cupy-cuda13x[ctk]==14.2.0"'),
    ),
    "no headers": (
        replace(GPU, cuda_parts={**CUDA13, "headers": frozenset({12})}),
        *("CUDA", "problem", "no headers for cupy-cuda13x; those found are for CUDA 12", "cupy-cuda13x[ctk]==14.2.0"),
    ),
    "hidden GPUs": (
        under(driven(GPU, Driver(is_found=True, cuda=(13, 0), error=100)), CUDA_VISIBLE_DEVICES=""),
        *("GPU", "advice", "CUDA_VISIBLE_DEVICES=", "unset CUDA_VISIBLE_DEVICES"),
    ),
    "no driver": (driven(GPU, Driver()), "GPU", "problem", "1 on the bus, and no driver", "ubuntu-drivers install"),
    "a container": (
        replace(driven(GPU, Driver()), is_container=True),
        *("GPU", "problem", "no driver in this container", "docker run --gpus all"),
    ),
    "an updated driver": (
        driven(GPU, Driver(is_found=True, cuda=(13, 0), error=803)),
        *("GPU", "problem", "driver in the kernel differ", "reboot"),
    ),
    "a stub": (
        driven(CPU, Driver(is_found=True, error=34)),
        *("GPU", "problem", "stub", "unset LD_LIBRARY_PATH"),
    ),
    "an unknown error": (driven(GPU, Driver(is_found=True, error=999)), "GPU", "problem", "error 999", "nvidia-smi"),
    "shadows": (
        under(
            replace(GPU, library_path={"/opt/cuda": ["libcublas"], "/opt/x": []}), LD_LIBRARY_PATH="/opt/cuda:/opt/x"
        ),
        *("LD_LIBRARY_PATH", "advice", "/opt/cuda has libcublas", "export LD_LIBRARY_PATH=/opt/x"),
    ),
    "PyTorch for the CPU": (
        replace(having(GPU, torch="2.9.0+cpu"), torch_cuda=""),
        *("PyTorch", "advice", "built for the CPU alone", "whl/cu130"),
    ),
    "PyTorch for a newer driver": (
        replace(driven(having(GPU, torch="2.9.0", cupy_cuda13x=""), OLD_DRIVER), torch_cuda="13.0"),
        *("PyTorch", "problem", "built for CUDA 13.0", "whl/cu126"),
    ),
    "JAX for the CPU": (having(GPU, jax="0.7"), "JAX", "advice", "no part for CUDA", 'pip install "jax[cuda13]"'),
    "no BLAS": (replace(CPU, blas=("", "")), "BLAS", "problem", "none", "pip install --force-reinstall"),
    "a slow BLAS": (replace(CPU, blas=("blas", "3.9")), "BLAS", "problem", "blas", "--only-binary numpy numpy"),
    "a quota": (
        replace(CPU, quota=1.5),
        *("threads", "advice", "4 of BLAS; 4 cores, and time for 1.5 of them", "export OPENBLAS_NUM_THREADS=1"),
    ),
    "too many threads": (
        under(pooled(), OMP_NUM_THREADS="64"),
        *("threads", "advice", "64 of BLAS, by OMP_NUM_THREADS; 4 cores", "export OPENBLAS_NUM_THREADS=4"),
    ),
    "too few threads": (
        under(pooled(), OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="4"),
        *("threads", "advice", "1 of BLAS, by OPENBLAS_NUM_THREADS; 4 cores", "unset OPENBLAS_NUM_THREADS"),
    ),
    "no number of threads": (
        under(CPU, OMP_NUM_THREADS="all"),
        *("OMP_NUM_THREADS", "advice", "'all'", "unset OMP_NUM_THREADS"),
    ),
    "spinning": (
        under(CPU, OMP_WAIT_POLICY="active"),
        *("OMP_WAIT_POLICY", "advice", "ACTIVE", "export OMP_WAIT_POLICY=PASSIVE"),
    ),
    "a hidden conflict": (
        under(CPU, KMP_DUPLICATE_LIB_OK="TRUE"),
        *("KMP_DUPLICATE_LIB_OK", "advice", "set", "unset KMP_DUPLICATE_LIB_OK"),
    ),
    "two OpenMP runtimes": (
        pooled(Pool("openmp", "libgomp", "/a", 4), Pool("openmp", "libiomp", "/b", 4)),
        *("OpenMP", "advice", "libgomp, libiomp in one process", "threadpoolctl"),
    ),
    "a misspelt variable": (
        under(CPU, DEEPCORE_DEVISE="cuda"),
        *("DEEPCORE_DEVISE", "advice", "'cuda'", "unset DEEPCORE_DEVISE && export DEEPCORE_DEVICE=cuda"),
    ),
    "a variable of another case": (
        under(CPU, deepcore_data="/x"),
        *("deepcore_data", "advice", "'/x'", "export DEEPCORE_DATA=/x"),
    ),
    "no such device": (
        replace(
            under(CPU, DEEPCORE_DEVICE="gpu"),
            probe=replace(CPU.probe, device_error="unknown device 'gpu'; there is cpu"),
        ),
        *("DEEPCORE_DEVICE", "problem", "'gpu'", "unset DEEPCORE_DEVICE"),
    ),
    "no such number": (
        under(CPU, DEEPCORE_THREADS="0"),
        *("DEEPCORE_THREADS", "problem", "'0'", "unset DEEPCORE_THREADS"),
    ),
    "a folder that cannot be written": (
        replace(CPU, cache=Storage(Path("/x/deepcore"), Path("/x"), is_writable=False, free=2**40)),
        *("data sets", "problem", "/x/deepcore", "export DEEPCORE_DATA="),
    ),
    "little on the disk": (
        replace(CPU, cache=Storage(Path("/x"), Path("/"), is_writable=True, free=2**29)),
        *("disk", "advice", "0.5 GB free", "du -xh"),
    ),
    "nothing on the disk": (
        replace(CPU, cache=Storage(Path("/x"), Path("/"), is_writable=True, free=0)),
        *("disk", "problem", "0.0 GB free", "du -xh"),
    ),
}


@pytest.mark.parametrize("name", ILL)
def test_what_is_wrong_with(name: str) -> None:
    machine, subject, verdict, found, mend = ILL[name]
    (finding,) = [x for x in wrong(machine) if x.subject == subject]
    assert finding.verdict == verdict
    assert found in finding.found
    assert mend in finding.mend
    assert finding.means
    assert worst(examine(machine)) == max((x.verdict for x in examine(machine)), key=VERDICTS.index)


@pytest.mark.parametrize("name", ILL)
def test_one_thing_that_is_wrong_is_found_once(name: str) -> None:
    assert len(wrong(ILL[name][0])) == 1


def test_what_could_be_added() -> None:
    notes = {x.subject: x for x in examine(CPU) if x.verdict == "note"}
    assert notes.keys() == {"extra torch", "extra jax"}  # onnx is there, and without a GPU CuPy is of no use
    assert notes["extra torch"].mend == 'pip install "deepcore-xp[torch]"'
    bare = having(GPU, cupy_cuda13x="")
    notes = {x.subject: x for x in examine(bare) if x.verdict == "note"}
    assert notes["CuPy"].mend == 'pip install "deepcore-xp[cuda13]"'
    assert next(x for x in examine(having(CPU, cupy_cuda13x="14.2")) if x.subject == "GPU").verdict == "note"
    both = [Pool("openmp", "libgomp", "/a", 4), Pool("openmp", "libgomp", "/b", 4)]
    (note,) = [x for x in examine(pooled(*both)) if x.subject == "OpenMP"]
    assert (note.verdict, note.mend) == ("note", "export OMP_WAIT_POLICY=PASSIVE")


def test_memory_that_jax_takes_from_others() -> None:
    machine = having(GPU, jax="0.7", jax_cuda13_plugin="0.7")
    notes = [x.found for x in examine(machine) if x.subject == "JAX"]
    assert notes == ["no 64-bit types", "takes the GPU's memory in advance"]
    machine = under(machine, XLA_PYTHON_CLIENT_PREALLOCATE="false", JAX_ENABLE_X64="true")
    assert [x.found for x in examine(machine) if x.subject == "JAX"] == ["64-bit types"]


def test_extras_are_those_of_the_project() -> None:
    if not (ROOT / "pyproject.toml").is_file():
        pytest.skip("there is no source tree")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert EXTRAS.keys() <= extras.keys()


def test_every_variable_that_is_read_is_known() -> None:
    found: set[str] = set()
    for folder in ("deepcore", "backends"):
        for path in (ROOT / folder).rglob("*.py"):
            found |= set(re.findall(r"[\"'](DEEPCORE_[A-Z]+)[\"']", path.read_text("utf-8")))
    assert found <= VARIABLES.keys()
