"""Pictures of the learning-rate schedules, drawn from the schedules themselves when the documentation is built.

A Markdown page gets them where it says ``<!-- schedules -->``: one small drawing each, in SVG, in the text's colour.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Final

from sphinx.errors import ExtensionError

from deepcore.optim import schedules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sphinx.application import Sphinx

MARKER: Final = "<!-- schedules -->"
STEPS: Final = 100
WIDTH, HEIGHT, MARGIN = 240, 96, 8

EXAMPLES: Final = (
    schedules.Constant(1.0),
    schedules.StepDecay(1.0, every=25, factor=0.5),
    schedules.MultiStepDecay(1.0, (50, 75), factor=0.3),
    schedules.ExponentialDecay(1.0, 0.96),
    schedules.InverseTimeDecay(1.0, rate=0.1),
    schedules.PolynomialDecay(1.0, steps=80, power=2.0),
    schedules.CosineDecay(1.0, steps=80),
    schedules.WarmRestarts(1.0, period=14, factor=2),
    schedules.OneCycle(1.0, steps=100),
    schedules.LinearWarmup(schedules.CosineDecay(1.0, steps=80), steps=20),
    schedules.Chained((0.2, schedules.StepDecay(1.0, every=20, factor=0.5)), (30,)),
    schedules.PerEpoch(schedules.ExponentialDecay(1.0, 0.7), steps=10),
    schedules.ReduceOnPlateau(1.0, factor=0.5, patience=3),
)


def learning_rates(schedule: schedules.Schedule) -> list[float]:
    """Return the learning rate of each step. A plateau is shown measurements that get better ever more seldom."""
    schedule, rates = copy(schedule), list[float]()
    for step in range(STEPS + 1):
        rates.append(schedule(step))
        if isinstance(schedule, schedules.ReduceOnPlateau):
            schedule.observe(1.0 / (1 + int(step**0.5) ** 2))
    return rates


def picture(rates: Sequence[float], title: str) -> str:
    """Return a drawing of numbers from 0 to 1 as SVG."""
    scale = (WIDTH - 2 * MARGIN) / (len(rates) - 1)
    points = " ".join(
        f"{MARGIN + scale * i:.1f},{HEIGHT - MARGIN - rate * (HEIGHT - 2 * MARGIN):.1f}" for i, rate in enumerate(rates)
    )
    frame = f"M{MARGIN},{MARGIN} V{HEIGHT - MARGIN} H{WIDTH - MARGIN}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" role="img" fill="none" '
        f'stroke="currentColor" aria-label="{title}"><path d="{frame}" stroke-opacity="0.4"/>'
        f'<polyline points="{points}" stroke-width="2"/></svg>'
    )


def page() -> str:
    """Return a Markdown table with a row for each example: how it is made, and how it looks."""
    shown = {type(example).__name__ for example in EXAMPLES}
    missing = (
        {name for name in dir(schedules) if hasattr(getattr(schedules, name), "state_dict")} - shown - {"Schedule"}
    )
    if missing:
        msg = f"there is no picture of {', '.join(sorted(missing))}: add an example to {__name__}"
        raise ExtensionError(msg)
    rows = [f"* - `{example}`\n  - {picture(learning_rates(example), type(example).__name__)}" for example in EXAMPLES]
    return "\n".join([":::{list-table}", ":widths: 60 40", "", *rows, ":::"])


def _insert(_app: Sphinx, _docname: str, source: list[str]) -> None:
    if MARKER in source[0]:
        source[0] = source[0].replace(MARKER, page())


def setup(app: Sphinx) -> dict[str, bool]:
    """Fill in the marker when a page is read."""
    app.connect("source-read", _insert)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
