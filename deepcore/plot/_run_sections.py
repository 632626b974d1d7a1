"""The sections of a report about a run: its result, what was run, where, and how it went."""

from __future__ import annotations

import math
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from .._page import definitions, table
from ..bench.machine import describe
from ..bench.units import seconds
from ._svg import picture
from .curves import curves, measured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._subject import Subject

ROWS = 100
"""How many epochs the table has at most, evenly chosen, with the last one."""

VALUE = 300
"""How many characters of a setting are shown."""


def result(subject: Subject) -> str:
    """Return the loss and the metrics at the end."""
    last = subject.history.last
    names = measured(subject.history.epochs)
    names += [name for name in subject.measured if name not in names]
    if not names:
        return ""
    rows = [
        (words(name), number(last.get(name)), number(last.get(f"val_{name}")), number(subject.measured.get(name)))
        for name in names
    ]
    notes = ""
    if subject.history.stopped:
        notes = f"Training came to an end early: {subject.history.stopped}."
    body = table(("", "training, last epoch", "validation, last epoch", "test"), rows)
    return "<h2>Result</h2>" + body + paragraph(notes)


def run(subject: Subject) -> str:
    """Return what was run, and on what."""
    trainer, history = subject.trainer, subject.history
    entries: dict[str, object] = {
        "model": f"{type(subject.model).__name__}, {subject.model.n_parameters:,} parameters",
        "device": str(subject.model.device),
    }
    if subject.loss is not None:
        entries["loss"] = type(subject.loss).__name__
    if trainer is not None:
        rate = "" if math.isnan(trainer.rate) else f", learning rate {trainer.rate:g}"
        entries["optimizer"] = type(trainer.optimizer).__name__ + rate
        precision = trainer.step.precision
        entries["precision"] = "float32" if precision is None else precision.dtype.name
        if trainer.data_shape:
            shape = trainer.data_shape
            entries["training data"] = f"{shape['samples']:,} samples in {shape['batches']:,} batches"
    if subject.data is not None:
        entries["test data"] = f"{subject.data.name}, {len(subject.data):,} samples"
    if history.epochs:
        spent = sum(epoch.get("seconds", 0.0) for epoch in history.epochs)
        samples = sum(epoch.get("samples", 0) for epoch in history.epochs)
        entries["epochs"] = f"{len(history)}"
        if spent:
            entries["time"] = seconds(spent) + (f", {samples / spent:,.0f} samples/s" if samples else "")
    parts = ["<h2>What was run</h2>", definitions(entries)]
    if subject.settings:
        parts += ["<h3>Settings</h3>", definitions({k: shown(v) for k, v in subject.settings.items()})]
    return "".join([*parts, "<h3>Machine</h3>", definitions(_machine())])


def _machine() -> dict[str, object]:
    machine = describe()
    blas = machine["blas"]
    threads = "" if blas["threads"] is None else f", threads: {blas['threads']}"
    return {
        "processor": f"{machine['cpu']}, {machine['usable_cores']} cores",
        "system": machine["system"],
        "BLAS": " ".join(str(x) for x in (blas["name"], blas["version"]) if x) + threads,
        "versions": ", ".join(f"{name} {number}" for name, number in machine["versions"].items()),
    }


def progress(subject: Subject) -> str:
    """Return the curves, and their numbers as a table."""
    epochs = subject.history.epochs
    if not epochs:
        return ""
    parts = ["<h2>Training</h2>", '<div class="row">']
    for name in measured(epochs):
        alt = f"{words(name)} over {len(epochs)} epochs; the numbers are in the table below"
        parts.append(picture(partial(_draw, epochs, name), (4.8, 3.4), alt))
    return "".join([*parts, "</div>", details("The numbers, and the time of every epoch", _table_of(epochs))])


def _draw(epochs: Sequence[Mapping[str, Any]], name: str, ax: Any) -> None:
    curves(epochs, name, ax=ax)


def _table_of(epochs: Sequence[Mapping[str, Any]]) -> str:
    chosen = [epochs[i] for i in np.unique(np.linspace(0, len(epochs) - 1, ROWS).round().astype(int))]
    known = dict.fromkeys(name for epoch in chosen for name, x in epoch.items() if np.ndim(x) == 0)
    rows = [tuple(number(epoch.get(name)) for name in known) for epoch in chosen]
    return table([words(name) for name in known], rows)


def words(name: str) -> str:
    """Return the name of a quantity for people."""
    return name.replace("val_", "validation ").replace("_", " ")


def number(x: Any) -> str:
    """Return a number for people; nothing, if there is none."""
    if x is None:
        return ""
    return f"{x:,}" if isinstance(x, int) else f"{x:.4g}" if abs(x) < 1e4 else f"{x:,.0f}"


def shown(value: object) -> str:
    """Return a setting, cut where it is too long."""
    text = str(value)
    return text if len(text) <= VALUE else f"{text[: VALUE - 1]}…"


def paragraph(text: str) -> str:
    """Return a paragraph; nothing, if it is empty."""
    return f"<p>{escape(text)}</p>" if text else ""


def details(summary: str, content: str) -> str:
    """Return what is shown when one asks for it, and when the page is printed."""
    return f"<details><summary>{summary}</summary>{content}</details>"
