"""The commands, and what happens to errors: a user's mistake is one message, never a traceback.

Exit codes: 0 done; 1 could not be done; 2 the command line was wrong; 130 interrupted by Ctrl-C.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from .. import __version__
from .._errors import DeepcoreError
from .console import errors
from .group import EXIT_CODES, Commands

app = typer.Typer(
    name="deepcore",
    cls=Commands,
    help="Deep learning on one differentiable array, over any array library.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"deepcore {__version__}")
        raise typer.Exit


def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Deep learning on one differentiable array, over any array library."""


app.callback()(common)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # → and · are not in the encoding of every terminal
    try:
        app()
    except DeepcoreError as error:
        _say("\n".join([str(error), *getattr(error, "__notes__", [])]))
        sys.exit(1)
    except MemoryError as error:
        _say(f"out of memory: {error}; a smaller network or a smaller --batch-size needs less")
        sys.exit(1)
    except KeyboardInterrupt:
        errors.print("interrupted")
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output has gone, as in `deepcore train | head`
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:  # such as a name that is too long, or a disk that is full of output
        why = error.strerror or str(error)
        _say(f"cannot use {error.filename}: {why}; give another path" if error.filename else why)
        _forget_output()
        sys.exit(1)
    except UnicodeEncodeError as error:
        _say(f"a name has {error.object[error.start]!r}, which is not Unicode; rename the file")
        sys.exit(1)


def _forget_output() -> None:
    """Let what could not be printed go, which Python would try to print again as it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), sys.stdout.fileno())


def _say(what: str) -> None:
    errors.print(Text.assemble(("error:", "bold red"), " ", what), soft_wrap=True)
