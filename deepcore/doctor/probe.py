"""What can only be known by trying: the driver, and array libraries, in a process that they may crash.

A broken installation may end the interpreter, as two OpenMP runtimes do, or hang; so another process tries, and says
what it is about to do before it does it.
"""

from __future__ import annotations

import ctypes
import importlib.util
import multiprocessing
import os
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .._backend import Library, known_backends
from .._device import default_device, device
from .machine import ArrayLibrary, Driver, Gpu, Pool, Probe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

    from .._backend import Backend

threadpoolctl: Any = Library("threadpoolctl")

PATIENCE: Final = 120.0
"""For how many seconds nothing need be heard of a process that begins, or imports a library."""

BROKEN: Final = (ImportError, OSError, RuntimeError, AttributeError, ValueError, TypeError)
"""What broken libraries raise when they are imported; anything else ends the process, and is reported so."""

DRIVERS: Final = ("libcuda.so.1", "libcuda.so", "/usr/lib/wsl/lib/libcuda.so.1", "nvcuda.dll")
"""What the library of NVIDIA's driver is called."""

_MAPS: Final = Path("/proc/self/maps")
_BLAS: Final = {"openblas": "openblas", "mkl_rt": "mkl", "blis": "blis", "flexiblas": "flexiblas"}
_OPENMP: Final = {"libgomp": "libgomp", "libiomp5": "libiomp", "libomp": "libomp", "vcomp": "vcomp"}
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR


def probed(wanted: Sequence[str] = (), patience: float = PATIENCE) -> Probe:
    """Return what another process finds. Where a library ends it, one after it goes on with the others.

    Parameters
    ----------
    wanted
        The names of the array libraries to import; by default all.
    patience
        For how many seconds nothing need be heard of it.
    """
    installs = {backend.name: backend.install_command for backend in known_backends()}
    remaining = [name for name in installs if not wanted or name in wanted]
    found = Probe()
    libraries: dict[str, ArrayLibrary] = {}
    with tempfile.TemporaryDirectory() as folder:
        while True:
            messages, ending = _heard(remaining, Path(folder, "stderr"), patience)
            at = ""
            for kind, content in messages:
                if kind == "begin":
                    at = content
                elif kind == "library":
                    libraries[content.name] = content
                else:
                    found = replace(found, **{kind: content})
            if at not in remaining or at in libraries:
                break
            libraries[at] = ArrayLibrary(at, installs[at], error=f"importing it {ending}")
            remaining.remove(at)
    return replace(found, libraries=[libraries[name] for name in installs if name in libraries])


def _heard(names: Sequence[str], stderr: Path, patience: float) -> tuple[list[tuple[str, Any]], str]:
    """Return what a process says, and how it ended, in the words of a message."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, names, str(stderr)), daemon=True)
    process.start()
    theirs.close()
    messages: list[tuple[str, Any]] = []
    try:
        while ours.poll(patience if messages else PATIENCE):
            messages.append(ours.recv())
        ending = f"takes longer than {patience:g} seconds"
    except EOFError:  # it has ended
        process.join(patience)
        lines = stderr.read_text("utf-8", "replace").strip().splitlines() if stderr.exists() else []
        ending = f"ends the interpreter (exit code {process.exitcode}){f': {lines[-1]}' if lines else ''}"
    finally:
        process.kill()
        process.join()
        ours.close()
    return messages, ending


def _work(to: Connection, names: Sequence[str], stderr: str) -> None:
    """Try everything, and say so. What libraries print on the way goes into a file."""
    with Path(stderr).open("wb") as file:
        os.dup2(file.fileno(), 2)
    to.send(("begin", "driver"))
    to.send(("driver", driver()))
    for backend in known_backends():
        if backend.name in names:
            to.send(("begin", backend.name))
            to.send(("library", array_library(backend)))
    to.send(("begin", "the rest"))
    to.send(("pools", pools()))
    to.send(("device_error", default_device_error()))
    to.close()


def array_library(backend: Backend) -> ArrayLibrary:
    """Return what an array library says when it is asked for its devices."""
    found = ArrayLibrary(backend.name, backend.install_command)
    if not backend.is_installed:
        return found
    try:
        names = [str(device(f"{backend.name}:{name}")) for name in backend.devices]
        return replace(found, version=backend.version, devices=tuple(names))
    except BROKEN as error:
        message = f"{type(error).__name__}: {error}".partition("\n")[0]
        return replace(found, error=f"cannot be used: {message}")


def default_device_error() -> str:
    """Return why there is no default device; empty where there is one."""
    try:
        default_device()
    except BROKEN as error:
        return str(error)
    return ""


# -------------------------------------------------------------------------------------------------------------- driver


def driver() -> Driver:
    """Return what NVIDIA's driver says; nothing of CUDA need be installed."""
    for name in DRIVERS:
        try:
            cuda = ctypes.CDLL(name)
            break
        except OSError:
            continue
    else:
        return Driver()
    number = ctypes.c_int(0)
    error = int(cuda.cuInit(0))
    cuda.cuDriverGetVersion(ctypes.byref(number))
    version = (number.value // 1000, number.value % 1000 // 10)
    if error:
        return Driver(is_found=True, cuda=version, error=error)
    cuda.cuDeviceGetCount(ctypes.byref(number))
    return Driver(is_found=True, cuda=version, devices=tuple(_gpu(cuda, i) for i in range(number.value)))


def _gpu(cuda: Any, index: int) -> Gpu:
    handle, major, minor = ctypes.c_int(0), ctypes.c_int(0), ctypes.c_int(0)
    name = ctypes.create_string_buffer(100)
    cuda.cuDeviceGet(ctypes.byref(handle), index)
    cuda.cuDeviceGetName(name, len(name), handle)
    cuda.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, handle)
    cuda.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR, handle)
    return Gpu(name.value.decode("utf-8", "replace"), (major.value, minor.value))


# ------------------------------------------------------------------------------------------------------------- threads


def pools() -> list[Pool]:
    """Return the libraries with threads of their own that this process has loaded."""
    if importlib.util.find_spec("threadpoolctl") is not None:
        found: list[dict[str, Any]] = threadpoolctl.threadpool_info()
        return [
            Pool(
                x["user_api"],
                x["internal_api"] if x["user_api"] == "blas" else pools_in([x["filepath"]])[0].name,
                x["filepath"],
                x["num_threads"],
            )
            for x in found
            if x["user_api"] == "blas" or pools_in([x["filepath"]])
        ]
    lines = _MAPS.read_text("utf-8", "replace").splitlines() if _MAPS.is_file() else []
    return pools_in(dict.fromkeys(parts[5] for line in lines if len(parts := line.split(maxsplit=5)) == 6))


def pools_in(paths: Any) -> list[Pool]:
    """Return those of some files that are libraries with threads of their own.

    Examples
    --------
    >>> [pool.name for pool in pools_in(["/x/libgomp-24e2.so.1.0.0", "/x/libscipy_openblas64_-fd.so", "/x/libc.so.6"])]
    ['libgomp', 'openblas']
    """
    found: list[Pool] = []
    for path in paths:
        name = re.split(r"[\\/]", path)[-1].lower()
        for kind, known in (("blas", _BLAS), ("openmp", _OPENMP)):
            match = next((known[part] for part in known if part in name), None)
            if match is not None and (".so" in name or name.endswith((".dll", ".dylib"))):
                found.append(Pool(kind, match, path))
                break
    return found
