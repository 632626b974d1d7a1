"""The sections of a report about a model: its layers, its weights, what its units give, and its graph."""

from __future__ import annotations

import math
import re
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._errors import DeepcoreError
from .._page import table
from ..graph import draw
from ..nn import summary, unit_report
from ._run_sections import details, paragraph
from ._svg import picture
from .distributions import activations, layer_results, weights
from .filters import drawable, filters, size_of

if TYPE_CHECKING:
    from ..nn import UnitReport
    from ._subject import Subject

MOST_LAYERS: Final = 60
"""Up to how many layers, or parameters, there are histograms."""

MOST_LINES: Final = 200
"""How many lines of the table of layers are shown."""

MOST_OF_A_GRAPH: Final = 400_000
"""Up to how many characters a drawing is in the report."""


def layers(subject: Subject) -> str:
    """Return the table of the layers, and the graph."""
    shape = None if subject.data is None else (1, *subject.data.inputs.shape[1:])
    try:
        text = summary(subject.model, shape)
    except DeepcoreError:  # a model that takes no numbers of the default type, such as labels of words
        text = summary(subject.model)
    lines = text.splitlines()
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 2], f"  ... {len(lines) - MOST_LINES + 1} lines more", lines[-1]]
    return f'<h2>Model</h2><pre tabindex="0">{escape(chr(10).join(lines))}</pre>{_graph(subject)}'


def _graph(subject: Subject) -> str:
    if subject.look is None:
        return ""
    try:
        drawing = str(draw(subject.model, subject.look[0][:1]))
    except DeepcoreError as error:
        return details("Graph", paragraph(f"There is no drawing of this model: {error}"))
    if len(drawing) > MOST_OF_A_GRAPH:
        return paragraph(f"The graph has {drawing.count('<g class'):,} boxes, too many to be drawn here.")
    drawing = re.sub(r' xmlns="[^"]*"', "", drawing).replace('aria-label="graph"', 'aria-label="graph of the model"')
    return details("Graph", f'<div class="drawing" tabindex="0">{drawing}</div>')


def parameters(subject: Subject) -> str:
    """Return the weights of the first layer as images, and how all weights are distributed."""
    parts: list[str] = []
    try:
        path, layer = drawable(subject.model)
    except DeepcoreError:
        pass
    else:
        alt = f"The weights of {path} {layer!r} as images."
        caption = "Weights of the first layer; blue above 0, orange below."
        parts.append(picture(lambda ax: filters(subject.model, ax=ax), size_of(subject.model), alt, caption))
    named = list(subject.model.named_parameters())
    if 0 < len(named) <= MOST_LAYERS and any(np.isfinite(p.detach().numpy()).any() for _, p in named):
        values = {name: p.detach().numpy() for name, p in named}
        said = "; ".join(f"{name}: from {x.min():.2g} to {x.max():.2g}" for name, x in values.items() if x.size)
        size = (6.2, max(1.0 + 0.4 * len(named), 2.5))
        parts.append(picture(lambda ax: weights(subject.model, ax=ax), size, f"Histograms of the parameters. {said}"))
    return f'<h2>Weights</h2><div class="row">{"".join(parts)}</div>' if parts else ""


def units(subject: Subject) -> str:
    """Return what the units give for some samples, and which gradients reach them."""
    if subject.look is None:
        return ""
    inputs, targets = subject.look
    results = [values for _, _, values in layer_results(subject.model, inputs)]
    parts = [f"<h2>Layers on {len(inputs):,} samples</h2>"]
    if 0 < len(results) <= MOST_LAYERS and any(np.isfinite(y).any() for values in results for y in values):
        size = (6.8, max(1.0 + 0.45 * len(results), 2.5))
        alt = "Histograms of what the units of every layer give; shares of dead units are in the table below."
        parts.append(picture(lambda ax: activations(subject.model, inputs, ax=ax), size, alt))
    if subject.loss is not None:
        try:
            parts.append(_table(unit_report(subject.model, subject.loss, inputs, targets)))
        except DeepcoreError as error:
            parts.append(paragraph(f"There are no gradients: {error}"))
    return "".join(parts) if len(parts) > 1 else ""


def _table(report: UnitReport) -> str:
    def shown(x: float, form: str) -> str:
        return "" if math.isnan(x) else f"{x:{form}}"

    rows: list[tuple[Any, ...]] = [
        (
            f"{x.path} {x.kind}".strip(),
            f"{x.n_units:,}",
            shown(x.gradient, ".1e"),
            shown(x.parameter_gradient, ".1e"),
            shown(x.dead, ".0%"),
            shown(x.saturated, ".0%"),
        )
        for x in report.layers[:MOST_LINES]
    ]
    return table(("layer", "units", "|∂L/∂y|", "|∂L/∂θ|", "dead", "saturated"), rows)
