"""What a drawing shows, boxes with labels and lines between them, and the drawing itself as SVG."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .._files import replacing
from .._tracing import Number
from ._layout import layout

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from ._layout import Point
    from .program import Call, Program, Value

CHARACTER: Final = 7.3
"""How wide a character of a label is, a little more than it is in common fonts."""

LINE: Final = 16.0
PADDING: Final = 10.0
MARGIN: Final = 8.0

STYLE: Final = """
.deepcore-graph { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; color-scheme: light dark;
  --ink: #1b1f24; --faint: #59636e; --line: #8c959f; --box: #ffffff; --input: #ddf4ff; --constant: #f6f8fa;
  --output: #dafbe1; --value: #0a3069; --gradient: #a40e26; }
@media (prefers-color-scheme: dark) { .deepcore-graph { --ink: #e6edf3; --faint: #9198a1; --line: #6e7681;
  --box: #161b22; --input: #0c2d6b; --constant: #21262d; --output: #033a16; --value: #a5d6ff; --gradient: #ff9492; } }
.deepcore-graph rect { stroke: var(--line); fill: var(--box); }
.deepcore-graph .input rect { fill: var(--input); }
.deepcore-graph .constant rect { fill: var(--constant); stroke-dasharray: 3 2; }
.deepcore-graph .output rect { fill: var(--output); }
.deepcore-graph text { fill: var(--ink); text-anchor: middle; }
.deepcore-graph .title { font-weight: 600; }
.deepcore-graph .kind, .deepcore-graph .option { fill: var(--faint); }
.deepcore-graph .value { fill: var(--value); }
.deepcore-graph .gradient { fill: var(--gradient); }
.deepcore-graph .edge { fill: none; stroke: var(--line); }
.deepcore-graph marker path { fill: var(--line); }
.deepcore-graph .label { display: none; pointer-events: none; }
.deepcore-graph .node:hover .label, .deepcore-graph .node:focus .label { display: inline; }
.deepcore-graph .node:focus { outline: none; }
""".strip()


@dataclass(eq=False, slots=True)
class Box:
    """A box of a drawing.

    Attributes
    ----------
    title
        What is written first.
    role
        ``"input"``, ``"constant"``, ``"call"`` or ``"output"``.
    labels
        What is written below, each with what it is: ``"kind"``, ``"option"``, ``"value"`` or ``"gradient"``.
    where
        The line of the user's program.
    """

    title: str
    role: str
    labels: list[tuple[str, str]] = field(default_factory=list[Any])
    where: str = ""


@dataclass(slots=True)
class Picture:
    """Boxes, in an order of evaluation, and lines from box to box."""

    boxes: list[Box] = field(default_factory=list[Box])
    edges: list[tuple[int, int]] = field(default_factory=list[Any])

    def add(self, box: Box, sources: list[int] | None = None) -> int:
        """Add a box and the lines to it, and return its number."""
        self.boxes.append(box)
        self.edges += [(source, len(self.boxes) - 1) for source in dict.fromkeys(sources or ())]
        return len(self.boxes) - 1


class Drawing(str):
    """An SVG image as text. Notebooks show it."""

    __slots__ = ()

    def _repr_svg_(self) -> str:
        return str(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the image to a file.

        Raises
        ------
        StorageError
            If the file cannot be written.
        """
        with replacing(Path(path)) as file:
            file.write(self.encode())


def program_picture(program: Program, labels: Mapping[Value, list[tuple[str, str]]] | None = None) -> Picture:
    """Return the picture of a program, with further labels for some values."""
    picture, of = Picture(), dict[Any, int]()
    more = labels or {}

    def box(value: Value, title: str, role: str) -> Box:
        return Box(title, role, [("kind", value.kind), *more.get(value, ())])

    for value in program.inputs:
        of[value] = picture.add(box(value, value.name or "input", "input"))
    for draw in program.draws:
        for value, _ in draw.arrays:
            of[value] = picture.add(box(value, "draw", "input"))
    for value in program.constants:
        of[value] = picture.add(box(value, value.name or "constant", "constant"))
    for call in program.calls:
        found = [label for value in call.results for label in (("kind", value.kind), *more.get(value, ()))]
        number = picture.add(
            Box(call.operation, "call", [*_options(call), *found], place(call)), [of[x] for x in call.operands()]
        )
        of.update(dict.fromkeys(call.results, number))
    for i, value in enumerate(program.outputs):
        picture.add(Box(_output(program, i), "output", [("kind", value.kind)]), [of[value]])
    return picture


def _output(program: Program, i: int) -> str:
    value = program.outputs[i]
    if len(program.outputs) == 1:
        return "output"
    name = str(i) if value in program.inputs else value.name or str(i)
    return f"output {name}" if name[0].isdigit() else name


def place(call: Call) -> str:
    """Return where a call comes from: the layer, and the line of the user's program."""
    return " at ".join(part for part in (call.layer and f"in {call.layer}", call.where) if part)


def _options(call: Call) -> list[tuple[str, str]]:
    """Return what a call is given besides arrays."""
    texts = [_text(part) for part in call.arguments if not hasattr(part, "kind")]
    texts += [f"{name}={_text(part)}" for name, part in call.parameters.items()]
    return [("option", text if len(text) <= 40 else f"{text[:39]}…") for text in texts if text]


def _text(part: Any) -> str:
    if hasattr(part, "nbytes"):
        return "·"  # an array within a sequence or an index: a line leads to it
    if isinstance(part, slice):
        ends = ["" if x is None else _text(x) for x in (part.start, part.stop)]
        return ":".join(ends if part.step is None else [*ends, _text(part.step)])
    if isinstance(part, (list, tuple)):
        return f"({', '.join(map(_text, part))})" if any(not hasattr(x, "nbytes") for x in part) else ""
    if isinstance(part, Number):
        return f"{part.value:.4g}"
    if isinstance(part, float):
        return f"{part:.4g}"
    return "..." if part is ... else str(part)


def drawn(picture: Picture, *, collapsed: bool = False) -> Drawing:
    """Return a picture as SVG.

    Parameters
    ----------
    picture
        The picture.
    collapsed
        Whether boxes show their titles alone, and the labels of a box while the mouse is over it or it has the focus.
    """
    sizes = [_size(box, collapsed=collapsed) for box in picture.boxes]
    found = layout(sizes, picture.edges)
    width, height = (length + 2 * MARGIN for length in found.size)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="deepcore-graph" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="{-MARGIN:g} {-MARGIN:g} {width:.1f} {height:.1f}" role="img" aria-label="graph">'
        ),
        f"<style>{STYLE}</style>",
        (
            '<defs><marker id="deepcore-arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>'
        ),
    ]
    for (a, b), points in zip(picture.edges, found.lines, strict=True):
        parts.append(
            f'<path class="edge" data-from="{a}" data-to="{b}" d="{_curve(points)}" marker-end="url(#deepcore-arrow)"/>'
        )
    for i, box in enumerate(picture.boxes):
        parts.append(_box(i, box, found.corners[i], sizes[i], collapsed=collapsed))
    parts.append("</svg>")
    return Drawing("\n".join(parts))


def _size(box: Box, *, collapsed: bool) -> Point:
    lines = [box.title] if collapsed else [box.title, *(text for _, text in box.labels)]
    return max(len(line) for line in lines) * CHARACTER + 2 * PADDING, len(lines) * LINE + PADDING


def _curve(points: list[Point]) -> str:
    (x, y), *rest = points
    parts = [f"M{x:.1f} {y:.1f}"]
    for u, v in rest:
        parts.append(
            f"L{u:.1f} {v:.1f}" if u == x else f"C{x:.1f} {(y + v) / 2:.1f} {u:.1f} {(y + v) / 2:.1f} {u:.1f} {v:.1f}"
        )
        x, y = u, v
    return "".join(parts)


def _box(i: int, box: Box, corner: Point, size: Point, *, collapsed: bool) -> str:
    (x, y), (width, height) = corner, size
    middle, base = x + width / 2, y + LINE
    radius = 4 if box.role == "call" else 10
    tip = "\n".join([box.title, *(text for _, text in box.labels), *([box.where] if box.where else [])])
    labels = "".join(
        f'<text class="{kind}" x="{middle:.1f}" y="{base + k * LINE:.1f}">{escape(text)}</text>'
        for k, (kind, text) in enumerate(box.labels, 1)
    )
    if collapsed and labels:
        w, h = _size(box, collapsed=False)
        card = f'<rect x="{middle - w / 2:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="{radius}"/>'
        title = f'<text class="title" x="{middle:.1f}" y="{base:.1f}">{escape(box.title)}</text>'
        labels = f'<g class="label">{card}{title}{labels}</g>'
    return (
        f'<g class="node {box.role}" id="node-{i}" tabindex="0"><title>{escape(tip)}</title>'
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{radius}"/>'
        f'<text class="title" x="{middle:.1f}" y="{base:.1f}">{escape(box.title)}</text>{labels}</g>'
    )
