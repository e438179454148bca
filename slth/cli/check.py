"""`slth check`: a ticket, from its files alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from slth.cli.inputs import READING, Reading, read_target
from slth.cli.output import COMMON, Common, print_json, say


def command(
    ticket: Path,
    /,
    *,
    target: str | None = None,
    rigor: Annotated[bool, Parameter(negative="")] = False,
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
    rigor
        Prove the bound a second time, in ball arithmetic: chains of dense layers up to 64 wide on a box. Needs
        slth[rigor].
    reading
        How the target is read.
    """
    from slth.tickets.check import check
    from slth.tickets.ticket import Ticket

    report = check(ticket, None if target is None else read_target(target, reading))
    kept = Ticket.load(ticket).equivariance
    again = None
    if rigor:
        from slth.tickets.recheck import recheck

        again = recheck(ticket)
    if common.json:
        equivariance = None if kept is None else kept.to_json()
        print_json("check", {**report.summary(), "equivariance": equivariance, "rigor": again})
        return 0
    for fact in report.facts:
        say(f"  {fact}")
    if kept is not None:
        say(f"  equivariance: {kept}")
    if again is not None:
        say(
            f"  again in ball arithmetic: {again.edges} edges drawn one by one, largest l2 error at most "
            f"{again.bound!r}, at least {again.lower!r}"
        )
    say(f"verified: {ticket}")
    return 0
