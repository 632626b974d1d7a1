"""The code of a program: its kernels, and functions that call them and BLAS one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llvmlite import ir

from ._compiler import Library
from ._kernel import NUMBERS, TABLE, Kernel, Place, units
from ._lanes import INT32, INT64, memory_type
from ._product import Product, symbols, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deepcore.graph.fusion import Group
    from deepcore.graph.program import Value

    Step = tuple[Group, None] | tuple[Sequence[Value], Product]

FUNCTION: Final = ir.FunctionType(INT32, [TABLE, NUMBERS])


class Module:
    """The code of a program, as it is written.

    Parameters
    ----------
    places
        Where each value is that it reads or writes.
    numbers
        The position of each number of the host, by identity.
    """

    def __init__(self, places: dict[Value, Place], numbers: dict[int, int]) -> None:
        self.module = ir.Module("deepcore")
        self.places = places
        self.numbers = numbers
        self.names: list[str] = []
        self._n_kernels = 0

    def function(self, steps: Sequence[Step]) -> str:
        """Write a function that computes some steps, and return its name."""
        name = f"run{len(self.names)}"
        self.names.append(name)
        function = ir.Function(self.module, FUNCTION, name)
        build = ir.IRBuilder(function.append_basic_block("entry"))
        wrong = INT32(0)
        for what, how in steps:
            if how is None:
                wrong = build.or_(wrong, self._kernel(build, what))
            else:
                self._product(build, what, how)
        build.ret(wrong)
        return name

    def _kernel(self, build: Any, group: Group) -> Any:
        kernel = Kernel(self.module, f"kernel{self._n_kernels}", group, self.places, self.numbers)
        self._n_kernels += 1
        table, numbers = build.function.args
        return build.call(kernel.function, [table, numbers, INT64(0), INT64(units(group))])

    def _product(self, build: Any, values: Sequence[Value], how: Product) -> None:
        table, _ = build.function.args
        addresses = []
        for value in values:
            place = self.places[value]
            address = build.add(build.load(build.gep(table, [INT64(place.slot)])), INT64(place.offset))
            addresses.append(build.inttoptr(address, memory_type(value.dtype).as_pointer()))
        write(build, how, values[0].dtype, addresses)

    def compiled(self) -> Library:
        """Return the functions."""
        return Library(str(self.module), self.names, symbols())
