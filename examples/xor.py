"""A network with one hidden layer computes XOR, which no single neuron can.

    h = tanh(x W₁ + b₁)      y = σ(h·w₂ + b₂)

Full-batch gradient descent with momentum on the mean of -t ln y - (1 - t) ln(1 - y).
"""

import deepcore as dc
from deepcore import nn, optim, random

INPUTS = dc.asarray([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
TARGETS = dc.asarray([[0.0], [1.0], [1.0], [0.0]])


def main(steps: int = 500, hidden: int = 4) -> list[float]:
    """Return y for the four inputs."""
    random.seed(0)
    model = nn.Sequential(nn.Dense(2, hidden, activation="tanh"), nn.Dense(hidden, 1))
    loss = nn.BinaryCrossEntropy()
    sgd = optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    for _ in range(steps):
        sgd.zero_grad()
        loss(model(INPUTS), TARGETS).backward()
        sgd.step()
    outputs: list[float] = dc.sigmoid(model(INPUTS))[:, 0].tolist()
    for (x1, x2), y in zip(INPUTS.tolist(), outputs, strict=True):
        print(f"{x1:.0f} xor {x2:.0f} = {y:.4f}")
    return outputs


if __name__ == "__main__":
    main()
