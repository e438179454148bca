"""The ledgers that come with the package, each beside the specification that made it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from slth._validate import as_choice

# Made by `slth sweep run NAME.toml`, which stands beside; the frontier is made by `slth frontier`.
SWEPT = ("thresholds", "confidence", "study", "predictors", "density")
LEDGERS = (*SWEPT, "frontier")


def shipped_ledger(name: str) -> Path:
    """The ledger called `name`; for sweeps NAME.toml beside it is its specification and says how it
    was run.

    Parameters
    ----------
    name : {"thresholds", "confidence", "study", "predictors", "density", "frontier"}
    """
    return Path(str(files("slth.experiments") / "data" / f"{as_choice(name, 'name', LEDGERS)}.sqlite"))
