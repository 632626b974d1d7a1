"""The share of the work that a thread does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ._lanes import INT64

if TYPE_CHECKING:
    from ._lanes import Code


class Share(NamedTuple):
    """Which of some threads this one is."""

    id: Code
    threads: Code

    def of(self, build: Any, length: int, grain: int) -> tuple[Code, Code]:
        """Return where the share of this thread begins and ends: multiples of a grain, as even as can be."""
        grains = INT64(-(-length // grain))

        def edge(i: Code) -> Code:
            position = build.mul(build.udiv(build.mul(i, grains), self.threads), INT64(grain))
            beyond = build.icmp_signed(">", position, INT64(length))
            return build.select(beyond, INT64(length), position) if length % grain else position

        return edge(self.id), edge(build.add(self.id, INT64(1)))
