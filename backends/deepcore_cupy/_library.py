"""CuPy's modules, imported when something of them is first used, and the CUDA sources beside this file."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any, Final

from deepcore._backend import Library

compat: Any = Library("array_api_compat.cupy")
cupy: Any = Library("cupy")

SOURCES: Final = ("philox.cu", "scatter.cu")
OPTIONS: Final = ("--std=c++17",)
"""How the sources are compiled. No fast mathematics: a kernel gives the bits that NumPy gives."""

THREADS: Final = 256
"""Threads of a block: eight warps."""


def source(name: str) -> str:
    """Return the text of a CUDA source file of this package."""
    return files("deepcore_cupy").joinpath(name).read_text(encoding="utf-8")


@cache
def kernel(name: str, function: str) -> Any:
    """Return a kernel of a CUDA source. It is compiled when it is first launched, for the device that it is on."""
    return cupy.RawModule(code=source(name), options=OPTIONS).get_function(function)


def launch(function: Any, size: int, *arguments: Any) -> None:
    """Launch a kernel with one thread per element. Kernels stride over what a grid has no threads for."""
    if size:
        blocks = min(-(-size // THREADS), 2**31 - 1)
        function((blocks,), (THREADS,), arguments)
