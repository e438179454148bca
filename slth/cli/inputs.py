"""How the command line reads its arguments: samples, subset sizes, target networks, domains, seeds."""

from __future__ import annotations

import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from cyclopts import Parameter

from slth._typing import FloatArray
from slth._validate import as_floats, as_real, as_seed
from slth.errors import InvalidInput

if TYPE_CHECKING:
    from slth.networks.network import Network

MAX_FILE_BYTES = 1 << 30
# Targets that are no files, by the name that `slth.examples.digits.digits` gives them.
EXAMPLES = {
    "digits": "dense",
    "digits-cnn": "cnn",
    "digits-residual": "residual",
    "digits-d4": "d4",
    "digits-784": "784",
}


@Parameter(name="*")
@dataclass(frozen=True)
class Reading:
    """How a target network is read from its file.

    Parameters
    ----------
    input_shape
        Shape of one input, such as 64 or 1x28x28, where the file does not say.
    architecture
        Layers of an .npz or .safetensors file, such as "conv 8 3x3 pad 1 | relu | flatten | dense 10".
    output
        logits cuts a soft-max at the end.
    """

    input_shape: str | None = None
    architecture: str | None = None
    output: Literal["logits"] | None = None


READING = Reading()


def read_target(target: str, how: Reading = READING) -> Network:
    """The network of a file, or of a shipped example: digits, digits-cnn, digits-residual, digits-d4,
    digits-784."""
    from slth.readers.read import read

    if target in EXAMPLES:
        from slth.examples.digits import digits

        return digits(EXAMPLES[target]).network
    shape = _shape(how.input_shape)
    return read(Path(target), input_shape=shape, architecture=how.architecture, output=how.output)


def parse_k(text: str) -> int | tuple[int, int] | None:
    """Read a subset size: "5" exactly, "3:7" a range with both ends, "any"."""
    if text == "any":
        return None
    parts = text.split(":")
    try:
        numbers = [int(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) == 1:
        return numbers[0]
    if len(numbers) == 2:
        return numbers[0], numbers[1]
    raise InvalidInput(f"`-k` must be a size like 5, a range like 3:7, or any; got {text!r}.")


def read_samples(arguments: tuple[str, ...]) -> FloatArray:
    """Samples from numbers on the command line, from one file (.npy .npz .txt .csv), or from stdin ("-")."""
    if len(arguments) == 1 and not _is_number(arguments[0]):
        if arguments[0] == "-":
            values = _parse_text(sys.stdin.read(), "stdin")
        else:
            values = _read_file(Path(arguments[0]))
    else:
        values = np.array([_number(text, f"argument {place + 1}") for place, text in enumerate(arguments)])
    samples = as_floats(values, "samples", ndim=1)
    if not samples.size:
        raise InvalidInput(
            "`samples` must hold at least one number; got none. Give numbers, a file, or - for stdin."
        )
    return samples


def parse_domain(text: str, size: int) -> Any:
    """Read a domain: "box:LOW:HIGH", "ball:RADIUS", or a .json file in the form that tickets store."""
    from slth.networks.domain import Domain

    kind, _, rest = text.partition(":")
    if kind == "box":
        ends = rest.split(":")
        if len(ends) == 2 and all(_is_number(end) for end in ends):
            return Domain.box(float(ends[0]), float(ends[1]), size=size)
    elif kind == "ball":
        if _is_number(rest):
            return Domain.ball(as_real(float(rest), "radius", low=0.0), size=size)
    elif Path(text).suffix == ".json":
        return Domain.from_json(read_json(Path(text)))
    raise InvalidInput(f"`--domain` must be box:LOW:HIGH, ball:RADIUS or a .json file; got {text!r}.")


def read_json(path: Path) -> Any:
    """Parse a JSON file of bounded size."""
    import json

    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidInput(f"{path} is larger than {MAX_FILE_BYTES} bytes.")
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, RecursionError, ValueError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"cannot read {path} as JSON: {_why(error)}.") from None


def _shape(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split("x"))
    except ValueError:
        raise InvalidInput(
            f"`--input-shape` must be numbers joined by x, such as 1x28x28; got {text!r}."
        ) from None


def number_or_word(text: str) -> float | str:
    """A number where the text is one."""
    try:
        return float(text)
    except ValueError:
        return text


def seed_words(seed: int, drawn: bool) -> str:
    """The seed, and that it was drawn, if it was."""
    return f"{seed}{' (drawn now; give it to repeat this run)' if drawn else ''}"


def choose_seed(seed: int | None) -> tuple[int, bool]:
    """The seed to use, and whether it was drawn here (then the command prints it)."""
    return as_seed(seed), seed is None


def _read_file(path: Path) -> FloatArray:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidInput(f"{path} is larger than {MAX_FILE_BYTES} bytes.")
        if path.suffix == ".npy":
            return np.asarray(np.load(path, allow_pickle=False))
        if path.suffix == ".npz":
            return _read_npz(path)
        if path.suffix in (".txt", ".csv", ""):
            return _parse_text(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError, zipfile.BadZipFile, EOFError, KeyError, ValueError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"cannot read samples from {path}: {_why(error)}.") from None
    raise InvalidInput(f"`samples` must be numbers, -, or a .npy, .npz, .txt or .csv file; got {str(path)!r}.")


def _read_npz(path: Path) -> FloatArray:
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MAX_FILE_BYTES:
            raise InvalidInput(f"{path} unpacks to more than {MAX_FILE_BYTES} bytes.")
    with np.load(path, allow_pickle=False) as arrays:
        names = arrays.files
        if "samples" in names:
            return np.asarray(arrays["samples"])
        if len(names) == 1:
            return np.asarray(arrays[names[0]])
    raise InvalidInput(
        f"{path} must hold one array, or one named samples; it holds {', '.join(names) or 'none'}."
    )


def _parse_text(text: str, place: str) -> FloatArray:
    numbers: list[float] = []
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.split("#", 1)[0].replace(",", " ").replace(";", " ")
        numbers += [_number(word, f"line {number} of {place}") for word in content.split()]
    return np.array(numbers, dtype=np.float64)


def _number(text: str, place: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(f"`samples` must be numbers; got {text!r} ({place}).") from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _why(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def parse_shard(text: str | None) -> tuple[int, int] | None:
    """The numbers of "i/n"; None stays None."""
    if text is None:
        return None
    parts = text.split("/")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise InvalidInput(f"`--shard` must be i/n like 2/8; got {text!r}.")
    return int(parts[0]), int(parts[1])
