"""Array archives: reproducible bytes, and hostile files refused before anything large is allocated."""

from __future__ import annotations

import io
import resource
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from slth.errors import InvalidInput
from slth.networks.npz import load_npy, load_npz, save_npz

dtypes = st.sampled_from(["<f8", ">f8", "<f4", "<f2", "<i8", ">i4", "|u1", "|b1", "<u8"])
anything = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
names = st.text("abcXYZ019_.-", min_size=1, max_size=20)


def header(descr: str, shape: str, order: str = "False") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    text += b" " * (63 - (10 + len(text)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def archive(entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as z:
        for name, content in entries.items():
            z.writestr(name, content)
    return file.getvalue()


GOOD = archive({"a.npy": header("'<f8'", "(2,)") + np.array([1.0, 2.0]).tobytes()})


@given(st.dictionaries(names, anything, max_size=4))
def test_round_trip(arrays: dict[str, Any]) -> None:
    file = io.BytesIO()
    save_npz(file, arrays)
    back = load_npz(io.BytesIO(file.getvalue()), max_bytes=10**6)
    assert list(back) == sorted(arrays)
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype.newbyteorder("=")
        assert back[name].shape == array.shape
        assert back[name].tobytes() == np.asarray(array, dtype=back[name].dtype, order="C").tobytes()
        assert back[name].flags.c_contiguous
        assert back[name].flags.writeable
    with np.load(io.BytesIO(file.getvalue())) as numpy_reads:
        assert sorted(numpy_reads) == sorted(arrays)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_reads_what_numpy_writes(save: Callable[..., None], tmp_path: Path) -> None:
    arrays = {"w": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "n": np.array([1, 2], dtype=">i4")}
    save(tmp_path / "x.npz", **arrays)
    back = load_npz(tmp_path / "x.npz", max_bytes=10**6, allowed={"w": ("f", 2), "n": ("iu", 1)})
    assert {k: v.tolist() for k, v in back.items()} == {k: v.tolist() for k, v in arrays.items()}
    assert back["w"].flags.c_contiguous


def test_bytes_do_not_depend_on_clock_order_or_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = io.BytesIO(), io.BytesIO()
    a, b = np.arange(6.0).reshape(2, 3), np.arange(4)
    save_npz(first, {"a": a, "b": b})
    monkeypatch.setattr(time, "time", lambda: 2e9)
    save_npz(second, {"b": b, "a": np.asfortranarray(a).astype(">f8")})
    assert first.getvalue() == second.getvalue()
    entries = zipfile.ZipFile(first).infolist()
    assert [(e.filename, e.date_time, e.create_system) for e in entries] == [
        ("a.npy", (1980, 1, 1, 0, 0, 0), 3),
        ("b.npy", (1980, 1, 1, 0, 0, 0), 3),
    ]


def test_file_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    save_npz(path, {"a": np.zeros(3)})
    with pytest.raises(InvalidInput, match=r"must be floats, integers or booleans; got object \('b'\)"):
        save_npz(path, {"a": np.ones(3), "b": np.array([None])})
    assert load_npz(path, max_bytes=1000)["a"].tolist() == [0.0] * 3
    assert [p.name for p in tmp_path.iterdir()] == ["x.npz"]
    with pytest.raises(InvalidInput, match=r"names of letters, digits, '_', '\.', '-'; got '\.\./a'"):
        save_npz(path, {"../a": np.ones(3)})
    with pytest.raises(FileNotFoundError, match="No such file or directory"):
        save_npz(tmp_path / "none" / "x.npz", {"a": np.zeros(3)})


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array)
    return file.getvalue()


def with_directory_size(data: bytes, size: int) -> bytes:
    """Change the uncompressed size that the central directory states for the first entry."""
    at = data.rindex(b"PK\1\2")
    return data[: at + 24] + struct.pack("<L", size) + data[at + 28 :]


TEN_GB = header("'<f8'", "(1250000000,)")
BOMB = archive({"a.npy": header("'|u1'", "(50000000,)") + bytes(50_000_000)}, zipfile.ZIP_DEFLATED)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "`path` must be an .npz file .*, which is none or is truncated"),
        (b"hello", "`path` must be an .npz file"),
        (GOOD[:-1], "`path` must be an .npz file"),
        (GOOD[:-40], "`path` must be an .npz file"),
        (GOOD + b"x", "`path` must be an .npz file"),
        (GOOD[50:], "`path` must be an undamaged file of arrays"),
        (GOOD[:-2] + b"\1\0" + b"c", "`path` must be an .npz file .* without comment"),
        (GOOD.replace(b"\0\0\0@", b"\0\0\0A"), "`path` must be an undamaged file .*Bad CRC-32"),
        (archive({"a.npy": TEN_GB}), r"shape \(1250000000,\) of float64 \(10000000000 bytes\) in 0 bytes"),
        (
            with_directory_size(archive({"a.npy": TEN_GB}), 2**32 - 2),
            "unpack to at most 10000 bytes; got 4294967294",
        ),
        (with_directory_size(GOOD, 2**16), "unpack to at most 10000 bytes; got 65536 up to 'a'"),
        (with_directory_size(GOOD, 300), "as many bytes as the header states"),
        (with_directory_size(GOOD, 140), "an undamaged file of arrays; got the given file .*Bad CRC-32"),
        (BOMB, "must be a file of at most 10000 bytes|unpack to at most 10000 bytes"),
        (
            with_directory_size(BOMB, 200),
            "must be a file of at most 10000 bytes|as many bytes as the header states",
        ),
        (
            archive({f"a{i}.npy": npy(np.zeros(100)) for i in range(12)}, zipfile.ZIP_DEFLATED),
            "`path` must unpack to at most 10000 bytes",
        ),
        (archive({"a.npy": header("'<f8'", "(4611686018427387904, 4)")}), r"\(147573952589676412928 bytes\)"),
        (
            archive({"a.npy": header("'<f8'", "(4611686018427387904, 4611686018427387904, 0)")}),
            "undamaged file of arrays",
        ),
        (
            archive({"a.npy": header("'<f8'", "(" + "1, " * 33 + ")") + bytes(8)}),
            "as many bytes as the header states",
        ),
        (archive({"a.npy": npy(np.zeros(1))[:-1]}), "as many bytes as the header states; .* in 7 bytes"),
        (archive({"a.npy": npy(np.zeros(1)) + b"x"}), "as many bytes as the header states; .* in 9 bytes"),
        (
            archive({"a.npy": header("'|O'", "(1,)") + b"x" * 8}),
            r"floats, integers or booleans; got dtype '\|O'",
        ),
        (archive({"a.npy": npy(np.zeros(1, dtype=complex))}), "floats, integers or booleans; got dtype '<c16'"),
        (archive({"a.npy": npy(np.array(["a"]))}), "floats, integers or booleans; got dtype '<U1'"),
        (
            archive({"a.npy": header("'<f16'", "(1,)") + bytes(16)}),
            "floats, integers or booleans; got dtype '<f16'",
        ),
        (
            archive({"a.npy": header("'<b2'", "(1,)") + bytes(2)}),
            "floats, integers or booleans; got dtype '<b2'",
        ),
        (archive({"a.npy": npy(np.zeros(1, dtype=[("x", "f8")]))}), r"plain arrays \(no records\)"),
        (archive({"a.npy": header("'<f8'", "(-1,)")}), r"plain arrays \(no records\)"),
        (archive({"a.npy": header("'<f8'", "(__import__('os').abort(),)")}), r"plain arrays \(no records\)"),
        (archive({"a.npy": header("'<f8'", "(1,)" + " " * 5000) + bytes(8)}), r"plain arrays \(no records\)"),
        (archive({"a.npy": b"\x93NUMPY\x02\x00" + bytes(100)}), ".npy format 1.0; got 'a' in"),
        (archive({"a.npy": b"\x93NUM"}), ".npy format 1.0"),
        (archive({"a.npy": b""}), ".npy format 1.0"),
        (archive({"a.txt": b"x"}), r"must hold only arrays NAME.npy; got 'a.txt'"),
        (archive({"../a.npy": npy(np.zeros(1))}), "must hold only arrays NAME.npy; got '../a.npy'"),
        (archive({"d/": b""}), "must hold only arrays NAME.npy; got 'd/'"),
        (archive({".npy": npy(np.zeros(1))}), "must hold only arrays NAME.npy; got '.npy'"),
        (
            archive({"a.npy": npy(np.zeros(1))}, zipfile.ZIP_BZIP2),
            "must hold stored or deflated arrays; got 'a'",
        ),
    ],
)
def test_hostile_files(data: bytes, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        load_npz(io.BytesIO(data), max_bytes=10_000)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_array_given_twice() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as z:
        z.writestr("a.npy", npy(np.zeros(1)))
        z.writestr("a.npy", npy(np.ones(1)))
    with pytest.raises(InvalidInput, match="must hold each array once; got 'a' twice"):
        load_npz(file, max_bytes=10_000)


def test_encrypted_entry() -> None:
    at = GOOD.rindex(b"PK\1\2")
    data = GOOD[: at + 8] + b"\1\0" + GOOD[at + 10 :]
    with pytest.raises(InvalidInput, match="must hold stored or deflated arrays; got 'a' otherwise"):
        load_npz(io.BytesIO(data), max_bytes=10_000)


def test_directory_is_bounded_before_it_is_read() -> None:
    many = archive({f"{'n' * 200}{i}.npy": b"" for i in range(5000)})
    with pytest.raises(InvalidInput, match="a zip directory of at most 1048576 bytes"):
        load_npz(io.BytesIO(many), max_bytes=10**8)
    end = GOOD.rindex(b"PK\5\6")
    locator = GOOD[:end] + b"PK\6\7" + bytes(16) + GOOD[end:]
    with pytest.raises(InvalidInput, match="a zip directory of at most 1048576 bytes"):
        load_npz(io.BytesIO(locator), max_bytes=10**8)


def test_claims_cost_no_memory() -> None:
    """Ten gigabytes claimed in header and directory, and a bomb, within a limit of 8 GB on their size."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for data in (archive({"a.npy": TEN_GB}), with_directory_size(archive({"a.npy": TEN_GB}), 2**32 - 2)):
        with pytest.raises(InvalidInput, match="as many bytes as the header states"):
            load_npz(io.BytesIO(data), max_bytes=8 * 10**9)
    claimed = header("'<f8'", "(536870896,)")
    honest_size = len(claimed) + 8 * 536870896
    assert honest_size == 2**32  # one more than a plain directory can state
    claimed = header("'<f8'", "(536870895,)")
    data = with_directory_size(archive({"a.npy": claimed}), len(claimed) + 8 * 536870895)
    with pytest.raises(InvalidInput, match=r"undamaged file|as many bytes"):
        load_npz(io.BytesIO(data), max_bytes=8 * 10**9)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 200_000  # kilobytes


@settings(max_examples=300)
@given(st.data())
def test_damaged_bytes_never_raise_anything_else(data: st.DataObject) -> None:
    file = io.BytesIO()
    save_npz(file, {"a": np.arange(5.0), "b": np.ones((2, 2), dtype=bool)})
    content = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        arrays = load_npz(io.BytesIO(bytes(content)), max_bytes=10_000)
    except InvalidInput:
        return
    assert all(array.nbytes <= 10_000 for array in arrays.values())


@pytest.mark.parametrize(
    ("allowed", "match"),
    [
        ({"b": ("f", 1)}, r"must hold only the arrays \['b'\]; got 'a'"),
        ({"a": ("iu", 1)}, "must hold an array of kind i or u; got float64 \\('a' in"),
        ({"a": ("f", 2)}, r"must hold an array with 2 dimension\(s\); got shape \(2,\) \('a' in"),
    ],
)
def test_only_what_is_allowed(allowed: dict[str, tuple[str, int]], match: str) -> None:
    assert list(load_npz(io.BytesIO(GOOD), max_bytes=10_000, allowed={"a": ("f", 1), "b": ("i", 3)})) == ["a"]
    with pytest.raises(InvalidInput, match=match):
        load_npz(io.BytesIO(GOOD), max_bytes=10_000, allowed=allowed)


def test_paths(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"`path` must be an existing file; got '.*none\.npz'"):
        load_npz(tmp_path / "none.npz", max_bytes=10_000)
    with pytest.raises(InvalidInput, match="`path` must be an existing file"):
        load_npz(tmp_path, max_bytes=10_000)
    path = tmp_path / "good.npz"
    path.write_bytes(GOOD)
    assert load_npz(str(path), max_bytes=10_000)["a"].tolist() == [1.0, 2.0]
    with pytest.raises(InvalidInput, match=rf"at most 100 bytes; got {len(GOOD)} bytes \(.*good\.npz\)"):
        load_npz(path, max_bytes=100)


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(GOOD)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InvalidInput, match=r"`path` must be a readable file; got .* \(Permission denied\)"):
        load_npz(path, max_bytes=10_000)


def test_single_array_files(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(6.0).reshape(2, 3))
    assert load_npy(path, max_bytes=1000, kinds="f", ndim=2).tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    with pytest.raises(InvalidInput, match="at most 100 bytes"):
        load_npy(path, max_bytes=100)
    with pytest.raises(InvalidInput, match="kind i; got float64"):
        load_npy(path, max_bytes=1000, kinds="i")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InvalidInput, match="as many bytes as the header states"):
        load_npy(path, max_bytes=1000)
    path.write_bytes(TEN_GB)
    with pytest.raises(InvalidInput, match=r"\(10000000000 bytes\) in 0 bytes"):
        load_npy(path, max_bytes=2**40)
