"""The commands of ``deepcore``, each of which is imported when it is called.

Who trains does not wait for what measures, exports and examines, and who asks which commands there are for none of
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from .completion import completing

if TYPE_CHECKING:
    from collections.abc import Generator

EXIT_CODES: Final = "Exit codes: 0 done, 1 could not be done, 2 wrong command line, 130 interrupted."

COMMANDS: Final = {
    "train": "Train a network, by default on the handwritten digits that come with deepcore.",
    "evaluate": "Measure a trained model: loss and accuracy, what is taken for what, and precision and recall of every "
    "class.",
    "predict": "Predict classes or numbers for new samples, with what was done to the inputs in training.",
    "show": "Show a model: its layers with shapes and parameters, and what it computes as text or as a drawing.",
    "export": "Save a trained model as an ONNX file, which runs where there is no deepcore, for any number of samples.",
    "bench": "Measure how fast it is: operations, training and inference, against the floor and other libraries.",
    "devices": "List the array libraries: installed or not, their devices, and the command that installs each.",
    "doctor": "Find what is wrong with this installation, and say the command that mends it.",
}
"""The first line of each command's help, by its name, which is also that of its module and its function."""


class Imported(Mapping[str, Any]):
    """The commands by their names, each imported when it is looked up first."""

    def __init__(self) -> None:
        self._found: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        if name not in self._found:
            # typer makes a command of an application that has one function
            alone = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})
            function = getattr(import_module(f".{name}", __package__), name)
            alone.command(name, epilog=EXIT_CODES)(completing(function))
            self._found[name] = typer.main.get_command(alone)
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Commands(TyperGroup):
    """A group of commands that is listed without importing them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands: Any = Imported()
        self._lists = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, or in a list of them its name and its line of help; None, if there is none."""
        if self._lists and cmd_name in COMMANDS:
            return TyperCommand(cmd_name, help=COMMANDS[cmd_name])
        return self.commands.get(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        with self._listing():
            super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Return what a shell completes a command to."""
        with self._listing():
            return super().shell_complete(ctx, incomplete)

    @contextmanager
    def _listing(self) -> Generator[None]:
        self._lists = True
        try:
            yield
        finally:
            self._lists = False
