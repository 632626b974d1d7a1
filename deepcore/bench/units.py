"""Numbers as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .report import Result


def seconds(x: float) -> str:
    """Return seconds with three digits, in a unit that suits them.

    Examples
    --------
    >>> [seconds(x) for x in (2.5e-7, 0.0001234, 0.0567, 12.3456)]
    ['0.25 µs', '123 µs', '56.7 ms', '12.3 s']
    """
    if x < 999.5e-6:
        return f"{x * 1e6:.3g} µs"
    return f"{x * 1e3:.3g} ms" if x < 0.9995 else f"{x:.3g} s"


def ratio(x: float | None) -> str:
    """Return a ratio to the floor; nothing, if there is none.

    Examples
    --------
    >>> ratio(1.234), ratio(None)
    ('1.23 ×', '')
    """
    return "" if x is None else f"{x:.2f} ×"


def size(x: int | None) -> str:
    """Return bytes in mebibytes.

    Examples
    --------
    >>> size(3 * 2**19), size(None)
    ('1.5 MiB', '')
    """
    return "" if x is None else f"{x / 2**20:,.1f} MiB"


def rate(result: Result) -> str:
    """Return what a result did in a second: samples, bytes or operations, where they can be counted."""
    if result.samples_per_s is not None:
        return f"{result.samples_per_s:,.0f} samples/s"
    if result.gb_per_s is not None:
        return f"{result.gb_per_s:.3g} GB/s"
    return "" if result.gflop_per_s is None else f"{result.gflop_per_s:.3g} GFLOP/s"
