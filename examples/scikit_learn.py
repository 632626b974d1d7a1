"""A network is an estimator like others: scikit-learn's search tells how wide and how strongly penalised it should be.

The digits of scikit-learn's test set, 8 x 8 pixels, are scaled and classified by a network with one hidden layer. The
number of units and the penalty α/2n ‖W‖² are chosen by the accuracy in three-fold cross-validation, and the network
that wins is compared on samples that none of them has seen with logistic regression, which has no hidden layer.
"""

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepcore.sklearn import DeepClassifier


def main(max_iter: int = 100) -> dict[str, float]:
    """Return the accuracy of both, and the number of units of the network that won."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    network = DeepClassifier(
        learning_rate_init=0.01, max_iter=max_iter, early_stopping=True, dtype="float32", random_state=0
    )
    grid = {"deepclassifier__hidden_layer_sizes": [(4,), (64,)], "deepclassifier__alpha": [1e-4, 1.0]}
    search = GridSearchCV(make_pipeline(StandardScaler(), network), grid, cv=3).fit(X_train, y_train)
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(X_train, y_train)
    figures = {
        "units": float(search.best_params_["deepclassifier__hidden_layer_sizes"][0]),
        "network": float(search.score(X_test, y_test)),
        "logistic regression": float(logistic.score(X_test, y_test)),
    }
    print(f"best in cross-validation: {search.best_params_}")
    print(f"accuracy: {figures['network']:.1%}, of logistic regression {figures['logistic regression']:.1%}")
    return figures


if __name__ == "__main__":
    main()
