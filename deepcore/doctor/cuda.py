"""Checks of GPUs: the driver, CuPy for its CUDA, the parts of CUDA, and what PyTorch and JAX were built for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .finding import Finding, setting, unsetting
from .packages import DISTRIBUTION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .machine import Driver

PARTS: Final = {
    "nvrtc": "compiles CuPy's kernels",
    "cublas": "multiplies matrices",
    "headers": "are included by kernels in float16 and bfloat16",
}
"""The parts of CUDA that CuPy does not work without, and what each is for."""

OLDEST: Final = {12: (5, 0), 13: (7, 5)}
"""The oldest compute capability that each CUDA compiles for."""

ERRORS: Final = {
    34: ("it is the stub that programs are linked with", "LD_LIBRARY_PATH leads to a folder `stubs`"),
    100: ("it sees no GPU", "there is none, or none was passed into this container"),
    802: ("the GPUs are not ready", "their fabric manager does not run"),
    803: ("the driver's library and the driver in the kernel differ", "the driver was updated and not loaded again"),
    804: ("the driver is too old for the compatibility library", "that library works on data-centre GPUs alone"),
}
"""What the driver's error numbers mean: what is wrong, and the usual reason."""

MENDS: Final = {
    34: unsetting("LD_LIBRARY_PATH"),
    100: "nvidia-smi -L",
    802: "sudo systemctl start nvidia-fabricmanager",
    803: "sudo reboot",
    804: unsetting("LD_LIBRARY_PATH"),
}
"""The command that mends, or that says more, for each of those."""


def cupys(installed: Mapping[str, str]) -> dict[str, str]:
    """Return the versions of the distributions that contain CuPy, by their names."""
    return {name: v for name, v in installed.items() if re.fullmatch(r"cupy(-cuda\d+x?|-rocm-[\w-]+)?", name)}


def cuda_of(distribution: str) -> int | None:
    """Return for which CUDA a distribution of CuPy was built; None where its name does not say.

    Examples
    --------
    >>> cuda_of("cupy-cuda13x"), cuda_of("cupy-cuda118"), cuda_of("cupy")
    (13, 11, None)
    """
    match = re.fullmatch(r"cupy-cuda(\d\d)\d?x?", distribution)
    return int(match[1]) if match else None


def extra_for(driver: Driver) -> str:
    """Return the extra that has the CuPy for a driver: a GPU that CUDA 13 has left behind needs CUDA 12."""
    is_old = any(gpu.capability < OLDEST[13] for gpu in driver.devices)
    return "cuda12" if is_old or 0 < driver.cuda[0] < 13 else "cuda13"


def check_driver(
    driver: Driver, gpus: int, installed: Mapping[str, str], environment: Mapping[str, str], *, is_container: bool
) -> Iterator[Finding]:
    """Say which GPUs there are, or why none can be used."""
    hidden = environment.get("CUDA_VISIBLE_DEVICES")
    if driver.devices:
        names = ", ".join(f"{gpu.name} ({'.'.join(map(str, gpu.capability))})" for gpu in driver.devices)
        yield Finding("GPU", "ok", f"{names}; the driver runs CUDA up to {'.'.join(map(str, driver.cuda))}")
    elif hidden is not None and (gpus or driver.is_found):
        means = "this variable hides the GPUs that it does not name"
        yield Finding("GPU", "advice", f"CUDA_VISIBLE_DEVICES={hidden}", means, unsetting("CUDA_VISIBLE_DEVICES"))
    elif driver.error and (gpus or driver.error != 100):
        wrong, because = ERRORS.get(
            driver.error, (f"it fails with CUDA's error {driver.error}", "the driver knows why")
        )
        mend = MENDS.get(driver.error, "nvidia-smi")
        yield Finding("GPU", "problem", f"NVIDIA's driver is there, but {wrong}", because, mend)
    elif gpus and is_container:
        means = "a container sees the GPUs of its host only where it was started with them"
        mend = "docker run --gpus all ...  # or: podman run --device nvidia.com/gpu=all ..."
        yield Finding("GPU", "problem", f"{gpus} on the bus, and no driver in this container", means, mend)
    elif gpus:
        means = "without NVIDIA's driver no library can use it"
        mend = "sudo ubuntu-drivers install  # elsewhere: https://www.nvidia.com/drivers"
        yield Finding("GPU", "problem", f"{gpus} on the bus, and no driver", means, mend)
    elif cupys(installed):
        means = "CuPy is installed, and has no device to compute on"
        yield Finding("GPU", "note", "none", means, "deepcore train --device cpu")
    else:
        yield Finding("GPU", "ok", "none; the CPU computes")


def check_cupy(installed: Mapping[str, str], driver: Driver) -> Iterator[Finding]:
    """Find several CuPys at once, or one for another CUDA than the driver's or the GPU's."""
    found = cupys(installed)
    command = f'pip install "{DISTRIBUTION}[{extra_for(driver)}]"'
    if len(found) > 1:
        means = "all of them write the folder cupy, so that it is a mixture: it crashes, or finds no CUDA library"
        mend = f"pip uninstall -y {' '.join(found)} && {command}"
        yield Finding("CuPy", "problem", f"{', '.join(found)} are installed at once", means, mend)
        return
    for name, version in found.items():
        cuda = cuda_of(name)
        old = [gpu for gpu in driver.devices if cuda in OLDEST and gpu.capability < OLDEST[cuda]]
        mend = f"pip uninstall -y {name} && {command}"
        if "rocm" in name:
            means = "deepcore's kernels for CuPy are CUDA's"
            yield Finding("CuPy", "advice", f"{name} {version} is for AMD's GPUs", means, mend)
        elif cuda is not None and driver.cuda[0] and cuda > driver.cuda[0]:
            means = f"it needs a driver for CUDA {cuda}, and this one runs CUDA up to {driver.cuda[0]}.{driver.cuda[1]}"
            yield Finding("CuPy", "problem", f"{name} is for a newer driver", means, mend)
        elif old:
            means = f"CUDA {cuda} compiles nothing for the compute capability of {old[0].name}"
            yield Finding("CuPy", "problem", f"{name} is for newer GPUs", means, mend)
        elif cuda is not None and cuda not in OLDEST:
            means = "deepcore is made for CuPy on CUDA 12 and 13"
            yield Finding("CuPy", "problem", f"{name} {version}", means, mend)
        else:
            yield Finding("CuPy", "ok", f"{name} {version}")
    if not found and driver.devices:
        yield Finding("CuPy", "note", "not installed", "NumPy's arrays do not use the GPU, and CuPy's do", command)


def check_parts(installed: Mapping[str, str], parts: Mapping[str, frozenset[int]]) -> Iterator[Finding]:
    """Find the parts of CUDA that CuPy needs and that are on this machine for another CUDA or not at all."""
    found = cupys(installed)
    if len(found) != 1:
        return
    name, version = next(iter(found.items()))
    cuda = cuda_of(name)
    if "rocm" in name or (cuda is not None and cuda not in OLDEST):
        return
    there = {part: parts.get(part, frozenset[int]()) for part in PARTS}
    missing = [part for part in PARTS if (cuda not in there[part] if cuda else not there[part])]
    if missing:
        others = sorted({n for part in missing for n in there[part]})
        also = f"; those found are for CUDA {', '.join(map(str, others))}" if others else ""
        means = "; ".join(f"{part} {PARTS[part]}" for part in missing)
        what = name if cuda else f"cupy-cuda{13 if 13 in others else 12}x"
        mend = f'pip install "{what}[ctk]=={version}"'
        yield Finding("CUDA", "problem", f"no {', '.join(missing)} for {name}{also}", means, mend)
    else:
        yield Finding("CUDA", "ok", f"{', '.join(PARTS)} for {name}")


def check_library_path(entries: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> Iterator[Finding]:
    """Find folders of LD_LIBRARY_PATH whose libraries come before those that packages bring with them."""
    shadows = {folder: names for folder, names in entries.items() if names}
    if not shadows:
        return
    listed = "; ".join(f"{folder} has {', '.join(names)}" for folder, names in shadows.items())
    means = "these are loaded in place of those that NumPy, CuPy or PyTorch bring with them, whatever their version"
    rest = [x for x in environment.get("LD_LIBRARY_PATH", "").split(":") if x and x not in shadows]
    mend = setting("LD_LIBRARY_PATH", ":".join(rest)) if rest else unsetting("LD_LIBRARY_PATH")
    yield Finding("LD_LIBRARY_PATH", "advice", listed, means, mend)


def check_torch(installed: Mapping[str, str], built_for: str | None, driver: Driver) -> Iterator[Finding]:
    """Find a PyTorch that cannot use the GPU that there is."""
    version = installed.get("torch")
    if version is None or built_for is None or not driver.devices:
        return
    index = (
        "https://download.pytorch.org/whl/cu130" if driver.cuda[0] >= 13 else "https://download.pytorch.org/whl/cu126"
    )
    mend = f"pip install --force-reinstall torch --index-url {index}"
    major = int(built_for.partition(".")[0]) if built_for[:1].isdigit() else 0
    if not built_for:
        means = "torch:cuda is no device until PyTorch is one for CUDA"
        yield Finding("PyTorch", "advice", f"{version} is built for the CPU alone", means, mend)
    elif major > driver.cuda[0]:
        means = f"this driver runs CUDA up to {driver.cuda[0]}.{driver.cuda[1]}"
        yield Finding("PyTorch", "problem", f"{version} is built for CUDA {built_for}", means, mend)
    else:
        yield Finding("PyTorch", "ok", f"{version}, built for CUDA {built_for}")


def check_jax(installed: Mapping[str, str], environment: Mapping[str, str], driver: Driver) -> Iterator[Finding]:
    """Say whether JAX has 64-bit types and the GPU, and whether it leaves memory of the GPU to the others."""
    if "jax" not in installed:
        return
    wide = environment.get("JAX_ENABLE_X64", "").lower() in ("1", "true", "yes", "on", "y", "t")
    if wide:
        yield Finding("JAX", "ok", "64-bit types")
    else:
        means = "without JAX_ENABLE_X64 there is neither float64 nor int64 on jax devices"
        yield Finding("JAX", "note", "no 64-bit types", means, setting("JAX_ENABLE_X64", 1))
    if not driver.devices:
        return
    plugins = [name for name in installed if re.fullmatch(r"jax-cuda\d+-plugin", name)]
    if not plugins:
        cuda = extra_for(driver)
        means = "jax:cuda is no device until JAX has its part for CUDA"
        yield Finding("JAX", "advice", "no part for CUDA", means, f'pip install "jax[{cuda}]"')
    elif environment.get("XLA_PYTHON_CLIENT_PREALLOCATE", "true").lower() != "false" and (
        cupys(installed) or "torch" in installed
    ):
        means = "JAX takes three quarters of the GPU's memory when it starts, and CuPy and PyTorch have the rest"
        mend = setting("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        yield Finding("JAX", "note", "takes the GPU's memory in advance", means, mend)
