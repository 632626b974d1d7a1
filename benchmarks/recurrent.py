"""How long does a recurrent layer take next to PyTorch's? `python -m benchmarks.recurrent [--json FILE]`

A layer of the same sizes and weights, on as many threads, in one process. Each round times every variant once, in turn,
so that whatever else the machine does falls on all of them alike. Medians and quartiles, in milliseconds; the ratios
are of times in the same round. Before anything is timed, outputs and gradients are compared.
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
from typing import TYPE_CHECKING, Any

import numpy as np

import deepcore as dc
from deepcore import nn

if TYPE_CHECKING:
    from collections.abc import Callable

torch: Any = importlib.import_module("torch")

ROUNDS = 41
SIZES = {"medium": (64, 32, 128, 128), "small": (16, 8, 32, 32)}
"""Time steps, samples, inputs and units."""
PASSES = ("forward", "forward and backward")


def pair(kind: str, steps: int, batch: int, inputs: int, units: int) -> tuple[Callable[[bool], Any], ...]:
    """Return our layer and PyTorch's as functions of whether to go back, which return outputs and gradients."""
    ours, theirs = getattr(nn, kind)(inputs, units), getattr(torch.nn, kind)(inputs, units, batch_first=True)
    with torch.no_grad():
        for name in ("weight", "bias"):
            for own, other in (("input", "ih"), ("hidden", "hh")):
                values = getattr(ours.cells[0], f"{name}_{own}").numpy()
                getattr(theirs, f"{name}_{other}_l0").copy_(torch.tensor(values.T))
    source = np.random.default_rng(0)
    x = source.normal(size=(batch, steps, inputs)).astype(np.float32)
    dy = source.normal(size=(batch, steps, units)).astype(np.float32)
    x_own, dy_own = dc.asarray(x, requires_grad=True), dc.asarray(dy)
    x_other, dy_other = torch.tensor(x, requires_grad=True), torch.tensor(dy)
    parameters = (ours.parameters(), list(theirs.parameters()))

    def run(layer: Any, x: Any, dy: Any, own: list[Any], *, back: bool) -> list[Any]:
        y, _ = layer(x)
        if not back:
            return [y.detach()]
        for leaf in (x, *own):
            leaf.grad = None
        y.backward(dy)
        return [y.detach(), *[leaf.grad for leaf in (x, *own)]]

    return (
        lambda back: run(ours, x_own, dy_own, parameters[0], back=back),
        lambda back: run(theirs, x_other, dy_other, parameters[1], back=back),
    )


def check(ours: Callable[[bool], Any], theirs: Callable[[bool], Any]) -> float:
    """Return the largest difference of outputs and gradients, relative to the largest entry of each."""
    worst = 0.0
    for a, b in zip(ours(True), theirs(True), strict=True):
        wanted = b.numpy() if b.ndim != 2 else b.numpy().T
        worst = max(worst, float(np.abs(a.numpy() - wanted).max() / np.abs(wanted).max()))
    assert worst < 1e-5, f"the results differ by {worst:.1e}"
    return worst


def spread(values: list[float]) -> dict[str, Any]:
    """Return median and quartiles."""
    return {"median": statistics.median(values), "quartiles": statistics.quantiles(values, n=4)[::2]}


def measure() -> list[dict[str, Any]]:
    """Time every kind of layer in every size."""
    results: list[dict[str, Any]] = []
    for size, lengths in SIZES.items():
        for kind in ("RNN", "GRU", "LSTM"):
            variants = pair(kind, *lengths)
            worst = check(*variants)
            times: dict[tuple[str, int], list[float]] = {(what, i): [] for what in PASSES for i in range(2)}
            for _ in range(ROUNDS):
                for (what, i), found in times.items():
                    start = time.perf_counter()
                    variants[i](what != "forward")
                    found.append((time.perf_counter() - start) * 1e3)
            for what in PASSES:
                own, other = times[what, 0], times[what, 1]
                results.append(
                    {
                        "layer": kind,
                        "size": size,
                        "shape": dict(zip(("steps", "batch", "inputs", "units"), lengths, strict=True)),
                        "pass": what,
                        "deepcore_ms": spread(own),
                        "torch_ms": spread(other),
                        "ratio": spread([a / b for a, b in zip(own, other, strict=True)]),
                        "largest_relative_difference": worst,
                    }
                )
    return results


def main() -> None:
    """Print the table, and write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    path = parser.parse_args().json
    threads = int(os.environ.get("OPENBLAS_NUM_THREADS", "0"))
    if not threads:
        parser.error("set OPENBLAS_NUM_THREADS, so that NumPy and PyTorch compute on as many threads")
    torch.set_num_threads(threads)
    results = measure()
    for row in results:
        low, high = row["ratio"]["quartiles"]
        name = f"{row['size']:<8}{row['layer']:<6}{row['pass']:<22}"
        own, other = row["deepcore_ms"]["median"], row["torch_ms"]["median"]
        print(f"{name}{own:8.2f} ms, torch {other:8.2f} ms: {row['ratio']['median']:.2f}  ({low:.2f} to {high:.2f})")
    if path is not None:
        machine = {
            "machine": platform.machine(),
            "threads": threads,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": torch.__version__,
        }
        path.write_text(json.dumps({"machine": machine, "results": results}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
