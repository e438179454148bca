"""`slth sweep`: many cells of trials, resumable, on one machine or many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from slth.cli.output import COMMON, OUT, Common, print_json, print_pairs, print_table, progress_bar, say
from slth.cli.timing import timed_progress
from slth.errors import InvalidInput

if TYPE_CHECKING:
    from slth.experiments.accuracy import Comparison, Score

app = App(name="sweep", help="Run, inspect, export and merge sweeps of trials.")

UNDONE = 3


@app.command
def run(
    spec: Path,
    *,
    out: Annotated[Path, OUT],
    executor: str = "serial",
    workers: int | None = None,
    shard: str | None = None,
    discard_damaged: Annotated[bool, Parameter(negative="")] = False,
    common: Common = COMMON,
) -> int:
    """Do what a specification asks for and the ledger lacks; the same command resumes.

    Results do not depend on the executor, the number of workers, or interruptions.

    Example: slth sweep run spec.toml --out ledger.sqlite --executor processes

    Parameters
    ----------
    spec
        TOML file.
    out
        Ledger, created or taken up.
    executor
        serial, processes, or dask://host:port (needs slth[distributed]).
    workers
        Number of processes. Default: all cores.
    shard
        i/n: the i-th of n parts, 1 <= i <= n, for job arrays; join their ledgers with merge.
    discard_damaged
        Delete rows that fail their checksum and do them again.
    """
    from slth.cli.inputs import parse_shard
    from slth.experiments.spec import read_spec
    from slth.experiments.sweep import run_sweep

    plan = read_spec(spec)
    with timed_progress("blocks") as progress:
        status = run_sweep(
            plan,
            out,
            executor=executor,
            workers=workers,
            shard=parse_shard(shard),
            discard_damaged=discard_damaged,
            progress=progress,
        )
    if common.json:
        print_json("sweep-run", {"ledger": str(out), **asdict(status)})
    else:
        say(f"{status.blocks_done} of {status.blocks} blocks, {status.trials_done} trials, in {out}")
    return 0 if status.complete else UNDONE


@app.command
def status(ledger: Path, spec: Path | None = None, *, common: Common = COMMON) -> int:
    """Say how far a ledger is, and whether it is intact.

    Exit code 0: complete for the specification given (or none was given). 3: not yet. 1: damaged.

    Parameters
    ----------
    ledger
        Ledger of a sweep.
    spec
        Specification to compare with.
    """
    from slth.experiments.ledger import Ledger
    from slth.experiments.spec import read_spec
    from slth.experiments.sweep import sweep_status

    with Ledger(ledger, read_only=True) as opened:
        problems = opened.check()
        if problems:
            opened.raise_damaged(problems)
        blocks = sum(1 for _ in opened.blocks())
        cells = len(opened.cells())
        seconds = sum(row[3] for row in opened.provenance()) / 1000
    record = {"ledger": str(ledger), "cells_in_ledger": cells, "blocks_in_ledger": blocks, "seconds": seconds}
    pairs: list[tuple[str, object]] = [
        ("ledger", f"{cells} cells, {blocks} blocks, intact"),
        ("work", f"{seconds:.0f} seconds of one core"),
    ]
    done = True
    if spec is not None:
        found = sweep_status(read_spec(spec), ledger)
        done = found.complete
        record |= asdict(found)
        pairs += [
            ("cells", f"{found.cells_done} of {found.cells} done"),
            ("blocks", f"{found.blocks_done} of {found.blocks} done"),
            ("trials", f"{found.trials_done} of {found.trials} done"),
        ]
    if common.json:
        print_json("sweep-status", {**record, "complete": done})
    else:
        print_pairs(pairs)
    return 0 if done else UNDONE


@app.command
def export(
    ledger: Path,
    *,
    out: Annotated[Path, OUT],
    eps: Annotated[list[float] | None, Parameter(consume_multiple=True, negative_iterable="")] = None,
    confidence: float = 0.95,
    force: Annotated[bool, Parameter(negative="")] = False,
    common: Common = COMMON,
) -> int:
    """Write the table of a ledger: one row for each cell and tolerance, with intervals.

    Parameters
    ----------
    ledger
        Ledger of a sweep.
    out
        File to write: .csv, .json, or .parquet (needs pyarrow).
    eps
        Tolerances at which measured distances are read: edges of the bins, 10^(j/16). Default: 1e-1 to 1e-12.
    confidence
        Of the intervals.
    force
        Replace an existing file.
    """
    from slth.experiments.export import DECADES, SUFFIXES, read_table, table_bytes
    from slth.reports.outputs import refuse_existing, write_file

    if out.suffix not in SUFFIXES:
        raise InvalidInput(f"`out` must end in {', '.join(SUFFIXES)}; got {out.suffix!r}.")
    refuse_existing(out, overwrite=force)
    rows = read_table(ledger, eps=tuple(eps) if eps else DECADES, confidence=confidence)
    write_file(out, table_bytes(rows, out.suffix), overwrite=force)
    if common.json:
        print_json("sweep-export", {"written": str(out), "rows": len(rows)})
    else:
        say(f"written: {out}, {len(rows)} rows")
    return 0


@app.command
def merge(
    out: Path, ledgers: Annotated[list[Path], Parameter(consume_multiple=True)], *, common: Common = COMMON
) -> int:
    """Gather the blocks of several ledgers in one.

    Example: slth sweep merge all.sqlite part1.sqlite part2.sqlite part3.sqlite

    Parameters
    ----------
    out
        Ledger to write, created or added to.
    ledgers
        Ledgers to read; they are not changed.
    """
    from slth.experiments.sweep import merge_ledgers

    new = merge_ledgers(out, ledgers)
    if common.json:
        print_json("sweep-merge", {"ledger": str(out), "new_blocks": new})
    else:
        say(f"{new} new blocks in {out}")
    return 0


@app.command
def compare(
    ledger: Path,
    *,
    k_min: int = 1,
    event: Literal["hit", "cover"] | None = None,
    predictor: Annotated[list[str] | None, Parameter(consume_multiple=True, negative_iterable="")] = None,
    samples: int = 400,
    misses: Annotated[bool, Parameter(negative="")] = False,
    common: Common = COMMON,
) -> int:
    """Hold predictors against the closest distances and radii of a ledger.

    Each cell is read at tolerances where 1 to 300 subsets are expected to hit the end of the range.

    Parameters
    ----------
    ledger
        Ledger of a sweep; "shipped" is the one that comes with slth.
    k_min
        Least subset size to count.
    event
        hit or cover only.
    predictor
        Predictors to evaluate. Default: annealed, cox, cox-variance, quenched, saddlepoint.
    samples
        Samples drawn by predictors that average over samples.
    misses
        List every cell where a predictor is more than 0.05 away from the measured interval.
    """
    from slth.experiments.accuracy import PREDICTORS, rows_at_loads, scores
    from slth.experiments.accuracy import compare as compare_rows
    from slth.experiments.export import tallies
    from slth.experiments.ledger import Ledger
    from slth.experiments.shipped import shipped_ledger

    path = shipped_ledger("predictors") if str(ledger) == "shipped" else ledger
    with Ledger(path, read_only=True) as opened:
        rows = [row for row in rows_at_loads(tallies(opened)) if row.k >= k_min and event in (None, row.event)]
    with progress_bar() as progress:
        found = compare_rows(rows, predictors=predictor or PREDICTORS, samples=samples, progress=progress)
    ranking = scores(found)
    missed = [c for c in found if not c.within]
    if common.json:
        print_json(
            "sweep-compare",
            {
                "ledger": str(path),
                "scores": ranking,
                "misses": [c.summary() for c in missed] if misses else None,
            },
        )
        return 0
    _show_scores(ranking, f"Predictors against {len(rows)} measured probabilities")
    if misses:
        _show_misses(missed)
    return 0


def _show_scores(ranking: Sequence[Score], title: str) -> None:
    from slth.experiments.accuracy import TOLERANCE

    print_table(
        ("event", "predictor", "cells", f"within {TOLERANCE}", "neither 0 nor 1", "within", "worst"),
        [
            (
                s.event,
                s.predictor,
                s.cells,
                _share(s.within, s.cells),
                s.telling,
                _share(s.telling_within, s.telling),
                s.worst,
            )
            for s in ranking
        ],
        title=title,
    )


def _show_misses(missed: Sequence[Comparison]) -> None:
    print_table(
        ("event", "predictor", "law", "n", "k", "eps", "measured", "predicted", "miss"),
        [
            (
                c.event,
                c.predictor,
                c.law,
                c.n,
                c.k,
                c.eps,
                f"[{c.low:.3f}, {c.high:.3f}]",
                c.predicted,
                c.miss,
            )
            for c in missed
        ],
    )


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.1f} %)" if whole else "0"
