"""Look at this machine: what files, variables and metadata say."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import sysconfig
from collections import Counter
from importlib.metadata import PackageNotFoundError, distributions, requires
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._threads import usable_cores
from ..data._files import cache_directory
from .cuda import PARTS
from .machine import Machine, Storage
from .packages import DISTRIBUTION
from .probe import probed
from .requirements import normalised

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_PCI: Final = Path("/sys/bus/pci/devices")
_CGROUPS: Final = Path("/sys/fs/cgroup")
_OWN_CGROUP: Final = Path("/proc/self/cgroup")
_CONTAINERS: Final = (Path("/.dockerenv"), Path("/run/.containerenv"))
_SYSTEM: Final = ("/usr/local/cuda", "/usr", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu")
_SHADOWS: Final = re.compile(
    r"(stubs/libcuda|libcublas(Lt)?|libcudart|libnvrtc|libcudnn\w*|libnccl|libcufft|libcurand|libcusolver|libcusparse"
    r"|libnvJitLink|lib(scipy_)?openblas\w*|libmkl_rt|libgomp|libiomp5|libomp|libstdc\+\+)\.so"
)
"""Libraries that packages bring with them, and that others of the same name take the place of."""


def look() -> Machine:
    """Return what is known of this machine. It takes seconds: array libraries are imported, in another process."""
    environment = dict(os.environ)
    found = list(_found_distributions())
    try:
        required: list[str] | None = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        required = None
    config: Any = np.show_config(mode="dicts")
    blas = config.get("Build Dependencies", {}).get("blas", {})
    return Machine(
        python=f"{platform.python_version()}, {sys.executable}",
        installed={name: version for name, version, _ in reversed(found)},  # of several, Python takes the first
        twice=[name for name, n in Counter(name for name, _, _ in found).items() if n > 1],
        requires=required,
        environment=environment,
        probe=probed(),
        gpus=gpus_on_the_bus(_PCI),
        is_container="container" in environment or any(path.exists() for path in _CONTAINERS),
        cuda_parts=cuda_parts(_cuda_folders(environment)),
        library_path=shadows(environment.get("LD_LIBRARY_PATH", "")),
        torch_cuda=_torch_cuda(),
        cores=os.cpu_count() or 1,
        usable_cores=usable_cores(),
        quota=quota(_CGROUPS, _OWN_CGROUP.read_text("utf-8") if _OWN_CGROUP.is_file() else ""),
        blas=(str(blas.get("name", "")), str(blas.get("version", ""))),
        cache=storage(cache_directory("")),
    )


def _found_distributions() -> Iterator[tuple[str, str, str]]:
    """Yield the name, the version and the place of every distribution, each once, in the order of ``sys.path``."""
    seen: set[tuple[str, str]] = set()
    for distribution in distributions():
        name, place = distribution.metadata["Name"], str(distribution.locate_file(""))
        if name and (normalised(name), place) not in seen:  # a damaged one has no name
            seen.add((normalised(name), place))
            yield normalised(name), distribution.version, place


def gpus_on_the_bus(folder: Path) -> int:
    """Return how many GPUs of NVIDIA the system knows, whether or not there is a driver.

    Parameters
    ----------
    folder
        Where the system has a folder for every device: ``/sys/bus/pci/devices``.
    """
    count = 0
    for device in folder.glob("*"):
        try:
            vendor, kind = (device / "vendor").read_text("ascii"), (device / "class").read_text("ascii")
        except OSError:
            continue
        count += vendor.strip() == "0x10de" and kind.startswith("0x03")  # a display controller
    return count


def quota(cgroups: Path, own: str) -> float | None:
    """Return for how many cores the groups that this process is in may use time; None where that is not limited.

    Parameters
    ----------
    cgroups
        Where the groups are: ``/sys/fs/cgroup``.
    own
        In which of them the process is, as ``/proc/self/cgroup`` has it.
    """
    limits: list[float] = []
    for line in own.splitlines():
        _, controllers, name = [*line.split(":", 2), "", ""][:3]
        if controllers not in ("", "cpu", "cpu,cpuacct", "cpuacct,cpu"):
            continue
        inner = cgroups / controllers / name.strip().lstrip("/")
        for group in (inner, *inner.parents):
            limits += _limit(group)
            if group == cgroups:
                break
    return min(limits, default=None)


def _limit(group: Path) -> list[float]:
    try:
        if (group / "cpu.max").is_file():  # version 2
            time, period = (group / "cpu.max").read_text("ascii").split()
        else:
            time, period = ((group / f"cpu.cfs_{x}_us").read_text("ascii") for x in ("quota", "period"))
        return [int(time) / int(period)] if int(time) > 0 and int(period) > 0 else []
    except (OSError, ValueError):  # there is none, or it is "max"
        return []


def _cuda_folders(environment: Mapping[str, str]) -> list[Path]:
    """Return the folders that may have parts of CUDA: those of wheels, of the toolkit, and of the system."""
    sites = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    wheels = [folder for place in sites for folder in Path(place, "nvidia").glob("*") if folder.is_dir()]
    named = [Path(environment[name]) for name in ("CUDA_PATH", "CUDA_HOME") if environment.get(name)]
    return [
        *wheels,
        *named,
        *map(Path, _SYSTEM),
        *map(Path, filter(None, environment.get("LD_LIBRARY_PATH", "").split(":"))),
    ]


def cuda_parts(folders: Iterable[Path]) -> dict[str, frozenset[int]]:
    """Return for which CUDAs, by their first number, there are the parts that CuPy needs, in some folders."""
    found: dict[str, set[int]] = {part: set() for part in PARTS}
    for folder in folders:
        for sub in ("", "lib", "lib64", "lib/x86_64-linux-gnu", "bin", "bin/x86_64", "targets/x86_64-linux/lib"):
            for part in ("nvrtc", "cublas"):
                for file in _matching(folder / sub, f"*{part}*"):
                    match = re.fullmatch(rf"lib{part}\.so\.(\d+)[\d.]*|{part}64_(\d\d)\d*(?:_\d+)?\.dll", file.name)
                    if match:
                        found[part].add(int(match[1] or match[2]))
        for file in (folder / "include" / "cuda_runtime_api.h", folder / "cuda_runtime_api.h"):
            if (file.parent / "cuda_fp16.h").is_file():
                match = re.search(r"#define\s+CUDART_VERSION\s+(\d+)", _text(file))
                found["headers"] |= {int(match[1]) // 1000} if match else set()
    return {part: frozenset(versions) for part, versions in found.items()}


def _matching(folder: Path, pattern: str) -> list[Path]:
    try:
        return list(folder.glob(pattern))
    except OSError:  # not ours to read
        return []


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except OSError:
        return ""


def shadows(library_path: str) -> dict[str, list[str]]:
    """Return the folders of LD_LIBRARY_PATH, each with its libraries that packages bring with them too."""
    found: dict[str, list[str]] = {}
    for folder in dict.fromkeys(filter(None, library_path.split(":"))):
        prefix = "stubs/" if Path(folder).name == "stubs" else ""
        names = {f"{file.name.partition('.so')[0]}.so" for file in _matching(Path(folder), "lib*.so*")}
        shadowing = [name for name in names if _SHADOWS.match(name) or _SHADOWS.match(prefix + name)]
        found[folder] = sorted(name.removesuffix(".so") for name in shadowing)
    return found


def _torch_cuda() -> str | None:
    """Return for which CUDA the installed PyTorch was built, as its file of versions says, without importing it."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    match = re.search(
        r"^cuda[^=\n]*=\s*(?:'([^']*)'|None)", _text(Path(spec.origin).with_name("version.py")), re.MULTILINE
    )
    return None if match is None else match[1] or ""


def storage(path: Path) -> Storage:
    """Return whether files can be kept in a folder, or in one that would be made."""
    parent = path.expanduser()
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    writable = parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)
    return Storage(path, parent, writable, shutil.disk_usage(parent).free)
