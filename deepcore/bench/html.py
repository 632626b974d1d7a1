"""A report as one page of HTML: its plots are in it, and it loads nothing from anywhere."""

from __future__ import annotations

import itertools
import math
from html import escape
from typing import TYPE_CHECKING, Final

from .._page import definitions, table
from .._page import page as html_page
from .units import rate, ratio, seconds, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .clock import Spread
    from .comparison import Change
    from .report import Report, Result

STYLE: Final = """
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; } svg text { fill: var(--ink); }
svg .soft { fill: var(--soft); } svg line { stroke: var(--line); } svg .whisker { stroke: var(--ink); }
.own { fill: var(--own); } .floor { fill: var(--floor); } .peer { fill: var(--peer); }
"""

LABEL, WIDTH, ROW = 210, 960, 22
"""The width of the labels, of the whole plot, and the height of a bar with its gap."""


def page(report: Report, changes: Sequence[Change] = ()) -> str:
    """Return a report as HTML.

    Parameters
    ----------
    report
        The report.
    changes
        What has changed since an older one.
    """
    parts = [
        f"<h1>deepcore bench</h1><p>{escape(report.date)}</p>",
        *(f'<p class="warning">{escape(text)}</p>' for text in report.warnings()),
        _machine(report),
        *_kinds(report),
        _changes(changes),
        _skipped(report),
    ]
    return html_page("deepcore bench", parts, style=STYLE)


def _machine(report: Report) -> str:
    machine, settings = report.machine, report.settings
    rows = {
        "processor": f"{machine.get('cpu')}, {machine.get('usable_cores')} cores",
        "system": machine.get("system"),
        "BLAS": " ".join(str(x) for x in (machine.get("blas") or {}).values() if x is not None),
        "threads": settings.get("threads"),
        "rounds": settings.get("rounds"),
        "versions": ", ".join(f"{name} {number}" for name, number in machine.get("versions", {}).items()),
        "load average before": machine.get("load_average"),
        "foreign load": None if report.foreign_cores is None else f"{report.foreign_cores:.2f} cores",
    }
    return definitions(rows)


def _kinds(report: Report) -> list[str]:
    parts: list[str] = []
    for kind in dict.fromkeys(r.kind for r in report.results):
        of_kind = [r for r in report.results if r.kind == kind]
        parts.append(f"<h2>{escape(kind.replace('_', ' '))}</h2>")
        for case, group in itertools.groupby(of_kind, key=lambda r: (r.case, r.batch)):
            results = list(group)
            batch = f", batch {case[1]}" if case[1] else ""
            parts += [f"<h3>{escape(case[0] + batch)}</h3>", bars(results), _table(results)]
    return parts


def bars(results: Sequence[Result]) -> str:
    """Return the seconds of some results as bars, with whiskers from quartile to quartile; all begin at 0."""
    most = max(r.q3_s for r in results)
    scale = (WIDTH - LABEL - 140) / most
    parts: list[str] = []
    for i, r in enumerate(results):
        y = i * ROW
        spread: Spread = r.seconds
        low, median, high = (LABEL + scale * x for x in spread)
        label = escape(f"{r.subject} ({r.device})")
        text = seconds(spread.median) + (f" = {ratio(r.ratio_to_floor)}" if r.ratio_to_floor is not None else "")
        parts += [
            f'<text x="{LABEL - 8}" y="{y + 14}" text-anchor="end">{label}</text>',
            f'<rect class="{_class(r)}" x="{LABEL}" y="{y + 3}" width="{median - LABEL:.1f}" height="{ROW - 8}"/>',
            f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}" y1="{y + 10}" y2="{y + 10}"/>',
            f'<text class="soft" x="{max(high, median) + 6:.1f}" y="{y + 14}">{escape(text)}</text>',
        ]
    height = len(results) * ROW
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img">{"".join(parts)}</svg>'


def _class(result: Result) -> str:
    if result.subject.startswith("deepcore"):
        return "own"
    return "floor" if result.subject in (result.floor, "raw") else "peer"


HEADS: Final = ("subject", "median", "quartiles", "× floor", "rate", "loss", "memory")


def _table(results: Sequence[Result]) -> str:
    rows = [
        (
            f"{r.subject} ({r.device})",
            seconds(r.median_s),
            f"{seconds(r.q1_s)} to {seconds(r.q3_s)}",
            ratio(r.ratio_to_floor),
            rate(r),
            "" if r.loss is None else f"{r.loss:.6g}",
            size(r.memory_bytes),
        )
        for r in results
    ]
    return table(HEADS, rows)


def _changes(changes: Sequence[Change]) -> str:
    if not changes:
        return ""
    heads = ("measured", "old", "new", "new / old", "between", "in floors", "verdict")
    rows = [
        (
            f"{c.new.kind} {c.new.case} {c.new.subject} {c.new.device}",
            seconds(c.old.median_s),
            seconds(c.new.median_s),
            f"{c.ratio.median:.3g}",
            f"{c.ratio.low:.3g} to {c.ratio.high:.3g}",
            "" if c.in_floors is None else f"{c.in_floors:.3g}",
            c.verdict,
        )
        for c in sorted(changes, key=lambda c: -abs(math.log(c.ratio.median)))
    ]
    return "<h2>Changes</h2>" + table(heads, rows)


def _skipped(report: Report) -> str:
    if not report.skipped:
        return ""
    rows = [f"{s.subject}: {s.reason}{f' ({s.install})' if s.install else ''}" for s in report.skipped]
    return f"<h2>Not measured</h2><ul>{''.join(f'<li>{escape(row)}</li>' for row in rows)}</ul>"
