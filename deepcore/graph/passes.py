"""Passes: each makes a program of a program that computes the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .program import Call, Program, Value


def cleaned(program: Program) -> Program:
    """Return a program without calls whose results nobody uses, and without constants that nobody reads."""
    needed: set[Value] = set(program.outputs)
    kept: list[Call] = []
    for call in reversed(program.calls):
        if not needed.isdisjoint(call.results):
            kept.append(call)
            needed.update(call.operands())
    constants = {value: array for value, array in program.constants.items() if value in needed}
    return replace(program, calls=kept[::-1], constants=constants)
