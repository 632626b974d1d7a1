"""Every error deepcore raises on purpose: one tree, each also the built-in a caller would expect."""


class DeepcoreError(Exception):
    """The root: `except DeepcoreError` catches whatever deepcore raises on purpose."""


class ShapeError(DeepcoreError, ValueError):
    """Shapes that do not fit together; the message names the layer or function and both shapes."""


class BoundsError(ShapeError, IndexError):
    """An axis or a position that an array does not have."""


class DTypeError(DeepcoreError, TypeError):
    """A data type that an operation is not defined for."""


class DeviceError(DeepcoreError, ValueError):
    """An unknown device, or operands on different devices (deepcore never transfers silently)."""


class BackendError(DeepcoreError, ImportError):
    """An array library that is missing, too old, or has no usable device."""


class GradientError(DeepcoreError, RuntimeError):
    """A derivative that cannot be computed: no rule, a released graph, or nothing recorded."""


class CompileError(DeepcoreError, TypeError):
    """A computation that cannot become a fixed program, such as one that looks at a value to decide what to do."""


class NumericalError(DeepcoreError, FloatingPointError):
    """NaN or infinity where numbers were expected, a singular matrix, or an iteration that does not converge."""


class DataError(DeepcoreError, ValueError):
    """Data that cannot be used: empty, of the wrong type or range, or a damaged file."""


class ConfigError(DeepcoreError, ValueError):
    """An option or argument outside its allowed values; the message lists them."""


class StateError(DeepcoreError, ValueError):
    """A saved state that does not fit the object it is loaded into."""


class StorageError(DeepcoreError, OSError):
    """A file that cannot be read, written or fetched."""
