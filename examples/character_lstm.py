"""A character-level LSTM learns Jabberwocky by heart: perplexity falls from 46 to below 1.1, and it recites the poem.

Run it with `python examples/character_lstm.py [TEXT FILE]`. The poem is Lewis Carroll's (Through the Looking-Glass,
1871). Perplexity is the number of characters that the model hesitates between: as many as there are before training,
and 1 when it knows what comes next. To recite, the model is given the first characters alone, and then reads what it
wrote.
"""

import math
import sys
from pathlib import Path

import numpy as np

import deepcore as dc
from deepcore import nn, optim, random

WINDOW, BATCH, OPENING = 64, 16, 12
"""Characters of a window, windows of a batch, and characters that a recitation is given."""


class CharacterModel(nn.Module):
    """One-hot characters, an LSTM, and the logits of the next character."""

    def __init__(self, n_characters: int, units: int) -> None:
        self.lstm = nn.LSTM(n_characters, units, forget_bias=1.0)
        self.logits = nn.Dense(units, n_characters)
        self.one_hot = dc.eye(n_characters)

    def forward(self, codes: dc.Tensor, state: nn.LSTMState | None = None) -> tuple[dc.Tensor, nn.LSTMState]:
        """Return the logits after each character, and the state after the last one."""
        x = dc.take(self.one_hot, codes.reshape(-1), axis=0).reshape(*codes.shape, len(self.one_hot))
        outputs, state = self.lstm(x, state)
        return self.logits(outputs), state


def train(model: CharacterModel, codes: np.ndarray, steps: int) -> None:
    """Learn to predict the next character in windows drawn at random from the text."""
    loss = nn.CategoricalCrossEntropy()
    adam = optim.Adam(model.parameters(), lr=optim.schedules.CosineDecay(0.01, steps=steps))
    generator = np.random.default_rng(0)
    for step in range(steps):
        starts = generator.integers(0, len(codes) - WINDOW, (BATCH, 1))
        windows = codes[starts + np.arange(WINDOW + 1)]
        logits, _ = model(dc.asarray(windows[:, :-1]))
        value = loss(logits, dc.asarray(windows[:, 1:]))
        adam.zero_grad()
        value.backward()
        adam.step()
        if step % 50 == 0:
            print(f"step {step:4}: perplexity {math.exp(value.item()):.2f}")


@dc.no_grad()
def perplexity(model: CharacterModel, codes: np.ndarray) -> float:
    """Return the perplexity of the whole text, read in one go."""
    logits, _ = model(dc.asarray(codes[None, :-1]))
    return math.exp(nn.CategoricalCrossEntropy()(logits, dc.asarray(codes[None, 1:])).item())


@dc.no_grad()
def recite(model: CharacterModel, opening: np.ndarray, length: int) -> list[int]:
    """Return the opening and what the model finds most likely after it."""
    found = opening.tolist()
    logits, state = model(dc.asarray(opening[None]))
    while len(found) < length:
        found.append(int(dc.argmax(logits[0, -1]).item()))
        logits, state = model(dc.asarray([found[-1:]]), state)
    return found


def main(path: str | Path = Path(__file__).parent / "jabberwocky.txt", steps: int = 400) -> tuple[float, float, float]:
    """Train, and return the perplexity before and after, and the share of characters recited right."""
    random.seed(0)
    text = Path(path).read_text(encoding="utf-8")
    characters = sorted(set(text))
    codes = np.asarray([characters.index(c) for c in text])
    model = CharacterModel(len(characters), units=128)
    before = perplexity(model, codes)
    train(model, codes, steps)
    after = perplexity(model, codes)
    recited = recite(model, codes[:OPENING], len(codes))
    print("".join(characters[k] for k in recited))
    return before, after, float(np.mean(np.asarray(recited) == codes))


if __name__ == "__main__":
    before, after, share = main(*sys.argv[1:2])
    print(f"perplexity from {before:.1f} to {after:.3f}; {share:.1%} of the text recited right")
