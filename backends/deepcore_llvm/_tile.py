"""Products of small matrices: tiles of the result that stay in registers.

BLAS is written for large matrices, whose factors it copies into an order of its own before it multiplies. For small
ones that, and the ends of rows and columns that do not fill its blocks, take much of the time. Here the result is
divided into tiles of nearly equal sizes, and each is summed in registers [1]_. A tile has ``h`` rows and ``w``
registers in each: a step along the inner axis reads ``w`` registers of b and ``h`` numbers of a, and multiplies each by
each. The tiles below each other are a panel, whose part of b is copied before, so that they read it in order, where it
would not stay in the first cache. Where columns do not fill registers, the last register of a row begins as much
earlier, and computes a few columns twice.

Each element of the result is summed in the order of the inner axis, and each product is added to the sum with one
rounding. So results do not depend on how the result is divided, nor on who computes which tile.

References
----------
.. [1] K. Goto and R. A. van de Geijn, "Anatomy of high-performance matrix multiplication", *ACM Transactions on
       Mathematical Software* 34 (3), 2008, https://doi.org/10.1145/1356052.1356053
"""

from __future__ import annotations

import itertools
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from llvmlite import binding as llvm
from llvmlite import ir

from ._lanes import INT32, INT64, Lanes
from ._loops import alloca, function, loop
from ._memory import LINE, load, store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._lanes import Code

BLOCK: Final = 256
"""The steps along the inner axis after which a tile is left, so that its part of b stays in the first cache."""
NEAR: Final = 1 << 14
"""The bytes of b that stay in the first cache as they are."""
WORTH_COPY: Final = 32
"""The rows of c from which the part of b that a panel needs is copied."""
UNROLLED: Final = 2
"""How many steps of a tile are written one after another: of 1, 2, 4 and 8 the fastest, by up to a third."""
BEGINNING: Final = 16.0
"""How many cycles it takes to begin and end a tile."""


class Registers(NamedTuple):
    """The registers of a processor that has instructions for fused multiplications and additions.

    Attributes
    ----------
    number
        How many there are.
    bits
        How many bits each has.
    """

    number: int
    bits: int


@cache
def registers() -> Registers | None:
    """Return the registers of this processor, or None where products are left to BLAS."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return Registers(32, 512)
    if features.get("avx2") and features.get("fma"):
        return Registers(16, 256)
    return Registers(32, 128) if features.get("neon") else None


class Panels(NamedTuple):
    """Panels of one width next to each other, and their tiles.

    Attributes
    ----------
    width
        The registers in a row.
    first, number
        The first of the panels, and how many there are.
    height
        The rows of a tile.
    tiles, taller
        The tiles of a panel, and how many of them, from the top, have one row more.
    """

    width: int
    first: int
    number: int
    height: int
    tiles: int
    taller: int


class Tiling(NamedTuple):
    """How the result is divided.

    Attributes
    ----------
    lanes
        The elements of a register.
    panels
        The panels, from left to right.
    """

    lanes: int
    panels: tuple[Panels, ...]

    @property
    def tiles(self) -> int:
        """How many tiles there are."""
        return sum(x.number * x.tiles for x in self.panels)


def _cycles(height: int, width: int) -> float:
    """Return how long a step takes: two sums, or two loads, in a cycle, and four cycles until a sum can go on."""
    return max(height * width / 2, (height + width) / 2, 4.0)


@cache
def tiling(m: int, k: int, n: int, bits: int, found: Registers) -> Tiling:
    """Return how to divide a product of m by k and k by n elements of so many bits."""
    lanes = found.bits // bits
    while lanes > n:
        lanes //= 2
    columns = -(-n // lanes)
    best: tuple[float, Tiling] | None = None
    for widest in range(1, found.number // 2):
        if widest == 1 and columns > 1 and n % lanes:
            continue  # the registers that overlap have to be in one tile: it reads all before it writes any
        total, panels = 0.0, []
        number = -(-columns // widest)
        narrow, wider = divmod(columns, number)
        for width, first, count in ((narrow, 0, number - wider), (narrow + 1, number - wider, wider)):
            if count:
                cycles, divided = _divided(m, k, width, found)
                total += cycles * count
                panels.append(Panels(width, first, count, *divided))
        if best is None or total < best[0]:
            best = total, Tiling(lanes, tuple(panels))
    if best is None:
        msg = f"no tiles for {m}, {k}, {n}"
        raise AssertionError(msg)
    return best[1]


def _divided(m: int, k: int, width: int, found: Registers) -> tuple[float, tuple[int, int, int]]:
    """Return how long a panel takes, and the height, the number of its tiles and how many are taller."""
    highest = max((found.number - 1 - width) // width, 1)
    fewest = -(-m // highest)
    choices = []
    for tiles in range(fewest, min(fewest + 3, m) + 1):
        height, taller = divmod(m, tiles)
        parts = (taller, height + 1), (tiles - taller, height)
        cycles = sum(count * (k * _cycles(h, width) + BEGINNING * -(-k // BLOCK)) for count, h in parts)
        choices.append((cycles, (height, tiles, taller)))
    return min(choices)


class Factors(NamedTuple):
    """How the elements of the matrices are in memory.

    Attributes
    ----------
    a, b, c
        How far apart rows are; columns, where the matrix is transposed.
    a_is_transposed, b_is_transposed
        Whether columns are one after another in memory.
    """

    a: int
    b: int
    c: int
    a_is_transposed: bool
    b_is_transposed: bool


def product_of_tiles(module: Any, scalar: Any, sizes: tuple[int, int, int], how: Factors) -> tuple[Any, int]:
    """Return a function that computes tiles of a product, and how many there are.

    Parameters
    ----------
    module
        Where it goes.
    scalar
        The type of the elements.
    sizes
        The rows of a and c, the columns of a, and the columns of b and c.
    how
        The matrices.

    Returns
    -------
    Any
        The function: of the addresses of a, b and c, and the first tile and the one behind the last.
    int
        The number of tiles.
    """
    found = registers()
    if found is None:
        msg = "there are no tiles for this processor"
        raise AssertionError(msg)
    writer = _Writer(module, scalar, sizes, how, tiling(*sizes, _bits(scalar), found))
    return writer.function(), writer.tiling.tiles


class _Writer:
    def __init__(self, module: Any, scalar: Any, sizes: tuple[int, int, int], how: Factors, tiling: Tiling) -> None:
        self.module = module
        self.scalar = scalar
        self.pointer = scalar.as_pointer()
        self.m, self.k, self.n = sizes
        self.how = how
        self.tiling = tiling
        # The part of b that a panel needs is copied: into order, or out of the way of other lines of the cache.
        is_near = how.b * self.k * _bits(scalar) // 8 <= NEAR
        self.copies = how.b_is_transposed or not (is_near or self.m < WORTH_COPY)

    def function(self) -> Any:
        """Return the function, which is written if there is none yet."""
        name = "_".join(map(str, (f"{_letter(self.scalar)}product", self.m, self.k, self.n, *map(int, self.how))))
        found = self.module.globals.get(name)
        if found is not None:
            return found
        made, build = function(self.module, name, [self.pointer] * 3 + [INT64] * 2)
        blocks = -(-self.k // BLOCK)
        length = -(-self.k // blocks)
        widest = max(x.width for x in self.tiling.panels)
        copy: Any = ir.Constant(self.pointer, None)
        if self.copies:
            memory: Any = build.alloca(ir.ArrayType(self.scalar, length * widest * self.tiling.lanes))
            memory.align = LINE
            copy = build.bitcast(memory, self.pointer)
        a, b, c, begin, end = made.args
        with loop(build, INT64(0), INT64(blocks), once=blocks == 1) as i:
            done = build.mul(i, INT64(length))
            steps = _smaller(build, INT64(length), build.sub(INT64(self.k), done))
            going_on = build.icmp_signed(">", i, INT64(0))
            block = _Block(
                build.gep(a, [build.mul(done, INT64(self.how.a if self.how.a_is_transposed else 1))]),
                build.gep(b, [build.mul(done, INT64(1 if self.how.b_is_transposed else self.how.b))]),
                c,
                copy,
                steps,
                going_on,
            )
            before = 0
            for panels in self.tiling.panels:
                self._panels(build, panels, block, build.sub(begin, INT64(before)), build.sub(end, INT64(before)))
                before += panels.number * panels.tiles
        build.ret_void()
        return made

    def _panels(self, build: Any, panels: Panels, block: _Block, begin: Code, end: Code) -> None:
        """Write the tiles of panels of one width, of which some are wanted, counted from the first."""
        width, lanes, tiles = panels.width, self.tiling.lanes, INT64(panels.tiles)
        first = _smaller(build, build.sdiv(_larger(build, begin, INT64(0)), tiles), INT64(panels.number))
        last = build.sdiv(build.add(end, INT64(panels.tiles - 1)), tiles)
        last = _smaller(build, last, INT64(panels.number))
        with loop(build, first, last, once=panels.number == 1) as i:
            number = build.add(i, INT64(panels.first))
            column = build.mul(number, INT64(width * lanes))
            if panels.first:
                column = build.sub(column, INT64(panels.first * lanes))  # panels before are narrower by one register
            start = build.mul(i, tiles)
            top = _larger(build, build.sub(begin, start), INT64(0))
            bottom = _smaller(build, build.sub(end, start), tiles)
            final = _smaller(build, INT64((width - 1) * lanes), build.sub(INT64(self.n - lanes), column))
            self._panel(build, panels, block, column, final, top, bottom)

    def _panel(
        self, build: Any, panels: Panels, block: _Block, column: Code, final: Code, top: Code, bottom: Code
    ) -> None:
        width, lanes = panels.width, self.tiling.lanes
        how = self.module, self.scalar
        source = build.gep(block.b, [build.mul(column, INT64(self.how.b if self.how.b_is_transposed else 1))])
        b, of_b, final_of_b = source, INT64(self.how.b), final
        if self.copies:
            b, of_b, final_of_b = block.copy, INT64(width * lanes), INT64((width - 1) * lanes)
            order = _order(*how, lanes, b_is_transposed=self.how.b_is_transposed)
            with build.if_then(build.icmp_signed("<", top, bottom)):
                build.call(order, [source, block.copy, INT64(self.how.b), INT64(width), final, block.steps])
        with loop(build, top, bottom) as t:
            tile = _tile(*how, panels.height, width, lanes, a_is_transposed=self.how.a_is_transposed)
            if panels.taller:
                is_taller = build.icmp_signed("<", t, INT64(panels.taller))
                taller = _tile(*how, panels.height + 1, width, lanes, a_is_transposed=self.how.a_is_transposed)
                tile = build.select(is_taller, taller, tile)
            above = build.add(build.mul(t, INT64(panels.height)), _smaller(build, t, INT64(panels.taller)))
            a = build.gep(block.a, [build.mul(above, INT64(1 if self.how.a_is_transposed else self.how.a))])
            c = build.gep(block.c, [build.add(build.mul(above, INT64(self.how.c)), column)])
            steps = INT64(self.how.a), of_b, INT64(self.how.c), final_of_b, final, block.steps
            build.call(tile, [a, b, c, *steps, block.going_on])


class _Block(NamedTuple):
    """A part of the inner axis: where it begins in the matrices, and how many steps it has."""

    a: Code
    b: Code
    c: Code
    copy: Code
    steps: Code
    going_on: Code


def _tile(module: Any, scalar: Any, height: int, width: int, lanes: int, *, a_is_transposed: bool) -> Any:
    """Return the function that computes one tile."""
    name = f"{_letter(scalar)}tile_{height}_{width}_{lanes}_{int(a_is_transposed)}"
    found = module.globals.get(name)
    if found is not None:
        return found
    made, build = function(module, name, [scalar.as_pointer()] * 3 + [INT64] * 6 + [ir.IntType(1)])
    a, b, c, of_a, of_b, of_c, final_of_b, final, steps, going_on = made.args
    c.add_attribute("noalias")
    wide = Lanes(build, lanes)
    down, right = (INT64(1), of_a) if a_is_transposed else (of_a, INT64(1))
    cells = list(itertools.product(range(height), range(width)))
    sums = {cell: alloca(build, wide.wide(scalar)) for cell in cells}

    def columns(last: Code) -> list[Code]:
        return [INT64(q * lanes) for q in range(width - 1)] + [last]

    ends = columns(final)
    results = {(r, q): build.gep(c, [build.add(build.mul(INT64(r), of_c), ends[q])]) for r, q in cells}
    with build.if_else(going_on) as (then, otherwise):
        with then:
            for cell in cells:
                build.store(load(wide, results[cell]), sums[cell])
        with otherwise:
            for cell in cells:
                build.store(wide.constant(scalar, 0.0), sums[cell])

    with loop(build, INT64(0), steps, unroll=UNROLLED) as i:
        start = build.mul(i, of_b)
        values = [load(wide, build.gep(b, [build.add(start, column)])) for column in columns(final_of_b)]
        for r in range(height):
            number = build.load(build.gep(a, [build.add(build.mul(i, right), build.mul(INT64(r), down))]))
            spread = wide.spread(number)
            for q, x in enumerate(values):
                build.store(wide.fma(spread, x, build.load(sums[r, q])), sums[r, q])
    for cell in cells:
        store(wide, build.load(sums[cell]), results[cell])
    build.ret_void()
    return made


def _order(module: Any, scalar: Any, lanes: int, *, b_is_transposed: bool) -> Any:
    """Return the function that copies the part of b that a panel needs, in the order of its rows."""
    name = f"{_letter(scalar)}order_{lanes}_{int(b_is_transposed)}"
    found = module.globals.get(name)
    if found is not None:
        return found
    made, build = function(module, name, [scalar.as_pointer()] * 2 + [INT64] * 4)
    b, copy, of_b, width, final, steps = made.args
    wide = Lanes(build, lanes)
    row = build.mul(width, INT64(lanes))
    with loop(build, INT64(0), width) as q:
        start = build.mul(q, INT64(lanes))
        column = _smaller(build, start, final)
        source = build.gep(b, [build.mul(column, of_b) if b_is_transposed else column])
        target = build.gep(copy, [start])
        if not b_is_transposed:
            with loop(build, INT64(0), steps) as i:
                x = load(wide, build.gep(source, [build.mul(i, of_b)]))
                store(wide, x, build.gep(target, [build.mul(i, row)]))
        else:
            done = build.mul(build.udiv(steps, INT64(lanes)), INT64(lanes))
            with loop(build, INT64(0), build.udiv(steps, INT64(lanes))) as j:
                i = build.mul(j, INT64(lanes))
                found = [load(wide, build.gep(source, [build.add(i, build.mul(INT64(x), of_b))])) for x in range(lanes)]
                for x, values in enumerate(_transposed(build, found)):
                    store(wide, values, build.gep(target, [build.mul(build.add(i, INT64(x)), row)]))
            with loop(build, done, steps) as i, loop(build, INT64(0), INT64(lanes)) as j:
                x = build.load(build.gep(source, [build.add(i, build.mul(j, of_b))]))
                build.store(x, build.gep(target, [build.add(build.mul(i, row), j)]))
    build.ret_void()
    return made


def _transposed(build: Any, rows: Sequence[Code]) -> list[Code]:
    """Return the columns of a square of so many registers: blocks of 1, 2, 4, ... change places across the diagonal."""
    count, found = len(rows), list(rows)
    size = 1
    while size < count:
        low = [i if not i & size else i - size + count for i in range(count)]
        high = [x + size for x in low]
        masks = [ir.Constant(ir.VectorType(INT32, count), x) for x in (low, high)]
        for i in (i for i in range(count) if not i & size):
            pair = found[i], found[i + size]
            found[i], found[i + size] = (build.shuffle_vector(*pair, mask) for mask in masks)
        size *= 2
    return found


def _letter(scalar: Any) -> str:
    return "s" if isinstance(scalar, ir.FloatType) else "d"


def _bits(scalar: Any) -> int:
    return 32 if isinstance(scalar, ir.FloatType) else 64


def _smaller(build: Any, x: Code, y: Code) -> Code:
    return build.select(build.icmp_signed("<", x, y), x, y)


def _larger(build: Any, x: Code, y: Code) -> Code:
    return build.select(build.icmp_signed(">", x, y), x, y)
