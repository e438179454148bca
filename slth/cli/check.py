"""`slth check`: a ticket, from its files alone."""

from __future__ import annotations

from pathlib import Path

from slth.cli.output import COMMON, Common, print_json, say


def command(ticket: Path, /, *, target: Path | None = None, common: Common = COMMON) -> int:
    """Derive everything that a ticket claims from its files, and compare.

    Exit code 0: every claim follows from the files. 1: something does not; each thing is named.

    Example: slth check ticket --target network.npz

    Parameters
    ----------
    ticket
        Folder of the ticket.
    target
        A .npz network that the ticket must approximate. Default: the one stored with it.
    """
    from slth.readers.arrays import read_network
    from slth.tickets.check import check

    report = check(ticket, None if target is None else read_network(target))
    if common.json:
        print_json("check", report.summary())
        return 0
    for fact in report.facts:
        say(f"  {fact}")
    say(f"verified: {ticket}")
    return 0
