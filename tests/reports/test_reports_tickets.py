"""Pages about tickets: the certificate's numbers, nothing loaded from elsewhere, the folder still checks."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from slth.errors import InvalidInput
from slth.experiments.rounding import lower, upper
from slth.networks.domain import Domain
from slth.networks.network import dense_network
from slth.reports.density import density_figure, table_text, with_tickets
from slth.reports.page import number
from slth.reports.ticket_page import domain_text, error_histograms, ticket_page
from slth.theory.frontier import density_table
from slth.theory.table import Table
from slth.tickets.check import check
from slth.tickets.prune import prune
from slth.tickets.ticket import Ticket


@pytest.fixture(scope="module")
def ticket() -> Ticket:
    rng = np.random.default_rng(3)
    weights = [rng.uniform(-0.6, 0.6, (4, 3)), rng.uniform(-0.6, 0.6, (2, 4))]
    network = dense_network(weights, [rng.uniform(-0.3, 0.3, 4), rng.uniform(-0.3, 0.3, 2)])
    data = rng.uniform(-1, 1, (20, 3))
    return prune(network, domain=Domain.box(-1.0, 1.0, size=3), eps=0.4, seed=2, inputs=data)


def test_page_shows_the_certificate(ticket: Ticket, tmp_path: Path) -> None:
    page = ticket_page(ticket)
    summary = ticket.summary()
    certificate = summary["certificate"]
    for value in (
        upper(certificate["bound"]),
        upper(certificate["budget"]),
        lower(certificate["lower_estimate"]),
        summary["density"],
        summary["sparsity"],
        summary["paper_density"],
        summary["overparameterization"],
        summary["m"],
        summary["m_t"],
        summary["kept"],
        certificate["predictions_proved"],
        *(upper(layer["largest_error"]) for layer in summary["layers"]),
    ):
        assert number(value) in page
    assert "the box [-1, 1]\u00b3" in page
    assert "slth check" in page
    assert f"<td>{summary['seed']}</td>" in page
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert page == ticket_page(ticket)
    ticket.save(tmp_path / "t", page=page)
    assert check(tmp_path / "t").bound == pytest.approx(certificate["bound"])
    assert (tmp_path / "t" / "report.html").read_text(encoding="utf-8") == page


def test_page_without_inputs_claims_no_predictions(ticket: Ticket) -> None:
    again = prune(
        ticket.target, ticket.source, domain=ticket.construction.domain, eps=0.4, k=ticket.layers[0].k
    )
    assert "redictions proved" not in ticket_page(again)


def test_histograms_hold_every_error(ticket: Ticket) -> None:
    for histogram, layer in zip(error_histograms(ticket), ticket.layers, strict=True):
        halves = 2 if layer.signed else 1
        assert histogram.weights == halves * layer.inputs * layer.outputs
        assert histogram.shares.sum() == pytest.approx(1.0)
        assert histogram.edges[-1] == 1.0


def test_domains_in_words() -> None:
    assert domain_text(Domain.box(0.0, 1.0, size=64)) == "the box [0, 1]\u2076\u2074"
    assert domain_text(Domain.box([0.0, -1.0], [1.0, 2.0])) == "a box of 2 intervals within [-1, 2]"
    assert domain_text(Domain.ball(2.0, size=3)) == "the l2 ball of radius 2 around 0 in R\u00b3"
    assert "around its centre" in domain_text(Domain.ball(1.0, center=[1.0, 0.0]))


def test_tickets_join_the_density_table(ticket: Ticket) -> None:
    curves = density_table(10.0, 0.3, gammas=(0.5, 0.1))
    table = with_tickets(curves, {"mine": ticket})
    assert len(table) == len(curves) + 2
    row = table.rows("ticket", "mine")
    assert row.column("gamma")[0] == ticket.density
    assert row.column("overparameterization")[0] == ticket.overparameterization
    assert table.rows("ticket-paper-count", "mine").column("gamma")[0] == ticket.paper_density
    back = Table.from_csv(table_text(table, kind=".csv"))
    assert back.to_json() == table_text(table, kind=".json")
    assert density_figure(table, kind="svg") == density_figure(back, kind="svg")
    with pytest.raises(InvalidInput, match=r"`table` must end in .csv or .json; got '.txt'"):
        table_text(table, kind=".txt")
