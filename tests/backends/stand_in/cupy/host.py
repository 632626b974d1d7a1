"""CUDA kernels as functions of the host: compiled by the system's C++ compiler, and called thread after thread.

That is what a kernel computes if no two threads touch the same memory, which holds for all of ours. What it leaves out
is everything about speed.
"""

from __future__ import annotations

import ctypes
import functools
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

COMPILER: Final = next((path for name in ("c++", "g++", "clang++") if (path := shutil.which(name))), None)

PRELUDE: Final = """
struct Three { unsigned int x, y, z; };
extern "C" { Three blockIdx, threadIdx, blockDim, gridDim; }
#define __global__
#define __device__
#define __forceinline__ inline
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b)
{
    return (unsigned long long)(((unsigned __int128)a * b) >> 64);
}
"""


class Three(ctypes.Structure):
    """The coordinates of a thread, or a block."""

    _fields_ = (("x", ctypes.c_uint), ("y", ctypes.c_uint), ("z", ctypes.c_uint))


@functools.cache
def library(source: str) -> ctypes.CDLL:
    """Compile a CUDA source."""
    if COMPILER is None:
        msg = "there is no C++ compiler"
        raise RuntimeError(msg)
    with tempfile.TemporaryDirectory() as name:
        text, compiled = Path(name, "kernels.cpp"), Path(name, "kernels.so")
        text.write_text(PRELUDE + re.sub(r"#pragma unroll", "", source), encoding="utf-8")
        command = [
            COMPILER,
            "-std=c++17",
            "-O1",
            "-ffp-contract=off",
            "-shared",
            "-fPIC",
            "-o",
            str(compiled),
            str(text),
        ]
        subprocess.run(command, check=True)
        return ctypes.CDLL(str(compiled))


def run(source: str, function: str, blocks: int, threads: int, arguments: tuple[Any, ...]) -> None:
    """Run a kernel. Its arguments are NumPy arrays, and NumPy scalars of the types that the kernel declares."""
    loaded = library(source)
    index = {name: Three.in_dll(loaded, name) for name in ("blockIdx", "threadIdx", "blockDim", "gridDim")}
    index["blockDim"].x, index["gridDim"].x = threads, blocks
    kernel = getattr(loaded, function)
    kernel.restype = None
    given = [_argument(argument) for argument in arguments]
    for block in range(blocks):
        index["blockIdx"].x = block
        for thread in range(threads):
            index["threadIdx"].x = thread
            kernel(*given)


def _argument(value: Any) -> Any:
    if hasattr(value, "ctypes"):
        return ctypes.c_void_p(value.ctypes.data)
    types = {"float32": ctypes.c_float, "float64": ctypes.c_double}
    return (types.get(value.dtype.name) or {"i": ctypes.c_longlong, "u": ctypes.c_ulonglong}[value.dtype.kind])(
        value.item()
    )
