"""Elements in memory: some that are next to each other, for as many lanes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llvmlite import ir

from ._lanes import INT64, Lanes, kind, memory_type
from ._loops import loop

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deepcore.graph.program import Value

    from ._lanes import Code
    from ._places import Place

LINE: Final = 64
"""The bytes of a line of the cache, and of the lanes that are computed at a time."""

STREAMED: Final = 1 << 25
"""The bytes from which a result does not fit into the last cache of most processors."""

TABLE: Final = INT64.as_pointer()


def widest(bits: int) -> int:
    """Return the number of lanes for elements of so many bits."""
    return LINE * 8 // max(bits, 32)


def whole_lines(n_bytes: int) -> int:
    """Return how many bytes the lines of the cache have that so many bytes fill or begin."""
    return -(-n_bytes // LINE) * LINE


def pointer_type(value: Value) -> Any:
    """Return the type of the address of an element of a value."""
    return memory_type(value.dtype).as_pointer()


def base(build: Any, table: Code, place: Place, value: Value) -> Code:
    """Return the address of the first element of a value."""
    address = build.load(build.gep(table, [INT64(place.slot)]))
    return build.inttoptr(build.add(address, INT64(place.offset)), pointer_type(value))


def offset(build: Any, indices: Sequence[Code], strides: Sequence[int], start: Code = None) -> Code:
    """Return how far an element is from the first, or from a start; there may be more axes than indices."""
    found = INT64(0) if start is None else start
    for index, stride in zip(indices, strides, strict=False):
        if stride:
            found = build.add(found, build.mul(index, INT64(stride)))
    return found


def load(lanes: Lanes, pointer: Code) -> Code:
    """Read elements as they are in memory."""
    form = pointer.type.pointee
    x = lanes.builder.load(lanes.builder.bitcast(pointer, lanes.wide(form).as_pointer()))
    x.align = _bytes(form)
    return x


def store(lanes: Lanes, x: Code, pointer: Code) -> None:
    """Write elements as they are in memory."""
    form = pointer.type.pointee
    lanes.builder.store(x, lanes.builder.bitcast(pointer, lanes.wide(form).as_pointer())).align = _bytes(form)


def load_value(lanes: Lanes, pointer: Code, value: Value) -> Code:
    """Read elements of a value."""
    x = load(lanes, pointer)
    return lanes.builder.icmp_unsigned("!=", x, ir.Constant(x.type, None)) if kind(value.dtype) == "b" else x


def store_value(lanes: Lanes, x: Code, pointer: Code, value: Value) -> None:
    """Write elements of a value."""
    if kind(value.dtype) == "b":
        x = lanes.builder.zext(x, lanes.wide(memory_type(value.dtype)))
    store(lanes, x, pointer)


def stream_value(lanes: Lanes, x: Code, pointer: Code) -> None:
    """Write a line of elements past the caches, which would read it from memory first. It begins where one does."""
    stored = lanes.builder.store(x, lanes.builder.bitcast(pointer, lanes.wide(pointer.type.pointee).as_pointer()))
    stored.align = LINE
    stored.set_metadata("nontemporal", lanes.builder.module.add_metadata([ir.IntType(32)(1)]))


def spans(length: int, width: int) -> Iterator[tuple[int, int, int]]:
    """Yield the parts of a row: so many times so many lanes, from where. What is left has half the lanes each time."""
    start = 0
    while start < length:
        count = (length - start) // width
        if count:
            yield width, start, count
            start += count * width
        width //= 2


def along(build: Any, length: int, width: int) -> Iterator[tuple[Lanes, Code]]:
    """Yield lanes for each part of a vector, with where they begin; what is written then is repeated for all of it."""
    for lanes, start, count in spans(length, width):
        with loop(build, INT64(0), INT64(count), once=count == 1) as i:
            yield Lanes(build, lanes), build.add(build.mul(i, INT64(lanes)), INT64(start))


def _bytes(form: Any) -> int:
    return 8 if isinstance(form, ir.DoubleType) else 4 if isinstance(form, ir.FloatType) else max(form.width // 8, 1)
