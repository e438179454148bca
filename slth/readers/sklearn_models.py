"""Networks from scikit-learn's multi-layer perceptrons."""

from __future__ import annotations

from typing import Any

from slth.errors import InvalidInput
from slth.networks.network import Network, dense_network

KINDS = ("MLPClassifier", "MLPRegressor")


def read_sklearn(model: Any, *, logits: bool = False) -> Network:
    """Network of a fitted MLPClassifier or MLPRegressor with ReLU; nodes as from `dense_network`.

    The outputs are those before the classifier's soft-max or logistic function, which `logits` must allow.

    Raises
    ------
    InvalidInput
        For other models, other activations, models that are not fitted, or a tail that is to be kept.
    """
    kind = type(model).__name__
    if kind not in KINDS:
        raise InvalidInput(f"`source` must be an {' or '.join(KINDS)} of scikit-learn; got {kind}.")
    if not hasattr(model, "coefs_"):
        raise InvalidInput(f"`source` must be fitted; got an {kind} that is not. Call its fit method first.")
    if model.activation != "relu":
        raise InvalidInput(
            f"`source` must have activation 'relu'; got {model.activation!r} (layer 'layer1'). Supported: relu."
        )
    if model.out_activation_ not in ("identity", "softmax", "logistic"):
        raise InvalidInput(
            f"`source` must end in identity, softmax or logistic; got {model.out_activation_!r}."
        )
    if model.out_activation_ != "identity" and not logits:
        raise InvalidInput(
            f"`output` must be 'logits' to read a network that ends in {model.out_activation_} "
            f"(layer 'layer{len(model.coefs_)}'): the network is then read without it."
        )
    return dense_network([weight.T for weight in model.coefs_], list(model.intercepts_))
