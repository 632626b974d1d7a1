"""A logistic neuron that is wrong and sure of it learns at once by log loss, and stalls by squared loss.

The neuron is y = σ(z) with z = w·x + b and σ(z) = 1 / (1 + exp(-z)), whose slope is σ'(z) = y (1 - y). For a target t,

    squared loss    L = ½ (y - t)²                        ∂L/∂z = (y - t) σ'(z)
    log loss        L = -t ln y - (1 - t) ln(1 - y)       ∂L/∂z = y - t

At z = -8 and t = 1 the error y - t is almost -1, but σ'(z) is 0.0003. It is a factor of the first gradient and not of
the second, which the logarithm has freed from it. Online gradient descent on the function OR, from a bias of -8, takes
one step for each sample: (w, b) <- (w, b) - η ∂L/∂(w, b).
"""

from collections.abc import Callable

import deepcore as dc
from deepcore import nn

Loss = Callable[[dc.Tensor, dc.Tensor], dc.Tensor]  # of z and t

INPUTS = dc.asarray([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
TARGETS = dc.asarray([0.0, 1.0, 1.0, 1.0])  # x₁ or x₂


def squared_loss(z: dc.Tensor, t: dc.Tensor) -> dc.Tensor:
    """Return ½ (σ(z) - t)²."""
    return 0.5 * (dc.sigmoid(z) - t) ** 2


LOSSES: dict[str, Loss] = {"squared": squared_loss, "log": nn.BinaryCrossEntropy()}


def epochs_to_learn(loss: Loss, lr: float = 1.0, limit: int = 1000) -> int:
    """Return the number of epochs of online gradient descent after which every sample is on its side of ½."""

    def loss_of_sample(parameters: dict[str, dc.Tensor], x: dc.Tensor, t: dc.Tensor) -> dc.Tensor:
        return loss(dc.vecdot(parameters["w"], x) + parameters["b"], t)

    parameters = {"w": dc.zeros(2), "b": dc.asarray(-8.0)}
    for epoch in range(1, limit + 1):
        for x, t in zip(INPUTS, TARGETS, strict=True):
            gradient = dc.grad(loss_of_sample)(parameters, x, t)
            parameters = {name: value - lr * gradient[name] for name, value in parameters.items()}
        fires = INPUTS @ parameters["w"] + parameters["b"] > 0
        if dc.all(fires == (TARGETS > 0.5)):
            return epoch
    return limit


def main(limit: int = 4000) -> dict[str, float]:
    """Return the gradients at z = -8 for the target 1, and the epochs until OR is learned."""
    z, t = dc.asarray(-8.0), dc.asarray(1.0)
    figures: dict[str, float] = {}
    for name, loss in LOSSES.items():
        gradient = figures[f"{name} gradient"] = dc.grad(loss)(z, t).item()
        epochs = figures[f"{name} epochs"] = epochs_to_learn(loss, limit=limit)
        learned = "OR is learned after" if epochs < limit else "OR is not learned after"
        print(f"{name:7} loss: ∂L/∂z at z = -8 is {gradient:.4g}, {learned} {epochs} epochs")
    return figures


if __name__ == "__main__":
    main()
