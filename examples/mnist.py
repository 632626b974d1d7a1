"""MNIST: a 784-100-50-10 network reaches more than 97 % on all 10,000 test images after 10 epochs.

Run it with `python examples/mnist.py [FOLDER OF THE MNIST FILES]`; without a folder the files are downloaded once.
"""

import sys

from deepcore import data, metrics, nn, optim, random, train


def main(data_dir: str | None = None, epochs: int = 10) -> float:
    """Train, and return the accuracy on the test images."""
    random.seed(0)
    training, test = data.mnist(data_dir)
    model = nn.Sequential(
        nn.Flatten(),
        nn.Dense(784, 100, activation="relu", initializer="he_uniform"),
        nn.Dense(100, 50, activation="relu", initializer="he_uniform"),
        nn.Dense(50, 10),
    )
    adam = optim.Adam(model.parameters(), lr=0.001)
    trainer = train.Trainer(model, nn.CategoricalCrossEntropy(), adam, metrics=[metrics.Accuracy()])
    trainer.fit(training, epochs=epochs, batch_size=50)
    return trainer.evaluate(test)["accuracy"]


if __name__ == "__main__":
    print(f"accuracy on the test images: {main(sys.argv[1] if sys.argv[1:] else None):.2%}")
