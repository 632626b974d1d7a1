"""The operations of the hot path in PyTorch, here and in a process of their own whose allocator keeps its memory.

PyTorch on a CPU takes the memory of each result from the C library, which gets large blocks from the system and gives
them back at once. Much of the time of an operation on a large array is then the system's, which clears the pages. With
glibc told never to do so (``MALLOC_MMAP_MAX_=0``, ``MALLOC_TRIM_THRESHOLD_=-1`` and one arena), PyTorch writes to
memory that is there already. That is decided when a process begins, for all of it, and so such a PyTorch is in another
process, which waits while others are timed, and times itself.

That process is :func:`serve`. It reads lines of JSON, ``{"name": "relu 4096x4096", "quick": false, "backward": true,
"repeats": 1}``, and answers each with the seconds that it took.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from .._backend import Library
from .._errors import BackendError
from .clock import timer
from .operations import operations

if TYPE_CHECKING:
    from collections.abc import Callable

    from .clock import Timer
    from .operations import Operation

torch: Any = Library("torch")

KEEP: Final = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "-1", "MALLOC_ARENA_MAX": "1"}
"""The environment in which glibc keeps all memory that it once has."""


def torch_call(operation: Operation, *, backward: bool = True) -> Callable[[], list[Any]]:
    """Return an operation, with its gradients if wanted, as a function without arguments that returns arrays."""
    functional = torch.nn.functional
    operands = [torch.from_numpy(x) for x in operation.arrays()]
    leaves = [x.requires_grad_(backward) for x in operands if x.dtype is torch.float32]
    with torch.no_grad():
        seed = torch.from_numpy(operation.cotangent(tuple(operation.peer(functional, *operands).shape)))

    def forward() -> list[Any]:
        return [operation.peer(functional, *operands)]

    def both() -> list[Any]:
        for leaf in leaves:
            leaf.grad = None
        operation.peer(functional, *operands).backward(seed)
        return [leaf.grad for leaf in leaves]

    return both if backward else forward


class KeepingTorch:
    """PyTorch in a process whose allocator keeps its memory.

    Parameters
    ----------
    threads
        On how many threads it computes.

    Attributes
    ----------
    process
        The number of the process.
    """

    def __init__(self, threads: int) -> None:
        command = [sys.executable, "-c", f"from {__name__} import serve; serve({threads})"]
        self._child = subprocess.Popen(  # noqa: S603  # it is this file
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **KEEP},
            text=True,
            start_new_session=True,  # Ctrl-C is for us
        )
        self.process = self._child.pid

    def timer(self, operation: Operation, *, quick: bool, backward: bool) -> Timer:
        """Return what times an operation there."""

        def seconds(repeats: int) -> float:
            asked = {"name": operation.name, "quick": quick, "backward": backward, "repeats": repeats}
            return self._answer(asked)

        return seconds

    def _answer(self, asked: dict[str, Any]) -> float:
        if self._child.stdin is None or self._child.stdout is None or self._child.poll() is not None:
            msg = f"PyTorch in a process of its own ended with status {self._child.returncode}"
            raise BackendError(msg)
        self._child.stdin.write(json.dumps(asked) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            msg = f"PyTorch in a process of its own ended at {asked['name']}; what it said is above"
            raise BackendError(msg)
        return float(json.loads(line))

    def close(self) -> None:
        """End the process."""
        if self._child.poll() is None:
            self._child.terminate()
        self._child.communicate()


@cache
def _timer(name: str, *, quick: bool, backward: bool) -> Timer:
    (operation,) = [operation for operation in operations(quick=quick) if operation.name == name]
    return timer(torch_call(operation, backward=backward))


def serve(threads: int) -> None:
    """Answer what comes from standard input."""
    torch.set_num_threads(threads)
    for line in sys.stdin:
        asked = json.loads(line)
        seconds = _timer(asked["name"], quick=asked["quick"], backward=asked["backward"])(asked["repeats"])
        sys.stdout.write(json.dumps(seconds) + "\n")
        sys.stdout.flush()
