"""Every paper that a docstring or a bound cites stands in references.bib."""

from __future__ import annotations

import re
from pathlib import Path

from slth.theory.bounds import available_bounds

ROOT = Path(__file__).resolve().parents[2] / "slth"
KEYS = set(re.findall(r"^@\w+\{([^,]+),", (ROOT / "theory" / "references.bib").read_text(), re.MULTILINE))


def cited() -> set[str]:
    found: set[str] = set()
    for path in ROOT.rglob("*.py"):
        found |= set(re.findall(r"\[([a-z]+(?:19|20)\d\d[a-z]?)\]", path.read_text()))
    for item in available_bounds():
        found |= set(re.findall(r"[a-z]+(?:19|20)\d\d[a-z]?", item["source"]))
    return found


def test_cited_keys_exist() -> None:
    assert cited() - KEYS == set()
    assert {"natale2024", "malach2020", "pensia2020"} <= cited()


def test_no_key_is_idle() -> None:
    assert KEYS - cited() == set()


def test_entries_are_complete() -> None:
    text = (ROOT / "theory" / "references.bib").read_text()
    for entry in re.split(r"^@", text, flags=re.MULTILINE)[1:]:
        for item in ("author", "title", "year"):
            assert re.search(rf"^\s*{item} = \{{.+\}}", entry, re.MULTILINE), entry[:40]
