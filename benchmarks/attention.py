"""How fast is attention next to PyTorch's? `python -m benchmarks.attention [--threads N] [--json FILE]`

Both compute the same, which is checked first, on the same number of threads. They are timed in turn, many times, in one
process, so that whatever else the machine does falls on both alike. Medians and quartiles, in milliseconds, and the
median of the quotients of neighbouring times. Set OPENBLAS_NUM_THREADS to the number of threads before the start.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

import deepcore as dc

if TYPE_CHECKING:
    from collections.abc import Callable

    Calls = dict[str, Callable[[], Any]]

ROUNDS: Final = 41
CASES: Final[dict[str, dict[str, Any]]] = {
    "8 × 8 heads of 32, T = 256": {"shape": (8, 8, 256, 32)},
    "8 × 8 heads of 64, T = 256": {"shape": (8, 8, 256, 64)},
    "the same, causal": {"shape": (8, 8, 256, 64), "is_causal": True},
    "1 × 8 heads of 64, T = 1024, causal": {"shape": (1, 8, 1024, 64), "is_causal": True},
    "32 × 4 heads of 16, T = 32": {"shape": (32, 4, 32, 16)},
}


def functions(torch: Any, shape: tuple[int, ...], options: dict[str, Any]) -> dict[str, Calls]:
    """Return what is timed. Heads lie beside each other in memory, as a layer's projections leave them."""
    samples, heads, positions, features = shape
    rng = np.random.default_rng(0)
    arrays = [
        rng.normal(size=(samples, positions, heads, features)).astype(np.float32).transpose(0, 2, 1, 3)
        for _ in range(4)
    ]
    *own, dy = (dc.asarray(x, requires_grad=i < 3) for i, x in enumerate(arrays))
    *theirs, dy_torch = (torch.tensor(x, requires_grad=i < 3) for i, x in enumerate(arrays))
    sdpa = torch.nn.functional.scaled_dot_product_attention

    def forward() -> Any:
        with dc.no_grad():
            return dc.attention(*own, **options)

    def forward_torch() -> Any:
        with torch.no_grad():
            return sdpa(*theirs, **options)

    def both() -> list[Any]:
        for x in own:
            x.grad = None
        dc.attention(*own, **options).backward(dy)
        return [x.grad for x in own]

    def both_torch() -> list[Any]:
        for x in theirs:
            x.grad = None
        sdpa(*theirs, **options).backward(dy_torch)
        return [x.grad for x in theirs]

    for mine, reference in zip([forward(), *both()], [forward_torch(), *both_torch()], strict=True):
        np.testing.assert_allclose(mine.numpy(), reference.numpy(), rtol=1e-4, atol=1e-5)
    return {
        "forward": {"deepcore": forward, "torch": forward_torch},
        "forward and backward": {"deepcore": both, "torch": both_torch},
    }


def timed(calls: Calls) -> dict[str, Any]:
    """Time some functions in turn."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append((time.perf_counter() - start) * 1e3)
    ratios = [a / b for a, b in zip(times["deepcore"], times["torch"], strict=True)]
    row: dict[str, Any] = {"ratio": statistics.median(ratios), "ratio_quartiles": statistics.quantiles(ratios)[::2]}
    for name, values in times.items():
        row[name] = {
            "median_ms": statistics.median(values),
            "quartiles_ms": statistics.quantiles(values)[::2],
            "min_ms": min(values),
        }
    return row


def main() -> None:
    """Print the table, and write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OPENBLAS_NUM_THREADS", "1")))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(arguments.threads)
    results: list[dict[str, Any]] = []
    for case, given in CASES.items():
        options = {name: value for name, value in given.items() if name != "shape"}
        for what, calls in functions(torch, given["shape"], options).items():
            row = {"case": case, "operation": what, **timed(calls)}
            results.append(row)
            low, high = row["ratio_quartiles"]
            times = "".join(f"{row[name]['median_ms']:9.2f}" for name in ("deepcore", "torch"))
            print(f"{case:<38}{what:<22}{times} ms   ratio {row['ratio']:.2f} ({low:.2f} to {high:.2f})")
    if arguments.json is not None:
        machine = {
            "machine": platform.machine(),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": torch.__version__,
            "threads": arguments.threads,
        }
        text = json.dumps({"machine": machine, "results": results}, indent=2)
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
