"""The cases of training and inference: every subject on the same network, from the same weights."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

from .._device import device as find_device
from .case import Case
from .clock import timer
from .floor import Products
from .memory import peak_of
from .nets import Net
from .report import LOSS_TOLERANCE
from .subjects import Deepcore, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .._device import Device
    from .case import Key
    from .networks import Network
    from .peers import Peer
    from .report import Report

FLOOR: Final = "gemm-floor"
SMALL: Final = Net((4, 3, 3), 8)
OWN: Final[dict[str, Callable[[Net | Network, Any], Subject]]] = {
    "deepcore-eager": partial(Deepcore, compiled=False),
    "deepcore-compiled": partial(Deepcore, compiled=True),
    "deepcore-plain": partial(Deepcore, compiled=True, plain=True),
}
FAILURES: Final = (RuntimeError, ImportError, OSError, ValueError, TypeError, NotImplementedError)


def platforms(devices: Sequence[Device]) -> dict[str, list[Device]]:
    """Return the devices by the hardware that they are: ``"cpu"``, ``"cuda:0"``, ..."""
    found: dict[str, list[Device]] = {}
    for device in devices:
        on_host = device.backend.is_on_host(device.name)
        found.setdefault("cpu" if on_host else device.name, []).append(device)
    return found


def training_cases(
    net: Net | Network,
    platform: str,
    devices: Sequence[Device],
    peers: Sequence[Peer],
    report: Report,
    *,
    parts: Sequence[str],
) -> Iterator[Case]:
    """Yield the training step and the inference of a network on some hardware, as far as they are wanted.

    Parameters
    ----------
    net
        The network. Where it is not made of matrix products alone, there is no floor, and the others are compared with
        PyTorch as it comes.
    platform
        The hardware.
    devices
        The devices of deepcore on it.
    peers
        The other libraries.
    report
        Where it is written what cannot be measured, and which losses differ.
    parts
        Which of ``"train_step"`` and ``"inference"`` are wanted.
    """
    train = Case("train_step", net.name, net=net.name, batch=net.batch, flops=net.training_flops)
    infer = Case("inference", net.name, net=net.name, batch=net.batch, flops=net.inference_flops)
    host = find_device("cpu") if platform == "cpu" else devices[0]
    for case, training in ((train, True), (infer, False)):
        if not isinstance(net, Net):
            case.floor = ("torch-eager", platform)
            continue
        case.floor = (FLOOR, platform)
        case.timers[case.floor] = timer(Products(net, host, training=training), _waiting(host))
    for key, make, where in _subjects(platform, devices, peers, report):
        losses: list[float] = []
        try:
            _begin(make, where)
            place = None if platform == "cpu" or isinstance(where, str) else where
            subject, needed = peak_of(partial(make, net, where), partial(_learn, losses), _run, place)
        except FAILURES as error:
            report.skip(f"{key[0]} on {key[1]}", f"{type(error).__name__}: {str(error).splitlines()[0][:200]}")
            continue
        train.losses[key] = losses[-1]
        train.memory[key] = needed
        train.timers[key] = timer(subject.step, subject.wait)
        if subject.infers:
            infer.timers[key] = timer(subject.predict, subject.wait)
    if not net.is_random:
        _check_losses(train, report)
    yield from [case for case in (train, infer) if case.kind in parts]


def _subjects(
    platform: str, devices: Sequence[Device], peers: Sequence[Peer], report: Report
) -> Iterator[tuple[Key, Callable[[Net | Network, Any], Subject], Any]]:
    """Yield each subject with what makes it of a network and a device, and the device."""
    for device in devices:
        for name, make in OWN.items():
            if name != "deepcore-plain" or str(device) == "cpu":
                yield (name, str(device)), make, device
    for peer in peers:
        if not peer.is_installed:
            report.skip(peer.name, "is not installed", peer.install_command)
        elif platform == "cpu" or peer.on_gpu:
            for name, make in peer.subjects.items():
                yield (name, platform), make, platform


@cache
def _begin(make: Callable[[Net | Network, Any], Subject], where: Any) -> None:
    """Train something small once, so that what a library does when it is first used is not taken for its need."""
    make(SMALL, where).losses()


def _learn(losses: list[float], subject: Subject) -> None:
    losses += subject.losses()


def _run(subject: Subject) -> None:
    subject.wait(subject.step())


def _waiting(device: Device) -> Callable[[object], None]:
    return lambda result: device.backend.synchronize()


def _check_losses(case: Case, report: Report) -> None:
    if not case.losses:
        return
    (first, *_), reference = next(iter(case.losses)), next(iter(case.losses.values()))
    for (name, device), loss in case.losses.items():
        if not abs(loss - reference) <= LOSS_TOLERANCE * max(1.0, abs(reference)):
            report.note(
                f"{case.name}: after 20 steps from the same weights the loss of {name} on {device} is {loss:.6g}, and "
                f"that of {first} {reference:.6g}: they do not compute the same"
            )
