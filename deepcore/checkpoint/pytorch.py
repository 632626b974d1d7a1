"""Weights of PyTorch's models, from safetensors files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..nn import Dense
from .weights import read_arrays

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ..nn import Module

IGNORED = ("num_batches_tracked",)  # counters that no layer of deepcore has


def load_pytorch(
    source: str | os.PathLike[str] | Mapping[str, Any],
    model: Module,
    *,
    names: Mapping[str, str] | Callable[[str], str] | None = None,
    strict: bool = True,
) -> None:
    r"""Set the parameters and buffers of a model to those of a model of PyTorch.

    PyTorch keeps the weights of a ``Linear`` as $W^\top$, which becomes the $W$ of a :class:`~deepcore.nn.Dense`. All
    others are taken as they are. Counters of batches, which deepcore's layers do not have, are left out.

    Parameters
    ----------
    source
        A safetensors file of a state dictionary, or the dictionary itself, with arrays of any library.
    model
        A model of the same parts.
    names
        Where the names differ: PyTorch's name of each name here. A dictionary holds names, or beginnings of names that
        end before a dot, of which the longest counts (``""`` is the beginning of all); a function is called with each.
    strict
        Whether every name must be in both.

    Raises
    ------
    StorageError, DataError
        If the file cannot be read, or is not in safetensors format.
    StateError
        If names or shapes differ. The message lists them all, and nothing has been changed.

    Examples
    --------
    >>> import numpy as np
    >>> from deepcore import nn
    >>> from deepcore.checkpoint import load_pytorch
    >>> model = nn.Sequential(nn.Dense(3, 2))
    >>> load_pytorch({"fc.weight": np.zeros((2, 3)), "fc.bias": np.zeros(2)}, model, names={"0": "fc"})
    >>> model[0].weight.shape
    (3, 2)
    """
    given = dict(source) if isinstance(source, Mapping) else read_arrays(source)
    transposed = {
        f"{path}.weight" if path else "weight" for path, module in model.named_modules() if isinstance(module, Dense)
    }
    translate = names if callable(names) else _Translation(names or {})
    state: dict[str, NDArray[Any]] = {}
    used: set[str] = set()
    for name, _ in model.named_tensors():
        theirs = translate(name)
        if theirs in given:
            used.add(theirs)
            value = _on_host(given[theirs])
            state[name] = value.T if name in transposed and len(value.shape) == 2 else value
    rest = {name: value for name, value in given.items() if name not in used and name.rpartition(".")[2] not in IGNORED}
    # What the model has no place for keeps PyTorch's name, so that a strict load can say which that is.
    model.load_state_dict({**{f"{name} (of PyTorch)": value for name, value in rest.items()}, **state}, strict=strict)


def _on_host(x: Any) -> NDArray[Any]:
    """Return an array of NumPy, or a tensor of PyTorch, as the former."""
    array: NDArray[Any] = x.detach().cpu().numpy() if hasattr(x, "detach") and hasattr(x, "cpu") else x
    return array


class _Translation:
    """PyTorch's names of ours, by the longest beginning that has one."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def __call__(self, name: str) -> str:
        parts = name.split(".")
        for length in range(len(parts), -1, -1):
            beginning = ".".join(parts[:length])
            if beginning in self.names:
                return ".".join(part for part in (self.names[beginning], *parts[length:]) if part)
        return name
