"""The report: results as JSON for machines, and the table of peers for people."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from .._errors import DataError, StorageError
from .clock import Spread

if TYPE_CHECKING:
    from pathlib import Path

    from .case import Case
    from .clock import Timing

FORMAT: Final = "deepcore bench 1"
FOREIGN: Final = 0.1
"""Above this many cores, what others computed is said: it is time that what was measured did not get."""
LOSS_TOLERANCE: Final = 1e-4


@dataclass(frozen=True, kw_only=True)
class Result:
    """How long one subject took for one case, and what follows from that.

    Attributes
    ----------
    kind, case, net, batch, subject, device
        What was measured; ``net`` and ``batch`` are None where there is no network.
    median_s, q1_s, q3_s
        Seconds: the median of the rounds between its quartiles.
    rounds, repeats
        The number of rounds, and how many computations the sample of a round is the mean of.
    floor, ratio_to_floor, ratio_q1, ratio_q3
        The subject that this one is compared to, and the median and the quartiles of the ratios in the same round.
    samples_per_s, gflop_per_s, gb_per_s
        What was done in a second, where that can be counted.
    loss
        The loss after 20 steps from the same weights.
    memory_bytes
        What it needs at its peak.
    foreign_cores
        How many cores were busy with something else meanwhile.
    """

    kind: str
    case: str
    subject: str
    device: str
    median_s: float
    q1_s: float
    q3_s: float
    rounds: int
    repeats: int
    net: str | None = None
    batch: int | None = None
    floor: str | None = None
    ratio_to_floor: float | None = None
    ratio_q1: float | None = None
    ratio_q3: float | None = None
    samples_per_s: float | None = None
    gflop_per_s: float | None = None
    gb_per_s: float | None = None
    loss: float | None = None
    memory_bytes: int | None = None
    foreign_cores: float | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """What the same measurement has in another report."""
        return (self.kind, self.case, self.batch, self.subject, self.device)

    @property
    def seconds(self) -> Spread:
        """The median and the quartiles of the seconds."""
        return Spread(self.q1_s, self.median_s, self.q3_s)

    @property
    def ratio(self) -> Spread | None:
        """The median and the quartiles of the ratio to the floor."""
        if self.ratio_to_floor is None or self.ratio_q1 is None or self.ratio_q3 is None:
            return None
        return Spread(self.ratio_q1, self.ratio_to_floor, self.ratio_q3)


@dataclass(frozen=True)
class Skipped:
    """What was not measured.

    Attributes
    ----------
    subject
        Its name.
    reason
        Why.
    install
        The command that helps, where one does.
    """

    subject: str
    reason: str
    install: str = ""


@dataclass
class Report:
    """What was measured, on what machine.

    Attributes
    ----------
    machine
        The machine and the versions of libraries.
    settings
        What was asked for.
    results
        What came out, in the order in which it was measured.
    skipped
        What was not measured, and why.
    notes
        What a reader has to know.
    foreign_cores
        How many cores were busy with something else, on average while something was measured.
    complete
        Whether everything was measured that was asked for.
    date
        When, in UTC.
    """

    machine: dict[str, Any]
    settings: dict[str, Any]
    results: list[Result] = field(default_factory=list[Result])
    skipped: list[Skipped] = field(default_factory=list[Skipped])
    notes: list[str] = field(default_factory=list[str])
    foreign_cores: float | None = None
    complete: bool = False
    date: str = field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))

    def add(self, case: Case, timings: dict[Any, Timing], foreign_cores: float | None = None) -> list[Result]:
        """Add what was measured of a case, and return it."""
        found = [_result(case, key, timings, foreign_cores) for key in case.timers if key in timings]
        self.results += found
        return found

    def skip(self, subject: str, reason: str, install: str = "") -> None:
        """Record what is not measured, once."""
        skipped = Skipped(subject, reason, install)
        if skipped not in self.skipped:
            self.skipped.append(skipped)

    def note(self, text: str) -> None:
        """Record what a reader has to know, once."""
        if text not in self.notes:
            self.notes.append(text)

    def warnings(self) -> list[str]:
        """Return what a reader has to know, and what makes the figures doubtful."""
        found = list(self.notes)
        if self.foreign_cores is None:
            found.append("what else the machine did is not known: the system does not tell")
        elif self.foreign_cores > FOREIGN:
            found.append(
                f"others kept {self.foreign_cores:.1f} cores busy while this was measured: trust ratios more than "
                "seconds, and repeat it on a quiet machine"
            )
        if not self.complete:
            found.append("interrupted: this is what was measured until then")
        return found

    def text(self) -> str:
        """Return the report as JSON."""
        return json.dumps({"format": FORMAT, **asdict(self), "warnings": self.warnings()}, indent=2) + "\n"


def _result(case: Case, key: Any, timings: dict[Any, Timing], foreign_cores: float | None) -> Result:
    timing = timings[key]
    seconds = timing.spread()
    floor = timings.get(case.floor)
    ratio = None if floor is None else timing.ratio_to(floor)

    def per_second(amount: float | None, unit: float) -> float | None:
        return None if amount is None else amount / seconds.median / unit

    return Result(
        kind=case.kind,
        case=case.name,
        subject=key[0],
        device=key[1],
        median_s=seconds.median,
        q1_s=seconds.low,
        q3_s=seconds.high,
        rounds=len(timing.seconds),
        repeats=timing.repeats,
        net=case.net,
        batch=case.batch,
        floor=None if ratio is None or case.floor is None else case.floor[0],
        ratio_to_floor=None if ratio is None else ratio.median,
        ratio_q1=None if ratio is None else ratio.low,
        ratio_q3=None if ratio is None else ratio.high,
        samples_per_s=per_second(case.batch, 1) if case.net else None,
        gflop_per_s=per_second(case.flops, 1e9),
        gb_per_s=per_second(case.floor_nbytes if key == case.floor else case.nbytes, 1e9),
        loss=case.losses.get(key),
        memory_bytes=case.memory.get(key),
        foreign_cores=foreign_cores,
    )


def load_report(path: Path) -> Report:
    """Return the report in a JSON file.

    Raises
    ------
    StorageError
        If the file cannot be read.
    DataError
        If it is no report.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise StorageError(msg) from error
    except ValueError as error:
        msg = f"{path} is not JSON: {error}"
        raise DataError(msg) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        msg = f"{path} is no report of `deepcore bench --json` in the format {FORMAT!r}; make a new one"
        raise DataError(msg)
    try:
        return _restored(content)
    except (KeyError, TypeError, ValueError) as error:
        msg = f"{path} is a damaged report: {error!r}"
        raise DataError(msg) from error


def _restored(content: dict[str, Any]) -> Report:
    known = {f.name for f in fields(Result)}
    results = [Result(**{key: x for key, x in row.items() if key in known}) for row in content["results"]]
    for result in results:
        if not all(math.isfinite(x) and x > 0 for x in result.seconds):
            msg = f"{result.kind} {result.case} took {result.median_s} s"
            raise ValueError(msg)
    return Report(
        machine=dict(content["machine"]),
        settings=dict(content["settings"]),
        results=results,
        skipped=[Skipped(**row) for row in content["skipped"]],
        notes=list(content["notes"]),
        foreign_cores=content["foreign_cores"],
        complete=content["complete"],
        date=content["date"],
    )


PEER_COLUMNS: Final = (
    *("gemm-floor", "deepcore-compiled", "deepcore-plain", "deepcore-eager"),
    *("jax-jit", "torch-fused", "torch-compile", "torch-eager", "sklearn"),
)


def peer_table(report: Report, device: str = "cpu") -> str:
    """Return the training steps of a report as a table in Markdown: milliseconds, and the ratio to the floor."""
    steps = [r for r in report.results if r.kind == "train_step" and r.device == device]
    columns = [name for name in PEER_COLUMNS if any(r.subject == name for r in steps)]
    nets = dict.fromkeys((r.case, r.batch) for r in steps)
    lines = [" | ".join(["| net", "batch", *columns]) + " |", "| :-- | --: |" + " --: |" * len(columns)]
    for net, batch in nets:
        found = {r.subject: r for r in steps if (r.case, r.batch) == (net, batch)}
        cells = [_cell(found.get(name)) for name in columns]
        lines.append(" | ".join([f"| {net}", str(batch), *cells]) + " |")
    return "\n".join(lines)


def _cell(result: Result | None) -> str:
    if result is None:
        return ""
    ratio = "" if result.ratio_to_floor is None or result.floor == result.subject else f" ({result.ratio_to_floor:.2f})"
    return f"{result.median_s * 1e3:.3g} ms{ratio}"
