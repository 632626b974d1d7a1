"""Finding the random generators of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..nn import Module
from ..random import Generator, default_generator

if TYPE_CHECKING:
    from collections.abc import Iterator


def generators_in(**objects: Any) -> dict[str, Generator]:
    """Return every generator in models by path, each once: the default one, and those that layers hold.

    Parameters
    ----------
    **objects
        Models, and other objects that may be some, each with the name that its paths begin with.

    Examples
    --------
    >>> from deepcore import nn
    >>> from deepcore.checkpoint import generators_in
    >>> from deepcore.random import Generator
    >>> model = nn.Sequential(nn.Dense(2, 2), nn.Dropout(0.5, generator=Generator(3)))
    >>> list(generators_in(model=model))
    ['default', 'model.1._generator']
    """
    found = {"default": default_generator()}
    known = {id(found["default"])}
    for name, root in objects.items():
        if isinstance(root, Generator):
            attributes: Iterator[tuple[str, Any]] = iter([(name, root)])
        elif isinstance(root, Module):
            attributes = _attributes(name, root)
        else:
            continue
        for path, value in attributes:
            for inner, generator in _generators(path, value):
                if id(generator) not in known:
                    known.add(id(generator))
                    found[inner] = generator
    return found


def _attributes(name: str, root: Module) -> Iterator[tuple[str, Any]]:
    for path, module in root.named_modules():
        prefix = f"{name}.{path}" if path else name
        for attribute, value in vars(module).items():
            yield f"{prefix}.{attribute}", value


def _generators(path: str, x: Any) -> Iterator[tuple[str, Generator]]:
    """Yield the generators in a value: itself, or those in lists and dictionaries."""
    if isinstance(x, Generator):
        yield path, x
    elif isinstance(x, (list, tuple)):
        for i, item in enumerate(x):
            yield from _generators(f"{path}.{i}", item)
    elif isinstance(x, dict):
        for key, item in x.items():
            yield from _generators(f"{path}.{key}", item)
