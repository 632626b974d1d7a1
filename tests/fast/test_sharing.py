"""What computes the same is written once: the code of a network does not grow with its depth."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

import deepcore as dc
from deepcore import nn
from deepcore.graph.program import Call, Value

pytest.importorskip("llvmlite", reason="llvmlite is not installed")

from deepcore_llvm import _code
from deepcore_llvm._description import description
from deepcore_llvm._step import Functions

if TYPE_CHECKING:
    from collections.abc import Callable


class Recurrent(nn.Module):
    """LSTM layers, without their last states."""

    def __init__(self, depth: int) -> None:
        self.layers = [nn.LSTM(16, 16) for _ in range(depth)]

    def forward(self, x: dc.Tensor) -> dc.Tensor:
        """Return what the last layer gives at all times."""
        for layer in self.layers:
            x, _ = layer(x)
        return x


def layers(kind: str, depth: int) -> nn.Module:
    """Return a network of so many layers of a kind."""
    if kind == "transformer":
        return nn.Sequential(*[nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1) for _ in range(depth)])
    if kind == "convolution":
        return nn.Sequential(*[layer for _ in range(depth) for layer in (nn.Conv2d(3, 3, 3, padding=1), nn.ReLU())])
    if kind == "dense":
        return nn.Sequential(*[layer for _ in range(depth) for layer in (nn.Dense(128, 128), nn.GELU())])
    return Recurrent(depth)


SHAPES = {"transformer": (4, 64, 16), "convolution": (4, 3, 16, 16), "dense": (128, 128), "lstm": (8, 12, 16)}


def computed(kind: str, depth: int) -> None:
    """Run a compiled function that computes gradients until it is machine code."""
    model = layers(kind, depth)

    @dc.compile
    def gradients(x: dc.Tensor) -> list[dc.Tensor | None]:
        for parameter in model.parameters():
            parameter.grad = None
        dc.mean(dc.square(model(x))).backward()
        return [parameter.grad for parameter in model.parameters()]

    for _ in range(3):
        gradients(dc.ones(SHAPES[kind]))


@pytest.mark.parametrize("kind", SHAPES)
def test_functions_of_one_description_are_the_same(
    kind: str, rewritten: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    rewritten()
    written = Functions.get
    repeated = 0

    def compared(functions: Functions, name: str, about: Any, write: Callable[[str], Any]) -> Any:
        nonlocal repeated
        n_known = len(functions._known)
        result = written(functions, name, about, write)
        if len(functions._known) == n_known:
            repeated += 1
            again = write(f"again{len(functions.module.globals)}")
            assert _text(again) == _text(result)
        return result

    monkeypatch.setattr(Functions, "get", compared)
    computed(kind, 3)
    assert repeated >= 4


def _text(written: Any) -> str:
    """Return the code of a function, without its name."""
    made = getattr(written, "function", None) or written[0]
    return re.sub(r'@"?\w+"?\(', "@(", str(made), count=1)


@pytest.mark.parametrize("kind", SHAPES)
def test_a_deeper_network_has_no_more_functions(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    written = _code.Module.text

    def counted(module: _code.Module, names: list[str], *, alone: bool) -> str:
        text = written(module, names, alone=alone)
        counts.append(len(re.findall(r"^define", text, re.MULTILINE)) - len(names))
        return text

    monkeypatch.setattr(_code.Module, "text", counted)
    computed(kind, 3)
    shallow = counts[-1]
    computed(kind, 6)
    assert counts[-1] == shallow


def _call(operation: str, *arguments: Any, **parameters: Any) -> Call:
    return Call(operation, arguments, parameters, (Value((3,), dc.float32),))


def test_descriptions() -> None:
    x, y, z = (Value((3,), dc.float32) for _ in range(3))
    other = Value((3,), dc.float64)
    assert description(_call("add", x, y)) == description(_call("add", y, z))
    assert description([x, x]) != description([x, y])
    assert description([x, y], [x, y]) != description([x, y], [y, x])
    assert description(x) != description(other) != description(Value((4,), dc.float32))
    assert description({x: (1, 0), y: (0, 1)}) == description({z: (1, 0), x: (0, 1)})
    differences = [0.0, -0.0, 0, False, 1, 1.0, True, None, "1", (1,), [1], slice(1), (1, 1), ((1,), 1), slice(1, 1)]
    assert len({description(_call("add", x, part)) for part in differences}) == len(differences)
    assert description(_call("sum", x, axis=0)) != description(_call("max", x, axis=0)) != description(_call("max", x))
    a, b = (dc._tracing.Number(float, (), value) for value in (1.0, 2.0))
    assert description(_call("add", x, a)) == description(_call("add", x, b)) != description(_call("add", x, 1.0))
    assert description(a, a) != description(a, b)
