"""MNIST: a convolutional network in the manner of LeNet-5 reaches more than 98.5 % on the test images after 3 epochs.

Run it with `python examples/mnist_cnn.py [FOLDER OF THE MNIST FILES]`; without a folder the files are downloaded once.

Reference: Y. LeCun et al., Gradient-based learning applied to document recognition, Proceedings of the IEEE 86, 1998,
section II.B. Unlike there, units are rectified, the largest of four is pooled, and every map sees all those before it.
"""

import sys
from time import perf_counter

from deepcore import data, metrics, nn, optim, random, train


def images(part: data.Dataset) -> data.Dataset:
    """Return a data set with an axis of one channel, (n, 1, 28, 28)."""
    return data.Dataset(part.inputs[:, None], part.targets, name=part.name, classes=part.classes)


def main(data_dir: str | None = None, epochs: int = 3, samples: int = 60_000) -> float:
    """Train on so many images, and return the accuracy on all the test images."""
    random.seed(0)
    training, test = (images(part) for part in data.mnist(data_dir))
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2, activation="relu", initializer="he_uniform"),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5, activation="relu", initializer="he_uniform"),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dense(400, 120, activation="relu", initializer="he_uniform"),
        nn.Dense(120, 84, activation="relu", initializer="he_uniform"),
        nn.Dense(84, 10),
    )
    adam = optim.Adam(model.parameters(), lr=0.002)
    trainer = train.Trainer(model, nn.CategoricalCrossEntropy(), adam, metrics=[metrics.Accuracy()])
    trainer.fit(training.subset(slice(samples)), epochs=epochs, batch_size=64)
    return trainer.evaluate(test)["accuracy"]


if __name__ == "__main__":
    start = perf_counter()
    print(f"accuracy on the test images: {main(*sys.argv[1:2]):.2%}, after {perf_counter() - start:.0f} s")
