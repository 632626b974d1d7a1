"""A denoising autoencoder restores digits better than any linear map through as many numbers.

Images x are given as x̃ = x + ε with ε ~ N(0, ½²), and the network is trained to return x itself:

    h = max(0, x̃ W₁ + b₁)      c = h W₂ + b₂      k = max(0, c W₃ + b₃)      x̂ = σ(k W₄ + b₄)      L = mean (x̂ - x)²

The code c has 16 numbers. Principal components give the linear maps to compare it with: the projection of the noisy
image on the 16 directions in which images vary most, and the best of all linear maps through 16 numbers, which also
shrinks each component by λ / (λ + ½²), where λ is its variance (the filter of N. Wiener). Both remove most of the
noise, and the network more. All errors are of images that were not trained on.

Source: P. Vincent et al., Extracting and composing robust features with denoising autoencoders, ICML 2008.
"""

import numpy as np

import deepcore as dc
from deepcore import data, nn, optim, random, train

NOISE = 0.5


def autoencoder(code: int) -> nn.Sequential:
    """Return the network."""
    return nn.Sequential(
        nn.Dense(64, 128, activation="relu"),
        nn.Dense(128, code),
        nn.Dense(code, 128, activation="relu"),
        nn.Dense(128, 64, activation="sigmoid"),
    )


class Noisy(nn.Module):
    """A model that sees its inputs with fresh noise while it is trained."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def forward(self, x: dc.Tensor) -> dc.Tensor:
        """Return the model's result."""
        return self.model(x + NOISE * random.normal(x.shape) if self.training else x)


def projections(training: dc.Tensor, noisy: dc.Tensor, components: int) -> tuple[dc.Tensor, dc.Tensor]:
    """Return the noisy images, projected on the principal components of the training images, and shrunk as well."""
    mean = dc.mean(training, axis=0)
    _, s, vt = dc.linalg.svd(training - mean, full_matrices=False)
    directions, variances = vt[:components, :], s[:components] ** 2 / training.shape[0]
    coordinates = (noisy - mean) @ directions.T
    shrunk = coordinates * variances / (variances + NOISE**2)
    return mean + coordinates @ directions, mean + shrunk @ directions


def main(epochs: int = 40, code: int = 16) -> dict[str, float]:
    """Return the mean squared error of the noisy images, of both linear maps and of the network."""
    random.seed(0)
    training, test = data.train_test_split(data.digits(), test_size=0.2, seed=0)
    images, clean = (np.reshape(part.inputs, (len(part), 64)) for part in (training, test))
    noisy = dc.asarray(clean) + NOISE * random.normal(clean.shape)
    model = Noisy(autoencoder(code))
    adam = optim.Adam(model.parameters(), lr=0.003)
    trainer = train.Trainer(model, nn.MSE(), adam)
    trainer.fit((images, images), epochs=epochs, batch_size=64)
    projected, shrunk = projections(dc.asarray(images), noisy, code)
    restored = {
        "noisy images": noisy,
        f"{code} principal components": projected,
        f"best linear map through {code} numbers": shrunk,
        f"autoencoder with a code of {code}": dc.asarray(trainer.predict(noisy.numpy())),
    }
    figures = {name: nn.MSE()(x, dc.asarray(clean)).item() for name, x in restored.items()}
    for name, error in figures.items():
        print(f"{name}: mean squared error {error:.4f}")
    return figures


if __name__ == "__main__":
    main()
