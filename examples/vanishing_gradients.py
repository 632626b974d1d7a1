"""Gradients vanish in a deep sigmoid network, arrive in one of ReLUs, and die where it begins badly.

The gradient at layer k is a product of the derivatives of all layers after it,

    ∂L/∂y_k = ∂L/∂y_n · J_n · … · J_k+1      J_i = diag(φ'(z_i)) W_iᵀ.

With σ' ≤ ¼ and weights of variance 1/n (X. Glorot and Y. Bengio, 2010) it shrinks by a factor of four from layer to
layer. Large weights make up for it, and saturate the sigmoid. ReLU' is 0 or 1, and with weights of variance 2/n (K. He
et al., 2015) the gradient keeps its size. Biases of -1, though, leave half of the units of the first layer at 0 for
every sample, and all of those behind it: such units are dead, and no gradient passes them.
"""

from itertools import pairwise

import deepcore as dc
from deepcore import data, nn, random
from deepcore.nn import initializers


def network(
    activation: str, *, depth: int = 8, initializer: "str | initializers.Initializer" = "he_normal", bias: float = 0.0
) -> nn.Sequential:
    """Return a network for the digits, its hidden layers all alike."""
    sizes = [64] + [32] * depth
    hidden = [nn.Dense(n, m, activation=activation, initializer=initializer) for n, m in pairwise(sizes)]
    with dc.no_grad():
        for layer in hidden:
            assert layer.bias is not None
            layer.bias[:] = bias
    return nn.Sequential(*hidden, nn.Dense(32, 10))


def main(n: int = 500) -> dict[str, nn.UnitReport]:
    """Return a report on each network before training."""
    random.seed(0)
    digits = data.digits()
    x, t = dc.asarray(digits.inputs[:n].reshape(n, 64)), dc.asarray(digits.targets[:n])
    models = {
        "sigmoid": network("sigmoid", initializer="glorot_normal"),
        "sigmoid, large weights": network("sigmoid", initializer=initializers.normal(std=2.0)),
        "ReLU": network("relu"),
        "ReLU, biases of -1": network("relu", bias=-1.0),
    }
    reports = {name: nn.unit_report(model, nn.CategoricalCrossEntropy(), x, t) for name, model in models.items()}
    for name, report in reports.items():
        ratio = report["0"].gradient / report["7"].gradient
        print(f"{name}: gradients at the first hidden layer over those at the last {ratio:.1e}\n{report}\n")
    return reports


if __name__ == "__main__":
    main()
