"""What does recording cost per operation? `python -m benchmarks.op_overhead [--json FILE]`

Every variant is timed in turn, many times, in one process, so that whatever else the machine does falls on all of them
alike. Medians and quartiles, in microseconds. Where PyTorch is installed, its add is timed too.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import platform
import statistics
import timeit
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import deepcore as dc

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS, CALLS = 61, 2000


def variants() -> dict[str, dict[str, Callable[[], object]]]:
    """Return what is timed: for each operation the bare NumPy call, and deepcore's without and with recording."""
    raw = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)
    plain, tracked, seed = dc.asarray(raw), dc.asarray(raw, requires_grad=True), dc.asarray(raw)

    def backward() -> None:
        tracked.grad = None
        dc.add(tracked, tracked).backward(seed)

    operations: dict[str, tuple[Any, Any, int]] = {
        "add": (np.add, dc.add, 2),
        "multiply": (np.multiply, dc.multiply, 2),
        "matmul": (np.matmul, dc.matmul, 2),
        "exp": (np.exp, dc.exp, 1),
        "sum": (np.sum, dc.sum, 1),
    }
    found: dict[str, dict[str, Callable[[], object]]] = {}
    for name, (bare, own, n) in operations.items():
        found[name] = {
            "numpy": lambda bare=bare, n=n: bare(*[raw] * n),
            "untracked": lambda own=own, n=n: own(*[plain] * n),
            "recorded": lambda own=own, n=n: own(*[tracked] * n),
        }
    found["add, forward and backward"] = {"recorded": backward}
    if importlib.util.find_spec("torch"):
        found["add, forward and backward"]["torch"] = _backward_of_torch(raw)
    return found


def _backward_of_torch(raw: Any) -> Callable[[], None]:
    """Return the same for PyTorch, on one thread."""
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(1)
    tracked, seed = torch.tensor(raw, requires_grad=True), torch.tensor(raw)

    def backward() -> None:
        tracked.grad = None
        torch.add(tracked, tracked).backward(seed)

    return backward


def measure() -> list[dict[str, Any]]:
    """Time every variant in turn."""
    table = variants()
    times: dict[tuple[str, str], list[float]] = {(name, kind): [] for name, row in table.items() for kind in row}
    for _ in range(ROUNDS):
        for name, row in table.items():
            for kind, call in row.items():
                times[name, kind].append(timeit.timeit(call, number=CALLS) / CALLS * 1e6)
    return [
        {
            "operation": name,
            "variant": kind,
            "median_us": statistics.median(values),
            "quartiles_us": statistics.quantiles(values, n=4)[::2],
        }
        for (name, kind), values in times.items()
    ]


def main() -> None:
    """Print the table, and write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    path = parser.parse_args().json
    results = measure()
    bare = {row["operation"]: row["median_us"] for row in results if row["variant"] == "numpy"}
    for row in results:
        low, high = row["quartiles_us"]
        over = row["median_us"] - bare.get(row["operation"], row["median_us"])
        name = f"{row['operation']:<27}{row['variant']:<11}"
        print(f"{name}{row['median_us']:7.2f} µs  ({low:.2f} to {high:.2f})  +{over:.2f}")
    if path is not None:
        machine = {"machine": platform.machine(), "python": platform.python_version(), "numpy": np.__version__}
        path.write_text(json.dumps({"machine": machine, "results": results}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
