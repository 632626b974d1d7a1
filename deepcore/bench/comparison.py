"""What has become faster or slower since an older report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .clock import Spread

if TYPE_CHECKING:
    from .report import Report, Result


@dataclass(frozen=True)
class Change:
    """The same measurement in two reports.

    Attributes
    ----------
    old, new
        The results.
    """

    old: Result
    new: Result

    @property
    def ratio(self) -> Spread:
        """The ratio of the medians, new to old, between the least and the most that the quartiles allow."""
        old, new = self.old.seconds, self.new.seconds
        return Spread(new.low / old.high, new.median / old.median, new.high / old.low)

    @property
    def in_floors(self) -> float | None:
        """The ratio of the ratios to the floor, which depends less on what else the machines did; None without one."""
        old, new = self.old.ratio_to_floor, self.new.ratio_to_floor
        return None if old is None or new is None else new / old

    @property
    def verdict(self) -> str:
        """``"slower"`` or ``"faster"`` where the quartiles of the two do not overlap, and else nothing."""
        old, new = self.old.seconds, self.new.seconds
        if new.low > old.high:
            return "slower"
        return "faster" if new.high < old.low else ""


def compare(old: Report, new: Report) -> list[Change]:
    """Return the changes of everything that is in both reports, in the order of the new one."""
    before = {result.key: result for result in old.results}
    return [Change(before[result.key], result) for result in new.results if result.key in before]


def differences(old: Report, new: Report) -> list[str]:
    """Return what makes two reports hard to compare: another machine, other versions or threads, foreign load."""
    found = [
        f"{key} was {old.machine.get(key)}, and is {new.machine.get(key)}"
        for key in ("cpu", "usable_cores", "blas")
        if old.machine.get(key) != new.machine.get(key)
    ]
    if old.settings.get("threads") != new.settings.get("threads"):
        found.append(f"it was on {old.settings.get('threads')} threads, and is on {new.settings.get('threads')}")
    before, after = old.machine.get("versions", {}), new.machine.get("versions", {})
    found += [
        f"{name} was {before.get(name, 'not there')}, and is {after.get(name, 'not there')}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
    if old.foreign_cores is not None and old.foreign_cores > 0.1:
        found.append(f"others kept {old.foreign_cores:.1f} cores busy while the old report was measured")
    return found
