"""Parameters that move together: one vector of them, one of their gradients, one of everything that is remembered."""

from __future__ import annotations

from copy import copy
from operator import attrgetter, is_
from typing import TYPE_CHECKING, Any, Final

from .._errors import DeviceError, DTypeError, ShapeError
from ._layout import Layout
from ._rebind import rebind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._tensor import Tensor
    from .._typing import Namespace, Raw
    from ._transform import Step

_data_of: Final = attrgetter("_data")


class Block:
    """Parameters of one group, data type, device and number of steps.

    Parameters are functional: a graph may hold a parameter's old array, so each step makes a new vector, of which the
    parameters become views. The vector is kept, and the next step begins with it unless somebody has set a parameter
    in between, which is seen by its array no longer being the view that was handed out.

    Numbers of 16 bits are too coarse to add up small changes, so parameters of such types are updated in float32, in
    which their state is kept, and only the result is rounded.

    Attributes
    ----------
    parameters
        The tensors.
    members
        Their positions in the group.
    layout
        Where each is in the vectors.
    state
        What each transform of the chain remembers.
    updates
        What the transforms have made of the gradients so far: a vector, or a list of arrays.
    is_narrow
        Whether the data type has 16 bits.
    now
        The step that is being taken.
    moved
        The parameters after it, where a kernel has computed them.
    """

    now: Step
    updates: Any
    moved: Raw = None

    def __init__(self, parameters: Sequence[Tensor], members: Sequence[int], count: int) -> None:
        self.parameters = parameters
        self.members = members
        self.count = count
        self.device = parameters[0]._device
        self.dtype = parameters[0]._data.dtype
        self.layout = Layout(p._data.shape for p in parameters)
        self.state: list[Any] = []
        self._views: list[Raw] = []
        self._flat: Raw = None
        self._values: Raw = None
        self.is_narrow = self.device.backend.dtypes[self.dtype].bits == 16

    # ------------------------------------------------------------------------------------------------ parameters

    def is_current(self) -> bool:
        """Whether the parameters still have the device, data type and shape of the block; its vector follows them."""
        if self._views and all(map(is_, map(_data_of, self.parameters), self._views)):
            return True
        if any(
            p._device is not self.device or p._data.dtype != self.dtype or tuple(p._data.shape) != shape
            for p, shape in zip(self.parameters, self.layout.shapes, strict=True)
        ):
            return False
        self._views = [p._data for p in self.parameters]
        self._flat = None
        return True

    @property
    def views(self) -> list[Raw]:
        """The arrays of the parameters."""
        return self._views

    @property
    def is_whole(self) -> bool:
        """Whether the arrays of the parameters are views of one vector, the one that was handed out last."""
        return self._flat is not None

    @property
    def flat(self) -> Raw:
        """The vector of the parameters."""
        if self._flat is None:
            self._flat = self.layout.join(self._views, self.device.kernels)
        return self._flat

    def hold(self, vector: Raw) -> None:
        """Let the parameters be views of a vector."""
        self._flat = vector
        self._views = self.layout.split(vector, self.device.kernels)
        for p, view in zip(self.parameters, self._views, strict=True):
            rebind(p, view)

    def look(self, step: Step) -> None:
        """Read the parameters, where somebody has set them."""
        self.now = step
        self._values = self._widened(self.flat, step.xp)

    def begin(self, step: Step, gradients: Sequence[Raw]) -> None:
        """Read the parameters and their gradients."""
        self.look(step)
        self.updates = self._widened(self.layout.join(gradients, step.xp), step.xp)

    def gradients(self) -> list[Raw]:
        """Return the gradients of the parameters, each in its shape."""
        found: list[Raw] = []
        device, dtype = self.device, self.dtype
        for i, p in zip(self.members, self.parameters, strict=True):
            gradient: Any = p._grad
            raw = gradient._data
            if gradient._device is not device:
                msg = f"the gradient of parameter {i} is on {gradient.device}, and the parameter on {self.device}"
                raise DeviceError(msg)
            if raw.shape != p._data.shape:
                msg = f"the gradient of parameter {i} has shape {tuple(raw.shape)}, and the parameter {p.shape}"
                raise ShapeError(msg)
            if raw.dtype != dtype:
                msg = f"the gradient of parameter {i} is {gradient.dtype}, and the parameter {p.dtype}"
                raise DTypeError(msg)
            found.append(raw)
        return found

    def finish(self) -> None:
        """Move the parameters."""
        self.hold(self.result())
        self.count = self.now.count
        self.updates = self.moved = self._values = None
        del self.now

    def result(self) -> Raw:
        """Return the vector of the parameters after the step: the updates are added to it, unless a kernel has."""
        xp = self.now.xp
        flat = self._added(xp) if self.moved is None else self.moved
        return xp.astype(flat, self.dtype) if self.is_narrow else flat

    def _added(self, xp: Namespace) -> Raw:
        with self.device.current:
            return self._values + self.vector(xp)

    def shadow(self, vector: Raw) -> Block:
        """Return a block in the same state, but for the vector of the parameters, that takes a step by itself."""
        shadow = copy(self)
        shadow._flat, shadow.state = vector, [{**state} for state in self.state]
        return shadow

    def _widened(self, vector: Raw, xp: Namespace) -> Raw:
        return xp.astype(vector, xp.float32) if self.is_narrow else vector

    def forget(self) -> None:
        """Give up every array. Somebody may still hold the block, a compiled step for one."""
        self.state, self._views, self._flat = [], [], None

    # -------------------------------------------------------------------------------------------- for transforms

    def values(self, xp: Namespace) -> Raw:
        """Return the parameters before the step, as one vector."""
        return self._values

    def value_arrays(self, xp: Namespace) -> list[Raw]:
        """Return the parameters before the step, each in its shape."""
        return self.layout.split(self._values, xp)

    def vector(self, xp: Namespace) -> Raw:
        """Return the updates as one vector."""
        if isinstance(self.updates, list):
            self.updates = self.layout.join(self.updates, xp)
        return self.updates

    def own_vector(self, xp: Namespace) -> Raw:
        """Return the updates as one vector that may be written to, unlike the gradient of a single parameter."""
        vector = self.vector(xp)
        return xp.asarray(vector, copy=True) if len(self.members) == 1 else vector

    def arrays(self, xp: Namespace) -> list[Raw]:
        """Return the updates, each in the shape of its parameter."""
        if not isinstance(self.updates, list):
            self.updates = self.layout.split(self.updates, xp)
        return self.updates
