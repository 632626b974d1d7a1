"""What the benchmark compares computes the same: the losses of all peers, and the gradients of every operation."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import deepcore as dc
from deepcore.bench import PEERS, Net, Network, parse_net
from deepcore.bench.hot_path import operation_call
from deepcore.bench.operations import Operation, operations
from deepcore.bench.overhead import backward_call, torch_backward_call
from deepcore.bench.subjects import STEPS, Deepcore, Subject
from deepcore.bench.torch_operations import KeepingTorch, torch_call

pytest.importorskip("torch", reason="PyTorch is not installed")

NETS = ["12-8-4@16", "784-100-50-10", "cnn@4", "lstm@4", "transformer@1"]


def torch_losses(net: Net | Network) -> list[float]:
    return PEERS["torch"].subjects["torch-eager"](net, "cpu").losses()


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("net", NETS)
def test_the_losses_of_20_steps_are_those_of_pytorch(net: str, compiled: bool) -> None:
    ours = Deepcore(parse_net(net), dc.device("cpu"), compiled=compiled).losses()
    theirs = torch_losses(parse_net(net))
    assert len(ours) == len(theirs) == STEPS + 1 == 21
    assert ours[-1] < ours[0] - 0.05
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)


def test_the_outputs_after_20_steps_are_those_of_pytorch() -> None:
    net = parse_net(NETS[1])
    subjects: list[Subject] = [
        Deepcore(net, dc.device("cpu"), compiled=True),
        PEERS["torch"].subjects["torch-eager"](net, "cpu"),
    ]
    for subject in subjects:
        subject.losses()
    ours, theirs = (np.asarray(subject.predict()) for subject in subjects)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize(("peer", "subject"), [("torch", "torch-fused"), ("jax", "jax-jit"), ("sklearn", "sklearn")])
def test_the_losses_of_other_peers_are_those_of_pytorch(peer: str, subject: str) -> None:
    if not PEERS[peer].is_installed:
        pytest.skip(f"{peer} is not installed")
    found = PEERS[peer].subjects[subject](parse_net(NETS[1]), "cpu").losses()
    np.testing.assert_allclose(found, torch_losses(parse_net(NETS[1])), rtol=0, atol=1e-4)


@pytest.mark.parametrize("peer", ["jax", "sklearn"])
def test_what_others_are_measured_on_is_a_perceptron(peer: str) -> None:
    (make,) = PEERS[peer].subjects.values()
    with pytest.raises(dc.ConfigError, match="is measured on perceptrons alone"):
        make(parse_net("cnn"), "cpu")


def test_sklearn_has_other_outputs_for_two_classes() -> None:
    with pytest.raises(dc.ConfigError, match="one output for two classes"):
        PEERS["sklearn"].subjects["sklearn"](parse_net("8-4-2"), "cpu")


def test_held_still_the_loss_stays() -> None:
    for subject in (
        Deepcore(parse_net(NETS[0]), dc.device("cpu"), compiled=True),
        PEERS["torch"].subjects["torch-eager"](parse_net(NETS[0]), "cpu"),
    ):
        before = subject.losses()[-1]
        for _ in range(50):
            subject.step()
        assert subject.value(subject.step()) == pytest.approx(before, abs=1e-4)


@pytest.mark.parametrize("operation", operations(quick=True), ids=lambda operation: operation.name)
def test_operations_are_those_of_pytorch(operation: Operation) -> None:
    for backward in (False, True):
        ours = operation_call(operation, dc.device("cpu"), backward=backward)()
        theirs = torch_call(operation, backward=backward)()
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(np.asarray(a), b.detach().numpy(), rtol=1e-4, atol=2e-5)


def test_the_addition_of_the_overhead_is_that_of_pytorch() -> None:
    np.testing.assert_array_equal(backward_call(dc.device("cpu"))().numpy(), torch_backward_call()().numpy())


def test_pytorch_in_a_process_of_its_own() -> None:
    keeping = KeepingTorch(1)
    try:
        (relu, *_) = operations(quick=True)
        seconds = keeping.timer(relu, quick=True, backward=True)
        seconds(1)
        assert 0 < seconds(10) < 1
        if sys.platform == "linux":
            assert b"MALLOC_MMAP_MAX_=0" in Path(f"/proc/{keeping.process}/environ").read_bytes().split(b"\0")
        with pytest.raises(dc.BackendError, match="ended at nothing"):
            keeping._answer({"name": "nothing"})
        keeping._child.wait()
        with pytest.raises(dc.BackendError, match="ended with status 1"):
            seconds(1)
    finally:
        keeping.close()
