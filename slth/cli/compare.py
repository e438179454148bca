"""`slth compare`: trained tickets beside constructed ones, from a stored study or a new one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from slth.cli.output import COMMON, OUT, Common, print_json, print_table, progress_bar, say

if TYPE_CHECKING:
    from slth.baselines.compared import GapRow
    from slth.baselines.lottery import Claim
    from slth.baselines.results import Interval

UNDONE = 3

app = App(name="compare", help="Lottery tickets that are trained, beside constructed ones.")


@app.command
def run(
    *,
    out: Annotated[Path, OUT],
    study: Literal["digits", "quick"] = "digits",
    executor: Literal["serial", "processes"] = "serial",
    workers: int | None = None,
    shard: str | None = None,
    common: Common = COMMON,
) -> int:
    """Do what a study asks for and the ledger lacks; the same command resumes. Needs slth[torch].

    Results do not depend on the executor, the number of workers, or interruptions; wall times do.

    Example: slth compare run --out study.sqlite --executor processes --workers 2

    Parameters
    ----------
    out
        Ledger, created or taken up.
    study
        digits: all that is shown. quick: the same in small, seconds long; its numbers mean nothing.
    executor
        In this process, or in several.
    workers
        Number of processes. Default: all cores.
    shard
        i/n: the i-th of n parts, 1 <= i <= n; join their ledgers with merge.
    """
    from slth.baselines.study import run_study, study_cells
    from slth.cli.inputs import parse_shard

    with progress_bar() as progress:
        done, wanted = run_study(
            study_cells(study),
            out,
            executor=executor,
            workers=workers,
            shard=parse_shard(shard),
            progress=progress,
        )
    if common.json:
        print_json("compare-run", {"ledger": str(out), "cells": wanted, "cells_done": done})
    else:
        say(f"{done} of {wanted} cells in {out}")
    return 0 if done == wanted else UNDONE


@app.command
def merge(out: Path, ledgers: list[Path], *, common: Common = COMMON) -> int:
    """Gather the ledgers of shards in one.

    Parameters
    ----------
    out
        Ledger to write, created or added to.
    ledgers
        Ledgers to read; they are not changed.
    """
    from slth.baselines.study_ledger import StudyLedger

    new = StudyLedger.gather(out, ledgers)
    if common.json:
        print_json("compare-merge", {"ledger": str(out), "new_cells": new})
    else:
        say(f"{new} new cells in {out}")
    return 0


@app.command
def show(
    ledger: Path | None = None,
    *,
    out: Annotated[Path | None, OUT] = None,
    kind: Literal["svg", "png"] = "svg",
    force: Annotated[bool, Parameter(negative="")] = False,
    common: Common = COMMON,
) -> int:
    """Print the tables of a study, and write its pictures. Needs no torch.

    Only constructed tickets have a certified error: the others were trained towards accuracy on the training
    images and promise nothing about any other input.

    Example: slth compare show --out pictures

    Parameters
    ----------
    ledger
        Default: the study that is shipped.
    out
        Folder for the pictures and the table; created if needed.
    kind
        Of the pictures.
    force
        Replace existing files.
    """
    from slth.baselines.compared import gap_table, side_by_side
    from slth.baselines.lottery import claims, kept_promises, plain_runs, popup_claims, runs, training_claims
    from slth.baselines.results import read_study
    from slth.reports.lottery import pictures, table_text
    from slth.reports.outputs import refuse_existing, write_file

    study = read_study(ledger)
    rows = side_by_side(study)
    gaps = gap_table(study)
    made = [claim for name in plain_runs(study) for claim in claims(study, name)]
    made += popup_claims(study)
    searches, unchanged, exact = kept_promises(study)
    trained = [claim for name in runs(study) for claim in training_claims(study, name)]
    written: list[str] = []
    if out is not None:
        files: dict[str, Any] = {**pictures(study, kind)}
        files["compare.csv"] = lambda: table_text(rows).encode("utf-8")
        if not out.is_dir():
            refuse_existing(out)
            out.mkdir()
        for name in files:
            refuse_existing(out / name, overwrite=force)
        for name, draw in files.items():
            write_file(out / name, draw(), overwrite=force)
            written.append(str(out / name))
    if common.json:
        masks = {"searches": searches, "unchanged": unchanged, "exact": exact}
        record = {"ledger": None if ledger is None else str(ledger), "rows": rows, "claims": made}
        print_json(
            "compare-show", {**record, "training": trained, "gap": gaps, "masks": masks, "written": written}
        )
        return 0
    _show_rows(rows)
    say(
        f"{searches} searches over frozen weights: {unchanged} left them unchanged to the bit, "
        f"{exact} masks are of exactly the density asked for."
    )
    _show_claims(made, "As paired differences over seeds, in points of test accuracy, 95 % (Student)")
    _show_claims(trained, "Does training accuracy rise while weights are removed?")
    _show_gap(gaps)
    if written:
        say("written: " + ", ".join(written))
    return 0


def _show_rows(rows: list[Any]) -> None:
    print_table(
        ("method", "network", "source", "ticket", "density", "accuracy %", "agreement %", "certified eps", "s"),
        [
            (
                row.method,
                row.network,
                row.source,
                row.ticket,
                f"{row.density:.3g}",
                _short(row.accuracy),
                _short(row.agreement),
                "none" if row.certified is None else f"{row.certified:.3g} ({row.proved:.0f} % proved)",
                f"{row.seconds:.1f}",
            )
            for row in rows
        ],
        title="Side by side: means over seeds with 95 % intervals; agreement with the target network's classes",
    )


def _show_claims(found: list[Claim], title: str) -> None:
    if found:
        print_table(
            ("run", "density", "statement", "difference", "seeds", "verdict"),
            [
                (c.run, f"{c.density:.3g}", c.statement, str(c.difference), c.difference.count, c.verdict)
                for c in found
            ],
            title=title,
        )


def _show_gap(gaps: list[GapRow]) -> None:
    if gaps:
        print_table(
            ("task", "n", "trials", "exists", "edge-popup, best", "last", "random masks", "best / exists"),
            [
                (
                    row.family,
                    row.n,
                    row.trials,
                    *(_span(v) for v in (row.exists, row.visited, row.last, row.random, row.ratio)),
                )
                for row in gaps
            ],
            title="Tiny tasks: median error of what exists and of what is found, with exact 95 % intervals",
        )


def _short(value: Interval) -> str:
    if value.low is None or value.high is None:
        return f"{value.mean:.1f}"
    return f"{value.mean:.1f} [{value.low:.1f}, {value.high:.1f}]"


def _span(value: tuple[float, float, float]) -> str:
    return f"{value[0]:.2g} [{value[1]:.2g}, {value[2]:.2g}]"
