"""Owns the table in which curves travel: long format, frozen, to and from JSON and CSV without loss."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from slth._typing import FloatArray
from slth._validate import read_only
from slth.errors import InvalidInput

WORDS = ("curve", "variant", "note")
NUMBERS = ("gamma", "overparameterization", "k", "n")
COLUMNS = ("curve", "variant", "gamma", "overparameterization", "k", "n", "note")
SCHEMA = "slth/density-table/1"


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of curves: each row is one point of one curve.

    Attributes
    ----------
    columns : mapping
        `curve`, `variant`, `note`: tuples of str. `gamma`, `overparameterization`, `k`, `n`: read-only float64
        arrays, nan where a row has no such number. All of one length.
    meta : mapping
        The parameters that the table was computed with, JSON-ready.
    """

    columns: Mapping[str, Any]
    meta: Mapping[str, Any]

    def __post_init__(self) -> None:
        if set(self.columns) != set(COLUMNS):
            raise InvalidInput(f"`columns` must be {', '.join(COLUMNS)}; got {', '.join(self.columns)}.")
        if len({len(column) for column in self.columns.values()}) > 1:
            lengths = {name: len(column) for name, column in self.columns.items()}
            raise InvalidInput(f"`columns` must have one length; got {lengths}.")
        frozen: dict[str, Any] = {}
        for name in COLUMNS:
            column = self.columns[name]
            if name in WORDS:
                frozen[name] = tuple(str(item) for item in column)
            else:
                frozen[name] = read_only(np.array(column, dtype=np.float64))
        object.__setattr__(self, "columns", MappingProxyType(frozen))
        object.__setattr__(self, "meta", MappingProxyType(dict(self.meta)))

    def __len__(self) -> int:
        return len(self.columns["curve"])

    @property
    def curves(self) -> tuple[tuple[str, str], ...]:
        """The (curve, variant) pairs, in order of appearance."""
        pairs = zip(self.columns["curve"], self.columns["variant"], strict=True)
        return tuple(dict.fromkeys(pairs))

    def rows(self, curve: str, variant: str | None = None) -> Table:
        """The rows of one curve, as a table.

        Parameters
        ----------
        curve : str
            Its name.
        variant : str, optional
            One variant only; default: all of them.

        Raises
        ------
        InvalidInput
            If there is no such curve.
        """
        keep = [
            i
            for i in range(len(self))
            if self.columns["curve"][i] == curve and variant in (None, self.columns["variant"][i])
        ]
        if not keep:
            known = ", ".join(f"{name}/{kind}" if kind else name for name, kind in self.curves)
            raise InvalidInput(f"`curve` must be one of {known}; got {curve!r}, variant {variant!r}.")
        picked = {name: [column[i] for i in keep] for name, column in self.columns.items()}
        return Table(picked, self.meta)

    def column(self, name: str) -> FloatArray:
        """A column of numbers.

        Parameters
        ----------
        name : {"gamma", "overparameterization", "k", "n"}
        """
        if name not in NUMBERS:
            raise InvalidInput(f"`name` must be one of {', '.join(NUMBERS)}; got {name!r}.")
        values: FloatArray = self.columns[name]
        return values

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready copy; nan becomes None."""
        columns = {
            name: list(column) if name in WORDS else [None if math.isnan(x) else float(x) for x in column]
            for name, column in self.columns.items()
        }
        return {"schema": SCHEMA, "meta": dict(self.meta), "columns": columns}

    def to_json(self) -> str:
        """The table as JSON text; `from_json` gives back every bit."""
        return json.dumps(self.to_dict(), indent=1, sort_keys=True, allow_nan=False) + "\n"

    @staticmethod
    def from_json(text: str) -> Table:
        """Read what `to_json` wrote.

        Raises
        ------
        InvalidInput
            If the text is not such a table.
        """
        try:
            data = json.loads(text)
            if data["schema"] != SCHEMA:
                raise InvalidInput(f"`text` must have schema {SCHEMA!r}; got {data['schema']!r}.")
            return Table(dict(data["columns"]), dict(data["meta"]))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if isinstance(error, InvalidInput):
                raise
            raise InvalidInput(f"`text` must be a density table in JSON; got {error!r}.") from None

    def to_csv(self) -> str:
        """The table as CSV; the first line, a comment, holds the parameters as JSON."""
        out = io.StringIO()
        out.write("# " + json.dumps({"schema": SCHEMA, "meta": dict(self.meta)}, sort_keys=True) + "\n")
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for i in range(len(self)):
            writer.writerow([_cell(self.columns[name][i]) for name in COLUMNS])
        return out.getvalue()

    @staticmethod
    def from_csv(text: str) -> Table:
        """Read what `to_csv` wrote.

        Raises
        ------
        InvalidInput
            If the text is not such a table.
        """
        try:
            first, rest = text.split("\n", 1)
            head = json.loads(first.removeprefix("# "))
            rows = list(csv.reader(io.StringIO(rest)))
            if head["schema"] != SCHEMA or rows[0] != list(COLUMNS):
                raise InvalidInput(f"`text` must start with schema {SCHEMA!r} and the columns; got {first!r}.")
            columns: dict[str, Sequence[Any]] = {
                name: [row[j] if name in WORDS else float(row[j] or "nan") for row in rows[1:]]
                for j, name in enumerate(COLUMNS)
            }
            return Table(columns, head["meta"])
        except (ValueError, TypeError, KeyError, IndexError) as error:
            if isinstance(error, InvalidInput):
                raise
            raise InvalidInput(f"`text` must be a density table in CSV; got {error!r}.") from None


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if math.isnan(value) else repr(float(value))
