"""Boxes in layers: where a drawing of a graph without cycles puts them.

Source: K. Sugiyama, S. Tagawa and M. Toda, Methods for visual understanding of hierarchical system structures, IEEE
Transactions on Systems, Man, and Cybernetics 11, 1981: layers by the longest path, and in each the order of the mean
place of neighbours. Within an order, boxes are as close to their neighbours as the boxes beside them let them, in the
sense of least squares (isotonic regression).
"""

from __future__ import annotations

import itertools
from bisect import bisect_right, insort
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GAP: Final = 24.0
"""The least distance of boxes beside each other."""

RISE: Final = 36.0
"""The distance of layers."""

LANE: Final = 6.0
"""The width that a line needs where it passes a layer."""

MANY: Final = 20_000
"""Beyond so many places where lines pass layers, long lines do not go around boxes."""

SWEEPS: Final = 8

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is.

    Attributes
    ----------
    corners
        The upper left corner of each box.
    lines
        The points that the line of each edge goes through, from the lower side of a box to the upper side of another.
    size
        The width and the height of all.
    """

    corners: list[Point]
    lines: list[list[Point]]
    size: Point


def layout(sizes: Sequence[Point], edges: Sequence[tuple[int, int]]) -> Layout:
    """Return a layout of boxes.

    Parameters
    ----------
    sizes
        The width and the height of each box. Boxes come in an order of evaluation: edges go from earlier ones to
        later ones.
    edges
        From which box to which.
    """
    layers = _layers(len(sizes), edges)
    grid = _Grid(sizes, edges, layers)
    grid.order()
    xs = grid.places()
    heights = [max((sizes[v][1] for v in row if v < len(sizes)), default=0.0) for row in grid.rows]
    tops = [0.0]
    for height in heights:
        tops.append(tops[-1] + height + RISE)
    left = min((xs[v] - grid.widths[v] / 2 for v in range(len(grid.widths))), default=0.0)
    right = max((xs[v] + grid.widths[v] / 2 for v in range(len(grid.widths))), default=0.0)
    middle = [tops[k] + heights[k] / 2 for k in range(len(heights))]

    def corner(v: int) -> Point:
        return xs[v] - left - sizes[v][0] / 2, middle[layers[v]] - sizes[v][1] / 2

    lines: list[list[Point]] = []
    for (a, b), between in zip(edges, grid.chains, strict=True):
        points = [(xs[a] - left, middle[layers[a]] + sizes[a][1] / 2)]
        for v in between:
            k = grid.layers[v]
            points += [(xs[v] - left, tops[k]), (xs[v] - left, tops[k] + heights[k])]
        points.append((xs[b] - left, middle[layers[b]] - sizes[b][1] / 2))
        lines.append(points)
    return Layout([corner(v) for v in range(len(sizes))], lines, (right - left, max(tops[-1] - RISE, 0.0)))


def _layers(n: int, edges: Iterable[tuple[int, int]]) -> list[int]:
    """Return the layer of each box: below all that it depends on, and what depends on nothing just above its users."""
    before: list[list[int]] = [[] for _ in range(n)]
    after: list[list[int]] = [[] for _ in range(n)]
    for a, b in edges:
        before[b].append(a)
        after[a].append(b)
    layers = [0] * n
    for v in range(n):
        layers[v] = max((layers[a] + 1 for a in before[v]), default=0)
    for v in range(n):
        if not before[v] and after[v]:
            layers[v] = min(layers[b] for b in after[v]) - 1
    return layers


class _Grid:
    """Rows of boxes, and of places where lines pass."""

    def __init__(self, sizes: Sequence[Point], edges: Sequence[tuple[int, int]], layers: list[int]) -> None:
        self.widths = [width for width, _ in sizes]
        self.layers = list(layers)
        self.chains: list[list[int]] = []
        long = sum(layers[b] - layers[a] - 1 for a, b in edges)
        pairs: list[tuple[int, int]] = []
        for a, b in edges:
            passes = range(layers[a] + 1, layers[b]) if long <= MANY else range(0)
            chain = [self._lane(k) for k in passes]
            self.chains.append(chain)
            if chain or layers[b] == layers[a] + 1:
                path = [a, *chain, b]
                pairs += itertools.pairwise(path)
        self.above: list[list[int]] = [[] for _ in self.widths]
        self.below: list[list[int]] = [[] for _ in self.widths]
        for a, b in pairs:
            self.above[b].append(a)
            self.below[a].append(b)
        self.rows: list[list[int]] = [[] for _ in range(max(self.layers, default=-1) + 1)]
        for v, layer in enumerate(self.layers):
            self.rows[layer].append(v)

    def _lane(self, layer: int) -> int:
        self.widths.append(LANE)
        self.layers.append(layer)
        return len(self.widths) - 1

    # ----------------------------------------------------------------------------------------------------- order

    def order(self) -> None:
        """Put the boxes of each row into the order with the fewest crossings that the sweeps come by."""
        best, fewest = [list(row) for row in self.rows], self._crossings()
        for sweep in range(SWEEPS):
            if fewest == 0:
                break
            down = sweep % 2 == 0
            self._sweep(self.rows[1:] if down else self.rows[-2::-1], self.above if down else self.below)
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(row) for row in self.rows], crossings
        self.rows = best

    def _sweep(self, rows: Iterable[list[int]], neighbours: list[list[int]]) -> None:
        place = self._ranks()
        for row in rows:
            means = {
                v: sum(place[w] for w in neighbours[v]) / len(neighbours[v]) if neighbours[v] else place[v] for v in row
            }
            row.sort(key=means.__getitem__)
            place.update((v, float(i)) for i, v in enumerate(row))

    def _ranks(self) -> dict[int, float]:
        return {v: float(i) for row in self.rows for i, v in enumerate(row)}

    def _crossings(self) -> int:
        """Return how many pairs of lines between neighbouring rows cross."""
        place, total = self._ranks(), 0
        for row in self.rows:
            seen: list[float] = []
            for v in row:
                ends = sorted(place[w] for w in self.below[v])
                total += sum(len(seen) - bisect_right(seen, end) for end in ends)
                for end in ends:
                    insort(seen, end)
        return total

    # ----------------------------------------------------------------------------------------------------- places

    def places(self) -> list[float]:
        """Return where the middle of each box is from left to right."""
        xs = [0.0] * len(self.widths)
        for row in self.rows:
            for v, x in zip(row, self._apart(row, [0.0] * len(row)), strict=True):
                xs[v] = x
        for sweep in range(SWEEPS):
            down = sweep % 2 == 0
            neighbours = self.above if down else self.below
            for row in self.rows if down else reversed(self.rows):
                wanted = [sum(xs[w] for w in found) / len(found) if (found := neighbours[v]) else xs[v] for v in row]
                for v, x in zip(row, self._apart(row, wanted), strict=True):
                    xs[v] = x
        return xs

    def _apart(self, row: list[int], wanted: list[float]) -> list[float]:
        """Return the places closest to those wanted, in the sense of least squares, at which no boxes overlap."""
        offsets = [0.0]
        for a, b in itertools.pairwise(row):
            offsets.append(offsets[-1] + (self.widths[a] + self.widths[b]) / 2 + GAP)
        blocks: list[tuple[float, int]] = []  # the mean of those that move together, and how many they are
        for x, offset in zip(wanted, offsets, strict=False):
            mean, n = x - offset, 1
            while blocks and blocks[-1][0] >= mean:
                other, m = blocks.pop()
                mean, n = (mean * n + other * m) / (n + m), n + m
            blocks.append((mean, n))
        shifts = [mean for mean, n in blocks for _ in range(n)]
        return [shift + offset for shift, offset in zip(shifts, offsets, strict=False)]
