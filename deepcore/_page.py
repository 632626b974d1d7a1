"""Pages of HTML that load nothing: their style is in them, light or dark as the reader has it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c1f24; --paper: #fff; --soft: #5d6570; --line: #d9dde3;
  --own: #2563a8; --floor: #8a929e; --peer: #c47a1b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ec; --paper: #14171b; --soft: #98a1ae; --line: #333a44;
  --own: #6aa9ee; --floor: #7c8694; --peer: #e2a04a; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 64rem;
  margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
table { border-collapse: collapse; font-size: 13px; margin: .5rem 0 1.5rem; }
th, td { padding: .15rem .7rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child, dd, dt { text-align: left; }
dl { display: grid; grid-template-columns: max-content auto; gap: .1rem 1rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.warning { border-left: 4px solid var(--peer); padding-left: .8rem; }
"""


def page(title: str, parts: Iterable[str], *, style: str = "") -> str:
    """Return a page.

    Parameters
    ----------
    title
        What the window is called.
    parts
        The content, as HTML; what is empty is left out.
    style
        More rules of CSS.
    """
    lines = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>{escape(title)}</title><style>{STYLE}{style}</style></head><body>",
        *(part for part in parts if part),
        "</body></html>",
    ]
    return "\n".join(lines) + "\n"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table without the columns that are empty.

    Examples
    --------
    >>> table(("a", "b", "c"), [("1", "", "<"), ("2", "", "")])
    '<table><tr><th>a</th><th>c</th></tr><tr><td>1</td><td>&lt;</td></tr><tr><td>2</td><td></td></tr></table>'
    """
    used = [i for i, _ in enumerate(heads) if any(row[i] for row in rows)]
    head = "".join(f"<th>{escape(heads[i])}</th>" for i in used)
    body = "".join(f"<tr>{''.join(f'<td>{escape(row[i])}</td>' for i in used)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def definitions(entries: Mapping[str, object]) -> str:
    """Return names and what they stand for, one under the other.

    Examples
    --------
    >>> definitions({"a": 1})
    '<dl><dt>a</dt><dd>1</dd></dl>'
    """
    items = "".join(f"<dt>{escape(key)}</dt><dd>{escape(str(value))}</dd>" for key, value in entries.items())
    return f"<dl>{items}</dl>"
