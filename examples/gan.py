"""Two networks that play against each other: a generator learns to draw from a ring of eight Gaussians.

The discriminator D(x) = σ(d(x)) tells points x of the data from points G(z) of the generator, z ~ N(0, I). Each has a
loss and an optimizer of its own, and they move in turn:

    L_D = -mean ln D(x) - mean ln(1 - D(G(z)))          moves D alone
    L_G = -mean ln D(G(z))                              moves G alone, half as fast

L_G is the non-saturating loss of the paper. It has the same fixed point as -L_D, whose term ln(1 - D(G(z))) is flat
where the discriminator is sure, as it is at first: D ≈ 0.

A mode is covered if at least 2 % of the generated points are within three standard deviations of its centre; its share
would be 12.5 %. A generator that has collapsed covers one or two.

Source: I. Goodfellow et al., Generative adversarial nets, NeurIPS 2014, section 3; two speeds: M. Heusel et al., GANs
trained by a two time-scale update rule, NeurIPS 2017; the ring: L. Metz et al., Unrolled GANs, ICLR 2017.
"""

import deepcore as dc
from deepcore import nn, optim, random

MODES, SPREAD = 8, 0.1
ANGLES = 2 * dc.pi * dc.arange(MODES, dtype=dc.float32) / MODES
CENTRES = 2 * dc.stack([dc.cos(ANGLES), dc.sin(ANGLES)], axis=1)


def ring(n: int) -> dc.Tensor:
    """Return n points of the ring, of shape (n, 2)."""
    return dc.take(CENTRES, random.integers(0, MODES, (n,)), axis=0) + SPREAD * random.normal((n, 2))


def networks(latent: int = 2, width: int = 64) -> tuple[nn.Sequential, nn.Sequential]:
    """Return a generator and a discriminator, which gives the logit d."""
    generator = nn.Sequential(
        nn.Dense(latent, width, activation="relu"), nn.Dense(width, width, activation="relu"), nn.Dense(width, 2)
    )
    leaky = nn.LeakyReLU(0.2)
    discriminator = nn.Sequential(nn.Dense(2, width), leaky, nn.Dense(width, width), leaky, nn.Dense(width, 1))
    return generator, discriminator


def shares(points: dc.Tensor) -> list[float]:
    """Return the share of points within three standard deviations of each centre."""
    distances = dc.linalg.vector_norm(points[:, None, :] - CENTRES, axis=2)
    shares: list[float] = dc.mean(dc.astype(distances < 3 * SPREAD, dc.float32), axis=0).tolist()
    return shares


def main(steps: int = 1500, batch: int = 128, latent: int = 2) -> dict[str, float]:
    """Return the number of modes covered, and the share of points in any, before and after."""
    random.seed(0)
    generator, discriminator = networks(latent)
    loss = nn.BinaryCrossEntropy()
    adam_g = optim.Adam(generator.parameters(), lr=0.002, betas=(0.5, 0.99))
    adam_d = optim.Adam(discriminator.parameters(), lr=0.004, betas=(0.5, 0.99))
    real, fake = dc.ones((batch, 1)), dc.zeros((batch, 1))

    def measure() -> list[float]:
        with dc.no_grad():
            return shares(generator(random.normal((2000, latent))))

    before = measure()
    for _ in range(steps):
        points = generator(random.normal((batch, latent)))
        loss_d = loss(discriminator(ring(batch)), real) + loss(discriminator(points.detach()), fake)
        adam_d.zero_grad()
        loss_d.backward()
        adam_d.step()
        loss_g = loss(discriminator(points), real)
        adam_g.zero_grad()
        loss_g.backward()
        adam_g.step()
    after = measure()
    figures: dict[str, float] = {}
    for when, found in (("before", before), ("after", after)):
        figures[f"covered {when}"] = sum(share >= 0.02 for share in found)
        figures[f"near {when}"] = sum(found)
        print(f"{when}: {figures[f'covered {when}']} of {MODES} modes covered, {sum(found):.1%} of the points in any")
    print("shares of the modes:", " ".join(f"{share:.1%}" for share in after))
    return figures


if __name__ == "__main__":
    main()
