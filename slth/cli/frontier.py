"""`slth frontier`: how small a random source provably holds a ticket of a target, density by density."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from slth.cli.inputs import EXAMPLES, READING, Reading, parse_domain, parse_shard, read_target
from slth.cli.output import COMMON, OUT, Common, print_json, print_table, say
from slth.cli.timing import timed_progress
from slth.errors import InvalidInput

if TYPE_CHECKING:
    from slth.experiments.frontier_rows import FrontierRow

app = App(name="frontier", help="The smallest random sources that provably hold a ticket, density by density.")


@app.default
def run(
    target: str,
    /,
    *,
    out: Annotated[Path, OUT],
    eps: float,
    relative: Annotated[bool, Parameter(negative="")] = False,
    domain: str = "box:0:1",
    density: Annotated[list[float] | None, Parameter(consume_multiple=True, negative_iterable="")] = None,
    arrangement: Literal["auto", "sign-matched", "paper", "assigned", "blocks", "gathered", "lifted"] = "auto",
    search: Literal["within", "closest", "feedback"] = "within",
    window: int = 0,
    law: Literal["uniform", "normal"] = "uniform",
    budget: Literal["frobenius", "theorem", "certificate"] = "certificate",
    trials: int = 10,
    share: float = 0.5,
    seed: int = 0,
    inputs: Path | None = None,
    name: str | None = None,
    tickets: Path | None = None,
    shard: str | None = None,
    reading: Reading = READING,
    threads: int | None = None,
    common: Common = COMMON,
) -> int:
    """Search the smallest source, for each density, in which tickets of the target are certified.

    Copies are scaled by a common factor on their prediction; at each size so many sources are drawn, and a
    trial counts when its ticket's certificate meets eps. The same command goes on where it was interrupted.
    `slth frontier show LEDGER` prints the table of a ledger.

    Example: slth frontier digits --eps 0.01 --relative --density 0.05 0.45 --out frontier.sqlite

    Parameters
    ----------
    target
        A file or example as `slth prune` takes them.
    out
        Ledger of the trials, created or taken up; several targets may share one.
    eps
        Largest l2 error of the output over the domain.
    relative
        eps is relative to the largest absolute output over the data: --inputs, or the images of an example.
    domain
        box:LOW:HIGH, ball:RADIUS, or a .json file.
    density
        Subset densities k / n. Default: 0.05 0.1 0.2 0.35 0.45.
    arrangement, search, window, law, budget
        As in `slth prune`.
    trials
        Sources drawn at each size.
    share
        Of the trials that must be certified for a size to count as reached.
    seed
        Trials draw theirs from it.
    inputs
        .npz or .npy file of inputs (N, d), for --relative.
    name
        Of the target in tables and figures. Default: as given.
    tickets
        Folder in which each density's ticket is saved and checked.
    shard
        i/n: every n-th density only; join the ledgers with `slth frontier merge`.
    reading
        How the target is read.
    threads
        Default: all cores; changes no result.
    """
    from slth.experiments.frontier import DENSITIES, Frontier, run_frontier
    from slth.experiments.frontier_cell import Recipe
    from slth.experiments.frontier_rows import frontier_rows

    network = read_target(target, reading)
    region = parse_domain(domain, network.input_size)
    scale = _scale(target, network, inputs) if relative else None
    wanted = Frontier(
        network,
        region,
        eps if scale is None else eps * scale,
        name=name or (target if target in EXAMPLES else Path(target).stem),
        scale=scale,
        densities=tuple(density) if density else DENSITIES,
        recipe=Recipe(arrangement, search, budget, window, law),
        trials=trials,
        share=share,
        seed=seed,
    )
    with timed_progress("trials") as progress:
        saved = run_frontier(
            wanted, out, shard=parse_shard(shard), tickets=tickets, threads=threads, progress=progress
        )
    rows = [row for row in frontier_rows(out, share=share) if row.eps == wanted.eps]
    rows = [row for row in rows if row.density in wanted.densities and row.target == wanted.name]
    if common.json:
        print_json("frontier", {"ledger": str(out), "tickets": saved, "rows": [_record(row) for row in rows]})
        return 0
    _print(rows)
    if saved:
        say(f"tickets, each checked from its files: {', '.join(saved)}")
    return 0


@app.command
def show(
    ledger: Path | None = None,
    *,
    table: Path | None = None,
    confidence: float = 0.95,
    force: Annotated[bool, Parameter(negative="")] = False,
    common: Common = COMMON,
) -> int:
    """Print the table of a ledger, or write it.

    Example: slth frontier show frontier.sqlite --table frontier.csv

    Parameters
    ----------
    ledger
        Default: the one that comes with slth.
    table
        File to write, .csv or .json.
    confidence
        Of the intervals.
    force
        Replace an existing file.
    """
    from slth.experiments.frontier_rows import KINDS, frontier_rows, rows_bytes
    from slth.experiments.shipped import shipped_ledger
    from slth.reports.outputs import refuse_existing, write_file

    if table is not None:
        if table.suffix not in KINDS:
            raise InvalidInput(f"`table` must end in .csv or .json; got {table.suffix!r}.")
        refuse_existing(table, overwrite=force)
    rows = frontier_rows(ledger or shipped_ledger("frontier"), confidence=confidence)
    if table is not None:
        write_file(table, rows_bytes(rows, table.suffix), overwrite=force)
    if common.json:
        print_json("frontier-show", {"rows": [_record(row) for row in rows]})
        return 0
    _print(rows)
    if table is not None:
        say(f"written: {table}")
    return 0


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
    from slth.experiments.frontier_cell import FrontierLedger

    new = FrontierLedger.gather(out, ledgers)
    if common.json:
        print_json("frontier-merge", {"ledger": str(out), "new_trials": new})
    else:
        say(f"{new} new trials in {out}")
    return 0


def _scale(target: str, network: Any, inputs: Path | None) -> float:
    from slth.experiments.frontier_theory import output_scale
    from slth.readers.arrays import read_inputs

    if inputs is not None:
        return output_scale(network, read_inputs(inputs))
    if target in EXAMPLES:
        from slth.examples.digits import digits

        return output_scale(network, digits(EXAMPLES[target]).inputs)
    raise InvalidInput("`--relative` must have data; got none. Give `--inputs`.")


def _record(row: FrontierRow) -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(row), "seed": str(row.seed)}


_KEYS = ("target", "domain", "k/n", "arrangement", "search")


def _keys(row: Any) -> tuple[str, ...]:
    """What tells a row apart, in every table: `_KEYS`."""
    search = [row.search, *([f"window {row.window}"] if row.window else [])]
    search += [row.law] if row.law != "uniform" else []
    arrangement = ", ".join(dict.fromkeys(row.arrangements))
    return row.target, row.domain, f"{row.density:g}", arrangement, ", ".join(search)


def _print(rows: Any) -> None:
    """The table in three parts: what was found, what theory says, the compression view."""
    print_table(
        (*_KEYS, "eps", "copies", "k", "certified", "m/m_t", "threshold", "kept/total", "bound", "at least"),
        [
            (
                *_keys(row),
                f"{row.eps:.4g}",
                " ".join(map(str, row.copies)),
                " ".join(map(str, row.k)),
                f"{row.certified}/{row.trials} [{row.low:.2f}, {row.high:.2f}]",
                row.overparameterization,
                f"[{_short(row.m_low)}, {_short(row.m_high)}]",
                f"{row.gamma:.4g}",
                f"{row.bound:.4g}",
                f"{row.lower_estimate:.4g}",
            )
            for row in rows
        ],
        title="Smallest certified sources found",
    )
    print_table(
        (*_KEYS, "m/m_t", "predicted", "Theorem 3", "over it", "at kept/total", "family bound", "over it"),
        [
            (
                *_keys(row),
                row.overparameterization,
                _short(row.predicted),
                _short(row.theorem_3),
                _ratio(row.theorem_3, row.overparameterization),
                _short(row.theorem_3_at_gamma),
                _short(row.family_bound),
                _ratio(row.overparameterization, row.family_bound),
            )
            for row in rows
        ],
        title="Beside theory: Theorem 3 with c_amp = 1; the lower bound is for one source serving a family",
    )
    coded = [row for row in rows if row.code is not None]
    if coded:
        print_table(
            (*_KEYS, "ticket", "owners, if stored", "quantised, entropy", "quantised, levels", "log2(1/eps)"),
            [
                (
                    *_keys(row),
                    *(
                        f"{row.code[key]:.2f}"
                        for key in ("ticket", "owners", "quantised_entropy", "quantised_levels")
                    ),
                    _short(row.bits_at_tolerance),
                )
                for row in coded
            ],
            title="Bits per target weight: the ticket as a code, and quantisation with the same bound",
        )


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _ratio(over: float | None, under: float | None) -> str:
    return f"{over / under:.3g}x" if over and under else ""
