"""How the command line reads samples, sizes and domains."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from slth.cli import inputs as module
from slth.cli.inputs import choose_seed, parse_domain, parse_k, read_samples
from slth.errors import InvalidInput
from slth.networks.domain import Domain


@pytest.mark.parametrize(("text", "k"), [("5", 5), ("3:7", (3, 7)), ("any", None), ("-1", -1)])
def test_sizes(text: str, k: object) -> None:
    assert parse_k(text) == k


@pytest.mark.parametrize("text", ["", "x", "1:2:3", "1.5", ":"])
def test_sizes_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="`-k` must be a size like 5, a range like 3:7, or any; got"):
        parse_k(text)


def test_samples_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [0.5, -0.25, 1e-3]
    np.save(tmp_path / "a.npy", wanted)
    np.savez(tmp_path / "one.npz", anything=wanted)
    np.savez(tmp_path / "named.npz", other=[1.0], samples=wanted)
    (tmp_path / "a.txt").write_text("0.5  # first\n\n-0.25\n1e-3\n")
    (tmp_path / "a.csv").write_text("0.5,-0.25,\n0.001\n")
    for name in ("a.npy", "one.npz", "named.npz", "a.txt", "a.csv"):
        assert read_samples((str(tmp_path / name),)).tolist() == wanted
    assert read_samples(("0.5", "-0.25", "1e-3")).tolist() == wanted
    assert read_samples(("0.5",)).tolist() == [0.5]
    monkeypatch.setattr("sys.stdin", io.StringIO("0.5 -0.25\n0.001"))
    assert read_samples(("-",)).tolist() == wanted


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"0.5\n0.x\n", "must be numbers; got '0.x' .line 2 of"),
        ("a.txt", b"", "must hold at least one number; got none"),
        ("a.txt", b"nan\n", "`samples` must be finite; got nan at index 0"),
        ("a.txt", b"\xff\xfe", "cannot read samples from"),
        ("a.npy", b"nonsense", "cannot read samples from"),
        ("a.npz", b"nonsense", "cannot read samples from"),
        ("a.parquet", b"", "must be numbers, -, or a .npy, .npz, .txt or .csv file"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=message):
        read_samples((str(tmp_path / name),))


def test_bad_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", a=[1.0], b=[2.0])
    with pytest.raises(InvalidInput, match="must hold one array, or one named samples; it holds a, b"):
        read_samples((str(tmp_path / "two.npz"),))
    np.save(tmp_path / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidInput, match="cannot read samples from"):
        read_samples((str(tmp_path / "object.npy"),))
    np.save(tmp_path / "square.npy", np.zeros((2, 2)))
    with pytest.raises(InvalidInput, match="`samples` must have 1 dimension"):
        read_samples((str(tmp_path / "square.npy"),))
    with pytest.raises(InvalidInput, match="No such file or directory"):
        read_samples((str(tmp_path / "absent.txt"),))
    with pytest.raises(InvalidInput, match=r"must be numbers; got 'x' \(argument 2\)"):
        read_samples(("1", "x"))
    with pytest.raises(InvalidInput, match="must hold at least one number"):
        read_samples(())


def test_large_files_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 1000)
    (tmp_path / "a.txt").write_text("1 " * 600)
    with pytest.raises(InvalidInput, match="is larger than 1000 bytes"):
        read_samples((str(tmp_path / "a.txt"),))
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("samples.npy", b"\0" * 100_000)
    with pytest.raises(InvalidInput, match="unpacks to more than 1000 bytes"):
        read_samples((str(tmp_path / "bomb.npz"),))


def test_domains(tmp_path: Path) -> None:
    assert parse_domain("box:0:1", 3) == Domain.box(0.0, 1.0, size=3)
    assert parse_domain("ball:2", 3) == Domain.ball(2.0, size=3)
    import json

    stored = Domain.box([0.0, -1.0], [1.0, 0.5])
    (tmp_path / "d.json").write_text(json.dumps(stored.to_json()))
    assert parse_domain(str(tmp_path / "d.json"), 2) == stored
    for text in ("box", "box:1", "box:a:b", "ball:x", "sphere:1", ""):
        with pytest.raises(
            InvalidInput, match=r"`--domain` must be box:LOW:HIGH, ball:RADIUS or a \.json file"
        ):
            parse_domain(text, 2)
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(InvalidInput, match=r"cannot read .*bad\.json as JSON"):
        parse_domain(str(tmp_path / "bad.json"), 2)


def test_seeds() -> None:
    assert choose_seed(7) == (7, False)
    seed, drawn = choose_seed(None)
    assert drawn
    assert 0 <= seed < 2**64
    with pytest.raises(InvalidInput, match="`seed` must be an integer in"):
        choose_seed(-1)
