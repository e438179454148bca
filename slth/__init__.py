"""slth: an engine for the Strong Lottery Ticket Hypothesis.

Three jobs: verify random fixed-size subset sum bounds, prune a frozen random network into a certified
approximation of a target, draw density against overparameterisation. Public names load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# public name -> module that owns it; tests/test_public_api.py pins this list
_HOME = {
    "solve": "slth.subset_sum.solve",
    "solve_batch": "slth.subset_sum.batch",
    "solve_fewest": "slth.subset_sum.fewest",
    "solve_vectors": "slth.subset_sum.vectors",
    "count": "slth.subset_sum.count",
    "cover": "slth.subset_sum.cover",
    "cover_batch": "slth.subset_sum.cover_batch",
    "covering_radius": "slth.subset_sum.radius",
    "SubsetSumResult": "slth.subset_sum.result",
    "BatchResult": "slth.subset_sum.result",
    "Status": "slth.subset_sum.result",
    "bound": "slth.theory.bounds",
    "predictor": "slth.theory.catalogue",
    "n_hit": "slth.theory.sizes",
    "n_cover": "slth.theory.sizes",
    "conditional_bound": "slth.theory.conditional",
    "two_halves_bound": "slth.theory.halves",
    "FromPdf": "slth.laws.custom",
    "Network": "slth.networks.network",
    "dense_network": "slth.networks.network",
    "Domain": "slth.networks.domain",
    "Source": "slth.networks.source",
    "SourceLayer": "slth.networks.source",
    "read": "slth.readers.read",
    "read_network": "slth.readers.arrays",
    "prune": "slth.tickets.prune",
    "Ticket": "slth.tickets.ticket",
    "check": "slth.tickets.check",
    "export": "slth.tickets.export",
    "verify": "slth.experiments.verify",
    "estimate": "slth.experiments.estimate",
    "threshold": "slth.experiments.threshold",
    "SlthError": "slth.errors",
    "InvalidInput": "slth.errors",
    "OutputExists": "slth.errors",
    "CapacityExceeded": "slth.errors",
    "SolverFailed": "slth.errors",
    "BoundMissed": "slth.errors",
    "WeightsUnreachable": "slth.errors",
    "TicketDamaged": "slth.errors",
}

__all__ = sorted(["__version__", *_HOME])


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'slth' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
