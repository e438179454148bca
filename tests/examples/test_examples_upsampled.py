"""The 784-500-10 network: small in store, exact to rebuild, as good as it says; its script runs."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np

from slth.examples import train_upsampled
from slth.examples.digits import digits
from slth.examples.upsampled import upsampled_network, upsampling

DIGEST = "1e0dfb2a9be67153ec11d42e0e9b66b31880403e20c05a473da445351d807179"


def test_shape_accuracy_and_digest() -> None:
    example = digits("784")
    network = example.network
    assert Path(str(files("slth.examples") / "digits-784.npz")).stat().st_size < 100_000
    assert network.digest() == DIGEST
    assert [layer.weight.shape for layer in network.dense_chain()] == [(500, 784), (10, 500)]
    assert network.parameters == 397_510
    assert example.accuracy() >= 0.975
    assert example.inputs.shape == (1797, 784)
    assert bool(np.all(example.domain.contains(example.inputs)))
    for layer in network.dense_chain():
        assert np.array_equal(layer.weight, layer.weight.astype(np.float32))


def test_images_are_interpolated_linearly() -> None:
    # A plane is reproduced, up to the rounding of weights, away from the border.
    rows, columns = np.mgrid[:8, :8]
    plane = 2.0 * rows + 3.0 * columns
    large = (upsampling() @ plane.ravel()).reshape(28, 28)
    places = (np.arange(28) + 0.5) * 8 / 28 - 0.5
    wanted = 2.0 * places[:, None] + 3.0 * places[None, :]
    assert np.abs(large - wanted)[2:-2, 2:-2].max() <= 5.0 / 128
    assert np.array_equal(large[0], large[1])  # beyond the outermost centres nothing changes


def test_products_are_exact() -> None:
    """So the first layer is the same on every machine, however sums are ordered."""
    small = digits().inputs[::50]
    forward = small @ upsampling().T
    backward = small[:, ::-1] @ upsampling()[:, ::-1].T
    assert np.array_equal(forward, backward)


def test_the_script_trains() -> None:
    example = digits()
    arrays = train_upsampled.trained(example, hidden=8, iterations=30)
    network = upsampled_network(arrays)
    x = example.inputs @ upsampling().T
    right = network.forward(x).argmax(axis=1) == example.labels
    assert right[example.test_rows].mean() > 0.6
    assert arrays["span_1"].dtype == np.float16
