"""The cells of a frontier: what is tried, how it is named, and what one trial records.

A cell fixes the target, the domain, the error, the way of building and the sizes of the source; a block of it
is one trial, whose source has a seed of its own, drawn from the cell's name and the number of the trial.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from slth.errors import CapacityExceeded, InvalidInput, SlthError, WeightsUnreachable
from slth.experiments.cell import canonical_json
from slth.experiments.record_ledger import RecordLedger
from slth.networks.domain import Domain
from slth.networks.network import Network
from slth.networks.source import Source
from slth.tickets.prune import prune
from slth.tickets.ticket import Ticket

TRIAL, TICKET = "trial", "ticket"
CERTIFIED, UNREACHABLE, NO_SOURCE, REFUSED = "certified", "unreachable", "no source", "refused"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How tickets are built: the options of `slth.prune` of these names."""

    arrangement: str = "auto"
    search: str = "within"
    budget: str = "certificate"
    window: int = 0
    law: str = "uniform"


@dataclass(frozen=True, slots=True)
class FrontierCell:
    """One size of source for one target, or, without sizes, the size that is predicted to do.

    Attributes
    ----------
    target : str
        Digest of the network.
    domain : str
        sha256 of its canonical JSON.
    eps : float
        Error of the output.
    density : float
        Subset density k / n aimed at.
    recipe : Recipe
    seed : int
        Part of every trial's seed.
    copies : tuple of int or None
        Hidden neurons per owner of each layer; None: as `slth.prune` predicts.
    owners : tuple of str
        Of each layer, as in `SourceLayer`, when `copies` are given.
    constants : tuple of int
        Constant inputs of each layer, as in `Source.for_network`, where they are not one each.
    stage : {"trial", "ticket"}
        "ticket": the ticket of a trial of the cell with the stage "trial" is built again and described.
    """

    target: str
    domain: str
    eps: float
    density: float
    recipe: Recipe = Recipe()
    seed: int = 0
    copies: tuple[int, ...] | None = None
    owners: tuple[str, ...] = ()
    stage: str = TRIAL
    constants: tuple[int, ...] = ()

    @property
    def canonical(self) -> str:
        """Canonical JSON without the fields that have their default values; floats hexadecimal."""
        content: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                content[field.name] = value.hex() if isinstance(value, float) else value
        if "recipe" in content:
            plain = asdict(Recipe())
            content["recipe"] = {k: v for k, v in asdict(self.recipe).items() if v != plain[k]}
        return canonical_json(content)

    @property
    def digest(self) -> str:
        """sha256 of `canonical`, hexadecimal."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()

    @staticmethod
    def from_canonical(text: str) -> FrontierCell:
        """Read what `canonical` wrote. Raises InvalidInput."""
        wrong = f"`text` must be a cell of a frontier in canonical JSON; got {text[:200]!r}"
        try:
            content = json.loads(text)
            for name in ("eps", "density"):
                content[name] = float.fromhex(content[name])
            for name in ("copies", "owners", "constants"):
                if name in content:
                    content[name] = tuple(content[name])
            content["recipe"] = Recipe(**content.get("recipe", {}))
            cell = FrontierCell(**content)
            known = cell.canonical == text and cell.stage in (TRIAL, TICKET)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidInput(f"{wrong} ({error}).") from None
        if not known:
            raise InvalidInput(f"{wrong}.")
        return cell

    def trial_seed(self, trial: int) -> int:
        """Seed of the source of a trial, below 2^128."""
        return int(hashlib.sha256(f"{self.digest}:{trial}".encode()).hexdigest()[:32], 16)


class FrontierLedger(RecordLedger[FrontierCell]):
    """A ledger whose cells are `FrontierCell`; blocks are trials."""

    holds = "a frontier"

    @staticmethod
    def read(text: str) -> FrontierCell:
        """A cell of a frontier."""
        return FrontierCell.from_canonical(text)


def build(
    cell: FrontierCell, trial: int, target: Network, domain: Domain, threads: int | None = None
) -> Ticket:
    """The ticket of one trial. Raises what `slth.prune` raises."""
    seed = cell.trial_seed(trial)
    source = None
    if cell.copies is not None:
        source = Source.for_network(
            target,
            cell.copies,
            seed=seed,
            law=cell.recipe.law,
            owners=cell.owners,
            constants=cell.constants or 1,
        )
    return prune(
        target,
        source,
        domain=domain,
        eps=cell.eps,
        subset_density=cell.density,
        arrangement=cell.recipe.arrangement,
        search=cell.recipe.search,
        budget=cell.recipe.budget,
        window=cell.recipe.window,
        seed=seed,
        law=cell.recipe.law,
        threads=threads,
    )


def attempt(
    cell: FrontierCell, trial: int, target: Network, domain: Domain, threads: int | None = None
) -> dict[str, Any]:
    """One trial and what came of it, JSON-ready; "outcome" is "certified" only with a bound of at most eps."""
    try:
        ticket = build(cell, trial, target, domain, threads)
    except InvalidInput:
        raise
    except WeightsUnreachable as error:
        return {"outcome": UNREACHABLE, "missed": len(error.failures)}
    except CapacityExceeded as error:
        if cell.copies is not None:
            raise
        return {"outcome": NO_SOURCE, "reason": str(error)}
    except SlthError as error:
        return {"outcome": REFUSED, "reason": str(error)}
    bound = ticket.certificate.bound
    if bound is None or bound > cell.eps:
        return {"outcome": REFUSED, "reason": f"the certified bound is {bound!r}"}
    return {"outcome": CERTIFIED, **described(ticket)}


def described(ticket: Ticket) -> dict[str, Any]:
    """The numbers of a ticket that a frontier shows, JSON-ready."""
    certificate = ticket.certificate
    return {
        "m": ticket.parameters,
        "m_t": ticket.target_parameters,
        "kept": ticket.kept,
        "bound": certificate.bound,
        "budget": certificate.budget,
        "lower_estimate": certificate.lower_estimate,
        "layers": [
            {
                "arrangement": layer.arrangement,
                "owners": layer.owners,
                "signed": layer.signed,
                "outputs": layer.outputs,
                "inputs": layer.inputs,
                "constants": layer.lifts or 1,
                "copies": layer.copies,
                "k": layer.k,
                "window": layer.window,
                "tolerance": layer.tolerance,
                "kept_first": layer.kept_first,
                "kept_second": layer.kept_second,
            }
            for layer in ticket.layers
        ],
    }
