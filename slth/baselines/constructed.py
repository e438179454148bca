"""The constructed strong ticket of the shipped digits network, as a row beside the trained ones."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from slth.baselines.task import digits_task
from slth.examples.digits import digits
from slth.networks.domain import Domain
from slth.networks.network import dense_network
from slth.tickets.prune import prune
from slth.tickets.ticket import Ticket


def construct(seed: int, eps: float, *, k: int | None = None, subset_density: float = 0.35) -> Ticket:
    """`slth.prune` of the shipped digits network on the box of its images; arguments as there."""
    data = digits()
    return prune(
        data.network,
        domain=data.domain,
        eps=eps,
        k=k,
        subset_density=subset_density,
        seed=seed,
        inputs=data.inputs[data.test_rows],
        threads=1,
    )


@cache
def warm_up() -> None:
    """Construct the smallest ticket there is, so that what is compiled late is compiled."""
    prune(dense_network([[[0.5]], [[0.5]]]), domain=Domain.box(0.0, 1.0, 1), eps=0.5, threads=1)


def facts(ticket: Ticket) -> dict[str, Any]:
    """Counts and certified error of a constructed ticket; floats as hexadecimal text."""
    task = digits_task()
    data = digits()
    said = ticket.network().forward(data.inputs[data.test_rows]).argmax(axis=1)
    certificate = ticket.certificate
    return {
        "m": ticket.parameters,
        "m_t": ticket.target_parameters,
        "kept": ticket.kept,
        "paper_kept": 2 * sum(layer.serving for layer in ticket.layers),
        "k": [layer.k for layer in ticket.layers],
        "bound": _hex(certificate.bound),
        "found_error": _hex(certificate.lower_estimate),
        "proved": int(certificate.predictions_proved),
        "test": int(np.sum(said == task.test_labels)),
        "agree": int(np.sum(said == task.target_labels)),
        "tests": len(task.test_labels),
    }


def _hex(value: float | None) -> str | None:
    return None if value is None else float(value).hex()
