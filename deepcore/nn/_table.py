"""How a model is laid out as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._module import Module


def table(model: Module, shapes: Mapping[int, str]) -> str:
    """Return one line per layer and the totals; shapes are those of the layers' results, by the layers' ids."""
    rows = [("layer", "kind", "shape", "parameters"), *_rows(model, shapes)]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [
        f"  {path:<{widths[0]}}  {kind:<{widths[1]}}  {shape:<{widths[2]}}  {n:>{widths[3]}}"
        for path, kind, shape, n in rows
    ]
    return "\n".join([type(model).__name__, *lines, _totals(model)])


def _rows(model: Module, shapes: Mapping[int, str]) -> list[tuple[str, str, str, str]]:
    rows: list[tuple[str, str, str, str]] = []
    for path, module in model.named_modules():
        parts = [part for _, part in module.named_modules() if part is not module]
        inside = {id(p) for part in parts for p in part.parameters()}
        own = sum(p.size for p in module.parameters() if id(p) not in inside)
        if parts and not own:
            continue  # a container: its parts have rows of their own
        text, shape = module.describe(), shapes.get(id(module))
        kind = type(module).__name__
        rows.append((path, f"{kind} {text}".rstrip() if shape else kind, shape or text, f"{own:,}"))
    return rows


def _totals(model: Module) -> str:
    parameters = model.parameters()
    trainable = sum(p.size for p in parameters if p.requires_grad)
    n_bytes = sum(p.size * p.dtype.bits // 8 for p in parameters)
    return f"{model.n_parameters:,} parameters, {trainable:,} of them trainable, {_in_bytes(n_bytes)}"


def _in_bytes(n: float) -> str:
    if n < 1000:
        return f"{n:.0f} bytes"
    for unit in ("kB", "MB"):
        n /= 1000
        if n < 1000:
            return f"{n:.1f} {unit}"
    return f"{n / 1000:.1f} GB"
