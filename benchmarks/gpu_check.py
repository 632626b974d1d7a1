"""Does a device compute what NumPy computes, and how fast? `python -m benchmarks.gpu_check --out DIR [--device cuda]`

Every operation's value and gradients against NumPy, random numbers bit for bit, sums that come out alike twice, and
then the times: of an operation, of copies, of products, of elementwise work. A check that fails does not stop the
others. The result is one JSON file, with a description of the machine; the exit status is 1 where a check failed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import statistics
import sys
import time
import warnings
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import deepcore as dc
from deepcore._primitive import registry
from deepcore.testing import assert_close, check_parity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deepcore._device import Device

    Check = tuple[str, Callable[[], object]]

FORMAT = 1


class Report:
    """What was found so far, which is written after every section: a later one may end the process."""

    def __init__(self, device: Device, folder: Path, *, quick: bool) -> None:
        self.path = folder / f"gpu_check-{str(device).replace(':', '-')}.json"
        self.content: dict[str, Any] = {
            "format": FORMAT,
            "device": str(device),
            "quick": quick,
            "machine": machine(device),
            "checks": {},
            "failures": [],
            "seconds": {},
        }

    def section(self, name: str, checks: Iterator[Check]) -> None:
        """Run checks, and keep what failed; numbers that they return are kept too."""
        start = time.perf_counter()
        passed, measured = 0, {}
        for what, check in checks:
            try:
                result = check()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what this program is for
                message = f"{type(error).__name__}: {error}"[:2000]
                self.content["failures"].append({"section": name, "check": what, "message": message})
                print(f"FAILED {name}: {what}: {message}", flush=True)
            else:
                passed += 1
                if result is not None:
                    measured[what] = result
                    print(f"{what:<60} {result:.4g}", flush=True)
        self.content["checks"][name] = {"passed": passed, **({"measured": measured} if measured else {})}
        self.content["seconds"][name] = round(time.perf_counter() - start, 1)
        print(f"{name}: {passed} passed", flush=True)
        self.path.write_text(json.dumps(self.content, indent=2) + "\n", encoding="utf-8")


def machine(device: Device) -> dict[str, Any]:
    """Describe what was checked, and on what."""
    found: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": platform.system(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "deepcore": dc.__version__,
        "numpy": np.__version__,
        device.backend.name: device.backend.version,
    }
    driver = Path("/proc/driver/nvidia/version")
    if driver.exists():
        found["driver"] = driver.read_text(encoding="utf-8").splitlines()[0].partition(":")[2].strip()
    if device.backend.name == "cupy":
        cuda = importlib.import_module("cupy").cuda
        properties = getattr(cuda.runtime, "getDeviceProperties", lambda _: {})(device.raw.id)
        found |= {
            "gpu": properties.get("name", b"unknown").decode(),
            "gpus": len(device.backend.devices),
            "compute capability": f"{properties.get('major')}.{properties.get('minor')}",
            "memory": properties.get("totalGlobalMem"),
            "CUDA of the driver": cuda.runtime.driverGetVersion(),
            "CUDA": cuda.runtime.runtimeGetVersion(),
        }
    if device.backend.name == "torch" and device.name != "cpu":
        found["gpu"] = importlib.import_module("torch").cuda.get_device_name(device.raw)
    return found


def parity(device: Device) -> Iterator[Check]:
    """Every operation on every one of its samples, in both data types: values and gradients."""
    for name in sorted(registry):
        for k, sample in enumerate(registry[name].samples):
            for dtype in (dc.float64, dc.float32):
                yield f"{name}-{k} {dtype}", partial(check_parity, registry[name], sample, device, dtype)


def equal(actual: Any, desired: Any) -> None:
    """Assert that two arrays of the host are alike in every bit."""
    np.testing.assert_array_equal(actual, desired, strict=True)


def random_numbers(device: Device) -> Iterator[Check]:
    """What a generator draws, on the device and on the host."""

    def drawn(method: str, seed: int, draw: int, shape: tuple[int, ...], options: dict[str, Any]) -> None:
        equal(
            *[
                getattr(dc.random.Generator(seed, draw=draw), method)(shape, device=d, **options).numpy()
                for d in (device, "cpu")
            ]
        )

    distributions: list[tuple[str, dict[str, Any]]] = [
        *[("uniform", {"dtype": t}) for t in (dc.float64, dc.float32, dc.float16) if t in device.backend.raw_dtypes],
        ("bernoulli", {"p": 0.3}),
        ("normal", {}),
    ]
    for seed, draw in ((0, 0), (7, 123456), (2**64 - 1, 2**64 - 1)):
        for shape in ((), (5,), (1000, 77)):
            for method, options in distributions:
                name = f"{method} of seed {seed}, draw {draw}, {shape} {options.get('dtype', '')}"
                yield name, partial(drawn, method, seed, draw, shape, options)


def scattering(device: Device, size: int) -> Iterator[Check]:
    """Sums at repeated positions: the same twice, and NumPy's."""
    rng = np.random.default_rng(0)
    backend = device.backend
    for name in ("float32", "float64"):
        for rows, columns, of in ((size, 1, 10), (size, 1, size), (size // 8, 8, 100)):
            x, taken = rng.normal(size=(rows, columns)).astype(name), rng.integers(0, of, rows)

            def check(x: Any = x, taken: Any = taken, of: int = of) -> None:
                raw, key = (backend.from_host(a, device.name) for a in (x, taken))
                shape = (of, x.shape[1])
                first, again = (backend.to_host(device.kernels.scatter(raw, shape=shape, key=key)) for _ in range(2))
                equal(first, again)
                expected = np.zeros(shape, x.dtype)
                np.add.at(expected, taken, x)
                if backend.name in ("numpy", "cupy"):
                    equal(first, expected)
                else:  # in another order
                    assert_close(first, expected, rtol=1e-4, atol=1e-3)

            yield f"scatter {rows}x{columns} into {of} {name}", check


def repeatability(device: Device, size: int) -> Iterator[Check]:
    """Functions that add many numbers: twice the same bits."""
    rng = np.random.default_rng(0)
    x = dc.asarray(rng.normal(size=(64, size // 64)).astype(np.float32), device=device)
    wanted = ("sum", "mean", "var", "prod", "softmax", "log_softmax", "logsumexp", "sort", "cumulative_sum", "matmul")
    for name in wanted:
        if name not in registry:
            continue
        function: Any = registry[name]
        calls: dict[str, Callable[[], Any]] = {
            "sort": lambda f=function: f(x),
            "cumulative_sum": lambda f=function: f(x.reshape(-1), axis=0),
            "matmul": lambda f=function: f(x, x.mT),
        }
        call = calls.get(name) or (lambda f=function: f(x, axis=-1))
        yield f"{name} twice", lambda call=call: equal(call().numpy(), call().numpy())


def seconds(device: Device, call: Callable[[], object], *, quick: bool) -> float:
    """Return the median time of a call, of the second half of what fits into the time."""
    for _ in range(2):
        call()
    dc.synchronize(device)
    start = time.perf_counter()
    call()
    dc.synchronize(device)
    n = max(1, int((0.002 if quick else 0.1) / max(time.perf_counter() - start, 1e-7)))
    times = []
    for _ in range(3 if quick else 9):
        start = time.perf_counter()
        for _ in range(n):
            call()
        dc.synchronize(device)
        times.append((time.perf_counter() - start) / n)
    return statistics.median(times)


def times(device: Device, *, quick: bool) -> Iterator[Check]:
    """Return how long an operation, a copy, a product and an elementwise function take."""
    timed = partial(seconds, device, quick=quick)
    small = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)
    plain, tracked = dc.asarray(small, device=device), dc.asarray(small, device=device, requires_grad=True)
    for name, n in (("add", 2), ("multiply", 2), ("matmul", 2), ("exp", 1), ("sum", 1)):
        function: Any = registry[name]
        kernel = device.kernels[name]
        variants: dict[str, Callable[[], object]] = {
            "bare": lambda kernel=kernel, n=n: kernel(*[plain._data] * n),
            "untracked": lambda function=function, n=n: function(*[plain] * n),
            "recorded": lambda function=function, n=n: function(*[tracked] * n),
        }
        for kind, call in variants.items():
            yield f"{name} 8x8 {kind} (µs)", lambda call=call: timed(call) * 1e6

    elements = 2**16 if quick else 2**26
    big = np.ones(elements, dtype=np.float32)
    x = dc.asarray(big, device=device)
    gigabytes = big.nbytes / 1e9
    yield "host to device (GB/s)", lambda: gigabytes / timed(lambda: device.backend.from_host(big, device.name))
    yield "device to host (GB/s)", lambda: gigabytes / timed(lambda: device.backend.to_host(x._data))
    for name, moved, call in (
        ("negative", 2, lambda: dc.negative(x)),
        ("add", 3, lambda: dc.add(x, x)),
        ("exp", 2, lambda: dc.exp(x)),
        ("tanh", 2, lambda: dc.tanh(x)),
        ("sum", 1, lambda: dc.sum(x)),
    ):
        yield (
            f"{name} of {elements} float32 (GB/s)",
            lambda call=call, moved=moved: moved * gigabytes / timed(call),
        )
    for dtype in (dc.float32, dc.float64, dc.float16, dc.bfloat16):
        on_host = device.backend.is_host or device.name == "cpu"
        n = 128 if quick else 256 if on_host and dtype.bits < 32 else 1024 if on_host else 4096
        if dtype in device.backend.raw_dtypes:
            a = dc.ones((n, n), dtype=dc.float32, device=device).astype(dtype)
            yield (
                f"matmul {n}x{n} {dtype} (TFLOP/s)",
                lambda a=a, n=n: 2 * n**3 / timed(lambda: dc.matmul(a, a)) / 1e12,
            )
    shape, generator = (elements // 64, 64), dc.random.Generator(0)
    for dtype in (dc.float32, dc.float64):
        yield (
            f"uniform of {elements} {dtype} (G/s)",
            lambda dtype=dtype: elements / timed(lambda: generator.uniform(shape, dtype=dtype, device=device)) / 1e9,
        )
    taken = dc.asarray(np.random.default_rng(0).integers(0, 1000, shape[0]), device=device)
    yield (
        f"scatter of {shape} into 1000 rows (GB/s)",
        lambda: (
            gigabytes / timed(lambda: device.kernels.scatter(x._data.reshape(shape), shape=(1000, 64), key=taken._data))
        ),
    )


def main() -> int:
    """Check, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the JSON file goes")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="small arrays and short measurements")
    options = parser.parse_args()
    if options.device.partition(":")[0] == "jax":
        importlib.import_module("jax").config.update("jax_enable_x64", val=True)
    try:
        device = dc.device(options.device)
    except dc.DeepcoreError as error:
        parser.error(str(error))
    options.out.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("error")  # as in the tests
    report = Report(device, options.out, quick=options.quick)
    size = 2**12 if options.quick else 2**20
    report.section("parity", parity(device))
    report.section("random numbers", random_numbers(device))
    report.section("scatter", scattering(device, size))
    report.section("repeatability", repeatability(device, size))
    report.section("times", times(device, quick=options.quick))
    print(f"{len(report.content['failures'])} failed; written to {report.path}")
    return 1 if report.content["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
