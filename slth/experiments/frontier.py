"""The driver of a frontier: for each subset density the smallest certified source, trial by trial, resumable.

A trial depends on its cell and number only, and the search on outcomes only: run again after any interruption,
it reads what the ledger has and goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from slth._typing import Progress
from slth._validate import as_fraction, as_integer, as_real
from slth.errors import CapacityExceeded, InvalidInput
from slth.experiments.cell import canonical_json
from slth.experiments.compression import quantised, ticket_code
from slth.experiments.executors import shard_index
from slth.experiments.frontier_cell import (
    CERTIFIED,
    NO_SOURCE,
    TICKET,
    FrontierCell,
    FrontierLedger,
    Recipe,
    attempt,
    build,
)
from slth.experiments.frontier_search import Look, search
from slth.experiments.frontier_theory import layer_facts
from slth.experiments.ledger import Block, versions
from slth.networks.domain import Domain
from slth.networks.network import Network
from slth.networks.slots import slots
from slth.networks.source import SourceLayer
from slth.tickets.arrangement import DIVIDED
from slth.tickets.check import check
from slth.tickets.layer import BLOCKS
from slth.tickets.problem import Problem
from slth.tickets.sizing import block_length, layer_size
from slth.tickets.ticket import Ticket

DENSITIES = (0.05, 0.1, 0.2, 0.35, 0.45)
# Trials at the predicted size until one is certified.
PREDICTIONS = 5
_SIZES = 8  # looked at for one density, as a rule


@dataclass(frozen=True)
class Frontier:
    """What is wanted: a target, its domain and error, the densities, and how much is tried.

    Attributes
    ----------
    target : Network
    domain : Domain
    eps : float
        Error of the output, certified, in the target's units.
    name : str
        Of the target, for tables and figures.
    scale : float or None
        Largest absolute output over data, where eps was given relative to it.
    densities : tuple of float
        Subset densities k / n, in (0, 1).
    recipe : Recipe
    trials : int
        At each size.
    share : float
        Of the trials that must be certified for a size to count as reached, in (0, 1].
    seed : int
        Of the frontier; trials draw theirs from it.
    """

    target: Network
    domain: Domain
    eps: float
    name: str = "target"
    scale: float | None = None
    densities: tuple[float, ...] = DENSITIES
    recipe: Recipe = field(default_factory=Recipe)
    trials: int = 10
    share: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        as_real(self.eps, "eps", low=0.0, open_low=True)
        as_integer(self.trials, "trials", low=1, high=10_000)
        as_real(self.share, "share", low=0.0, high=1.0, open_low=True)
        if not self.densities:
            raise InvalidInput("`densities` must hold at least one density; got none.")
        for density in self.densities:
            as_fraction(density, "densities")

    def cell(self, density: float, **rest: Any) -> FrontierCell:
        """The cell of a density: of the predicted size, or of the sizes in `rest`."""
        region = region_digest(self.domain)
        return FrontierCell(self.target.digest(), region, self.eps, density, self.recipe, self.seed, **rest)


def run_frontier(
    wanted: Frontier,
    path: Path,
    *,
    shard: tuple[int, int] | None = None,
    tickets: Path | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> list[str]:
    """Do the trials that the ledger lacks, and write each as it is finished.

    Parameters
    ----------
    wanted : Frontier
    path : Path
        The ledger; created, or taken up where it stands. Frontiers of several targets may share one.
    shard : (int, int), optional
        (i, n) with 1 <= i <= n: every n-th density only; join the ledgers afterwards.
    tickets : Path, optional
        Folder in which the ticket of each density is saved and checked from its files; those that are there are
        checked again.
    threads : int, optional
        Changes no result.
    progress : callable, optional
        Called as progress("frontier", trials done, trials in all, about).

    Returns
    -------
    list of str
        Folders of the tickets, all checked.

    Raises
    ------
    InvalidInput
        If an argument is outside its range.
    TicketDamaged
        If a saved ticket does not pass the check.
    """
    index, shards = shard_index(shard)
    mine = wanted.densities[index::shards]
    saved = []
    with FrontierLedger(path) as ledger:
        ledger.records()
        work = _Work(wanted, ledger, threads, progress, wanted.trials * _SIZES * len(mine))
        for place, density in enumerate(mine):
            best = work.density(density, len(mine) - place - 1)
            if best is None:
                continue
            folder = None if tickets is None else tickets / _folder_name(wanted, density)
            work.describe(*best, folder)
            if folder is not None:
                check(folder, wanted.target)
                saved.append(str(folder))
    return saved


class _Work:
    """One run: what is done goes into the ledger, what is there is not done again."""

    def __init__(
        self,
        wanted: Frontier,
        ledger: FrontierLedger,
        threads: int | None,
        progress: Progress | None,
        total: int,
    ) -> None:
        self.wanted, self.ledger, self.threads, self.progress = wanted, ledger, threads, progress
        self.done, self.total = 0, total
        self.run = ledger.add_run(versions())

    def density(self, density: float, later: int) -> tuple[FrontierCell, int] | None:
        """Search one density; the cell and trial whose ticket stands for it, None where nothing was reached."""
        predicted = self._prediction(density)
        if predicted is None:
            return None
        layers = predicted["layers"]
        owners = tuple(layer["owners"] for layer in layers)
        numbers = tuple(layer["constants"] for layer in layers)
        constants = numbers if max(numbers) > 1 else ()
        steps = tuple(step_of(layer, density) for layer in layers)

        def look(copies: tuple[int, ...]) -> Look:
            cell = self.wanted.cell(density, copies=copies, owners=owners, constants=constants)
            found = [self._trial(cell, trial)["outcome"] for trial in range(self.wanted.trials)]
            return Look(copies, found.count(CERTIFIED), len(found))

        reached: Look | None = None
        start = tuple(layer["copies"] for layer in layers)
        for found, left in search(look, start, steps, share=self.wanted.share):
            self.total = self.done + self.wanted.trials * (left + _SIZES * later)
            if found.certified >= self.wanted.share * found.trials and (
                reached is None or sum(found.copies) < sum(reached.copies)
            ):
                reached = found
        if reached is None:
            return None
        cell = self.wanted.cell(density, copies=reached.copies, owners=owners, constants=constants)
        first = next(t for t in range(self.wanted.trials) if self._trial(cell, t)["outcome"] == CERTIFIED)
        return cell, first

    def describe(self, cell: FrontierCell, trial: int, folder: Path | None) -> None:
        """Build the ticket of a trial again, for its folder and for what is said of it alone."""
        twin = replace(cell, stage=TICKET)
        missing = trial not in self.ledger.done(twin.digest)
        if not missing and (folder is None or folder.exists()):
            return
        began = time.perf_counter()
        ticket = build(cell, trial, self.wanted.target, self.wanted.domain, self.threads)
        if missing:
            self._write(twin, trial, ticket_view(ticket), began)
        if folder is not None and not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            ticket.save(folder)

    def _prediction(self, density: float) -> dict[str, Any] | None:
        cell = self.wanted.cell(density)
        for trial in range(PREDICTIONS):
            found = self._trial(cell, trial)
            if found["outcome"] == CERTIFIED:
                return found
            if found["outcome"] == NO_SOURCE:
                return None
        return None

    def _trial(self, cell: FrontierCell, trial: int) -> dict[str, Any]:
        """The outcome of a trial, from the ledger or by doing it."""
        stored = next((b.payload for b in self.ledger.blocks(cell.digest) if b.block == trial), None)
        if stored is not None:
            self.done += 1
            found: dict[str, Any] = json.loads(stored)
            return found
        if self.progress is not None:
            self.progress("frontier", self.done, max(self.total, self.done + 1))
        self.done += 1
        began = time.perf_counter()
        found = attempt(cell, trial, self.wanted.target, self.wanted.domain, self.threads)
        if cell.copies is None:
            found |= target_view(self.wanted, cell.density, found)
        self._write(cell, trial, found, began)
        return found

    def _write(self, cell: FrontierCell, trial: int, payload: dict[str, Any], began: float) -> None:
        self.ledger.file(cell)
        spent = round(1000 * (time.perf_counter() - began))
        block = Block(cell.digest, trial, canonical_json(payload))
        self.ledger.add_block(block, run=self.run, milliseconds=spent)


def step_of(layer: dict[str, Any], density: float) -> int:
    """What the copies of a layer must be a multiple of: its halves, and its blocks."""
    halves = 2 if layer["signed"] and layer["arrangement"] in DIVIDED else 1
    return halves * (block_length(density) if layer["arrangement"] == BLOCKS else 1)


def target_view(wanted: Frontier, density: float, found: dict[str, Any]) -> dict[str, Any]:
    """What the table says of the target: its facts for theory, and the sharp prediction of the threshold.

    The prediction asks, layer by layer and for the tolerances of the ticket just built, for the least copies
    with which ln 2 weights of the whole network are expected to be missed: half of all sources then reach every
    one, were misses independent.
    """
    facts = layer_facts(wanted.target, wanted.domain)
    view: dict[str, Any] = {
        "name": wanted.name,
        "domain": domain_words(wanted.domain),
        "scale": wanted.scale,
        "target_parameters": wanted.target.parameters,
        "facts": None if facts is None else [asdict(layer) for layer in facts],
    }
    if found["outcome"] == CERTIFIED:
        # Where the certificate decides, no tolerance does: what share of sources will do is not foretold.
        by_bound = wanted.recipe.search == "closest" and wanted.recipe.budget == "certificate"
        view["predicted_m"] = None if by_bound else _predicted(wanted, density, found["layers"])
    return view


def _predicted(wanted: Frontier, density: float, layers: Sequence[dict[str, Any]]) -> int | None:
    problem = Problem.of(wanted.target, wanted.domain)
    total = 0
    for node, weight, layer in zip(problem.nodes, problem.weights, layers, strict=True):
        try:
            size = layer_size(
                weight,
                layer["tolerance"],
                signed=layer["signed"],
                arrangement=layer["arrangement"],
                subset_density=density,
                k=None,
                window=layer["window"],
                failure=math.log(2.0) / len(layers),
                law=wanted.recipe.law,
            )
        except CapacityExceeded:
            return None
        own = slots(node)
        inputs = own.inputs + layer["constants"] - 1
        total += SourceLayer(inputs, size.copies, own.outputs, own.constant_outputs, layer["owners"]).parameters
    return total


def ticket_view(ticket: Ticket) -> dict[str, Any]:
    """What is said of one ticket alone: bits per target weight, of its code and of plain quantisation."""
    code = ticket_code(ticket)
    domain, error = ticket.construction.domain, ticket.certificate.bound or 0.0
    plain = quantised(ticket.target, domain, error)
    return {
        "code": {
            "ticket": code.per_weight,
            "owners": code.owner_bits / code.weights,
            "quantised_entropy": plain.entropy_bits / plain.weights,
            "quantised_levels": plain.level_bits / plain.weights,
            "quantised_bound": plain.bound,
        }
    }


def region_digest(domain: Domain) -> str:
    """sha256 of a domain's canonical JSON."""
    return hashlib.sha256(canonical_json(domain.to_json()).encode()).hexdigest()


def domain_words(domain: Domain) -> str:
    """A domain in a few words: box:0:1 where all inputs have one interval."""
    if domain.kind == "ball":
        return f"ball:{domain.radius:g}"
    ends = [(float(end.min()), float(end.max())) for end in (domain.low, domain.high)]
    if all(least == most for least, most in ends):
        return f"box:{ends[0][0]:g}:{ends[1][0]:g}"
    return f"box of {domain.size} intervals"


def _folder_name(wanted: Frontier, density: float) -> str:
    word = "".join(c if c.isalnum() or c in "-_" else "-" for c in wanted.name)
    return f"{word}-{wanted.cell(density).digest[:8]}-{density:g}"
