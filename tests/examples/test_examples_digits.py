"""The shipped digits example: read by plain numpy, it is the network and the data that it claims to be."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from slth.examples import train_digits
from slth.examples.digits import digits

FILE = Path(str(files("slth.examples") / "digits.npz"))


def test_accuracy_by_plain_numpy() -> None:
    with np.load(FILE, allow_pickle=False) as data:
        x = data["pixels"] / 16.0
        hidden = np.maximum(x @ data["weight_1"].astype(float).T + data["bias_1"], 0.0)
        logits = hidden @ data["weight_2"].astype(float).T + data["bias_2"]
        right = logits.argmax(axis=1) == data["labels"]
        is_test = data["is_test"]
    assert right.shape == (1797,)
    assert is_test.sum() == 449
    assert right[is_test].mean() >= 0.965
    assert digits().accuracy() == right[is_test].mean()
    assert np.allclose(digits().network.forward(x), logits, rtol=1e-12, atol=1e-12)


def test_small_enough_to_ship() -> None:
    assert FILE.stat().st_size < 100_000


def test_weights_are_float32_and_small() -> None:
    example = digits()
    chain = example.network.dense_chain()
    assert [(layer.outputs, layer.inputs) for layer in chain] == [(32, 64), (10, 32)]
    for layer in chain:
        assert layer.bias is not None
        for array in (layer.weight, layer.bias):
            assert np.array_equal(array, array.astype(np.float32))
        assert np.linalg.norm(layer.weight, 2) < 4.0
        assert np.abs(layer.weight).max() < 2.0
        assert np.abs(layer.bias).max() < 1.0


def test_data_are_those_of_scikit_learn() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    data = datasets.load_digits()
    example = digits()
    assert np.array_equal(example.inputs * 16, data.data)
    assert np.array_equal(example.labels, data.target)


def test_rows_domain_and_frozen_arrays() -> None:
    example = digits()
    both = np.concatenate([example.train_rows, example.test_rows])
    assert np.array_equal(np.sort(both), np.arange(1797))
    assert (np.diff(example.test_rows) > 0).all()
    assert example.domain.kind == "box"
    assert example.domain.nonnegative
    assert example.domain.size == 64
    assert np.all(example.domain.contains(example.inputs))
    assert example.network.parameters == 2410
    for array in (example.inputs, example.labels, example.test_rows):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_golden_digest_of_the_shipped_network() -> None:
    assert digits().network.digest() == "4da56dec773c0843f609984354c18ff79d1a78b90e0da28109467e8b44d2336e"


def test_training_script_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Few iterations only: the shipped weights took ten seconds, and another BLAS rounds differently."""
    pytest.importorskip("sklearn")
    monkeypatch.setattr(train_digits, "ITERATIONS", 30)
    train_digits.main(tmp_path / "d.npz")
    assert "test accuracy 0.9" in capsys.readouterr().out
    with np.load(tmp_path / "d.npz") as fresh, np.load(FILE) as shipped:
        assert sorted(fresh) == sorted(shipped)
        for name in ("pixels", "labels", "is_test"):
            assert np.array_equal(fresh[name], shipped[name])


def test_gradient_of_the_training_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss handed to L-BFGS has the gradient that differences give."""
    seen = []

    class Found:
        def __init__(self, x: np.ndarray) -> None:
            self.x = x

    def minimize(loss: object, start: np.ndarray, **_: object) -> Found:
        seen.append((loss, start))
        return Found(start)

    monkeypatch.setattr(train_digits.scipy.optimize, "minimize", minimize)
    draw = np.random.default_rng(3)
    train_digits.train(draw.random((20, 5)), draw.integers(0, 3, size=20))
    (loss, start), step = seen[0], 1e-6
    direction = draw.normal(size=start.size)
    change = loss(start + step * direction)[0] - loss(start - step * direction)[0]
    assert change / (2 * step) == pytest.approx(loss(start)[1] @ direction, rel=1e-5)
