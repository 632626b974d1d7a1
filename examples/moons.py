"""A hidden layer bends the border between two classes, which a single neuron can only draw straight.

Two half moons that reach into each other, in the plane. A layer of ReLU units and a sigmoid unit,

    h = max(0, x W₁ + b₁)      p = σ(h·w₂ + b₂)      L = -mean(t ln p + (1 - t) ln(1 - p)),

are trained by gradient descent on all samples at once: θ <- θ - η ∂L/∂θ. So is the sigmoid unit alone. The models end
in the logit of p, and the loss has the sigmoid in it, which keeps the logarithms finite.
"""

import deepcore as dc
from deepcore import metrics, nn, optim, random


def moons(n: int, noise: float = 0.15) -> tuple[dc.Tensor, dc.Tensor]:
    """Return n points of shape (n, 2), half of them on each moon, and their classes 0 and 1 of shape (n, 1)."""
    angle = dc.pi * random.uniform((n // 2,))
    upper = dc.stack([dc.cos(angle), dc.sin(angle)], axis=1)
    lower = dc.stack([1 - dc.cos(angle), 0.5 - dc.sin(angle)], axis=1)
    points = dc.concat([upper, lower])
    return points + noise * random.normal(points.shape), dc.concat([dc.zeros((n // 2, 1)), dc.ones((n // 2, 1))])


def accuracy(model: nn.Module, x: dc.Tensor, t: dc.Tensor) -> float:
    """Return the share of points on their side of p = ½, that is, of the logit 0."""
    share = metrics.Accuracy()
    share.update(model(x), t)
    return share.compute()


def main(n: int = 400, steps: int = 1500) -> dict[str, float]:
    """Return the accuracy of both models on points that they have not seen."""
    random.seed(0)
    training, test = moons(n), moons(1000)
    models = {
        "a sigmoid unit": nn.Sequential(nn.Dense(2, 1)),
        "16 ReLU units and a sigmoid unit": nn.Sequential(nn.Dense(2, 16, activation="relu"), nn.Dense(16, 1)),
    }
    loss = nn.BinaryCrossEntropy()
    figures = {}
    for name, model in models.items():
        sgd = optim.SGD(model.parameters(), lr=0.5)
        for _ in range(steps):
            sgd.zero_grad()
            loss(model(training[0]), training[1]).backward()
            sgd.step()
        figures[name] = accuracy(model, *test)
        print(f"{name}: accuracy {figures[name]:.1%}")
    return figures


if __name__ == "__main__":
    main()
