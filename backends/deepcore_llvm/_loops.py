"""Loops in LLVM's language."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from ._lanes import INT64

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ._lanes import Code


@contextmanager
def loop(build: Any, begin: Code, end: Code, *, once: bool = False) -> Generator[Code]:
    """Repeat what is written inside for each number from begin to end, which may be none."""
    if once:
        yield begin
        return
    before = build.block
    head, body, after = (build.function.append_basic_block(name) for name in ("head", "body", "after"))
    build.branch(head)
    build.position_at_end(head)
    i = build.phi(INT64)
    i.add_incoming(begin, before)
    build.cbranch(build.icmp_signed("<", i, end), body, after)
    build.position_at_end(body)
    yield i
    i.add_incoming(build.add(i, INT64(1), flags=("nsw",)), build.block)
    build.branch(head)
    build.position_at_end(after)


@contextmanager
def nested(build: Any, lengths: Sequence[int]) -> Generator[list[Code]]:
    """Repeat what is written inside for each index of an array of some shape."""
    with ExitStack() as stack:
        yield [stack.enter_context(loop(build, INT64(0), INT64(n))) for n in lengths]


def alloca(build: Any, form: Any) -> Code:
    """Return memory that the function has to itself."""
    with build.goto_entry_block():
        return build.alloca(form)
