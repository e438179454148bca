"""The ledgers that come with the package, each beside the specification that made it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from slth._validate import as_choice

LEDGERS = ("thresholds", "predictors", "density", "frontier")


def shipped_ledger(name: str) -> Path:
    """The ledger called `name`; NAME.toml beside it is its specification and says how it was run.

    Parameters
    ----------
    name : {"thresholds", "predictors", "density", "frontier"}
    """
    return Path(str(files("slth.experiments") / "data" / f"{as_choice(name, 'name', LEDGERS)}.sqlite"))
