"""Where the commands print: results to standard output, everything else to standard error."""

from __future__ import annotations

from rich.console import Console

output = Console(highlight=False)
errors = Console(stderr=True, highlight=False)
