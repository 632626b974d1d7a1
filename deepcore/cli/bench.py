"""``deepcore bench``."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from .. import bench as benchmark
from .._device import device as find_device
from .._errors import ConfigError
from ..bench.units import rate, ratio, seconds, size
from ..checkpoint import check_writable, replace_file
from .console import errors, output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..bench import Change, Report, Result, Settings

ROUNDS, QUICK_ROUNDS = 15, 5


def bench(
    device: Annotated[
        list[str] | None,
        typer.Option(help="A device of deepcore; may be given several times. Default: DEEPCORE_DEVICE, else cpu."),
    ] = None,
    net: Annotated[
        list[str] | None,
        typer.Option(
            help="A network by its widths, and a batch: 784-100-50-10@50; or cnn, lstm, transformer; several times."
        ),
    ] = None,
    peers: Annotated[str, typer.Option(help="Libraries to compare with: torch,jax,sklearn.")] = "",
    only: Annotated[str, typer.Option(help=f"What to measure, of {','.join(benchmark.PARTS)}. Default: all.")] = "",
    rounds: Annotated[
        int | None, typer.Option(min=1, help=f"How often to time each ({ROUNDS}; with --quick {QUICK_ROUNDS}).")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of BLAS and PyTorch. Default: BLAS's own.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small arrays and a small network: a run of seconds.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the results, as JSON.")] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", help="File for the results, as a page with plots.")
    ] = None,
    old_file: Annotated[
        Path | None, typer.Option("--compare", help="A JSON file of an older run, to say what has changed.")
    ] = None,
) -> None:
    """Measure how fast it is: operations, training and inference, against the floor and other libraries.

    The floor of a training step is its matrix products alone, that of an operation on each element a copy of the array.

    Examples
    --------
      deepcore bench --quick

      deepcore bench --peers torch,jax,sklearn --only training --html bench.html

      deepcore bench --json new.json --compare old.json
    """
    chosen_peers = tuple(benchmark.parse_peers(peers))
    nets = net or list(benchmark.QUICK if quick else benchmark.BATCHES)
    chosen_nets = tuple(dict.fromkeys(map(benchmark.parse_net, nets)))
    devices = tuple(dict.fromkeys(map(find_device, device) if device else [find_device()]))
    parts = _parts(only)
    old = None if old_file is None else benchmark.load_report(old_file)
    for path in (json_file, html_file):
        if path is not None:
            check_writable(path)
    with benchmark.using_threads(threads, chosen_peers) as n_threads:
        settings = benchmark.Settings(
            devices=devices,
            nets=chosen_nets,
            peers=chosen_peers,
            rounds=rounds or (QUICK_ROUNDS if quick else ROUNDS),
            threads=n_threads,
            quick=quick,
            parts=parts,
        )
        report = benchmark.new_report(settings)
        benchmark.note_on_threads(report, n_threads, chosen_peers)
        interrupted = _measured(settings, report)
    changes = [] if old is None else benchmark.compare(old, report)
    _show(report, chosen_peers != ())
    if old is not None:
        _show_changes(changes, benchmark.differences(old, report))
    if json_file is not None:
        replace_file(json_file, report.text().encode())
        output.print(f"results: {json_file}", markup=False, soft_wrap=True)
    if html_file is not None:
        replace_file(html_file, benchmark.page(report, changes).encode())
        output.print(f"plots: {html_file}", markup=False, soft_wrap=True)
    if interrupted:
        errors.print("interrupted")
        raise typer.Exit(130)


def _parts(only: str) -> tuple[str, ...]:
    names = [name.strip() for name in only.split(",") if name.strip()]
    for name in names:
        if name not in benchmark.PARTS:
            msg = f"there is no {name!r} to measure; there are {', '.join(benchmark.PARTS)}"
            raise ConfigError(msg)
    return tuple(name for name in benchmark.PARTS if not names or name in names)


def _measured(settings: Settings, report: Report) -> bool:
    """Measure, and return whether that was interrupted."""
    with errors.status("preparing") as status:
        try:
            benchmark.run(settings, report, preparing=status.update)
        except KeyboardInterrupt:
            return True
    return False


def _show(report: Report, with_peers: bool) -> None:
    machine = report.machine
    blas = " ".join(str(x) for x in (machine["blas"]["name"], machine["blas"]["version"]) if x)
    threads = report.settings["threads"]
    where = f"{machine['cpu']}, {machine['usable_cores']} cores; {blas or 'unknown BLAS'}, threads: {threads}"
    output.print(where, markup=False, soft_wrap=True)
    kinds = dict.fromkeys(r.kind for r in report.results)
    for kind in kinds:
        of_kind = [r for r in report.results if r.kind == kind]
        if of_kind[0].net is None:
            output.print("", _operations(kind, of_kind))
            continue
        for _, group in itertools.groupby(of_kind, key=lambda r: (r.case, r.batch)):
            output.print("", _network(list(group)))
    if with_peers and "train_step" in kinds:
        output.print("\nTraining steps, and their ratio to the floor, as Markdown:\n")
        output.print(benchmark.peer_table(report), markup=False, soft_wrap=True)
    for skipped in report.skipped:
        install = f"; install it with: {skipped.install}" if skipped.install else ""
        errors.print(f"not measured: {skipped.subject}: {skipped.reason}{install}", markup=False, soft_wrap=True)
    for warning in report.warnings():
        errors.print(f"note: {warning}", markup=False, soft_wrap=True)


def _network(results: list[Result]) -> Table:
    """Return the table of the training step or the inference of a network."""
    first = results[0]
    rows = [
        (
            _subject(r, results),
            *_timed(r),
            "" if r.samples_per_s is None else f"{r.samples_per_s:,.0f}",
            "" if r.loss is None else f"{r.loss:.4g}",
            size(r.memory_bytes),
        )
        for r in results
    ]
    title = f"{first.kind.replace('_', ' ')}: {first.case}, batch {first.batch}"
    return _filled(title, ("subject", "median", "quartiles", "floor", "samples/s", "loss", "memory"), rows)


def _operations(kind: str, results: list[Result]) -> Table:
    """Return the table of all operations of a kind."""
    rows: list[tuple[str, ...]] = []
    for case, group in itertools.groupby(results, key=lambda r: r.case):
        rows.append((case, *[""] * 4))
        rows += [(f"  {_subject(r, results)}", *_timed(r), rate(r)) for r in group]
    return _filled(kind.replace("_", " "), ("operation", "median", "quartiles", "floor", "rate"), rows)


def _filled(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    used = [i for i, _ in enumerate(heads) if any(row[i] for row in rows)]
    for i in used:
        table.add_column(heads[i], justify="right" if i else "left", no_wrap=True)
    for row in rows:
        table.add_row(*[row[i] for i in used])
    return table


def _subject(result: Result, among: list[Result]) -> str:
    return result.subject if len({r.device for r in among}) == 1 else f"{result.subject} {result.device}"


def _timed(r: Result) -> tuple[str, str, str]:
    below, above = (r.q1_s / r.median_s - 1, r.q3_s / r.median_s - 1)
    return seconds(r.median_s), f"{below:+.0%} {above:+.0%}", ratio(r.ratio_to_floor)


def _show_changes(changes: list[Change], differences: list[str]) -> None:
    for difference in differences:
        errors.print(f"compared with another state of things: {difference}", markup=False, soft_wrap=True)
    if not changes:
        errors.print("the older report has nothing that was measured now")
        return
    results = [c.new for c in changes]
    rows: list[tuple[str, ...]] = []
    for (kind, case), group in itertools.groupby(changes, key=lambda c: (c.new.kind, c.new.case)):
        rows.append((f"{kind.replace('_', ' ')}: {case}", *[""] * 6))
        for c in group:
            between = f"{c.ratio.low:.3g} to {c.ratio.high:.3g}"
            floors = "" if c.in_floors is None else f"{c.in_floors:.3g}"
            times = (seconds(c.old.median_s), seconds(c.new.median_s), f"{c.ratio.median:.3g}", between, floors)
            rows.append((f"  {_subject(c.new, results)}", *times, c.verdict))
    output.print("", _filled("changes", ("measured", "old", "new", "ratio", "between", "in floors", "verdict"), rows))
