"""Arrays in .npz files: written with reproducible bytes, read as hostile (no pickle, sizes bounded first)."""

from __future__ import annotations

import io
import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from slth.errors import InvalidInput

# zlib's own choice: the highest makes files 1 to 8 % smaller, in six times the time.
_LEVEL = 6
MAX_HEADER = 4096
MAX_DIRECTORY = 2**20
KINDS = "fiub"
_END = struct.Struct("<4s4H2LH")
_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,255}")
_HEADER = re.compile(
    r"\{\s*'descr':\s*'(?P<descr>[^']{1,20})',\s*'fortran_order':\s*(?P<order>True|False),"
    r"\s*'shape':\s*\((?P<shape>[0-9, ]*)\),?\s*\}\s*"
)

Array = npt.NDArray[Any]
Allowed = Mapping[str, tuple[str, int]]


def save_npz(path_or_file: str | os.PathLike[str] | IO[bytes], arrays: Mapping[str, Array]) -> None:
    """Write arrays to a compressed .npz whose bytes depend on names and contents only (not on the clock).

    Entries stand in the order of their names. A file given by path appears complete or not at all, replacing
    an older one. Bytes are equal wherever the same version of zlib compresses.

    Parameters
    ----------
    path_or_file : path or binary file
        Where to write.
    arrays : mapping of str to array
        Floats, integers or booleans; names of letters, digits, ``_ . -``.

    Raises
    ------
    InvalidInput
        If a name or a dtype is not among those.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(arrays):
            array = np.asarray(arrays[name])
            if not _NAME.fullmatch(name):
                raise InvalidInput(
                    f"`arrays` must have names of letters, digits, '_', '.', '-'; got {name!r:.80}."
                )
            if array.dtype.kind not in KINDS:
                raise InvalidInput(
                    f"`arrays` must be floats, integers or booleans; got {array.dtype} ({name!r})."
                )
            content = io.BytesIO()
            ordered = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
            np.lib.format.write_array(content, ordered, version=(1, 0), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # the same on every platform
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content.getvalue(), compresslevel=_LEVEL)
    if not isinstance(path_or_file, (str, os.PathLike)):
        path_or_file.write(buffer.getvalue())
        return
    path = Path(path_or_file)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(buffer.getvalue())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load_npz(
    path: str | os.PathLike[str] | IO[bytes], *, max_bytes: int, allowed: Allowed | None = None
) -> dict[str, Array]:
    """Read the arrays of an .npz file, checking every stated size before anything of that size is allocated.

    Parameters
    ----------
    path : path or seekable binary file
        The file.
    max_bytes : int
        Limit on the file's size and on the total size of its arrays.
    allowed : mapping of str to (kinds, ndim), optional
        Names that may occur, each with its permitted dtype kinds (letters of ``"fiub"``) and number of
        dimensions; none of them is required. Default: any names, floats, integers and booleans.

    Returns
    -------
    dict of str to array
        Native byte order, C order, in the order of names.

    Raises
    ------
    InvalidInput
        If the file is missing, too large, no plain zip archive, truncated or damaged (checksums), or holds
        anything but arrays as allowed.
    """
    with _opened(path) as (file, label), _explained(label):
        _check_directory(file, label, max_bytes)
        with zipfile.ZipFile(file) as archive:
            entries = _entries(archive, label, max_bytes, allowed)
            arrays = {}
            for name, entry in sorted(entries.items()):
                kinds, ndim = (KINDS, None) if allowed is None else allowed[name]
                with archive.open(entry) as stream:
                    where = f"{name!r} in {label}"
                    arrays[name] = _read_array(stream, entry.file_size, where, kinds, ndim)
            return arrays


def load_npy(
    path: str | os.PathLike[str] | IO[bytes], *, max_bytes: int, kinds: str = KINDS, ndim: int | None = None
) -> Array:
    """Read the one array of an .npy file under the rules of `load_npz`."""
    with _opened(path) as (file, label), _explained(label):
        size = file.seek(0, os.SEEK_END)
        if size > max_bytes:
            raise InvalidInput(
                f"`path` must be a file of at most {max_bytes} bytes; got {size} bytes ({label})."
            )
        file.seek(0)
        return _read_array(file, size, label, kinds, ndim)


@contextmanager
def _opened(path: str | os.PathLike[str] | IO[bytes]) -> Iterator[tuple[IO[bytes], str]]:
    if not isinstance(path, (str, os.PathLike)):
        yield path, str(getattr(path, "name", "the given file"))
        return
    if not Path(path).is_file():
        raise InvalidInput(f"`path` must be an existing file; got {os.fspath(path)!r}.")
    try:
        with Path(path).open("rb") as file:
            yield file, str(path)
    except OSError as error:
        raise InvalidInput(
            f"`path` must be a readable file; got {os.fspath(path)!r} ({error.strerror})."
        ) from None


@contextmanager
def _explained(label: str) -> Iterator[None]:
    """Turn what the zip and zlib modules raise on damaged files into InvalidInput."""
    try:
        yield
    except InvalidInput:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        struct.error,
        OSError,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ) as error:
        raise InvalidInput(f"`path` must be an undamaged file of arrays; got {label} ({error}).") from None


def _check_directory(file: IO[bytes], label: str, max_bytes: int) -> None:
    """Bound what the zip module will read before it has checked anything: the directory of the archive."""
    size = file.seek(0, os.SEEK_END)
    if size > max_bytes:
        raise InvalidInput(f"`path` must be a file of at most {max_bytes} bytes; got {size} bytes ({label}).")
    file.seek(max(0, size - _END.size - 20))
    tail = file.read()
    fields = _END.unpack(tail[-_END.size :]) if len(tail) >= _END.size else (b"",)
    if fields[0] != b"PK\5\6" or fields[7] != 0:
        raise InvalidInput(
            f"`path` must be an .npz file (a zip archive of arrays, without comment); got {label}, "
            "which is none or is truncated."
        )
    if tail[:4] == b"PK\6\7" or fields[5] > MAX_DIRECTORY:
        raise InvalidInput(f"`path` must have a zip directory of at most {MAX_DIRECTORY} bytes; got {label}.")
    file.seek(0)


def _entries(
    archive: zipfile.ZipFile, label: str, max_bytes: int, allowed: Allowed | None
) -> dict[str, zipfile.ZipInfo]:
    entries: dict[str, zipfile.ZipInfo] = {}
    total = 0
    for entry in archive.infolist():
        name = entry.filename.removesuffix(".npy")
        if name == entry.filename or not _NAME.fullmatch(name):
            raise InvalidInput(f"`path` must hold only arrays NAME.npy; got {entry.filename!r:.80} in {label}.")
        if name in entries:
            raise InvalidInput(f"`path` must hold each array once; got {name!r} twice in {label}.")
        if allowed is not None and name not in allowed:
            raise InvalidInput(f"`path` must hold only the arrays {sorted(allowed)}; got {name!r} in {label}.")
        if entry.flag_bits & 0x1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InvalidInput(
                f"`path` must hold stored or deflated arrays; got {name!r} otherwise in {label}."
            )
        total += entry.file_size
        if total > max_bytes:
            raise InvalidInput(
                f"`path` must unpack to at most {max_bytes} bytes; got {total} up to {name!r} in {label}."
            )
        entries[name] = entry
    return entries


def _read_array(stream: IO[bytes], size: int, where: str, kinds: str, ndim: int | None) -> Array:
    """The array in a stream of exactly `size` bytes."""
    prefix = stream.read(10)
    if prefix[:8] != b"\x93NUMPY\x01\x00" or len(prefix) < 10:
        raise InvalidInput(f"`path` must hold arrays in .npy format 1.0; got {where}.")
    length = int.from_bytes(prefix[8:10], "little")
    header = stream.read(length) if length <= MAX_HEADER else b""
    match = _HEADER.fullmatch(header.decode("latin-1"))
    if match is None:
        raise InvalidInput(f"`path` must hold plain arrays (no records); got another header ({where}).")
    descr = match["descr"]
    if not re.fullmatch(r"[<>|=](f[248]|[iu][1248]|b1)", descr):
        raise InvalidInput(
            f"`path` must hold arrays of floats, integers or booleans; got dtype {descr!r} ({where})."
        )
    dtype = np.dtype(descr)
    if dtype.kind not in kinds:
        raise InvalidInput(f"`path` must hold an array of kind {' or '.join(kinds)}; got {dtype} ({where}).")
    shape = tuple(int(part) for part in match["shape"].split(",") if part.strip())
    if ndim is not None and len(shape) != ndim:
        raise InvalidInput(f"`path` must hold an array with {ndim} dimension(s); got shape {shape} ({where}).")
    stated = math.prod(shape) * dtype.itemsize
    if len(shape) > 32 or stated != size - 10 - length:
        raise InvalidInput(
            f"`path` must hold as many bytes as the header states; got shape {shape} of {dtype} "
            f"({stated} bytes) in {max(0, size - 10 - length)} bytes ({where})."
        )
    content = stream.read(stated)
    if len(content) != stated or stream.read(1):  # reading past the end also compares the checksum
        raise InvalidInput(
            f"`path` must hold as many bytes as the header states; got a truncated array ({where})."
        )
    flat = np.frombuffer(content, dtype=dtype)
    array = flat.reshape(shape, order="F" if match["order"] == "True" else "C")
    return np.array(array, dtype=dtype.newbyteorder("="), order="C")
