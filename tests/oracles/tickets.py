"""The masked source, computed densely by plain numpy from source.json and the masks alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


def random_weight_rows(seed: int, stream: int, j: int, c: int, count: int) -> np.ndarray:
    """Weights of hidden neuron (j, c): one Philox stream of numpy's, one word per weight."""
    words = np.random.Philox(key=seed, counter=[0, c, j, stream]).random_raw(count)
    return (words >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1.0


def dense_layer(
    spec: dict[str, Any], seed: int, layer: int, bits: np.ndarray, members: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Masked matrices of both sub-layers: (H, D) and (d', H).

    Bit c of weight (i, j) stands for the c-th hidden neuron of its owner, which is j, or i if outputs own
    them; a neuron has its edge to its owner if any bit stands for it.
    """
    inputs, copies, outputs = spec["inputs"], spec["copies"], spec["outputs"]
    edges = np.unpackbits(bits, axis=2, count=copies, bitorder="little").astype(bool)
    by_output = spec.get("owners") == "outputs"
    owners = outputs if by_output else inputs
    if members is None:
        members = np.arange(owners * copies).reshape(owners, copies)
    first = np.zeros((owners * copies, inputs))
    second = np.zeros((outputs, owners * copies))
    for owner in range(owners):
        for place, row in enumerate(members[owner].tolist()):
            own = edges[owner, :, place] if by_output else edges[:, owner, place]
            if not own.any():
                continue
            coming, going = (
                random_weight_rows(seed, 2 * layer + part, row // copies, row % copies, count)
                for part, count in ((0, inputs), (1, outputs))
            )
            if by_output:
                first[row] = coming * own
                second[owner, row] = going[owner]
            else:
                first[row, owner] = coming[owner]
                second[:, row] = going * own
    return first, second


def masked_forward(folder: Path, x: np.ndarray) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Output of the masked source on rows x, with its layers' scales; each layer's (P, N) by matrix product."""
    source = json.loads((folder / "source.json").read_text())
    record = json.loads((folder / "certificate.json").read_text())["construction"]["layers"]
    masks = np.load(folder / "masks.npz")
    value = x
    matrices = []
    for index, spec in enumerate(source["layers"]):
        names = (f"edges_{index + 1}", f"members_{index + 1}")
        bits, members = (masks.get(name) for name in names)
        first, second = dense_layer(spec, int(source["seed"]), index, bits, members)
        own = record[index]
        carrier = 2.0 ** (own["bias_exponent"] - own["scale_exponent"])  # the constant that carries the bias
        number, constant = own.get("lifts", int(own["biased"])), carrier
        if "lifts" in own:
            constant = 2.0 ** own["lift_exponent"]
        value = np.hstack((value, np.full((len(value), number), constant)))
        value = np.maximum(value @ first.T, 0.0) @ second.T * 2.0 ** record[index]["scale_exponent"]
        if index + 1 < len(source["layers"]):
            value = np.maximum(value, 0.0)
        if "lifts" in own:
            # relu never acts: one matrix, in which all constants are one input.
            matrix = second @ first
            bias = matrix[:, -number:].sum(axis=1, keepdims=True) * constant / carrier
            whole = np.hstack((matrix[:, :-number], bias))
            matrices.append((whole, np.hstack((-whole[:, :-1], 0.0 * bias))))
            continue
        matrices.append((second @ np.maximum(first, 0.0), second @ np.maximum(-first, 0.0)))
    return value, matrices


def plain_forward(weights: list[np.ndarray], biases: list[np.ndarray | None], x: np.ndarray) -> np.ndarray:
    """The target, by plain matrix products."""
    for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        x = x @ weight.T + (0.0 if bias is None else bias)
        if index + 1 < len(weights):
            x = np.maximum(x, 0.0)
    return x


def feature_matrices(
    spec: dict[str, Any], seed: int, layer: int, bits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (rows, inputs) on the positive and negative part of each input feature, copy by copy."""
    inputs, copies = spec["inputs"], spec["copies"]
    edges = np.unpackbits(bits, axis=2, count=copies, bitorder="little").astype(bool)
    positive, negative = np.zeros(edges.shape[:2]), np.zeros(edges.shape[:2])
    for j in range(inputs):
        for c in np.flatnonzero(edges[:, j].any(axis=0)):
            first = random_weight_rows(seed, 2 * layer, j, int(c), inputs)[j]
            second = random_weight_rows(seed, 2 * layer + 1, j, int(c), len(edges)) * edges[:, j, c]
            positive[:, j] += max(first, 0.0) * second
            negative[:, j] += max(-first, 0.0) * second
    return positive, negative
