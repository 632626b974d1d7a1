"""How fast is convolution on NumPy, next to PyTorch? `python -m benchmarks.conv2d [--threads N] [--json FILE]`

Each shape is computed forward and backward by both in turn, many times, in one process, so that whatever else the
machine does falls on both alike; so is a whole training step of a small network. Medians and quartiles, in
milliseconds, and the quotient of the medians. Both have as many threads and give the same numbers, which is checked.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import json
import os
import platform
import statistics
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import deepcore as dc
from deepcore import nn, optim

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 21
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Case(NamedTuple):
    """A convolution of square images."""

    samples: int
    inputs: int
    size: int
    outputs: int
    kernel: int
    padding: int = 0
    stride: int = 1

    def __str__(self) -> str:
        step = f" / {self.stride}" if self.stride > 1 else ""
        images = f"{self.samples}×{self.inputs}×{self.size}×{self.size}"
        return f"{images} → {self.outputs}, {self.kernel}×{self.kernel}{step}"


CASES = (
    Case(32, 3, 32, 32, 3, 1),
    Case(32, 32, 32, 64, 3, 1),
    Case(32, 32, 16, 64, 3, 1),
    Case(64, 1, 28, 6, 5),
    Case(64, 6, 12, 16, 5),
    Case(32, 64, 16, 128, 1),
    Case(32, 64, 8, 64, 3, 1),
    Case(32, 32, 32, 64, 3, 1, 2),
)


def assert_same(ours: Any, theirs: Any) -> None:
    """Compare with the size of the largest value."""
    desired = theirs.detach().numpy()
    error = np.abs(ours.numpy() - desired).max() / np.abs(desired).max()
    assert error < 1e-5, f"the results differ by {error:.1e} of the largest"


def convolutions(case: Case, torch: Any) -> dict[str, dict[str, Callable[[], object]]]:
    """Return forward and backward of both."""
    rng = np.random.default_rng(0)
    shapes = [
        (case.samples, case.inputs, case.size, case.size),
        (case.outputs, case.inputs, case.kernel, case.kernel),
        (case.outputs,),
    ]
    values = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    own = [dc.asarray(v, requires_grad=True) for v in values]
    other = [torch.tensor(v, requires_grad=True) for v in values]
    options = {"stride": case.stride, "padding": case.padding}
    y, y_torch = dc.convolution(*own, **options), torch.nn.functional.conv2d(*other, **options)
    assert_same(y.detach(), y_torch)
    dy = rng.normal(size=y.shape).astype(np.float32)
    dy_own, dy_torch = dc.asarray(dy), torch.tensor(dy)

    def forward() -> None:
        with dc.no_grad():
            dc.convolution(*own, **options)

    def forward_torch() -> None:
        with torch.no_grad():
            torch.nn.functional.conv2d(*other, **options)

    def backward() -> None:
        for x in own:
            x.grad = None
        y.backward(dy_own, retain_graph=True)

    def backward_torch() -> Any:
        return torch.autograd.grad(y_torch, other, dy_torch, retain_graph=True)

    backward()
    for x, dx in zip(own, backward_torch(), strict=True):
        assert x.grad is not None
        assert_same(x.grad, dx)
    return {
        f"{case}, forward": {"deepcore": forward, "torch": forward_torch},
        f"{case}, backward": {"deepcore": backward, "torch": backward_torch},
    }


def training_step(torch: Any) -> dict[str, dict[str, Callable[[], object]]]:
    """Return a step of Adam on a network of two convolutions, two poolings and a dense layer."""
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(32, 3, 32, 32)).astype(np.float32), rng.integers(0, 10, 32)
    ours = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1, activation="relu"),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1, activation="relu"),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dense(4096, 10),
    )
    theirs = torch.nn.Sequential(
        *(torch.nn.Conv2d(3, 32, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2)),
        *(torch.nn.Conv2d(32, 64, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2)),
        *(torch.nn.Flatten(), torch.nn.Linear(4096, 10)),
    )
    layers = [layer for layer in theirs if hasattr(layer, "weight")]
    with torch.no_grad():
        for own, other in zip([ours[0], ours[2], ours[5]], layers, strict=True):
            weight = torch.tensor(own.weight.detach().numpy())
            other.weight.copy_(weight.T if weight.ndim == 2 else weight)
            other.bias.zero_()
    loss, loss_torch = nn.CategoricalCrossEntropy(), torch.nn.CrossEntropyLoss()
    adam, adam_torch = optim.Adam(ours.parameters(), lr=1e-4), torch.optim.Adam(theirs.parameters(), lr=1e-4)
    inputs, labels, inputs_torch, labels_torch = dc.asarray(x), dc.asarray(t), torch.tensor(x), torch.tensor(t)

    def step() -> Any:
        adam.zero_grad()
        value = loss(ours(inputs), labels)
        value.backward()
        adam.step()
        return value

    def step_torch() -> Any:
        adam_torch.zero_grad()
        value = loss_torch(theirs(inputs_torch), labels_torch)
        value.backward()
        adam_torch.step()
        return value

    for _ in range(3):
        assert_same(step().detach(), step_torch())
    return {"training step of a network": {"deepcore": step, "torch": step_torch}}


def measure(table: dict[str, dict[str, Callable[[], object]]]) -> list[dict[str, Any]]:
    """Time both in turn, and return medians, quartiles and their quotient."""
    rows: list[dict[str, Any]] = []
    for name, pair in table.items():
        times: dict[str, list[float]] = {kind: [] for kind in pair}
        for _ in range(ROUNDS):
            for kind, call in pair.items():
                start = perf_counter()
                call()
                times[kind].append((perf_counter() - start) * 1e3)
        row: dict[str, Any] = {"operation": name}
        for kind, values in times.items():
            row[kind] = {
                "median_ms": statistics.median(values),
                "quartiles_ms": statistics.quantiles(values, n=4)[::2],
                "least_ms": min(values),
            }
        row["ratio"] = row["deepcore"]["median_ms"] / row["torch"]["median_ms"]
        row["ratio_of_least"] = row["deepcore"]["least_ms"] / row["torch"]["least_ms"]
        rows.append(row)
    return rows


def blas_threads() -> int | None:
    """Return how many threads NumPy's OpenBLAS uses, or None where it is another library."""
    name = "scipy_openblas_get_num_threads64_"
    for path in Path(np.__file__).parent.parent.glob("numpy.libs/libscipy_openblas64_*"):
        found: int = getattr(ctypes.CDLL(str(path)), name)()
        return found
    return None


def main() -> None:
    """Print the table, and write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    wanted = dict.fromkeys(THREADS, str(given.threads))
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        # BLAS reads them when it is loaded, so the program begins again.
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks.conv2d", *sys.argv[1:]], os.environ | wanted)
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(given.threads)
    assert blas_threads() in (None, given.threads)
    results: list[dict[str, Any]] = []
    for case in CASES:
        results += measure(convolutions(case, torch))
    results += measure(training_step(torch))
    for row in results:
        shown = [
            f"{kind} {row[kind]['median_ms']:7.2f} ms ({row[kind]['quartiles_ms'][0]:.2f} to "
            f"{row[kind]['quartiles_ms'][1]:.2f})"
            for kind in ("deepcore", "torch")
        ]
        print(f"{row['operation']:<42}{'   '.join(shown)}   × {row['ratio']:.2f}")
    if given.json is not None:
        machine = {
            "machine": platform.machine(),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": str(torch.__version__),
            "threads": given.threads,
        }
        content = json.dumps({"machine": machine, "results": results}, indent=2)
        given.json.write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
