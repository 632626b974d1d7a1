"""Functions and loops in LLVM's language."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

from llvmlite import ir

from ._lanes import INT32, INT64

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ._lanes import Code

VOID: Final = ir.VoidType()


@contextmanager
def loop(build: Any, begin: Code, end: Code, *, once: bool = False, unroll: int = 1) -> Generator[Code]:
    """Repeat what is written inside for each number from begin to end, which may be none.

    Parameters
    ----------
    build, begin, end
        Where, and the numbers.
    once
        Whether there is known to be one number.
    unroll
        How many times the body is written, one after another.
    """
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
    back = build.branch(head)
    if unroll > 1:
        back.set_metadata("llvm.loop", _unrolled(build.module, unroll))
    build.position_at_end(after)


def _unrolled(module: Any, count: int) -> Any:
    """Return what tells LLVM how often to write the body of a loop: a node whose first operand is itself."""
    node = module.add_metadata([["llvm.loop.unroll.count", INT32(count)]])
    node.operands = (node, node.operands[-1])
    return node


@contextmanager
def nested(build: Any, lengths: Sequence[int]) -> Generator[list[Code]]:
    """Repeat what is written inside for each index of an array of some shape."""
    with ExitStack() as stack:
        yield [stack.enter_context(loop(build, INT64(0), INT64(n))) for n in lengths]


def function(module: Any, name: str, arguments: Sequence[Any], result: Any = VOID) -> tuple[Any, Any]:
    """Return a new function of a module, and where its instructions go.

    It is called where it is called, and not written again there: LLVM needs more than twice as long for one large
    function as for its parts.
    """
    made = ir.Function(module, ir.FunctionType(result, arguments), name)
    made.linkage = "internal"
    made.attributes.add("noinline")
    return made, ir.IRBuilder(made.append_basic_block("entry"))


def alloca(build: Any, form: Any) -> Code:
    """Return memory that the function has to itself."""
    with build.goto_entry_block():
        return build.alloca(form)
