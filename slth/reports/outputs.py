"""Outputs appear complete or not at all: written beside their final place and renamed at the end."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slth.errors import InvalidInput, OutputExists
from slth.tickets import storage

REPORT_SCHEMA = "slth/report/1"
SUMMARY = "summary.json"


def refuse_existing(path: Path, *, overwrite: bool = False, folder: bool = False) -> None:
    """Raise OutputExists if `path` stands; with `overwrite`, only if it is not ours to replace."""
    if not path.parent.is_dir():
        raise InvalidInput(f"the folder {path.parent} must exist to write {path.name}. Create it first.")
    if not os.path.lexists(path):
        return
    if not overwrite:
        raise OutputExists(f"{path} exists already. Remove it or choose another place.")
    if folder and not _is_report(path):
        raise OutputExists(f"{path} is not a report of slth, so it is not replaced. Choose another place.")
    if not folder and not path.is_file():
        raise OutputExists(f"{path} is not a file, so it is not replaced. Choose another place.")


@contextmanager
def new_folder(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary sibling of `path` that becomes `path` if the block ends well, and vanishes otherwise."""
    refuse_existing(path, overwrite=overwrite, folder=True)
    if not os.path.lexists(path):
        with storage.new_folder(path) as partial:
            yield partial
        return
    fresh, old = _beside(path, "new"), _beside(path, "old")
    with storage.new_folder(fresh) as partial:
        yield partial
    try:
        path.rename(old)
        fresh.rename(path)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(old)


def write_file(path: Path, content: bytes, *, overwrite: bool = False) -> None:
    """Write `content` to `path` in one step."""
    refuse_existing(path, overwrite=overwrite)
    partial = _beside(path, "partial")
    try:
        partial.write_bytes(content)
        if overwrite:
            partial.replace(path)
        else:
            try:
                os.link(partial, path)  # unlike rename, fails if somebody else wrote `path` meanwhile
            except FileExistsError:
                raise OutputExists(f"{path} exists already. Remove it or choose another place.") from None
            except OSError:  # a file system without hard links
                partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _beside(path: Path, what: str) -> Path:
    whole = Path(os.path.abspath(path))
    return whole.with_name(f".{whole.name}.{os.getpid()}.{what}")


def _is_report(path: Path) -> bool:
    try:
        return bool(json.loads((path / SUMMARY).read_text(encoding="utf-8"))["schema"] == REPORT_SCHEMA)
    except (OSError, ValueError, KeyError, TypeError):
        return False
