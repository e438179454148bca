"""`slth check`: a ticket, from its files alone."""

from __future__ import annotations

from pathlib import Path

from slth.cli.inputs import READING, Reading, read_target
from slth.cli.output import COMMON, Common, print_json, say


def command(
    ticket: Path,
    /,
    *,
    target: str | None = None,
    reading: Reading = READING,
    common: Common = COMMON,
) -> int:
    """Derive everything that a ticket claims from its files, and compare.

    Exit code 0: every claim follows from the files. 1: something does not; each thing is named.

    Example: slth check ticket --target network.npz

    Parameters
    ----------
    ticket
        Folder of the ticket.
    target
        The network that the ticket must approximate: a file or example as `slth prune` takes them. Default:
        the one stored with the ticket.
    reading
        How the target is read.
    """
    from slth.tickets.check import check
    from slth.tickets.ticket import Ticket

    report = check(ticket, None if target is None else read_target(target, reading))
    kept = Ticket.load(ticket).equivariance
    if common.json:
        equivariance = None if kept is None else kept.to_json()
        print_json("check", {**report.summary(), "equivariance": equivariance})
        return 0
    for fact in report.facts:
        say(f"  {fact}")
    if kept is not None:
        say(f"  equivariance: {kept}")
    say(f"verified: {ticket}")
    return 0
