"""What a program spends its time on: a table of its kernels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any, Final

from .cost import Cost, cost, is_view, text_of
from .fusion import fused
from .group import Group
from .program import Draw, Program
from .replay import replay
from .roofline import Roofline, measured, timed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._typing import Raw
    from .program import Call

WIDEST: Final = 48
"""Characters of the longest list of operations in a table."""

COLUMNS: Final = ("kernel", "result", "bytes", "flops", "time", "GB/s", "GFLOP/s", "roofline", "where")


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel of a program.

    Attributes
    ----------
    operations
        The operations that it computes, in order.
    where, layer
        The lines of the user's program that asked for them, and the layers, each once.
    result
        The data type and the shape of its largest result.
    cost
        The bytes that it has to read and write, and its operations on numbers.
    seconds
        How long it takes; None where that cannot be told from outside.
    share
        The share of what the device could do: the time of its roofline over that of the kernel. More than 1 where what
        it reads was still in a cache.
    """

    operations: tuple[str, ...]
    where: tuple[str, ...]
    layer: tuple[str, ...]
    result: str
    cost: Cost
    seconds: float | None
    share: float | None

    @property
    def nbytes(self) -> int:
        """Bytes read and written."""
        return self.cost.read + self.cost.written

    @property
    def bandwidth(self) -> float | None:
        """Bytes a second."""
        return self.nbytes / self.seconds if self.seconds else None

    @property
    def rate(self) -> float | None:
        """Operations a second."""
        return self.cost.flops / self.seconds if self.seconds else None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a program spends its time on, as a table that prints, and that notebooks show.

    Attributes
    ----------
    kernels
        The kernels.
    total
        All of them as one; its time is that of a whole run.
    roofline
        What the device can do.
    note
        What there is to say about the times.
    """

    kernels: tuple[Kernel, ...]
    total: Kernel
    roofline: Roofline
    note: str

    def sorted(self, by: str = "time") -> Explanation:
        """Return the table in another order: of ``"time"``, longest first, ``"bytes"``, ``"flops"`` or ``"share"``."""
        keys = {
            "time": lambda k: -(k.seconds or 0.0),
            "bytes": lambda k: -k.nbytes,
            "flops": lambda k: -k.cost.flops,
            "share": lambda k: k.share if k.share is not None else 0.0,
        }
        return replace(self, kernels=tuple(sorted(self.kernels, key=keys[by])))

    def rows(self) -> list[dict[str, Any]]:
        """Return the kernels as dictionaries of plain Python objects, for other programs."""
        return [
            {
                "operations": list(k.operations),
                "where": list(k.where),
                "layer": list(k.layer),
                "result": k.result,
                "read": k.cost.read,
                "written": k.cost.written,
                "flops": k.cost.flops,
                "seconds": k.seconds,
                "share": k.share,
            }
            for k in self.kernels
        ]

    def _cells(self) -> list[tuple[str, ...]]:
        return [_cells(kernel) for kernel in (*self.kernels, self.total)]

    def _heading(self) -> str:
        copies, products = text_of(self.roofline.bandwidth), text_of(self.roofline.rate)
        return f"{len(self.kernels)} kernels; the device copies {copies}B/s, multiplies {products}FLOP/s. {self.note}"

    def __str__(self) -> str:
        lines = [COLUMNS, *self._cells()]
        widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]

        def text(line: tuple[str, ...]) -> str:
            parts = [
                x.ljust(n) if i in (0, 1, 8) else x.rjust(n) for i, (x, n) in enumerate(zip(line, widths, strict=True))
            ]
            return "  ".join(parts).rstrip()

        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
        body = [text(line) for line in lines]
        return "\n".join([self._heading(), body[0], rule, *body[1:-1], rule, body[-1]])

    def _repr_html_(self) -> str:
        def row(line: tuple[str, ...], tag: str) -> str:
            aligned = ("left" if i in (0, 1, 8) else "right" for i in range(len(line)))
            cells = (f'<{tag} style="text-align: {a}">{escape(x)}</{tag}>' for a, x in zip(aligned, line, strict=True))
            return f"<tr>{''.join(cells)}</tr>"

        *body, total = self._cells()
        parts = [f"<caption>{escape(self._heading())}</caption>", f"<thead>{row(COLUMNS, 'th')}</thead>"]
        parts += ["<tbody>", *(row(line, "td") for line in body), "</tbody>", f"<tfoot>{row(total, 'th')}</tfoot>"]
        return f"<table>{''.join(parts)}</table>"


def _cells(k: Kernel) -> tuple[str, ...]:
    return (
        _operations(k.operations),
        k.result,
        text_of(k.nbytes),
        text_of(k.cost.flops),
        "" if k.seconds is None else f"{k.seconds * 1e6:.1f} us",
        "" if k.bandwidth is None else f"{k.bandwidth / 1e9:.2f}",
        "" if k.rate is None else f"{k.rate / 1e9:.2f}",
        "" if k.share is None else f"{k.share:.0%}",
        ", ".join([*k.layer, *(x.rpartition("/")[2] for x in k.where)]),
    )


def _operations(names: Sequence[str]) -> str:
    """Return the names of operations, those that recur with how often, and not more than fit."""
    parts = [name if n == 1 else f"{name} x{n}" for name, n in Counter(names).items()]
    text = ", ".join(parts)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 3]}..."


# --------------------------------------------------------------------------------------------------------- explaining


def explained(program: Program, inputs: Sequence[Raw], run: Any = None, *, runs: int = 5) -> Explanation:
    """Return what a program spends its time on.

    Parameters
    ----------
    program
        The program.
    inputs
        Arrays to run it on. They are not changed, and neither are generators.
    run
        What runs it: an executor of the backend, or what calls its operations, if not given. One with a method
        ``profile(program, inputs, runs)`` says how many seconds the program takes, and of each of its kernels the calls
        that it computes and the seconds; these are calls of another program if it has an attribute ``plain``.
    runs
        Times are medians of so many runs.
    """
    apart = _apart(program)
    device, backend = program.device, program.device.backend
    profile = getattr(run, "profile", None)
    parts: Sequence[tuple[Sequence[Call], float | None]]
    if profile is not None:
        seconds, parts = profile(apart, inputs, runs)
        note = f"Times are medians of {runs} runs."
    else:
        parts = [(part.calls if isinstance(part, Group) else [part], None) for part in fused(program)]
        note = "Its kernels cannot be told apart from outside: times are those of a whole run."
        again = backend.executor(apart) or replay(apart)
        again(inputs)
        seconds = timed(lambda: again(inputs), backend.synchronize, runs)
    roofline = measured(device)  # last: threads of BLAS go on looking for work for a while, on cores that are wanted
    program = getattr(run, "plain", program)  # whose calls the parts are of
    read = _read(program)
    kernels = [
        _kernel(program, calls, cost(program, calls, _kept(calls, read)), time, roofline)
        for calls, time in parts
        if time is not None or not all(map(is_view, calls))
    ]
    summed = Cost(*(sum(getattr(k.cost, name) for k in kernels) for name in ("read", "written", "flops")))
    total = replace(_kernel(program, [], summed, seconds, roofline), operations=("total",))
    return Explanation(tuple(kernels), total, roofline, note)


def _apart(program: Program) -> Program:
    """Return the program with generators of its own."""
    copies: dict[int, Any] = {}
    draws = [Draw(copies.setdefault(id(d.generator), d.generator.copy()), d.arrays) for d in program.draws]
    return replace(program, draws=draws)


def _read(program: Program) -> dict[Any, set[int]]:
    """Return who reads each value: the ids of calls, and 0 for the outside."""
    found: dict[Any, set[int]] = {value: {0} for value in program.outputs}
    for call in program.calls:
        for value in call.operands():
            found.setdefault(value, set()).add(id(call))
    return found


def _kept(calls: Sequence[Call], read: dict[Any, set[int]]) -> set[Any]:
    """Return the results of calls that somebody else reads."""
    own = {id(call) for call in calls}
    return {value for call in calls for value in call.results if read.get(value, set()) - own}


def _kernel(program: Program, calls: Sequence[Call], of: Cost, seconds: float | None, roofline: Roofline) -> Kernel:
    results = [x for call in calls for x in call.results]
    largest = max(results, key=lambda x: x.nbytes).kind if results else ""
    share = roofline.seconds(of.read + of.written, of.flops) / seconds if seconds else None
    where, layers = (tuple(dict.fromkeys(x for call in calls if (x := getattr(call, n)))) for n in ("where", "layer"))
    return Kernel(tuple(call.operation for call in calls), where, layers, largest, of, seconds, share)
