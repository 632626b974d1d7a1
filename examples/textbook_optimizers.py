"""Momentum and Adam as some textbooks write them, and what they are in the forms that libraries have.

Textbook momentum averages gradients, v <- β v + (1 - β) g and θ <- θ - η v, from v = 0. The standard form sums them,
v <- β v + g: its v is larger by the factor 1 / (1 - β), and its learning rate smaller by it.

    textbook(η, β) = SGD(lr=η (1 - β), momentum=β)

``dampening=β`` also averages, but begins with v = g, as in PyTorch: its first step is 1 / (1 - β) times as long.

Textbook Adam has no correction of the bias of its averages, which begin at 0:

    m <- β₁ m + (1 - β₁) g      v <- β₂ v + (1 - β₂) g²      θ <- θ - η m / (√v + ε)

Its first step has the length η (1 - β₁) / √(1 - β₂) instead of η, which is 3.16 η for β = 0.9, 0.999.

Sources: I. Sutskever et al., ICML 2013, for the standard momentum; D. P. Kingma and J. Ba, Adam, ICLR 2015.
"""

from collections.abc import Callable, Iterator
from itertools import islice

import deepcore as dc
from deepcore import optim

ETA, BETA1, BETA2, EPS = 0.01, 0.9, 0.999, 1e-8
START = dc.asarray([2.0, -1.0], dtype=dc.float64)


def f(theta: dc.Tensor) -> dc.Tensor:
    """Return a narrow valley."""
    return 0.5 * theta[0] ** 2 + 5.0 * (theta[1] - 0.3 * theta[0] ** 2) ** 2


def momentum() -> Iterator[dc.Tensor]:
    """Yield θ after each step of the textbook's momentum."""
    theta, v = START, dc.zeros_like(START)
    while True:
        v = BETA1 * v + (1 - BETA1) * dc.grad(f)(theta)
        theta = theta - ETA * v
        yield theta


def adam() -> Iterator[dc.Tensor]:
    """Yield θ after each step of the textbook's Adam."""
    theta, m, v = START, dc.zeros_like(START), dc.zeros_like(START)
    while True:
        g = dc.grad(f)(theta)
        m = BETA1 * m + (1 - BETA1) * g
        v = BETA2 * v + (1 - BETA2) * g**2
        theta = theta - ETA * m / (dc.sqrt(v) + EPS)
        yield theta


def steps_of(optimizer: Callable[[list[dc.Tensor]], optim.Optimizer]) -> Iterator[dc.Tensor]:
    """Yield θ after each step of an optimizer."""
    theta = dc.asarray(START, copy=True, requires_grad=True)
    method = optimizer([theta])
    while True:
        method.zero_grad()
        f(theta).backward()
        method.step()
        yield theta.detach()


def main(steps: int = 50) -> dict[str, float]:
    """Return the largest differences over all steps, and the ratios of the first ones."""
    book, adams = list(islice(momentum(), steps)), list(islice(adam(), steps))
    summed = steps_of(lambda p: optim.SGD(p, lr=ETA * (1 - BETA1), momentum=BETA1))
    damped = steps_of(lambda p: optim.SGD(p, lr=ETA, momentum=BETA1, dampening=BETA1))
    uncorrected = steps_of(lambda p: optim.Adam(p, lr=ETA, betas=(BETA1, BETA2), eps=EPS, bias_correction=False))
    corrected = steps_of(lambda p: optim.Adam(p, lr=ETA, betas=(BETA1, BETA2), eps=EPS))

    def difference(ours: list[dc.Tensor], theirs: Iterator[dc.Tensor]) -> float:
        return max(float(dc.max(dc.abs(a - b))) for a, b in zip(ours, theirs, strict=False))

    def first_step(theta: dc.Tensor) -> float:
        return float(dc.linalg.vector_norm(theta - START))

    figures = {
        "momentum, largest difference from SGD(lr=η (1 - β), momentum=β)": difference(book, summed),
        "momentum, first step of SGD(momentum=β, dampening=β) over it": first_step(next(damped)) / first_step(book[0]),
        "Adam, largest difference from Adam(bias_correction=False)": difference(adams, uncorrected),
        "Adam, its first step over that of Adam()": first_step(adams[0]) / first_step(next(corrected)),
    }
    for name, value in figures.items():
        print(f"{name}: {value:.3g}")
    return figures


if __name__ == "__main__":
    main()
