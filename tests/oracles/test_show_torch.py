"""How many operations ``deepcore show`` counts, against PyTorch's counter."""

from __future__ import annotations

from typing import Any

import pytest

import deepcore as dc
from deepcore import graph, nn
from deepcore.cli.show import flops

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed")
counting: Any = pytest.importorskip("torch.utils.flop_counter")

CASES: dict[str, tuple[Any, Any, tuple[int, ...]]] = {
    "dense": (lambda: nn.Dense(7, 5), lambda: torch.nn.Linear(7, 5), (3, 7)),
    "convolution": (lambda: nn.Conv2d(3, 4, 3, padding=1), lambda: torch.nn.Conv2d(3, 4, 3, padding=1), (2, 3, 9, 8)),
    "strides": (lambda: nn.Conv2d(2, 4, 3, stride=2), lambda: torch.nn.Conv2d(2, 4, 3, stride=2), (2, 2, 9, 8)),
    "groups": (lambda: nn.Conv1d(4, 6, 3, groups=2), lambda: torch.nn.Conv1d(4, 6, 3, groups=2), (2, 4, 9)),
}


@pytest.mark.parametrize("name", CASES)
def test_products_of_matrices(name: str) -> None:
    ours, theirs, shape = CASES[name]
    with counting.FlopCounterMode(display=False) as counter:
        theirs()(torch.zeros(shape))
    assert flops(graph.traced(ours(), dc.zeros(shape))) == counter.get_total_flops()
