"""Where the values of a program are, for code that finds them by a table of addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from deepcore._backend import numpy_dtypes
from deepcore_numpy._layout import viewed

from ._memory import LINE

if TYPE_CHECKING:
    from deepcore.graph.program import Call, Value
    from deepcore_numpy._layout import Layout

    Array = np.ndarray[Any, Any]


class Place(NamedTuple):
    """An entry of the table of addresses, bytes from there, strides in elements, and whether a line begins there."""

    slot: int
    offset: int
    strides: tuple[int, ...]
    is_aligned: bool = False


class Places:
    """The table of addresses of a program.

    Parameters
    ----------
    layout
        The arrays of its fixed values. Other values are new arrays in every run, in row-major order, or views of
        these.

    Attributes
    ----------
    of
        The place of each value that was asked for.
    addresses
        The table; 0 for a new array.
    moving
        The values that are new arrays, each with its entry of the table.
    views
        The calls that make views, by their results.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.of: dict[Value, Place] = {}
        self.addresses: list[int] = []
        self.moving: dict[Value, int] = {}
        self.views: dict[Value, Call] = {call.results[0]: call for call in layout.program.calls if layout.is_view(call)}
        self._patterns: dict[Value, Array] = {}
        self._copied: set[Value] = set()  # the results of views that have to copy, and so are new arrays
        self._slots: dict[int, int] = {}  # by address

    def add(self, address: int) -> int:
        """Add an entry to the table."""
        self.addresses.append(address)
        return len(self.addresses) - 1

    def find(self, value: Value) -> Place:
        """Return the place of a value, which has an entry of the table from then on."""
        if value not in self.of:
            array, fixed = self._array(value), self.layout.arrays.get(value)
            address: int = array.__array_interface__["data"][0]
            if fixed is not None:
                if address not in self._slots:
                    self._slots[address] = self.add(address)
                slot, offset = self._slots[address], 0
            else:
                root = self._root(value)
                if root not in self.moving:
                    self.moving[root] = self.add(0)
                slot, offset = self.moving[root], address - self._array(root).__array_interface__["data"][0]
            is_aligned = not address % LINE if fixed is not None else value in self.layout.results
            self.of[value] = Place(slot, offset, self.strides(value), is_aligned)
        return self.of[value]

    def strides(self, value: Value) -> tuple[int, ...]:
        """Return how far apart the elements of a value are along each axis."""
        array = self._array(value)
        return tuple(step // array.itemsize for step in array.strides)

    def is_in_place(self, value: Value) -> bool:
        """Whether a view needs no computation: it is where what it is a view of is."""
        if value in self.layout.arrays:
            return True
        self._pattern(value)
        return value not in self._copied

    def _root(self, value: Value) -> Value:
        """Return the new array that a value is a view of."""
        while value in self.views and value not in self._copied:
            value = self.views[value].arguments[0]
        return value

    def _array(self, value: Value) -> Array:
        """Return the array of a value, or one that looks like it."""
        array = self.layout.arrays.get(value)
        return self._pattern(value) if array is None else array

    def _pattern(self, value: Value) -> Array:
        """Return an array that looks like a new one."""
        if value not in self._patterns:
            call = self.views.get(value)
            if call is not None:
                source = self._pattern(call.arguments[0])
                view = viewed(source, call)
                if np.may_share_memory(view, source) or not view.size:
                    self._patterns[value] = view
                    return view
                self._copied.add(value)
            self._patterns[value] = np.empty(value.shape, numpy_dtypes()[value.dtype])
        return self._patterns[value]
