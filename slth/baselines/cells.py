"""The cells of a study: what one unit of work is, its identity, and what it records.

A cell is filed under the sha256 of its canonical JSON; its payload is canonical JSON of integers, words and
hexadecimal floats. Times are kept apart, in the ledger's provenance.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from slth.baselines.architecture import architecture
from slth.baselines.constructed import construct, facts
from slth.baselines.edge_popup import edge_popup
from slth.baselines.frozen import Masked
from slth.baselines.gap import logarithms, measure_gap
from slth.baselines.magnitude import Pruning, Trained, iterative, one_shot, random_control
from slth.baselines.probability_mask import probability_mask, supermasks
from slth.baselines.training import Outcome, Recipe
from slth.errors import InvalidInput
from slth.experiments.cell import canonical_json

ITERATIVE, ONE_SHOT, RANDOM = "iterative", "one-shot", "random mask"
EDGE_POPUP, PROBABILITY, SUPERMASKS = "edge-popup", "probability mask", "supermasks"
CONSTRUCTED, GAP = "constructed", "gap"


@dataclass(frozen=True, slots=True)
class StudyCell:
    """One unit of work; fields that a method does not use are None.

    Attributes
    ----------
    method : str
        A key of `METHODS`.
    seed : int
    network : str, optional
        Architecture that is trained or masked.
    density : float, optional
        Of the mask; k / n for a constructed ticket without k.
    source : str, optional
        Kind of frozen weights; family of tiny tasks for the gap.
    pruning, recipe : Pruning, Recipe, optional
    k, n, trials, steps : int, optional
    eps : float, optional
    densities : tuple of float, optional
    """

    method: str
    seed: int
    network: str | None = None
    density: float | None = None
    source: str | None = None
    pruning: Pruning | None = None
    recipe: Recipe | None = None
    k: int | None = None
    n: int | None = None
    trials: int | None = None
    steps: int | None = None
    eps: float | None = None
    densities: tuple[float, ...] | None = None

    @property
    def canonical(self) -> str:
        """Canonical JSON of the fields in use."""
        content: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                content[field.name] = _plain(asdict(value) if isinstance(value, (Pruning, Recipe)) else value)
        return canonical_json(content)

    @property
    def digest(self) -> str:
        """sha256 of `canonical`, hexadecimal."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()

    @staticmethod
    def from_canonical(text: str) -> StudyCell:
        """Read what `canonical` wrote.

        Raises
        ------
        InvalidInput
            If the text is not the canonical form of a cell of a study.
        """
        wrong = f"`text` must be a cell of a study in canonical JSON; got {text[:200]!r}"
        try:
            content = {name: parsed(value) for name, value in json.loads(text).items()}
            if "pruning" in content:
                content["pruning"] = Pruning(**content["pruning"])
            if "recipe" in content:
                content["recipe"] = Recipe(**content["recipe"])
            if "densities" in content:
                content["densities"] = tuple(content["densities"])
            cell = StudyCell(**content)
            known = cell.method in METHODS and cell.canonical == text
            if cell.network is not None:
                architecture(cell.network)
        except (ValueError, TypeError, AttributeError) as error:
            raise InvalidInput(f"{wrong} ({error}).") from None
        if not known:
            raise InvalidInput(f"{wrong}.")
        return cell


def run_cell(cell: StudyCell) -> str:
    """Do the work of a cell; its payload, the same on every run on one machine."""
    return canonical_json({"rows": METHODS[cell.method](cell)})


def _magnitude(
    chain: Callable[[str, int, Pruning | None, Recipe | None], Iterable[Trained]],
) -> Callable[[StudyCell], list[Any]]:
    def rows(cell: StudyCell) -> list[Any]:
        return [
            {
                "arm": ticket.arm,
                "round": ticket.round,
                "kept": list(ticket.kept),
                "trainings": ticket.trainings,
                **_outcome(ticket.outcome),
            }
            for ticket in chain(cell.network or "", cell.seed, cell.pruning, cell.recipe)
        ]

    return rows


def _masked(search: Callable[..., Masked]) -> Callable[[StudyCell], list[Any]]:
    def rows(cell: StudyCell) -> list[Any]:
        options: dict[str, Any] = {} if cell.recipe is None else {"recipe": cell.recipe}
        if cell.source is not None:
            options["source"] = cell.source
        found = search(cell.network, cell.density, cell.seed, **options)
        return [{"kept": list(found.kept), "unchanged": int(found.unchanged), **_outcome(found.outcome)}]

    return rows


def _supermasks(cell: StudyCell) -> list[Any]:
    return [
        {
            "criterion": name,
            "density": density.hex(),
            "constant": int(constant),
            "kept": [int(mask.sum()) for mask in masks],
            "test": counts[0],
            "train": counts[1],
            "agree": counts[2],
        }
        for name, density, constant, masks, _, counts in supermasks(
            cell.network or "", cell.densities or (), cell.seed, recipe=cell.recipe
        )
    ]


def _constructed(cell: StudyCell) -> list[Any]:
    shared: dict[str, Any] = {} if cell.density is None else {"subset_density": cell.density}
    return [facts(construct(cell.seed, cell.eps or 0.0, k=cell.k, **shared))]


def _gap(cell: StudyCell) -> list[Any]:
    options = {
        name: value for name, value in (("trials", cell.trials), ("steps", cell.steps)) if value is not None
    }
    found = measure_gap(cell.source or "", cell.n or 0, cell.seed, **options)
    names = ("exists", "visited", "last", "random")
    return [{"masks": found.masks, **{name: logarithms(getattr(found, name)).tolist() for name in names}}]


METHODS: dict[str, Callable[[StudyCell], list[Any]]] = {
    ITERATIVE: _magnitude(iterative),
    ONE_SHOT: _magnitude(one_shot),
    RANDOM: _magnitude(random_control),
    EDGE_POPUP: _masked(edge_popup),
    PROBABILITY: _masked(probability_mask),
    SUPERMASKS: _supermasks,
    CONSTRUCTED: _constructed,
    GAP: _gap,
}


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {name: _plain(value) for name, value in asdict(outcome).items()}


def _plain(value: Any) -> Any:
    """`value` with hexadecimal floats."""
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def parsed(value: Any) -> Any:
    """A value read from a payload, with hexadecimal floats as numbers."""
    if isinstance(value, str) and value.lstrip("-").startswith("0x"):
        return float.fromhex(value)
    if isinstance(value, dict):
        return {name: parsed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [parsed(item) for item in value]
    return value
