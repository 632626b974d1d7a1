"""What the distribution requires, as its metadata has it, and whether a version meets that.

The few forms that build tools write are understood, so that nothing has to be installed in order to look.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_LINE: Final = re.compile(r"\s*([\w.-]+)\s*(?:\[([^\]]*)\])?\s*\(?([^;()]*)\)?\s*(?:;(.*))?$")
_EXTRA: Final = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")
_PIN: Final = re.compile(r"\s*(~=|===?|!=|<=|>=|<|>)\s*([^\s,]+)\s*$")


@dataclass(frozen=True)
class Requirement:
    """A distribution that is needed.

    Attributes
    ----------
    name
        Its name, normalised.
    parts
        The extras that it is needed with, such as ``"[ctk]"``.
    pins
        The versions that are meant, such as ``">=2.1,<2.6"``; empty for any.
    extra
        The extra of ours that needs it; empty where everything does.
    """

    name: str
    parts: str
    pins: str
    extra: str

    def __str__(self) -> str:
        return f"{self.name}{self.parts}{self.pins}"


def normalised(name: str) -> str:
    """Return the name of a distribution as all tools agree to write it.

    Examples
    --------
    >>> normalised("ML_dtypes")
    'ml-dtypes'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def parsed(lines: Iterable[str]) -> list[Requirement]:
    """Return the requirements of a distribution's metadata; a line in another form is left out.

    Examples
    --------
    >>> parsed(["numpy<2.6,>=2.1", "cupy-cuda13x[ctk]>=14.2; extra == 'cuda13'"])[1].extra
    'cuda13'
    """
    found: list[Requirement] = []
    for line in lines:
        match = _LINE.match(line)
        if match is not None:
            name, parts, pins, marker = match.groups(default="")
            extra = _EXTRA.search(marker)
            wanted = ",".join(sorted(pins.replace(" ", "").split(","), reverse=True))
            parts = f"[{parts}]" if parts else ""
            found.append(Requirement(normalised(name), parts, wanted, extra[1] if extra else ""))
    return found


def release(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, without the zeros at the end and without what follows the numbers.

    Examples
    --------
    >>> release("2.13.0+cpu")
    (2, 13)
    """
    match = re.match(r"v?(?:\d+!)?(\d+(?:\.\d+)*)", version.strip())
    numbers = [int(part) for part in match[1].split(".")] if match else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def meets(version: str, pins: str) -> bool:
    """Return whether a version is one of those that are meant. What is not understood is taken to be met.

    Examples
    --------
    >>> meets("2.5.1", ">=2.1,<2.6"), meets("2.6.0", ">=2.1,<2.6")
    (True, False)
    """
    return all(_meets(release(version), *match.groups()) for pin in pins.split(",") if (match := _PIN.match(pin)))


def _meets(have: tuple[int, ...], relation: str, wanted: str) -> bool:
    want = release(wanted.removesuffix(".*"))
    if wanted.endswith(".*") or relation == "~=":
        n = len(wanted.removesuffix(".*").split(".")) - (relation == "~=")
        same = (have + (0,) * n)[:n] == (want + (0,) * n)[:n]
        return not same if relation == "!=" else same and (relation != "~=" or have >= want)
    holds = {"==": have == want, "===": have == want, "!=": have != want}
    holds |= {"<": have < want, "<=": have <= want, ">": have > want, ">=": have >= want}
    return holds[relation]
