"""A variational autoencoder draws digits that are nearly as near to real ones as other real ones are.

An image x is generated from a code z ~ N(0, I) of 8 numbers, pixel by pixel, x_i ~ Bernoulli(p_i(z)). The encoder
gives a Gaussian q(z|x) = N(μ, diag σ²). The log likelihood has a lower bound, the ELBO, whose negative is the loss:

    -ELBO = E_q[-Σ_i (x_i ln p_i + (1 - x_i) ln(1 - p_i))] + KL(q(z|x) ‖ N(0, I))
    KL    = -½ Σ_j (1 + ln σ_j² - μ_j² - σ_j²),      summed over the code, and averaged over images

One draw of z is enough for E_q, if it is written z = μ + σ ⊙ ε with ε ~ N(0, I): then gradients flow to μ and σ.

How good samples are is measured by the distance to the nearest image of a test set: that of samples is near to that of
real training images, below that of the mean image, and far below that of images whose pixels have the right means and
variances and know nothing of each other.

Source: D. P. Kingma and M. Welling, Auto-encoding variational Bayes, ICLR 2014, sections 2.3, 2.4 and appendix B.
"""

import numpy as np

import deepcore as dc
from deepcore import data, nn, optim, random


class VAE(nn.Module):
    """Encoder and decoder."""

    def __init__(self, pixels: int = 64, hidden: int = 128, code: int = 8) -> None:
        self.encoder = nn.Sequential(nn.Dense(pixels, hidden, activation="relu"), nn.Dense(hidden, 2 * code))
        self.decoder = nn.Sequential(nn.Dense(code, hidden, activation="relu"), nn.Dense(hidden, pixels))
        self.code = code

    def forward(self, x: dc.Tensor) -> tuple[dc.Tensor, dc.Tensor, dc.Tensor]:
        """Return the logits of the pixels, for one draw of the code, and its μ and ln σ²."""
        both = self.encoder(x)
        mean, log_variance = both[:, : self.code], both[:, self.code :]
        z = mean + dc.exp(0.5 * log_variance) * random.normal(mean.shape)
        return self.decoder(z), mean, log_variance

    def sample(self, n: int) -> dc.Tensor:
        """Return the probabilities of the pixels of n images."""
        with dc.no_grad():
            return dc.sigmoid(self.decoder(random.normal((n, self.code))))


def losses(model: VAE, x: dc.Tensor) -> tuple[dc.Tensor, dc.Tensor]:
    """Return both terms of -ELBO, per image."""
    logits, mean, log_variance = model(x)
    reconstruction = nn.BinaryCrossEntropy(reduction="per-sample")(logits, x).mean()
    divergence = -0.5 * dc.sum(1 + log_variance - mean**2 - dc.exp(log_variance), axis=1).mean()
    return reconstruction, divergence


def distance(images: dc.Tensor, real: dc.Tensor) -> float:
    """Return the mean distance of an image to the nearest real one."""
    squares = dc.sum(images**2, axis=1)[:, None] - 2 * images @ real.T + dc.sum(real**2, axis=1)
    return float(dc.mean(dc.sqrt(dc.maximum(dc.min(squares, axis=1), 0.0))))


def drawn(images: dc.Tensor) -> str:
    """Return images as text, side by side."""
    squares = images.reshape(-1, 8, 8).tolist()
    inks = [["".join(" .:+#"[round(4 * p)] for p in row) for row in square] for square in squares]
    return "\n".join("  ".join(row).rstrip() for row in zip(*inks, strict=True))


def main(epochs: int = 60) -> dict[str, float]:
    """Return -ELBO per test image before and after training, its terms, and the distances of images to real ones."""
    random.seed(0)
    parts = data.train_test_split(data.digits(), test_size=0.2, seed=0)
    training, test = (data.Dataset(np.reshape(part.inputs, (len(part), 64)), part.targets) for part in parts)
    real = dc.asarray(test.inputs)
    model = VAE()
    adam = optim.Adam(model.parameters(), lr=0.002)
    with dc.no_grad():
        reconstruction, divergence = losses(model, real)
    figures = {"-ELBO before": (reconstruction + divergence).item()}
    loader = data.DataLoader(training, batch_size=64, shuffle=True)
    for _ in range(epochs):
        for inputs, _ in loader:
            reconstruction, divergence = losses(model, dc.asarray(inputs))
            adam.zero_grad()
            (reconstruction + divergence).backward()
            adam.step()
    with dc.no_grad():
        reconstruction, divergence = losses(model, real)
    figures |= {
        "-ELBO after": (reconstruction + divergence).item(),
        "reconstruction": reconstruction.item(),
        "KL": divergence.item(),
    }
    images = dc.asarray(training.inputs)
    samples = model.sample(300)
    means, deviations = dc.mean(images, axis=0), dc.std(images, axis=0)
    independent = dc.clip(means + deviations * random.normal((300, 64)), 0.0, 1.0)
    figures |= {
        "distance of real images": distance(images, real),
        "distance of samples": distance(samples, real),
        "distance of the mean image": distance(means[None, :], real),
        "distance of independent pixels": distance(independent, real),
    }
    for name, value in figures.items():
        print(f"{name}: {value:.2f}")
    print(drawn(samples[:8, :]))
    return figures


if __name__ == "__main__":
    main()
