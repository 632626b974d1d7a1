"""The page of primitives: every declared operation, its signature and its mathematics, by chapter.

The page is made from the declarations when the documentation is built, so it cannot be out of date. A
Markdown page gets them where it says ``<!-- primitives -->``.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sphinx.application import Sphinx

MARKER: Final = "<!-- primitives -->"

_SECTION: Final = re.compile(r"\n\n[A-Z][A-Za-z ]+\n-{3,}\n")
_ROLE: Final = re.compile(r":(?:py:)?(func|class|mod|meth|attr|data|exc|obj):`([^`]+)`")
_RST_MATH: Final = re.compile(r":math:`([^`]+)`")
_LITERAL: Final = re.compile(r"``(.+?)``")

TABLE: Final = """\
:::{{list-table}}
:header-rows: 1
:widths: 32 68

* - Operation
  - Mathematics
{rows}
:::
"""


class Declared(Protocol):
    """What the page shows of a primitive."""

    name: str
    chapter: str
    signature: inspect.Signature


def _markdown(text: str) -> str:
    text = _RST_MATH.sub(r"$\1$", text)
    text = _ROLE.sub(r"{py:\1}`\2`", text)
    return _LITERAL.sub(r"`\1`", text)


def _summary(docstring: str | None) -> str:
    """Return what comes before the first section (Parameters, ...) of a docstring."""
    return _markdown(_SECTION.split("\n" + inspect.cleandoc(docstring or ""), maxsplit=1)[0].strip())


def _signature(signature: inspect.Signature) -> str:
    """Return a signature without annotations, which the API pages have."""
    parameters = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=parameters, return_annotation=signature.empty))


def _row(primitive: Declared) -> str:
    summary = _summary(primitive.__doc__).replace("\n", "\n    ")
    return f"* - `{primitive.name}{_signature(primitive.signature)}`\n  - {summary}"


def _has_sections(primitive: Declared) -> bool:
    return bool(_SECTION.search("\n" + inspect.cleandoc(primitive.__doc__ or "")))


def _entry(primitive: Declared) -> str:
    return f"```{{eval-rst}}\n.. autofunction:: deepcore.{primitive.name}\n```\n"


def page(primitives: Iterable[Declared]) -> str:
    """Return a Markdown section for every chapter: a table, and full entries where there is more."""
    chapters: defaultdict[str, list[Declared]] = defaultdict(list)
    for primitive in primitives:
        chapters[primitive.chapter].append(primitive)
    sections: list[str] = []
    for chapter, members in sorted(chapters.items()):
        members.sort(key=lambda primitive: primitive.name)
        title = chapter.replace("_", " ").strip().capitalize()
        rows = "\n".join(_row(primitive) for primitive in members)
        entries = "\n".join(_entry(primitive) for primitive in members if _has_sections(primitive))
        sections.append(f"## {title}\n\n{TABLE.format(rows=rows)}\n{entries}")
    return "\n".join(sections)


def _insert(_app: Sphinx, _docname: str, source: list[str]) -> None:
    if MARKER in source[0]:
        importlib.import_module("deepcore")
        registry: Mapping[str, Declared] = importlib.import_module("deepcore._primitive").registry
        source[0] = source[0].replace(MARKER, page(registry.values()))


def setup(app: Sphinx) -> dict[str, bool]:
    """Fill in the marker when a page is read."""
    app.connect("source-read", _insert)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
