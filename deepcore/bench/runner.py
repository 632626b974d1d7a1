"""A run of the benchmark: its settings, its cases in turn, and the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .clock import Rounds
from .hot_path import hot_path_cases
from .machine import ForeignLoad, describe
from .overhead import overhead_cases
from .report import Report
from .training import platforms, training_cases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._device import Device
    from .case import Case
    from .nets import Net
    from .networks import Network
    from .peers import Peer
    from .report import Result

PARTS: Final = ("training", "inference", "hot-path", "overhead")


@dataclass(frozen=True)
class Settings:
    """What is measured.

    Attributes
    ----------
    devices
        Those of deepcore.
    nets
        The networks.
    peers
        The libraries to compare with.
    rounds
        How often each computation is timed.
    threads
        How many threads there are to compute with.
    quick
        Whether small operations and short samples are enough.
    parts
        Which of :data:`PARTS`.
    """

    devices: tuple[Device, ...]
    nets: tuple[Net | Network, ...]
    peers: tuple[Peer, ...] = ()
    rounds: int = 15
    threads: int = 1
    quick: bool = False
    parts: tuple[str, ...] = PARTS

    @property
    def sample_seconds(self) -> float:
        """How long a sample is at least."""
        return 0.001 if self.quick else 0.02

    @property
    def pause_seconds(self) -> float:
        """How long to wait before a sample."""
        return 0.0 if self.quick else 0.15

    def described(self) -> dict[str, Any]:
        """Return them as they go into a report."""
        return {
            "devices": list(map(str, self.devices)),
            "nets": [f"{net.name}@{net.batch}" for net in self.nets],
            "peers": [peer.name for peer in self.peers],
            "rounds": self.rounds,
            "threads": self.threads,
            "quick": self.quick,
            "parts": list(self.parts),
        }


def new_report(settings: Settings) -> Report:
    """Return the report of a run that has not begun."""
    return Report(describe(), settings.described())


def run(
    settings: Settings,
    report: Report,
    *,
    preparing: Callable[[str], object] = str,
) -> None:
    """Measure everything, into a report. Where it is interrupted, the report has what was measured until then.

    Parameters
    ----------
    settings
        What is measured.
    report
        Where it is written.
    preparing
        Called with what is prepared or measured now, for people to read.
    """
    load = ForeignLoad()
    try:
        for case in _cases(settings, report, load, preparing):
            preparing(f"{case.kind} {case.name}")
            measure(case, settings, report, load)
        report.complete = True
    finally:
        report.foreign_cores = load.cores


def measure(case: Case, settings: Settings, report: Report, load: ForeignLoad) -> list[Result]:
    """Time a case, and add what came out to the report, even if it is interrupted."""
    rounds = Rounds(case.timers, sample_seconds=settings.sample_seconds, pause_seconds=settings.pause_seconds)
    own = ForeignLoad()
    own.helpers = load.helpers
    found: list[Result] = []
    try:
        rounds.warm_up()
        with load, own:
            rounds.run(settings.rounds)
    finally:
        found += report.add(case, rounds.timings(), own.cores)
    return found


def _cases(settings: Settings, report: Report, load: ForeignLoad, preparing: Callable[[str], object]) -> Iterator[Case]:
    if "overhead" in settings.parts:
        yield from overhead_cases(settings.devices, settings.peers)
    if "hot-path" in settings.parts:
        yield from hot_path_cases(settings, report, load)
    kinds = [kind for kind, part in (("train_step", "training"), ("inference", "inference")) if part in settings.parts]
    if not kinds:
        return
    for net in settings.nets:
        for platform, devices in platforms(settings.devices).items():
            preparing(f"preparing {net.name}")
            yield from training_cases(net, platform, devices, settings.peers, report, parts=kinds)
