"""Generated CUDA kernels on the host: the threads of a block take turns, so that warps can exchange what they have.

Each thread has a stack of its own and runs until it comes to an exchange or a barrier, where the next one goes on. As
all threads that take part come to the same ones in the same order, a round of turns is a barrier.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COMPILER: Final = next((path for name in ("g++", "c++", "clang++") if (path := shutil.which(name))), None)

PRELUDE: Final = r"""
#include <string.h>
#include <ucontext.h>
struct Three { unsigned int x, y, z; };
static Three blockIdx, threadIdx, blockDim, gridDim;
#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(n)
#define __shared__ static
static ucontext_t scheduler, threads[256];
static char stacks[256][1 << 15], done[256];
static unsigned long long slots[256];
static void (*body)(void**);
static void** given;
static void turn() { const unsigned t = threadIdx.x; swapcontext(&threads[t], &scheduler); threadIdx.x = t; }
static void begin() { body(given); done[threadIdx.x] = 1; turn(); }
static void __syncthreads() { turn(); }
template <typename T> T exchanged(T mine, unsigned other)
{
    memcpy(&slots[threadIdx.x], &mine, sizeof mine);
    turn();
    T found;
    memcpy(&found, &slots[other], sizeof found);
    turn();
    return found;
}
template <typename T> T __shfl_xor_sync(unsigned, T mine, int step) { return exchanged(mine, threadIdx.x ^ step); }
template <typename T> T __shfl_sync(unsigned, T mine, int lane)
{
    return exchanged(mine, threadIdx.x / 32 * 32 + lane);
}
static void launch(unsigned blocks, unsigned n, void (*function)(void**), void** arguments)
{
    body = function, given = arguments, blockDim.x = n, gridDim.x = blocks;
    for (unsigned b = 0; b < blocks; ++b) {
        blockIdx.x = b;
        for (unsigned t = 0; t < n; ++t) {
            getcontext(&threads[t]);
            threads[t].uc_stack.ss_sp = stacks[t], threads[t].uc_stack.ss_size = sizeof stacks[t];
            makecontext(&threads[t], begin, 0);
            done[t] = 0;
        }
        for (bool busy = true; busy;) {
            busy = false;
            for (unsigned t = 0; t < n; ++t) {
                if (done[t]) continue;
                busy = true, threadIdx.x = t;
                swapcontext(&scheduler, &threads[t]);
            }
        }
    }
}
"""


def entry(kernel: Any) -> str:
    """Return a function that launches a kernel with arguments of its types."""
    given = [
        f"({kind})arguments[{i}]" if kind.endswith("*") else f"*({kind}*)arguments[{i}]"
        for i, kind in enumerate(kernel.types)
    ]
    return (
        f'extern "C" void launch_{kernel.name}(unsigned blocks, unsigned n, void** arguments)\n'
        f"{{ launch(blocks, n, [](void** arguments) {{ {kernel.name}({', '.join(given)}); }}, arguments); }}\n"
    )


def compiled(header: str, kernels: Sequence[Any], folder: Path) -> ctypes.CDLL:
    """Compile kernels."""
    number = len(list(folder.iterdir()))  # a library that is loaded must not be written over
    text, library = folder / f"kernels{number}.cpp", folder / f"kernels{number}.so"
    parts = [PRELUDE, header, *(part for kernel in kernels for part in (kernel.source, entry(kernel)))]
    text.write_text("\n".join(parts).replace("#pragma unroll", ""), encoding="utf-8")
    command = [COMPILER or "", "-std=c++17", "-O0", "-w", "-ffp-contract=off", "-shared", "-fPIC"]
    subprocess.run([*command, "-o", str(library), str(text)], check=True)
    return ctypes.CDLL(str(library))


def run(library: ctypes.CDLL, kernel: Any, blocks: int, threads: int, arguments: Sequence[Any]) -> None:
    """Run a kernel on arrays of NumPy and numbers."""
    numbers = [None if hasattr(x, "ctypes") else ctypes.c_double(float(x)) for x in arguments]
    pointers = [
        x.ctypes.data if number is None else ctypes.addressof(number)
        for x, number in zip(arguments, numbers, strict=True)
    ]
    getattr(library, f"launch_{kernel.name}")(blocks, threads, (ctypes.c_void_p * len(pointers))(*pointers))
