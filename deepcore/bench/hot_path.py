"""The cases of the hot path: what takes the time of training, one operation at a time, and copies between memories."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .. import optim
from .._backend import Library
from .._device import device as find_device
from .._dtype import DTYPES
from ..nn import Parameter
from ..ops.creation import asarray
from ..ops.linear_algebra import matmul
from .case import Case
from .clock import timer
from .elementwise import compiled_call
from .floor import Copy
from .operations import operations
from .subjects import STILL
from .torch_operations import KeepingTorch, torch_call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .._device import Device
    from .._typing import Shape
    from .machine import ForeignLoad
    from .operations import Operation
    from .report import Report
    from .runner import Settings

torch: Any = Library("torch")

COPY: Final = ("copy", "cpu")
GEMM: Final = ("gemm-floor", "cpu")
EAGER: Final = "deepcore-eager"


def operation_call(operation: Operation, device: Device, *, backward: bool = True) -> Callable[[], list[Any]]:
    """Return an operation, with its gradients if wanted, as a function without arguments that returns arrays."""
    operands = [asarray(x, device=device, requires_grad=backward and x.dtype.kind == "f") for x in operation.arrays()]
    leaves = [x for x in operands if x.requires_grad]
    seed = asarray(operation.cotangent(operation.own(*operands).shape), device=device)

    def forward() -> list[Any]:
        return [operation.own(*operands)]

    def both() -> list[Any]:
        for leaf in leaves:
            leaf.grad = None
        operation.own(*operands).backward(seed)
        return [leaf.grad for leaf in leaves]

    return both if backward else forward


def product_floor(products: Sequence[tuple[Shape, Shape]], dtype: str = "float32") -> Callable[[], None]:
    """Return some matrix products: NumPy's, one after another, into memory that is there already."""
    rng = np.random.default_rng(0)
    calls: list[Callable[[], Any]] = []
    for a, b in products:
        left, right = (rng.standard_normal(shape).astype(dtype) for shape in (a, b))
        calls.append(partial(np.matmul, left, right, np.empty((*a[:-1], b[-1]), dtype)))

    def compute() -> None:
        for call in calls:
            call()

    return compute


def hot_path_cases(settings: Settings, report: Report, load: ForeignLoad) -> Iterator[Case]:
    """Yield the cases: products of matrices, operations, the update of an optimizer, and copies between memories."""
    yield from _matmul_cases(settings)
    peer = next((peer for peer in settings.peers if peer.name == "torch"), None)
    if peer is not None and not peer.is_installed:
        report.skip(peer.name, "is not installed", peer.install_command)
        peer = None
    keeping = None if peer is None else KeepingTorch(settings.threads)
    try:
        if keeping is not None:
            load.helpers.append(keeping.process)
        yield from _operation_cases(settings, keeping)
    finally:
        if keeping is not None:
            load.helpers.remove(keeping.process)
            keeping.close()
    yield from _update_cases(settings)
    yield from _transfer_cases(settings)


def _matmul_cases(settings: Settings) -> Iterator[Case]:
    sizes = (32, 64) if settings.quick else (128, 512, 1024, 2048)
    for dtype, n in itertools.product(("float32", "float64", "float16", "bfloat16"), sizes):
        case = Case("matmul", f"{n}x{n} {dtype}", flops=2 * n**3)
        if dtype.startswith("float") and dtype != "float16":
            case.floor = GEMM
            case.timers[GEMM] = timer(product_floor([((n, n), (n, n))], dtype))
        for device in settings.devices:
            is_half = dtype in ("float16", "bfloat16")  # which a CPU computes one by one, a thousand times as slowly
            if device.backend.supports(DTYPES[dtype], device.name) and not (is_half and _on_host(device)):
                values = np.random.default_rng(0).standard_normal((n, n))
                a = asarray(values, dtype=DTYPES[dtype], device=device)
                case.timers[EAGER, str(device)] = timer(partial(matmul, a, a), _waiting(device))
        if len(case.timers) > (case.floor is not None):
            yield case


def _operation_cases(settings: Settings, keeping: KeepingTorch | None) -> Iterator[Case]:
    for operation in operations(quick=settings.quick):
        for backward in (False, True) if operation.kind == "activation" else (True,):
            yield _operation_case(operation, settings, keeping, backward=backward)
        if operation.pullback is not None:
            for apart in (False, True):
                yield _compiled_case(operation, settings, keeping, apart=apart)


def _operation_case(operation: Operation, settings: Settings, keeping: KeepingTorch | None, *, backward: bool) -> Case:
    size = int(np.prod(operation.shapes[0]))
    name = operation.name if backward else f"{operation.name}, forward"
    nbytes = operation.nbytes if backward else 2 * 4 * size
    case = Case(operation.kind, name, flops=operation.flops, nbytes=nbytes)
    if operation.products:
        case.floor = GEMM
        case.timers[GEMM] = timer(product_floor(operation.products))
    else:
        _add_copy(case, size, settings)
    for device in settings.devices:
        case.timers[EAGER, str(device)] = timer(operation_call(operation, device, backward=backward), _waiting(device))
    _add_torch(case, operation, settings, keeping, backward=backward)
    return case


def _compiled_case(operation: Operation, settings: Settings, keeping: KeepingTorch | None, *, apart: bool) -> Case:
    """Return an operation that is compiled, forward and backward, as one program or as two."""
    name = f"{operation.name}, {'two programs' if apart else 'one program'}"
    case = Case("elementwise", name, nbytes=operation.nbytes)
    _add_copy(case, int(np.prod(operation.shapes[0])), settings)
    for device in settings.devices:
        own = compiled_call(operation, device, apart=apart)
        case.timers["deepcore-compiled", str(device)] = timer(own, _waiting(device))
        if str(device) == "cpu":
            case.timers["deepcore-plain", "cpu"] = timer(compiled_call(operation, device, apart=apart, plain=True))
    _add_torch(case, operation, settings, keeping, backward=True)
    return case


def _add_torch(
    case: Case, operation: Operation, settings: Settings, keeping: KeepingTorch | None, *, backward: bool
) -> None:
    if keeping is not None:
        case.timers["torch-eager", "cpu"] = timer(torch_call(operation, backward=backward))
        own = keeping.timer(operation, quick=settings.quick, backward=backward)
        case.timers["torch-keeping-memory", "cpu"] = own


def update_call(size: int, device: Device) -> Callable[[], Any]:
    """Return the update of so many parameters by Adam."""
    weights = Parameter(asarray(np.ones(size, np.float32), device=device))
    weights.grad = asarray(np.random.default_rng(0).standard_normal(size).astype(np.float32), device=device)
    return optim.Adam([weights], lr=STILL).step


def _update_cases(settings: Settings) -> Iterator[Case]:
    for size in (1_000,) if settings.quick else (100_000, 10_000_000):
        # parameters, gradient and both moments are read, and all but the gradient written
        case = Case("optimizer_update", f"Adam of {size:,} parameters", nbytes=7 * 4 * size)
        _add_copy(case, size, settings)
        for device in settings.devices:
            case.timers[EAGER, str(device)] = timer(update_call(size, device), _waiting(device))
        yield case


def _transfer_cases(settings: Settings) -> Iterator[Case]:
    size = 2**12 if settings.quick else 2**24
    values = np.ones(size, np.float32)
    up = Case("transfer", f"host to device, {values.nbytes // 1024:,} KiB", nbytes=values.nbytes)
    down = Case("transfer", f"device to host, {values.nbytes // 1024:,} KiB", nbytes=values.nbytes)
    for case in (up, down):
        _add_copy(case, size, settings)
    for device in settings.devices:
        up.timers[EAGER, str(device)] = timer(partial(_moved, values, device), _waiting(device))
        if not _on_host(device):
            down.timers[EAGER, str(device)] = timer(asarray(values, device=device).numpy)
    yield from [case for case in (up, down) if len(case.timers) > 1]


def _add_copy(case: Case, size: int, settings: Settings) -> None:
    copy = Copy(size, settings.threads)
    case.floor, case.floor_nbytes = COPY, copy.nbytes
    case.timers[COPY] = timer(copy)


def _moved(values: Any, device: Device) -> Any:
    return asarray(asarray(values, device=find_device("cpu")), copy=True, device=device)


def _on_host(device: Device) -> bool:
    return device.backend.is_on_host(device.name)


def _waiting(device: Device) -> Callable[[object], None]:
    return lambda result: device.backend.synchronize()
