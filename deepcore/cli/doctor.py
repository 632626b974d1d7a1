"""``deepcore doctor``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Final

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from .. import __version__
from .. import doctor as clinic
from .console import errors, output

STYLES: Final = {"ok": "green", "note": "dim", "advice": "yellow", "problem": "bold red"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON, and nothing else.")] = False,
) -> None:
    """Find what is wrong with this installation, and say the command that mends it.

    It looks at versions, CuPy and CUDA, BLAS and threads, variables of the environment, and the disk. The exit code is
    1 where there is a problem, and 0 where there is advice at most.

    Examples
    --------
      deepcore doctor

      deepcore doctor --json
    """
    with errors.status("looking; array libraries are imported, which takes some seconds"):
        findings = clinic.examine(clinic.look())
    verdict = clinic.worst(findings)
    if as_json:
        content = {"deepcore": __version__, "verdict": verdict, "findings": [asdict(x) for x in findings]}
        typer.echo(json.dumps(content, indent=2))
    else:
        show(findings)
    raise typer.Exit(1 if verdict == "problem" else 0)


def show(findings: list[clinic.Finding]) -> None:
    """Print what was found: all in a table, and below it what can be done."""
    table = Table("", "what", "found", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for x in findings:
        if x.verdict != "note" or not x.subject.startswith("extra "):
            table.add_row(Text(x.verdict, STYLES[x.verdict]), Text(x.subject), Text(x.found))
    output.print(table)
    for verdict in reversed(clinic.VERDICTS[1:]):
        for x in (x for x in findings if x.verdict == verdict):
            output.print(Text.assemble((f"{verdict}: ", STYLES[verdict]), f"{x.subject}: {x.found}"), soft_wrap=True)
            if x.means:
                output.print(f"  {x.means}", markup=False, soft_wrap=True)
            if x.mend:
                output.print(Text.assemble("  $ ", (x.mend, "bold")), soft_wrap=True)
    counts = {verdict: sum(x.verdict == verdict for x in findings) for verdict in clinic.VERDICTS}
    if not counts["problem"] and not counts["advice"]:
        output.print("Nothing is wrong.", soft_wrap=True)
    else:
        output.print(f"problems: {counts['problem']}, advice: {counts['advice']}", soft_wrap=True)
