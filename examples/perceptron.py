"""Rosenblatt's perceptron learns AND in a few epochs, and goes round in circles over XOR.

The unit fires or does not, y = [w·x + b > 0], and learns from its mistakes alone, one sample at a time:

    w <- w + (t - y) x        b <- b + (t - y)

If a line separates the classes, there are finitely many mistakes. No line separates those of XOR. The weights are whole
numbers that stay bounded, so an epoch begins, sooner or later, where an earlier one began: from there on it repeats.

Sources: F. Rosenblatt, The perceptron, Psychological Review 65, 1958; A. Novikoff, On convergence proofs for
perceptrons, 1962; M. Minsky and S. Papert, Perceptrons, 1969, for the cycle.
"""

from typing import NamedTuple

import deepcore as dc
from deepcore import nn

INPUTS = dc.asarray([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
AND = dc.asarray([0.0, 0.0, 0.0, 1.0])
XOR = dc.asarray([0.0, 1.0, 1.0, 0.0])
fire = nn.Step(at_zero=0.0)


class Outcome(NamedTuple):
    """How learning ended: in which epoch, after how many epochs of a cycle (0 if it converged), with which weights."""

    epochs: int
    cycle: int
    w: list[float]
    b: float
    correct: int


def learn(targets: dc.Tensor, limit: int = 100) -> Outcome:
    """Go through the samples until an epoch has no mistake, or begins like an earlier one."""
    w, b = dc.zeros(2), dc.asarray(0.0)
    began: dict[tuple[float, ...], int] = {}
    for epoch in range(1, limit + 1):
        start = (*w.tolist(), b.item())
        if start in began:
            return Outcome(epoch, epoch - began[start], w.tolist(), b.item(), _correct(w, b, targets))
        began[start] = epoch
        mistakes = 0
        for x, t in zip(INPUTS, targets, strict=True):
            error = t - fire(dc.vecdot(w, x) + b)
            w, b = w + error * x, b + error
            mistakes += int(error != 0)
        if mistakes == 0:
            return Outcome(epoch, 0, w.tolist(), b.item(), _correct(w, b, targets))
    msg = f"neither an end nor a cycle within {limit} epochs"
    raise RuntimeError(msg)


def _correct(w: dc.Tensor, b: dc.Tensor, targets: dc.Tensor) -> int:
    return int(dc.sum(fire(INPUTS @ w + b) == targets))


def main() -> dict[str, Outcome]:
    """Return how learning AND and XOR ended."""
    outcomes = {"AND": learn(AND), "XOR": learn(XOR)}
    for name, outcome in outcomes.items():
        earlier = outcome.epochs - outcome.cycle
        what = f"begins as epoch {earlier} did" if outcome.cycle else "has no mistakes"
        print(f"{name}: epoch {outcome.epochs} {what}, w = {outcome.w}, b = {outcome.b}: {outcome.correct} of 4 right")
    return outcomes


if __name__ == "__main__":
    main()
