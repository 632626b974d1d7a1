"""The table of docs/consumers.md. ``python tests/consumers/page.py`` measures it anew; it needs PyTorch and JAX."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measure import RIGHT, on_jax, on_torch, tried_on_deepcore

import deepcore as dc

if TYPE_CHECKING:
    from functions import Entry

PAGE = Path(__file__).resolve().parents[2] / "docs" / "consumers.md"
START, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
CHAPTERS = {
    "scipy": "SciPy",
    "sklearn": "scikit-learn",
    "array_api_extra": "array-api-extra",
    "einops": "einops",
    "xarray": "xarray",
}
DISTRIBUTIONS = ("scipy", "scikit-learn", "array-api-extra", "einops", "xarray", "numpy", "torch", "jax")


def marks(*outcomes: str) -> tuple[str, ...]:
    """Return the cells of a row."""
    return tuple(RIGHT if outcome == RIGHT else f"– {outcome}" for outcome in outcomes)


def rows() -> dict[str, tuple[str, ...]]:
    """Return the rows of the page as it is written: the cells for deepcore, PyTorch and JAX by the function's name."""
    table = PAGE.read_text(encoding="utf-8").partition(START)[2].partition(END)[0]
    found: dict[str, tuple[str, ...]] = {}
    for line in table.splitlines():
        if line.startswith("| `"):
            name, *cells = (cell.strip() for cell in line.strip("|").split(" | "))
            found[name.strip("`")] = tuple(cells)
    return found


def measured(entries: list[Entry]) -> str:
    """Return the tables, with their counts."""
    lines: dict[str, list[str]] = {library: [] for library in CHAPTERS}
    right = {library: [0, 0, 0] for library in CHAPTERS}
    for k, entry in enumerate(entries):
        own = tried_on_deepcore(entry, dc.device("cpu"))
        outcomes = (own, on_torch(entry), on_jax(entry))
        sys.stderr.write(f"{k + 1}/{len(entries)} {entry.name}: {outcomes}\n")
        cells = marks(*outcomes)
        shown = (cells[0] if own == RIGHT else f"– {entry.obstacle or own}", *cells[1:])
        lines[entry.library].append(f"| `{entry.name}` | {' | '.join(shown)} |")
        for i, outcome in enumerate(outcomes):
            right[entry.library][i] += outcome == RIGHT
    counts = [
        f"| {CHAPTERS[library]} | {len(lines[library])} | {' | '.join(map(str, right[library]))} |"
        for library in CHAPTERS
    ]
    totals = [str(sum(counts[i] for counts in right.values())) for i in range(3)]
    used = ", ".join(f"{name} {version(name)}" for name in DISTRIBUTIONS)
    parts = [
        f"Measured with {used}.\n\n",
        "| Library | functions | deepcore | PyTorch | JAX |\n| :-- | --: | --: | --: | --: |\n",
        "\n".join([*counts, f"| **all** | {len(entries)} | **{totals[0]}** | {totals[1]} | {totals[2]} |"]),
        "\n",
    ]
    for library, title in CHAPTERS.items():
        head = "| Function | deepcore | PyTorch | JAX |\n| :-- | :-- | :-- | :-- |\n"
        parts.append(f"\n### {title}\n\n{head}" + "\n".join(lines[library]) + "\n")
    return "".join(parts)


def main() -> None:
    """Write the tables into the page."""
    if os.environ.get("SCIPY_ARRAY_API") != "1":
        sys.exit("SciPy takes arrays of the standard where SCIPY_ARRAY_API=1 is in the environment")
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
    import jax
    import torch
    from functions import ENTRIES

    libraries: list[Any] = [jax, torch]
    libraries[0].config.update("jax_enable_x64", val=True)
    libraries[1].set_default_dtype(libraries[1].float64)
    dc.set_default_dtype(dc.float64)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{START}\n{measured(ENTRIES)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
