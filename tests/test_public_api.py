"""The public names, pinned: a change here is a change of the interface and belongs in the changelog."""

from __future__ import annotations

import inspect

import pytest

import slth

PUBLIC = [
    "BatchResult",
    "BoundMissed",
    "CapacityExceeded",
    "Domain",
    "FromPdf",
    "InvalidInput",
    "Network",
    "OutputExists",
    "SlthError",
    "SolverFailed",
    "Source",
    "SourceLayer",
    "Status",
    "SubsetSumResult",
    "Ticket",
    "TicketDamaged",
    "WeightsUnreachable",
    "__version__",
    "bound",
    "check",
    "conditional_bound",
    "count",
    "cover",
    "cover_batch",
    "covering_radius",
    "dense_network",
    "estimate",
    "export",
    "n_cover",
    "n_hit",
    "predictor",
    "prune",
    "read",
    "read_network",
    "solve",
    "solve_batch",
    "solve_fewest",
    "solve_vectors",
    "threshold",
    "two_halves_bound",
    "verify",
]

FUNCTIONS = [name for name in PUBLIC if name.islower() and name != "__version__"]


def test_public_names_are_pinned() -> None:
    assert slth.__all__ == PUBLIC
    assert dir(slth) == PUBLIC


def test_every_public_name_resolves_to_its_own_name() -> None:
    for name in PUBLIC:
        value = getattr(slth, name)
        if name != "__version__":
            assert value.__name__ == name
            assert value.__module__.startswith("slth.")
            assert value.__doc__


def test_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = slth.no_such_name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstrings_say_what_goes_in_and_what_is_raised(name: str) -> None:
    text = inspect.getdoc(getattr(slth, name)) or ""
    assert "Parameters\n----------\n" in text
    assert "Raises\n------\n" in text
