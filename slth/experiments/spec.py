"""The specification of a sweep: a TOML file, checked as a whole, and the cells that it stands for."""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from slth.errors import InvalidInput
from slth.experiments.bins import eps_of_load
from slth.experiments.cell import Cell, trials_in
from slth.experiments.trial import edge_of
from slth.laws.named import law_by_name

MAX_BYTES = 1 << 20
MAX_CELLS = 1_000_000

Positive = Annotated[int, Field(ge=1)]
Tolerance = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Density = Annotated[float, Field(gt=0, le=1)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Steps(_Strict):
    """An arithmetic progression of sizes, both ends included."""

    first: Positive = Field(alias="from")
    last: Positive = Field(alias="to")
    step: Positive = 1

    @property
    def values(self) -> list[int]:
        """The sizes."""
        return list(range(self.first, self.last + 1, self.step))


class BlockLength(_Strict):
    """How much work a block is: seconds by the model of the cost, or a number of trials."""

    seconds: Annotated[float, Field(gt=0, le=3600)] | None = None
    trials: Annotated[int, Field(ge=1, le=1 << 22)] | None = None

    @model_validator(mode="after")
    def _one(self) -> BlockLength:
        if (self.seconds is None) == (self.trials is None):
            raise PydanticCustomError("block", "must give exactly one of seconds and trials")
        return self


class Grid(_Strict):
    """All combinations of the lists: each is a cell.

    Instead of eps, `load` gives the number of subsets expected to hit the end of the range (or the target); eps
    is then the nearest edge of the bins.
    """

    event: Literal["hit", "cover", "closest", "radius"]
    n: list[Positive] | Steps
    law: list[Literal["uniform", "normal", "product"]] = ["uniform"]
    k: list[Positive] | None = None
    gamma: list[Density] | None = None
    eps: list[Tolerance] | None = None
    load: list[Tolerance] | None = None
    target: list[Number | Literal["edge", "uniform"]] | None = None
    range: list[Tolerance | Literal["edge"]] | None = None
    selection: Literal["subset", "one-per-block"] = "subset"
    trials: Positive | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _everything(cls, data: Any, handler: Any) -> Any:
        """Report rules between fields together with mistakes in single fields."""
        mistakes: list[InitErrorDetails] = []
        grid = None
        try:
            grid = handler(data)
        except ValidationError as error:
            mistakes += [
                InitErrorDetails(
                    type=PydanticCustomError(e["type"], "{text}", {"text": e["msg"]}),
                    loc=e["loc"],
                    input=e["input"],
                )
                for e in error.errors()
            ]
        if isinstance(data, dict):
            mistakes += [
                InitErrorDetails(type=PydanticCustomError("rule", "{text}", {"text": t}), loc=(), input=None)
                for t in _rules(data)
            ]
        if mistakes:
            raise ValidationError.from_exception_data(cls.__name__, mistakes)
        return grid

    def cells(self, seed: int) -> list[Cell]:
        """The cells, in the order of the lists."""
        sizes = self.n.values if isinstance(self.n, Steps) else self.n
        pairs = [
            (n, k)
            for n in sizes
            for k in (self.k if self.k is not None else [max(1, round(g * n)) for g in self.gamma or []])
        ]
        where: list[float | str] = list(self.target or self.range or ["edge"])
        found = []
        for law, (n, k), w in itertools.product(self.law, pairs, where):
            tolerances: list[float | None] = [*self.eps] if self.eps is not None else [None]
            if self.load is not None:
                place = edge_of(law_by_name(law), k) if isinstance(w, str) else w
                tolerances = [
                    *dict.fromkeys(eps_of_load(load, n, k, place, law_by_name(law)) for load in self.load)
                ]
            found += [Cell(self.event, law, n, k, eps, w, self.selection, seed) for eps in tolerances]
        return found


class Spec(_Strict):
    """A sweep: grids of cells, and how many trials each gets.

    Attributes
    ----------
    name : str
    seed : int
        0 <= seed < 2**64; part of the identity of every cell.
    trials : int
        At least so many per cell, in whole blocks.
    block : BlockLength
    grid : list of Grid
    """

    name: str = "sweep"
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0
    trials: Positive = 1000
    block: BlockLength = BlockLength(seconds=2.0)
    grid: Annotated[list[Grid], Field(min_length=1)]

    def plan(self) -> list[tuple[Cell, int, int]]:
        """(cell, trials, trials per block) of each cell once, in order; more trials win.

        Raises
        ------
        InvalidInput
            If cells break rules of their own (k > n and so on), all listed.
        """
        wanted: dict[Cell, int] = {}
        mistakes: dict[str, None] = {}
        for place, grid in enumerate(self.grid):
            cells = grid.cells(self.seed)
            if not cells or len(wanted) + len(cells) > MAX_CELLS:
                mistakes[f"grid {place + 1}: must stand for 1 to {MAX_CELLS} cells; got {len(cells)}"] = None
                continue
            for cell in cells:
                try:
                    cell.experiment()
                except InvalidInput as error:
                    mistakes[f"grid {place + 1}: {str(error).rstrip('.')} (n={cell.n}, k={cell.k})"] = None
                else:
                    wanted[cell] = max(wanted.get(cell, 0), grid.trials or self.trials)
        if mistakes:
            raise InvalidInput(_listed(list(mistakes)))
        return [(cell, trials, min(trials, self._cut(cell))) for cell, trials in wanted.items()]

    def _cut(self, cell: Cell) -> int:
        if self.block.trials is not None:
            return self.block.trials
        return trials_in(self.block.seconds or 0.0, cell.experiment())


def read_spec(path: Path) -> Spec:
    """Read and check a specification; every mistake is listed at once.

    Parameters
    ----------
    path : Path
        A TOML file.

    Raises
    ------
    InvalidInput
        If it cannot be read or breaks a rule.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InvalidInput(f"`spec` must be smaller than {MAX_BYTES} bytes; {path} is not.")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"cannot read {path}: {error}.") from None
    return parse_spec(text, str(path))


def parse_spec(text: str, place: str = "the text") -> Spec:
    """Check a specification given as text.

    Raises
    ------
    InvalidInput
        If it is not TOML or breaks a rule.

    Examples
    --------
    >>> spec = parse_spec('[[grid]]\\nevent = "hit"\\nn = [20]\\nk = [4, 5]\\neps = [0.01]')
    >>> [(cell.n, cell.k, trials) for cell, trials, _ in spec.plan()]
    [(20, 4, 1000), (20, 5, 1000)]
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{place} must be TOML: {error}.") from None
    try:
        spec = Spec.model_validate(data)
    except ValidationError as error:
        raise InvalidInput(_listed([_line(e["loc"], e["msg"]) for e in error.errors()], place)) from None
    spec.plan()
    return spec


def _rules(data: dict[str, Any]) -> list[str]:
    """Rules between the fields of a grid that are broken, from the raw data."""
    event = data.get("event")
    found = []
    if ("k" in data) == ("gamma" in data):
        found.append("must give exactly one of k and gamma")
    if event in ("hit", "cover") and ("eps" in data) == ("load" in data):
        found.append(f"must give exactly one of eps and load for the event {event!r}")
    if event in ("closest", "radius") and ("eps" in data or "load" in data):
        found.append(f"must not give eps or load for the event {event!r}, which measures it")
    if event in ("hit", "closest") and "range" in data:
        found.append(f"must give a target, not a range, for the event {event!r}")
    if event in ("cover", "radius") and "target" in data:
        found.append(f"must give a range, not a target, for the event {event!r}")
    return found


def _line(place: tuple[int | str, ...], text: str) -> str:
    words: list[str] = []
    for part in place:
        if isinstance(part, int):
            words[-1] += f" {part + 1}"
        elif not part.endswith(("]", "Steps", "float", "int")) and "[" not in part:
            words.append(part)
    return f"{', '.join(words) or 'spec'}: {text[:1].lower()}{text[1:]}"


def _listed(mistakes: list[str], place: str = "the specification") -> str:
    unique = list(dict.fromkeys(mistakes))
    if len(unique) == 1:
        return f"{place} has a mistake: {unique[0]}."
    return f"{place} has {len(unique)} mistakes:\n" + "\n".join(f"  - {text}" for text in unique)
