"""The wider a hidden layer, the nearer a network comes to a function: here to a sine, and to a step.

    f̂(x) = Σ v_k max(0, s_k (x - a_k)) + c,      k = 1 … n,      s_k = ±1

is a broken line that bends at the n places a_k. Where these are spread evenly over [-π, π], and v and c are those of
least squares, the error (the root of the mean square) falls as n⁻² for the sine, which is smooth. For the step, which
no broken line follows through its jump, it falls as n^-½: without end too, but slowly. Training moves the bends to
where they are needed.

Sources: G. Cybenko, Approximation by superpositions of a sigmoidal function, 1989; K. Hornik, M. Stinchcombe and
H. White, Multilayer feedforward networks are universal approximators, 1989; M. Leshno et al., 1993, for ReLU.
"""

from collections.abc import Callable

import deepcore as dc
from deepcore import nn, optim

FUNCTIONS: dict[str, Callable[[dc.Tensor], dc.Tensor]] = {
    "sine": dc.sin,
    "step": lambda x: dc.astype(x > 0.1, x.dtype),
}
X = dc.linspace(-dc.pi, dc.pi, 1001)[:, None]


def spread(width: int) -> nn.Sequential:
    """Return a network whose bends are spread evenly, with every other unit to the left of its bend."""
    k = dc.arange(width, dtype=dc.float32)
    bends, signs = dc.pi * (2 * k + 1 - width) / width, 1 - 2 * (k % 2)
    model = nn.Sequential(nn.Dense(1, width, activation="relu"), nn.Dense(width, 1))
    model.load_state_dict({"0.weight": signs[None, :], "0.bias": -signs * bends}, strict=False)
    return model


def fit_last_layer(model: nn.Sequential, y: dc.Tensor) -> None:
    """Give the last layer the weights of least squares."""
    with dc.no_grad():
        features = dc.astype(dc.concat([model[0](X), dc.ones_like(X)], axis=1), dc.float64)
    least = dc.linalg.pinv(features) @ dc.astype(y, dc.float64)
    model.load_state_dict({"1.weight": least[:-1], "1.bias": least[-1]}, strict=False)


def train(model: nn.Sequential, y: dc.Tensor, steps: int) -> None:
    """Train all of the network by full-batch Adam, from a learning rate of 0.003 down to 0."""
    adam = optim.Adam(model.parameters(), lr=optim.schedules.CosineDecay(0.003, steps=steps))
    for _ in range(steps):
        adam.zero_grad()
        nn.MSE()(model(X), y).backward()
        adam.step()


def error(model: nn.Sequential, y: dc.Tensor) -> float:
    """Return the root of the mean squared error."""
    with dc.no_grad():
        return float(dc.sqrt(nn.MSE()(model(X), y)))


def main(widths: tuple[int, ...] = (2, 4, 8, 16, 32, 64), steps: int = 500) -> dict[str, list[float]]:
    """Return the errors of all widths, for each function, before and after training."""
    figures: dict[str, list[float]] = {}
    for name, function in FUNCTIONS.items():
        y = function(X)
        for width in widths:
            model = spread(width)
            fit_last_layer(model, y)
            figures.setdefault(name, []).append(error(model, y))
            train(model, y, steps)
            figures.setdefault(f"{name}, trained", []).append(error(model, y))
    print(f"{'width':14}" + "".join(f"{n:>9}" for n in widths))
    for name, errors in figures.items():
        print(f"{name:14}" + "".join(f"{value:9.5f}" for value in errors))
    return figures


if __name__ == "__main__":
    main()
