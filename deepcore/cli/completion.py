"""What a shell completes: the values of options that have a list of them.

``deepcore --install-completion`` teaches the shell to ask. It asks by starting the program at every press of the tab
key, so nothing is imported but what has the list that is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, get_type_hints

from typer.models import ParameterInfo

from .._backend import Library, known_backends

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

F = TypeVar("F", bound="Callable[..., Any]")

_activation: Any = Library("deepcore.nn.activation")
_bench: Any = Library("deepcore.bench")
_evaluate: Any = Library("deepcore.cli.evaluate")
_models: Any = Library("deepcore.cli.models")
_names: Any = Library("deepcore.data.named")
_optimizers: Any = Library("deepcore.cli.optimizers")
_peers: Any = Library("deepcore.bench.peers")
_runs: Any = Library("deepcore.cli.runs")
_show: Any = Library("deepcore.cli.show")
_training: Any = Library("deepcore.cli.training")
_using: Any = Library("deepcore.cli.using")


def devices() -> list[str]:
    """Return device strings of the array libraries that are installed, without importing these to see what they find.

    Examples
    --------
    >>> "cpu" in devices()
    True
    """
    shorter = {"numpy": ["cpu"], "cupy": ["cuda"], "array_api_strict": ["array_api_strict:device1"]}
    names: list[str] = []
    for backend in known_backends():
        if backend.is_installed:
            names += shorter.get(backend.name, [f"{backend.name}:cpu", f"{backend.name}:cuda:0"])
    return names


VALUES: Final[dict[str, Callable[[], Iterable[str]]]] = {
    "activation": lambda: _activation.BY_NAME,
    "data": lambda: _names.NAMES,
    "device": devices,
    "model": lambda: _models.KNOWN,
    "only": lambda: _bench.PARTS,
    "optimizer": lambda: _optimizers.OPTIMIZERS,
    "part": lambda: _evaluate.PARTS,
    "peers": lambda: _peers.PEERS,
    "precision": lambda: _training.PRECISIONS,
    "program": lambda: _show.PROGRAMS,
    "schedule": lambda: _optimizers.SCHEDULES,
    "snapshot": lambda: _using.SNAPSHOTS,
    "task": lambda: _runs.TASKS,
}
"""What an option may be, by the name of the parameter. Where nothing fits, shells complete the names of files."""


def completing(command: F) -> F:
    """Return the function of a command, whose options say what they may be when a shell asks."""
    hints = get_type_hints(command, include_extras=True)
    for name, hint in hints.items():
        if name in VALUES:
            for info in getattr(hint, "__metadata__", ()):
                if isinstance(info, ParameterInfo):
                    info.autocompletion = _after_commas(VALUES[name])
    command.__annotations__ = hints
    return command


def _after_commas(values: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        before, comma, _ = incomplete.rpartition(",")  # --peers and --only take several, with commas between them
        return [f"{before}{comma}{value}" for value in values()]  # of which typer takes those that begin so

    return complete
