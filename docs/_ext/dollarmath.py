r"""Mathematics between dollar signs in docstrings: ``$Y = XW + b$``, and blocks between ``$$``.

Docstrings are written for the reader of the source too, and ``:math:`` in every line would be in the way.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_LITERAL: Final = r"``.+?``"
_BLOCK: Final = re.compile(r"(?ms)^(?P<indent>[ \t]*)\$\$(?P<tex>.+?)\$\$(?P<rest>[^\n]*)$")
_INLINE: Final = re.compile(rf"(?P<literal>{_LITERAL})|(?<![\\$])\$(?P<tex>[^$]+?)(?<!\\)\$(?!\$)", re.DOTALL)
_PARAGRAPHS: Final = re.compile(r"(\n[ \t]*\n)")


def _block(match: re.Match[str]) -> str:
    indent = match["indent"]
    lines = [line.strip() for line in match["tex"].strip().splitlines()]
    body = "\n".join(f"{indent}   {line}" for line in lines if line)
    rest = match["rest"].strip()
    tail = f"\n\n{indent}{rest}" if rest.strip(".,;") else ""
    return f"\n{indent}.. math::\n\n{body}\n{tail}"


def _inline(match: re.Match[str]) -> str:
    if match["literal"]:
        return match["literal"]
    text = match.string
    before = "\\ " if match.start() and text[match.start() - 1].isalnum() else ""
    after = "\\ " if match.end() < len(text) and text[match.end()].isalnum() else ""
    return f"{before}:math:`{' '.join(match['tex'].split())}`{after}"


def to_rst(text: str) -> str:
    """Return reStructuredText for a docstring with dollar mathematics; examples and literals stay."""
    pieces = _PARAGRAPHS.split(_BLOCK.sub(_block, text))
    return "".join(piece if _is_verbatim(piece) else _INLINE.sub(_inline, piece) for piece in pieces)


def _is_verbatim(paragraph: str) -> bool:
    first = paragraph.lstrip("\n")
    return first.lstrip().startswith((">>>", ".. math::")) or "\\begin{" in first


def _process(_app: Sphinx, _what: str, _name: str, _obj: object, _options: object, lines: list[str]) -> None:
    if any("$" in line for line in lines):
        lines[:] = to_rst("\n".join(lines)).split("\n")


def setup(app: Sphinx) -> dict[str, bool]:
    """Run before napoleon, which expects reStructuredText."""
    app.connect("autodoc-process-docstring", _process, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
