"""Checks of what is installed: versions, doubles, extras, and whether array libraries can be imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .finding import Finding
from .requirements import meets, parsed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .machine import ArrayLibrary

DISTRIBUTION: Final = "deepcore-xp"

EXTRAS: Final = {
    "cuda12": "NVIDIA GPUs, by CuPy, with a driver for CUDA 12",
    "cuda13": "NVIDIA GPUs, by CuPy, with a driver for CUDA 13",
    "torch": "PyTorch's arrays and devices",
    "jax": "JAX's arrays and devices",
    "strict": "tests against nothing but the Array API standard",
    "fast": "compiled functions as machine code",
    "images": "folders of images as data sets",
    "onnx": "deepcore export, and checks of what it wrote",
    "parquet": "Parquet files as data sets",
    "sklearn": "models as estimators of scikit-learn",
    "tensorboard": "event files for TensorBoard",
    "plot": "pictures of training, by Matplotlib",
}
"""What each optional extra gives; those that nothing uses yet are left out."""


def check_python(python: str, installed: Mapping[str, str]) -> Iterator[Finding]:
    """Say which Python and which deepcore this is."""
    version = installed.get(DISTRIBUTION, "")
    yield Finding("Python", "ok", python)
    if version:
        yield Finding("deepcore", "ok", version)


def check_installation(requires: Sequence[str] | None, installed: Mapping[str, str]) -> Iterator[Finding]:
    """Find a package that is not installed but run from its source, or that shares its folder with another project."""
    if requires is None:
        means = "adapters of array libraries and required versions are known only of what is installed"
        yield Finding("deepcore", "problem", "not installed, but run from its source", means, "pip install -e .")
    if "deepcore" in installed:
        means = "that is another project, and both write the folder deepcore: one has overwritten files of the other"
        mend = f"pip uninstall -y deepcore {DISTRIBUTION} && pip install {DISTRIBUTION}"
        yield Finding("deepcore", "problem", f"deepcore {installed['deepcore']} is installed too", means, mend)


def check_twice(twice: Sequence[str]) -> Iterator[Finding]:
    """Find distributions that are installed more than once, of which Python takes the first."""
    for name in twice:
        means = "Python imports the first that it finds, which need not be the newer one"
        mend = f"pip uninstall -y {name} && pip uninstall -y {name} && pip install {name}"
        yield Finding(name, "advice", "installed more than once", means, mend)


def check_versions(requires: Sequence[str], installed: Mapping[str, str]) -> Iterator[Finding]:
    """Hold the versions of what is installed against what is required."""
    count, wrong = 0, False
    for needed in dict.fromkeys((r.name, r.pins, not r.extra) for r in parsed(requires)):
        name, pins, is_needed = needed
        have = installed.get(name)
        mend = f'pip install "{name}{pins}"'
        if have is None and is_needed:
            wrong = True
            yield Finding(name, "problem", "not installed", "deepcore does not work without", mend)
        elif have is not None and not meets(have, pins):
            wrong = True
            means = f"deepcore is made for {pins}; with others, functions may be missing or give other results"
            yield Finding(name, "problem", have, means, mend)
        count += have is not None
    if requires and not wrong:
        yield Finding("packages", "ok", f"{count} of deepcore's, in versions that it is made for")


def check_extras(requires: Sequence[str], installed: Mapping[str, str], *, has_gpu: bool) -> Iterator[Finding]:
    """Say which extras are there, and what the others would give."""
    needed: dict[str, list[str]] = {}
    for requirement in parsed(requires):
        if requirement.extra:
            needed.setdefault(requirement.extra, []).append(requirement.name)
    there = [extra for extra in EXTRAS if extra in needed and all(name in installed for name in needed[extra])]
    if there:
        yield Finding("extras", "ok", ", ".join(there))
    for extra, gives in EXTRAS.items():
        of_gpu = extra.startswith("cuda")
        if extra not in needed or extra in there or (of_gpu and (not has_gpu or {"cuda12", "cuda13"} & {*there})):
            continue
        if of_gpu and any(name.startswith("cupy") for name in installed):
            continue  # which CuPy it should be is a question of its own
        mend = f'pip install "{DISTRIBUTION}[{extra}]"'
        yield Finding(f"extra {extra}", "note", "not installed", f"it gives {gives}", mend)


def check_libraries(libraries: Sequence[ArrayLibrary]) -> Iterator[Finding]:
    """Say which array libraries can be used, and which are installed and cannot be imported."""
    for library in libraries:
        if library.error:
            means = f"no device of {library.name} can be used until it can be imported"
            mend = library.install.replace("pip install", "pip install --force-reinstall", 1)
            yield Finding(library.name, "problem", library.error, means, mend)
        elif library.devices:
            yield Finding(library.name, "ok", f"{library.version}: {', '.join(library.devices)}")
        elif library.version:
            yield Finding(library.name, "note", f"{library.version}: no device that can be used")
