"""What is timed of compiled operations: the numbers of PyTorch, forward and backward, by every subject."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import deepcore as dc
from deepcore.bench.elementwise import compiled_call
from deepcore.bench.operations import operations

OPERATIONS = {operation.name: operation for operation in operations(quick=True) if operation.pullback is not None}


def of_torch(operation: Any) -> list[Any]:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here")
    operands = [torch.from_numpy(x).requires_grad_() for x in operation.arrays()]
    y = operation.peer(torch.nn.functional, *operands)
    y.backward(torch.from_numpy(operation.cotangent(tuple(y.shape))))
    return [y.detach().numpy(), *(x.grad.numpy() for x in operands)]


@pytest.mark.parametrize("plain", [False, True], ids=["as it comes", "plain"])
@pytest.mark.parametrize("apart", [False, True], ids=["one program", "two programs"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_compiled_operations_have_the_numbers_of_torch(
    name: str, apart: bool, plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEEPCORE_FAST")
    run = compiled_call(OPERATIONS[name], dc.device("cpu"), apart=apart, plain=plain)
    for _ in range(2):
        for ours, theirs in zip(run(), of_torch(OPERATIONS[name]), strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-5, atol=2e-5)
    assert "DEEPCORE_FAST" not in os.environ


@pytest.mark.parametrize("name", OPERATIONS)
def test_plain_programs_have_the_bits_of_eager_computation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPCORE_FAST")
    operation, device = OPERATIONS[name], dc.device("cpu")
    y, *_ = compiled_call(operation, device, plain=True)()
    own = operation.own(*(dc.asarray(x, device=device) for x in operation.arrays()))
    np.testing.assert_array_equal(y.numpy(), own.numpy())


def test_the_setting_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPCORE_FAST", "0")
    compiled_call(OPERATIONS["relu 64x64"], dc.device("cpu"))
    assert os.environ["DEEPCORE_FAST"] == "0"
