"""What does normalisation cost, forward and backward? `python -m benchmarks.normalization [--rounds N] [--json FILE]`

In units of a copy of the input on two threads, which is what reading and writing memory costs. `body` is the plain form
of the same operation, on NumPy too. Every variant is timed in turn, many times, in one process, so that whatever else
the machine does falls on all of them alike: medians and quartiles, in milliseconds, and of the ratios to the copy of
the same round. Where PyTorch is installed, it is timed on two threads too, and its gradients are held equal.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import platform
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import deepcore as dc
from deepcore._backend import composites
from deepcore._primitive import registry

if TYPE_CHECKING:
    from collections.abc import Callable

POOL = ThreadPoolExecutor(2)
CASES: dict[str, tuple[str, tuple[int, ...], dict[str, Any]]] = {
    "layer norm 4096x4096": ("layer_norm", (4096, 4096), {}),
    "layer norm 65536x256": ("layer_norm", (65536, 256), {}),
    "RMS norm 4096x4096": ("rms_norm", (4096, 4096), {}),
    "batch norm 16384x1024": ("batch_norm", (16384, 1024), {"axis": 0}),
    "batch norm 64x64x64x64": ("batch_norm", (64, 64, 64, 64), {"axis": (0, 2, 3)}),
}


def variants(name: str, shape: tuple[int, ...], options: dict[str, Any]) -> dict[str, Callable[[], list[Any]]]:
    """Return what is timed: functions that give the gradients of all operands."""
    rng = np.random.default_rng(0)
    x, dy = (rng.normal(size=shape).astype(np.float32) for _ in range(2))
    features = shape[1] if name == "batch_norm" else shape[-1]
    parameters = [(1 + 0.1 * rng.normal(size=features)).astype(np.float32) for _ in range(1 + (name != "rms_norm"))]
    own = [dc.asarray(v, requires_grad=True) for v in (x, *parameters)]
    seed, kernels = dc.asarray(dy), dc.device("cpu").kernels
    operation: Any = registry[name]

    def deepcore() -> list[Any]:
        for leaf in own:
            leaf.grad = None
        y = operation(*own, **options)
        (y if isinstance(y, dc.Tensor) else y[0]).backward(seed)
        return [leaf.grad.numpy() for leaf in own if leaf.grad is not None]

    def body() -> list[Any]:
        eps = operation.defaults["eps"]
        y = composites[name](kernels, x, *parameters, **options)
        if name == "batch_norm":
            given = (dy, None, None, x, parameters[0], y.mean, y.variance)
            return list(composites["batch_norm_vjp"](kernels, *given, eps=eps, **options))
        dx, *rest = composites[f"{name}_vjp"](kernels, dy, x, *parameters, axes=1, eps=eps)
        return [dx, *[d.sum(axis=0) for d in rest]]

    found = {"body": body, "deepcore": deepcore}
    if importlib.util.find_spec("torch"):
        found["torch"] = _of_torch(name, [x, *parameters], dy)
    return found


def _of_torch(name: str, arrays: list[Any], dy: Any) -> Callable[[], list[Any]]:
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(2)
    functional = torch.nn.functional
    leaves, seed = [torch.tensor(a, requires_grad=True) for a in arrays], torch.tensor(dy)
    x, *parameters = leaves
    forward = {
        "layer_norm": lambda: functional.layer_norm(x, parameters[0].shape, *parameters),
        "rms_norm": lambda: functional.rms_norm(x, parameters[0].shape, *parameters, eps=1e-6),
        "batch_norm": lambda: functional.batch_norm(x, None, None, *parameters, training=True),
    }[name]

    def gradients() -> list[Any]:
        for leaf in leaves:
            leaf.grad = None
        forward().backward(seed)
        return [leaf.grad.numpy() for leaf in leaves]

    return gradients


def copying(size: int) -> Callable[[], None]:
    """Return a copy of so many numbers on two threads, into memory that is there already."""
    source, target = np.ones(size, np.float32), np.zeros(size, np.float32)
    halves = [slice(0, size // 2), slice(size // 2, size)]

    def copy() -> None:
        list(POOL.map(lambda half: np.copyto(target[half], source[half]), halves))

    return copy


def measure(rounds: int) -> list[dict[str, Any]]:
    """Time every variant in turn, after a look at what they give."""
    results: list[dict[str, Any]] = []
    for case, (name, shape, options) in CASES.items():
        functions = variants(name, shape, options)
        found = {kind: function() for kind, function in functions.items()}
        for kind, values in found.items():
            for a, b in zip(values, found["body"], strict=True):
                assert np.abs(a - b).max() <= 2e-5 * np.abs(b).max(), f"{case}: {kind} differs"
        del found
        timed: dict[str, Callable[[], Any]] = {"copy": copying(int(np.prod(shape))), **functions}
        times: dict[str, list[float]] = {kind: [] for kind in timed}
        for _ in range(rounds):
            for kind, function in timed.items():
                start = time.perf_counter()
                function()
                times[kind].append((time.perf_counter() - start) * 1e3)
        for kind, values in times.items():
            ratios = [t / copy for t, copy in zip(values, times["copy"], strict=True)]
            results.append(
                {
                    "case": case,
                    "variant": kind,
                    "median_ms": statistics.median(values),
                    "quartiles_ms": statistics.quantiles(values, n=4)[::2],
                    "median_copies": statistics.median(ratios),
                    "quartiles_copies": statistics.quantiles(ratios, n=4)[::2],
                }
            )
    return results


def main() -> None:
    """Print the table, and write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results = measure(arguments.rounds)
    for row in results:
        (low, high), (least, most) = row["quartiles_ms"], row["quartiles_copies"]
        name = f"{row['case']:<24}{row['variant']:<10}"
        copies = f"{row['median_copies']:6.1f} copies  ({least:.1f} to {most:.1f})"
        print(f"{name}{row['median_ms']:7.1f} ms  ({low:.1f} to {high:.1f})  {copies}")
    if arguments.json is not None:
        machine = {"machine": platform.machine(), "python": platform.python_version(), "numpy": np.__version__}
        text = json.dumps({"machine": machine, "results": results}, indent=2) + "\n"
        arguments.json.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
