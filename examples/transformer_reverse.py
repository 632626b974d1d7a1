"""A small transformer learns to reverse, or to sort, sequences of digits that it has never seen.

Run it with `python examples/transformer_reverse.py [reverse|sort] [STEPS]`. Every batch is drawn afresh from the 10
billion sequences of ten digits. Of 1000 sequences after training, more than 99 % come out right in every position.
"""

import sys

import deepcore as dc
from deepcore import nn, optim, random

LENGTH, DIGITS = 10, 10
STEPS = {"reverse": 400, "sort": 1000}


class Transformer(nn.Module):
    """Digits to logits of digits: an embedding, positions, two encoder layers, and a linear map of each position."""

    def __init__(self, features: int = 64, heads: int = 4, layers: int = 2) -> None:
        self.embedding = nn.Embedding(DIGITS, features, initializer="glorot_uniform")
        self.positions = nn.LearnedEncoding(LENGTH, features)
        layer = nn.TransformerEncoderLayer(features, heads, 2 * features, dropout=0.0, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(features))
        self.head = nn.Dense(features, DIGITS)

    def forward(self, digits: dc.Tensor) -> dc.Tensor:
        """Return logits of shape (sequences, positions, digits)."""
        return self.head(self.encoder(self.positions(self.embedding(digits))))


def batch(task: str, n: int, generator: random.Generator) -> tuple[dc.Tensor, dc.Tensor]:
    """Return sequences and what is wanted of them."""
    digits = generator.integers(DIGITS, shape=(n, LENGTH))
    return digits, dc.flip(digits, axis=1) if task == "reverse" else dc.sort(digits, axis=1)


def main(task: str = "reverse", steps: int | None = None) -> float:
    """Train, and return the share of fresh sequences that are right in every position."""
    random.seed(0)
    generator = random.Generator(1)
    steps = STEPS[task] if steps is None else steps
    model, loss = Transformer(), nn.CategoricalCrossEntropy()
    optimizer = optim.Adam(model.parameters(), lr=0.002)
    for step in range(steps):
        digits, target = batch(task, 64, generator)
        optimizer.zero_grad()
        value = loss(model(digits).reshape(-1, DIGITS), target.reshape(-1))
        value.backward()
        optimizer.step()
        if step % 100 == 99:
            print(f"step {step + 1}: loss {value.item():.4f}")
    digits, target = batch(task, 1000, generator)
    with dc.no_grad():
        right = dc.argmax(model.eval()(digits), axis=-1) == target
    return dc.mean(dc.astype(dc.all(right, axis=1), dc.float32)).item()


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) > 1 else "reverse"
    if chosen not in STEPS:
        sys.exit(f"usage: python examples/transformer_reverse.py [{'|'.join(STEPS)}]")
    accuracy = main(chosen, *map(int, sys.argv[2:3]))
    print(f"{chosen}: {accuracy:.1%} of 1000 fresh sequences are right in every position")
