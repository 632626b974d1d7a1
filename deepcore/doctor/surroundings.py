"""Checks of what surrounds it: variables of the environment, and the disk."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .finding import Finding, setting, unsetting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .finding import Verdict
    from .machine import Storage

VARIABLES: Final = {
    "DEEPCORE_DATA": "the folder of downloaded data sets",
    "DEEPCORE_DEVICE": "the device where none is named",
    "DEEPCORE_FAST": "whether compiled functions become machine code, 0 or 1",
    "DEEPCORE_MNIST": "the folder of MNIST for the tests",
    "DEEPCORE_THREADS": "the number of threads to compute with",
}
"""The variables of the environment that deepcore reads, and what each is."""

ENOUGH: Final = 1 << 30
"""The free bytes below which downloads and checkpoints may not fit."""

TOO_LITTLE: Final = 50 << 20
"""The free bytes below which hardly anything can be saved."""


def check_environment(environment: Mapping[str, str], device_error: str) -> Iterator[Finding]:
    """Say which variables of deepcore are set, and find those that are misspelt or that name no device."""
    for name in sorted(name for name in environment if name.upper().startswith("DEEPCORE")):
        value = environment[name]
        if name not in VARIABLES:
            near = difflib.get_close_matches(name.upper(), VARIABLES, n=1)
            means = "deepcore does not read it; it reads " + ", ".join(VARIABLES)
            mend = f"{unsetting(name)} && {setting(near[0], value)}" if near else unsetting(name)
            yield Finding(name, "advice", repr(value), means, mend)
        elif name == "DEEPCORE_DEVICE" and device_error:
            yield Finding(name, "problem", repr(value), f"where no device is named: {device_error}", unsetting(name))
        elif name == "DEEPCORE_THREADS" and not (value.strip().isdecimal() and int(value) > 0):
            means = "the number of threads is a whole number from 1"
            yield Finding(name, "problem", repr(value), means, unsetting(name))
        else:
            yield Finding(name, "ok", f"{value} ({VARIABLES[name]})")


def check_storage(cache: Storage) -> Iterator[Finding]:
    """Find a folder of data sets that cannot be written, and a disk that is full."""
    size = f"{cache.free / 1e9:,.1f} GB free"
    if not cache.is_writable:
        why = "which is no folder" if cache.parent.is_file() else "where this user may not write"
        means = f"data sets that are downloaded are kept there, and the way to it leads through {cache.parent}, {why}"
        yield Finding("data sets", "problem", str(cache.path), means, setting("DEEPCORE_DATA", Path("~") / "deepcore"))
    elif cache.free < ENOUGH:
        verdict: Verdict = "problem" if cache.free < TOO_LITTLE else "advice"
        mend = f"du -xh -d 1 {cache.parent} | sort -h | tail"
        yield Finding("disk", verdict, f"{size} for {cache.path}", "data sets and checkpoints may not fit", mend)
    else:
        yield Finding("data sets", "ok", f"{cache.path}, {size}")
