"""A constant learning rate stops at a floor of noise; one that falls goes on below it.

Gradient descent towards θ* = 0 with noisy gradients, θ <- θ - η (θ + ε) with ε of variance 1, has in the long run

    E[θ²] = (1 - η)² E[θ²] + η²,      so that      E[θ²] = η / (2 - η).

A small η has a low floor, and takes about 1/η steps to reach it. A decaying η is fast at first and precise at last.
With η = 1 / (1 + t), θ becomes the mean of T draws of -ε, and no unbiased method does better than its E[θ²] = 1 / T.

Source: H. Robbins and S. Monro, A stochastic approximation method, Annals of Mathematical Statistics 22, 1951.
"""

import deepcore as dc
from deepcore import optim
from deepcore.optim import schedules
from deepcore.random import Generator


def mean_square(lr: float | schedules.Schedule, steps: int, copies: int) -> float:
    """Return the mean of θ² over many copies of the problem, each with noise of its own, all beginning at 5."""
    g = Generator(0)
    theta = dc.full((copies,), 5.0, requires_grad=True)
    sgd = optim.SGD([theta], lr=lr)
    for _ in range(steps):
        theta.grad = theta.detach() + g.normal((copies,))
        sgd.step()
    return dc.mean(theta**2).item()


def main(steps: int = 400, copies: int = 2000) -> dict[str, float]:
    """Return E[θ²] after some steps of each schedule."""
    rates: dict[str, float | schedules.Schedule] = {
        "constant 0.5": 0.5,
        "constant 0.1": 0.1,
        "constant 0.005": 0.005,
        "0.5, divided by 4 every quarter": schedules.StepDecay(0.5, every=steps // 4, factor=0.25),
        "exponential from 0.5": schedules.ExponentialDecay(0.5, factor=0.01 ** (1 / steps)),
        "cosine from 0.5": schedules.CosineDecay(0.5, steps=steps),
        "1 / (1 + t)": schedules.InverseTimeDecay(1.0, rate=1.0),
    }
    figures = {name: mean_square(lr, steps, copies) for name, lr in rates.items()}
    for name, square in figures.items():
        lr = rates[name]
        floor = "" if callable(lr) else f", whose floor is {lr / (2 - lr):.5f}"
        print(f"E[θ²] = {square:.5f} after {steps} steps of {name}{floor}")
    return figures


if __name__ == "__main__":
    main()
