"""What a shell completes: the values of options that have a list of them.

``deepcore --install-completion`` teaches the shell to ask. It asks by starting the program at every press of the tab
key, so nothing is imported for an answer that was not imported already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, get_type_hints

from typer.models import ParameterInfo

from .. import bench
from .._backend import known_backends
from ..bench.peers import PEERS
from ..data.named import NAMES
from ..nn.activation import BY_NAME
from . import models, optimizers, show
from .evaluate import PARTS
from .runs import TASKS
from .training import PRECISIONS
from .using import SNAPSHOTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

F = TypeVar("F", bound="Callable[..., Any]")


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
    "activation": lambda: BY_NAME,
    "data": lambda: NAMES,
    "device": devices,
    "model": lambda: models.KNOWN,
    "only": lambda: bench.PARTS,
    "optimizer": lambda: optimizers.OPTIMIZERS,
    "part": lambda: PARTS,
    "peers": lambda: PEERS,
    "precision": lambda: PRECISIONS,
    "program": lambda: show.PROGRAMS,
    "schedule": lambda: optimizers.SCHEDULES,
    "snapshot": lambda: SNAPSHOTS,
    "task": lambda: TASKS,
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
