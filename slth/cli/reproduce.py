"""`slth reproduce`: the main job, end to end, into one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from slth.cli.output import COMMON, OUT, Common, print_json, print_pairs, progress_bar


def command(
    *,
    out: Annotated[Path, OUT] = Path("report"),
    seed: int = 1,
    force: Annotated[bool, Parameter(negative="")] = False,
    threads: int | None = None,
    common: Common = COMMON,
) -> int:
    """Prune the digits network, check the tickets, verify a bound, draw density: one report.

    Takes a minute or two on two cores. Exit code 0: all done and verified.

    Example: slth reproduce --out report

    Parameters
    ----------
    out
        Folder to write; open index.html in it.
    seed
        Of everything random; the default gives the published report.
    force
        Replace an earlier report.
    threads
        Default: all cores; changes no result.
    """
    from slth.reports.reproduce import reproduce

    with progress_bar() as progress:
        summary = reproduce(out, seed=seed, overwrite=force, threads=threads, progress=progress)
    if common.json:
        print_json("reproduce", {"path": str(out), **summary})
    else:
        print_pairs([*summary["headline"].items(), ("written", out / "index.html")])
    return int(summary["exit_code"])
