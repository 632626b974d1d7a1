"""Reports: what is in them, how they are compared, and the page."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

import deepcore as dc
from deepcore.bench import Change, Report, Result, compare, differences, load_report, page, peer_table
from deepcore.bench.case import Case
from deepcore.bench.clock import Timing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FLOOR, OURS, THEIRS = ("gemm-floor", "cpu"), ("deepcore-eager", "cpu"), ("torch-eager", "cpu")


def report_of(seconds: dict[tuple[str, str], Sequence[float]], **settings: Any) -> Report:
    report = Report({"cpu": "Z80", "versions": {"numpy": "2.4"}}, {"threads": 1, **settings}, complete=True)
    case = Case("train_step", "8-4-2", net="8-4-2", batch=50, flops=6_000)
    case.floor, case.losses, case.memory = FLOOR, {OURS: 0.5}, {OURS: 2**20}
    case.timers = dict.fromkeys(seconds, lambda n: 0.0)
    report.add(case, {key: Timing(list(x), 3) for key, x in seconds.items()}, 0.01)
    report.foreign_cores = 0.01
    return report


TIMES: dict[tuple[str, str], Sequence[float]] = {FLOOR: (1.0, 2.0, 3.0), OURS: (2.0, 5.0, 6.0), THEIRS: (4.0, 4.0, 4.0)}


def test_what_follows_from_seconds() -> None:
    floor, ours, theirs = report_of(TIMES).results
    assert (floor.median_s, floor.q1_s, floor.q3_s) == (2, 1.5, 2.5)
    assert (floor.ratio_to_floor, floor.ratio_q1, floor.ratio_q3) == (1, 1, 1)
    assert (ours.median_s, ours.ratio_to_floor) == (5, 2)  # 2, 2.5 and 2: of the same round, not of the medians
    assert ours.samples_per_s == 10
    assert ours.gflop_per_s == pytest.approx(1.2e-6)
    assert (ours.loss, ours.memory_bytes, ours.foreign_cores) == (0.5, 2**20, 0.01)
    assert (theirs.loss, theirs.floor, theirs.rounds, theirs.repeats) == (None, "gemm-floor", 3, 3)


def test_there_and_back(tmp_path: Path) -> None:
    report = report_of(TIMES)
    report.skip("jax", "is not installed", "pip install jax")
    report.skip("jax", "is not installed", "pip install jax")
    report.note("a")
    report.note("a")
    path = tmp_path / "r.json"
    path.write_text(report.text())
    assert load_report(path) == report
    assert len(report.skipped) == len(report.notes) == 1
    first = json.loads(report.text())["results"][1]
    wanted = {"kind", "net", "batch", "subject", "device", "median_s", "ratio_to_floor", "samples_per_s"}
    assert wanted <= first.keys()
    assert (first["kind"], first["net"], first["batch"], first["subject"]) == ("train_step", "8-4-2", 50, OURS[0])


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (None, dc.StorageError, "cannot read"),
        ("{", dc.DataError, "is not JSON"),
        ("[]", dc.DataError, "no report of `deepcore bench --json`"),
        ('{"format": "deepcore bench 0"}', dc.DataError, "make a new one"),
        ('{"format": "deepcore bench 1", "results": [{}]}', dc.DataError, "damaged"),
        ('{"format": "deepcore bench 1", "results": 7}', dc.DataError, "damaged"),
    ],
)
def test_what_is_no_report(content: str | None, error: type[Exception], said: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(error, match=said):
        load_report(path)


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan])
def test_a_report_with_impossible_times_is_damaged(seconds: float, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    report = report_of(TIMES)
    report.results[0] = dataclasses.replace(report.results[0], median_s=seconds)
    path.write_text(report.text())
    with pytest.raises(dc.DataError, match="damaged"):
        load_report(path)


def result(low: float, median: float, high: float, **others: Any) -> Result:
    fields: dict[str, Any] = {"kind": "k", "case": "c", "subject": "s", "device": "cpu", "rounds": 5, "repeats": 1}
    return Result(q1_s=low, median_s=median, q3_s=high, **{**fields, **others})


@pytest.mark.parametrize(
    ("new", "verdict"),
    [
        ((1.0, 2.0, 3.0), ""),
        ((2.9, 4.0, 5.0), ""),  # the quartiles overlap
        ((3.1, 4.0, 5.0), "slower"),
        ((0.2, 0.5, 0.9), "faster"),
        ((0.2, 0.5, 1.1), ""),
    ],
)
def test_verdicts(new: tuple[float, float, float], verdict: str) -> None:
    change = Change(result(1.0, 2.0, 3.0), result(*new))
    assert change.verdict == verdict
    assert change.ratio == pytest.approx((new[0] / 3, new[1] / 2, new[2] / 1))


def test_the_same_measurements_are_compared() -> None:
    old, new = Report({}, {}), Report({}, {})
    old.results = [result(1, 1, 1, batch=b, subject=s) for b in (1, 2) for s in "xy"]
    new.results = [result(2, 2, 2, batch=2, subject=s) for s in "zy"]
    (change,) = compare(old, new)
    assert (change.old.subject, change.old.batch) == (change.new.subject, change.new.batch) == ("y", 2)
    assert change.ratio.median == 2
    assert change.in_floors is None


def test_ratios_to_the_floor_do_not_depend_on_the_machine() -> None:
    slower = report_of({key: [3 * x for x in seconds] for key, seconds in TIMES.items()})
    for change in compare(report_of(TIMES), slower):
        assert change.ratio.median == pytest.approx(3)
        assert change.in_floors == pytest.approx(1)


def test_the_bytes_of_the_floor_are_its_own() -> None:
    case = Case("activation", "relu", nbytes=5_000_000_000, floor=("copy", "cpu"), floor_nbytes=2_000_000_000)
    case.timers = dict.fromkeys([("copy", "cpu"), OURS], lambda n: 0.0)
    copy, ours = Report({}, {}).add(case, {key: Timing([2.0], 1) for key in case.timers})
    assert (copy.gb_per_s, ours.gb_per_s) == (1, 2.5)


def test_differences_of_machines_are_said() -> None:
    old, new = report_of(TIMES), report_of(TIMES, threads=4)
    assert differences(old, old) == []
    new.machine = {"cpu": "6502", "versions": {"numpy": "2.5", "jax": "1"}}
    old.foreign_cores = 0.7
    said = "\n".join(differences(old, new))
    for text in ("Z80", "6502", "on 1 threads, and is on 4", "numpy was 2.4, and is 2.5", "jax was not there", "0.7"):
        assert text in said


def test_the_table_of_peers() -> None:
    lines = peer_table(report_of(TIMES)).splitlines()
    assert lines[0] == "| net | batch | gemm-floor | deepcore-eager | torch-eager |"
    assert lines[1] == "| :-- | --: | --: | --: | --: |"
    assert lines[2:] == ["| 8-4-2 | 50 | 2e+03 ms | 5e+03 ms (2.00) | 4e+03 ms (2.00) |"]


class Page(HTMLParser):
    """The elements of a page, which are closed in the order in which they were opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.said = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said += data


def test_the_page() -> None:
    report = report_of(TIMES)
    report.machine["cpu"] = "<b>&"
    report.note("a <i>&amp;")
    report.skip("jax", "is not installed", "pip install jax")
    (change, *_) = compare(report, report)
    text = page(report, [change])
    found = Page(text)
    assert found.open == []
    for said in ("<b>&", "a <i>&amp;", "pip install jax", "deepcore-eager (cpu)", "2.00 ×", "8-4-2, batch 50"):
        assert said in found.said
    tags = [tag for tag, _ in found.found]
    assert tags.count("svg") == 1
    assert tags.count("rect") == 3
    assert "prefers-color-scheme: dark" in text
    assert not {"script", "link", "img", "iframe", "object", "a"} & {*tags}
    assert not any(name in ("src", "href") for _, attributes in found.found for name in attributes)
    assert not re.search(r"https?:|//|@import|url\(", text)


def test_bars_are_as_long_as_their_medians() -> None:
    rects = [a for tag, a in Page(page(report_of(TIMES))).found if tag == "rect"]
    widths = [float(a["width"] or 0) for a in rects]
    assert [a["class"] for a in rects] == ["floor", "own", "peer"]
    assert [w / widths[0] for w in widths] == pytest.approx([1, 5 / 2, 4 / 2], rel=1e-3)
