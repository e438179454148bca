"""The shipped image networks: small, accurate, certified from end to end; the script that made them runs."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import slth
from slth.examples import train_images
from slth.examples.digits import digits
from slth.groups.images import ImageGroup

ACCURACY = {"cnn": 0.97, "residual": 0.97, "d4": 0.94}
DIGESTS = {
    "cnn": "17998a04f7e74e41a0a13bf5d9ec7e1c1867daf0c15cf01cbf030ac670d18090",
    "residual": "7411a1ce9f618dba6ba4b4a96bdd722a585b27524d057e731fea984c5387a969",
    "d4": "35ce51aa652d64f0bca92e55efa1106544aea9565e2d438f1aacea9ea1655b0f",
}


@pytest.mark.parametrize("name", ACCURACY)
def test_small_accurate_and_float32(name: str) -> None:
    example = digits(name)
    file = Path(str(files("slth.examples") / f"digits-{name}.npz"))
    assert file.stat().st_size < 100_000
    assert example.accuracy() >= ACCURACY[name]
    assert example.network.digest() == DIGESTS[name]
    with np.load(file) as arrays:
        assert all(arrays[key].dtype == np.float32 for key in arrays.files)
        assert sum(arrays[key].size for key in arrays.files) == example.network.parameters


def test_turns_and_mirrors_change_nothing() -> None:
    example = digits("d4")
    moves = ImageGroup(8, 8, "p4m", translations=False).representation("scalar")
    inputs = example.inputs[::20]
    plain = example.network.forward(inputs)
    assert moves.group.order == 8
    for element in range(8):
        moved = example.network.forward(moves.act(element, inputs))
        assert np.abs(moved - plain).max() <= 1e-12 * np.abs(plain).max()


def test_unknown_example() -> None:
    with pytest.raises(slth.InvalidInput, match="`network` must be one of 'dense', 'cnn', 'residual', 'd4'"):
        digits("vgg")


@pytest.mark.slow
@pytest.mark.parametrize("name", ACCURACY)
def test_ticket(name: str, tmp_path: Path) -> None:
    example = digits(name)
    ticket = slth.prune(example.network, domain=example.domain, eps=0.05, inputs=example.inputs, seed=1)
    assert ticket.certificate.bound <= 0.05
    assert ticket.certificate.predictions_equal == 1797
    assert example.accuracy(ticket.network()) == example.accuracy()
    ticket.save(tmp_path / "ticket")
    assert slth.check(tmp_path / "ticket", example.network).bound == ticket.certificate.bound


def test_training_script_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One epoch only: the shipped weights took a minute, and another version of torch rounds differently."""
    pytest.importorskip("torch")
    monkeypatch.setattr(train_images, "EPOCHS", 1)
    train_images.main(tmp_path / "made")
    assert capsys.readouterr().out.count("test accuracy 0.") == 3
    for name in ACCURACY:
        with np.load(tmp_path / "made" / f"digits-{name}.npz") as fresh:
            assert sum(fresh[key].size for key in fresh.files) == digits(name).network.parameters
