"""What a check found, what that means, and the command that mends it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final, Literal

Verdict = Literal["ok", "note", "advice", "problem"]

VERDICTS: Final[tuple[Verdict, ...]] = ("ok", "note", "advice", "problem")
"""From good to bad: as it should be; something that could be added; slower or riskier than it need be; broken."""


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes
    ----------
    subject
        What was looked at, in a word or two.
    verdict
        One of :data:`VERDICTS`.
    found
        What is there.
    means
        What follows from it, where it is not as it should be.
    mend
        The command that mends it.
    """

    subject: str
    verdict: Verdict
    found: str
    means: str = ""
    mend: str = ""


def worst(findings: list[Finding]) -> Verdict:
    """Return the worst verdict of all.

    Examples
    --------
    >>> worst([Finding("disk", "ok", "9 GB"), Finding("BLAS", "advice", "two copies")])
    'advice'
    """
    found = {finding.verdict for finding in findings}
    for verdict in reversed(VERDICTS):
        if verdict in found:
            return verdict
    return "ok"


def setting(name: str, value: object) -> str:
    """Return the command that sets a variable of the environment in the shell of this system."""
    return f"set {name}={value}" if os.name == "nt" else f"export {name}={value}"


def unsetting(name: str) -> str:
    """Return the command that removes a variable from the environment in the shell of this system."""
    return f"set {name}=" if os.name == "nt" else f"unset {name}"
