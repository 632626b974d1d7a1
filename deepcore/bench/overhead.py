"""The cases of overhead: what an operation costs the host, on arrays too small for the computation to matter."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._backend import Library, known_backends
from .._primitive import registry
from ..ops.creation import asarray
from .case import Case
from .clock import timer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .._device import Device
    from .peers import Peer

torch: Any = Library("torch")

OPERATIONS: Final = {"add": 2, "multiply": 2, "matmul": 2, "exp": 1, "sum": 1}
"""Operations with their number of operands."""

SIZE: Final = 8


def operand() -> Any:
    """Return what they compute with."""
    return np.random.default_rng(0).normal(size=(SIZE, SIZE)).astype(np.float32)


def overhead_calls(name: str, device: Device) -> dict[str, Callable[[], Any]]:
    """Return an operation as the array library's own call, as deepcore's, and as deepcore's that is recorded."""
    n, raw = OPERATIONS[name], device.backend.from_host(operand(), device.name)
    plain, tracked = (asarray(operand(), device=device, requires_grad=wanted) for wanted in (False, True))
    own: Any = registry[name]
    return {
        "raw": partial(getattr(device.backend.namespace, name), *[raw] * n),
        "deepcore-untracked": partial(own, *[plain] * n),
        "deepcore-recorded": partial(own, *[tracked] * n),
    }


def backward_call(device: Device) -> Callable[[], Any]:
    """Return the addition of two tensors, forward and backward."""
    x, y = (asarray(operand(), device=device, requires_grad=True) for _ in range(2))
    seed = asarray(operand(), device=device)
    add: Any = registry["add"]

    def both() -> Any:
        x.grad = y.grad = None
        add(x, y).backward(seed)
        return x.grad

    return both


def torch_backward_call() -> Callable[[], Any]:
    """Return the same addition in PyTorch."""
    x, y, seed = (torch.from_numpy(operand()) for _ in range(3))
    x.requires_grad_(True)
    y.requires_grad_(True)

    def both() -> Any:
        x.grad = y.grad = None
        torch.add(x, y).backward(seed)
        return x.grad

    return both


def overhead_cases(devices: Sequence[Device], peers: Sequence[Peer] = ()) -> Iterator[Case]:
    """Yield a case for each operation on each device, and for a backward pass."""
    for device in devices:
        name = str(device)
        wait = partial(_wait, device)
        for operation in OPERATIONS:
            case = Case("overhead", f"{operation} {SIZE}x{SIZE}", floor=("raw", name))
            case.timers = {(k, name): timer(call, wait) for k, call in overhead_calls(operation, device).items()}
            yield case
        case = Case("overhead", f"add {SIZE}x{SIZE}, forward and backward")
        case.timers["deepcore-recorded", name] = timer(backward_call(device), wait)
        if any(peer.name == "torch" and peer.is_installed for peer in peers):
            case.timers["torch-eager", "cpu"] = timer(torch_backward_call())
        yield case


def _wait(device: Device, result: object) -> None:
    device.backend.synchronize()


def fast_devices() -> list[str]:
    """Return the first device of every array library that is installed and made to be fast."""
    found = [b for b in known_backends() if b.is_installed and b.name != "array_api_strict" and b.devices]
    return ["cpu" if b.name == "numpy" else f"{b.name}:{b.devices[0]}" for b in found]
