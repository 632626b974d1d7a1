"""What is known of a machine before anything is said about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Gpu:
    """A device that the driver knows: its name and its compute capability."""

    name: str
    capability: tuple[int, int]


@dataclass(frozen=True)
class Driver:
    """What NVIDIA's driver says.

    Attributes
    ----------
    is_found
        Whether its library could be loaded.
    cuda
        The newest CUDA that it runs.
    error
        CUDA's number for what keeps it from working; 0 where it works.
    devices
        The GPUs that this process may use.
    """

    is_found: bool = False
    cuda: tuple[int, int] = (0, 0)
    error: int = 0
    devices: tuple[Gpu, ...] = ()


@dataclass(frozen=True)
class ArrayLibrary:
    """An array library as it answers when it is asked for its devices.

    Attributes
    ----------
    name, install
        The first part of its device strings, and the command that installs it.
    version
        Its version; empty where it is not installed or cannot be imported.
    devices
        The device strings that can be used.
    error
        What went wrong when it was imported.
    """

    name: str
    install: str
    version: str = ""
    devices: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Pool:
    """A library with threads of its own that is loaded: ``"blas"`` or ``"openmp"``.

    Attributes
    ----------
    kind, name
        Of which of the two kinds, and which one, such as ``"openblas"`` or ``"libgomp"``.
    path
        Its file.
    threads
        Its number of threads, where that is known.
    """

    kind: str
    name: str
    path: str
    threads: int | None = None


@dataclass(frozen=True)
class Probe:
    """What a process found that imported every array library.

    Attributes
    ----------
    driver
        What NVIDIA's driver says.
    libraries
        The array libraries that are known.
    pools
        The libraries with threads of their own that were loaded in the end.
    device_error
        Why there is no default device; empty where there is one.
    """

    driver: Driver = field(default_factory=Driver)
    libraries: Sequence[ArrayLibrary] = ()
    pools: Sequence[Pool] = ()
    device_error: str = ""


@dataclass(frozen=True)
class Storage:
    """A folder for files that need not exist yet.

    Attributes
    ----------
    path
        The folder.
    parent
        It, or the nearest folder above that exists.
    is_writable
        Whether this user may write there.
    free
        The bytes that are free there.
    """

    path: Path
    parent: Path
    is_writable: bool
    free: int


@dataclass(frozen=True)
class Machine:
    """Everything that the checks look at.

    Attributes
    ----------
    python
        The version of Python, and where it is.
    installed
        The version of every distribution, by its normalised name.
    twice
        The distributions that are installed more than once.
    requires
        What deepcore's metadata requires; None where it is not installed, but run from its source.
    environment
        The variables of the environment.
    probe
        What a process found that imported every array library.
    gpus
        How many NVIDIA GPUs the bus has, whatever the driver says.
    is_container
        Whether this is a container.
    cuda_parts
        The versions of CUDA, by their first number, of which each part was found: ``"nvrtc"``, ``"cublas"`` and
        ``"headers"``.
    library_path
        The folders of LD_LIBRARY_PATH, each with the libraries in it that deepcore's libraries have too.
    torch_cuda
        The CUDA that the installed PyTorch was built for, ``""`` where for none; None where it is not known.
    cores, usable_cores, quota
        How many cores there are, how many this process may run on, and for how many the container may use time.
    blas
        The name and the version of the BLAS that NumPy was built with.
    cache
        Where data sets are kept.
    """

    python: str = ""
    installed: Mapping[str, str] = field(default_factory=dict[str, str])
    twice: Sequence[str] = ()
    requires: Sequence[str] | None = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    probe: Probe = field(default_factory=Probe)
    gpus: int = 0
    is_container: bool = False
    cuda_parts: Mapping[str, frozenset[int]] = field(default_factory=dict[str, frozenset[int]])
    library_path: Mapping[str, Sequence[str]] = field(default_factory=dict[str, "Sequence[str]"])
    torch_cuda: str | None = None
    cores: int = 1
    usable_cores: int = 1
    quota: float | None = None
    blas: tuple[str, str] = ("", "")
    cache: Storage = field(default_factory=lambda: Storage(Path(), Path(), is_writable=True, free=2**40))
