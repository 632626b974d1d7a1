"""What a program spends its time on: what can be counted by hand, and times that change nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import deepcore as dc
from deepcore import graph, nn, optim
from deepcore.graph.cost import Cost, cost, text_of
from deepcore.graph.explanation import explained
from deepcore.graph.roofline import Roofline, measured
from deepcore.random import Generator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deepcore._device import Device


def costs(function: Callable[..., Any], *examples: Any) -> list[Cost]:
    program = graph.traced(function, *examples)
    return [cost(program, [call]) for call in program.calls]


def test_costs() -> None:
    x, w = dc.ones((4, 5)), dc.ones((5, 3))
    assert costs(lambda x, w: x @ w, x, w) == [Cost(4 * (20 + 15), 4 * 12, 2 * 4 * 5 * 3)]
    assert costs(lambda x: dc.exp(x), x) == [Cost(80, 80, 20)]
    assert costs(lambda x: x * x, x) == [Cost(80, 80, 20)]
    assert costs(lambda x: x + dc.ones(5), x) == [Cost(80 + 20, 80, 20)]
    assert costs(lambda x: dc.sum(x, axis=0), x) == [Cost(80, 20, 20)]
    assert costs(lambda x: dc.astype(x, dc.float64), x) == [Cost(80, 160, 0)]
    assert costs(lambda x: dc.matrix_transpose(x), x) == [Cost(0, 0, 0)]
    assert costs(lambda x, i: dc.take(x, i, axis=0), dc.ones((100, 5)), dc.asarray([3, 1])) == [Cost(40 + 16, 40, 0)]
    (linear,) = costs(lambda x, w: dc.linear(x, w, dc.ones(3)), x, w)
    assert linear == Cost(4 * (20 + 15 + 3), 4 * 12, 2 * 4 * 5 * 3 + 12)


def test_what_is_fused_is_neither_read_nor_written() -> None:
    program = graph.traced(lambda x: dc.exp(x) * x + 1.0, dc.ones((4, 5)))
    assert cost(program, program.calls, program.outputs) == Cost(80, 80, 60)


def test_text() -> None:
    assert [text_of(x) for x in (0, 999, 1000, 12345, 7.84e6, 2e12, 5e15)] == [
        *("0", "999", "1 k", "12.3 k", "7.84 M", "2 T", "5e+03 T"),
    ]


def test_a_roofline() -> None:
    assert Roofline(10.0, 100.0).seconds(20, 100) == 2.0
    assert Roofline(10.0, 100.0).seconds(20, 400) == 4.0
    found = measured(dc.asarray(0.0).device)
    assert found is measured(dc.asarray(0.0).device)
    assert 1e8 < found.bandwidth < 1e13
    assert 1e8 < found.rate < 1e15


class Net:
    def __init__(self, device: Any = "cpu") -> None:
        g = Generator(0)
        layers = [nn.Dense(6, 5, activation="relu", generator=g), nn.Dropout(0.3, generator=Generator(1))]
        self.model = nn.Sequential(*layers, nn.Dense(5, 3, generator=g)).to(device)
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.01)
        self.loss = nn.CategoricalCrossEntropy()
        self.step = dc.compile(self._step)
        rng = np.random.default_rng(0)
        self.x = dc.asarray(rng.normal(size=(4, 6)).astype(np.float32), device=device)
        self.y = dc.asarray(rng.integers(0, 3, 4), device=device)

    def _step(self, x: dc.Tensor, y: dc.Tensor) -> dc.Tensor:
        self.optimizer.zero_grad()
        loss: dc.Tensor = self.loss(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def run(self, n: int) -> list[float]:
        return [self.step(self.x, self.y).item() for _ in range(n)]


def test_an_explanation_of_a_step(device: Device) -> None:
    net, other = Net(device), Net(device)
    before = net.run(3)
    found = net.step.explain(runs=2)
    operations = {name for kernel in found.kernels for name in kernel.operations}
    assert operations >= {"matmul"} or operations >= {"linear"}
    assert "optim.adam" in operations
    assert found.total.cost.flops == sum(k.cost.flops for k in found.kernels)
    assert found.total.seconds
    text, html = str(found), found._repr_html_()
    assert len(text.splitlines()) == len(found.kernels) + 5
    assert all("test_explanation.py:" in line for line in text.splitlines()[3:-2])
    assert html.count("<tr>") == len(found.kernels) + 2
    assert json.loads(json.dumps(found.rows())) == found.rows()
    is_timed = device.backend.name == "numpy"
    assert all((k.seconds is not None) == is_timed for k in found.kernels)
    assert ("cannot be told apart" in text) == (not is_timed)
    assert before + net.run(3) == other.run(6)  # the state is what it was


def test_an_explanation_has_orders() -> None:
    net = Net()
    net.run(2)
    found = net.step.explain(runs=1)
    for by, key in (
        ("time", lambda k: -(k.seconds or 0)),
        ("bytes", lambda k: -k.nbytes),
        ("flops", lambda k: -k.cost.flops),
        ("share", lambda k: k.share),
    ):
        keys = list(map(key, found.sorted(by).kernels))
        assert keys == sorted(keys)
    assert all(k.bandwidth and k.seconds and k.bandwidth == k.nbytes / k.seconds for k in found.kernels if k.nbytes)


def test_the_vector_of_gradients_is_put_together_for_nothing() -> None:
    net = Net()
    net.run(2)
    assert "concat" in [call.operation for call in net.step.graph.calls]
    assert "concat" not in [name for kernel in net.step.explain(runs=1).kernels for name in kernel.operations]


def test_a_program_of_a_function() -> None:
    program = graph.expanded(graph.traced(dc.softmax, dc.ones((8, 5))))
    found = explained(program, [np.ones((8, 5), np.float32)], runs=1)
    assert [k.operations for k in found.kernels] == [("max", "subtract", "exp", "sum", "divide")]
    assert found.kernels[0].cost == Cost(160, 160, 5 * 40)
    assert found.kernels[0].result == "float32[8,5]"


def test_a_function_that_was_not_called_has_none() -> None:
    with pytest.raises(dc.CompileError, match="has not been called yet"):
        dc.compile(lambda x: x).explain()


def test_a_graph_prints_and_draws(tmp_path: Path) -> None:
    step = dc.compile(lambda x: dc.exp(x) * 2.0)
    step(dc.ones(3))
    assert str(step.graph).splitlines()[1] == "%1: float32[3] = exp(%0)"
    drawing = step.graph.svg(tmp_path / "step.svg")
    assert (tmp_path / "step.svg").read_text() == str(drawing) == step.graph._repr_svg_()
    assert drawing.startswith("<svg")
    assert "multiply" in drawing


@pytest.mark.parametrize("executor", ["fast"], indirect=True)
@pytest.mark.usefixtures("executor")
def test_machine_code_is_counted_and_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    code = pytest.importorskip("deepcore_llvm._code")
    modules: list[Any] = []
    compiled = code.Module.compiled

    def counted(module: Any, **options: Any) -> Any:
        modules.append(module)
        return compiled(module, **options)

    monkeypatch.setattr(code.Module, "compiled", counted)
    weight = dc.ones((5, 6))
    f = dc.compile(lambda x: dc.exp(x @ weight) * 2.0 - dc.softmax(x @ weight, axis=-1))
    f(dc.ones((4, 5)))
    assert len(modules) == 1
    explanation = f.explain(runs=1)
    assert len(modules) == 2  # its kernels apart; all of them in one there was already
    assert explanation.kernels[-1].cost.written == 4 * 6 * 4
