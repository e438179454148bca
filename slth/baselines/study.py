"""The studies: which cells they have, and the driver that does what a ledger lacks."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from slth._typing import Progress
from slth._validate import as_choice
from slth.baselines.cells import (
    CONSTRUCTED,
    EDGE_POPUP,
    GAP,
    ITERATIVE,
    ONE_SHOT,
    PROBABILITY,
    RANDOM,
    SUPERMASKS,
    StudyCell,
    run_cell,
)
from slth.baselines.constructed import warm_up
from slth.baselines.edge_popup import RECIPE as POPUP_RECIPE
from slth.baselines.extra import load_torch
from slth.baselines.frozen import KINDS, SIGNED_CONSTANT
from slth.baselines.magnitude import Pruning
from slth.baselines.probability_mask import RECIPE as PROBABILITY_RECIPE
from slth.baselines.study_ledger import StudyLedger
from slth.baselines.training import Recipe
from slth.errors import SweepIncomplete
from slth.experiments.driver import Done, Task, drive
from slth.experiments.executors import SERIAL, Shard, open_executor, shard_index
from slth.experiments.ledger import versions

DENSE, CONV = "300-100", "conv:8-16:32"
# as many weights, within 1 %, as the source of the constructed tickets with k/n = 0.2
WIDE = "1200-400"
WIDTHS = (DENSE, "600-200", WIDE)
DENSITIES = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
UNIFORM_DENSITIES = (0.5, 0.1)
SEEDS = tuple(range(5))
FEW_SEEDS = SEEDS[:3]
# largest certified l2 error of the ten outputs that the constructed tickets may have
EPS = 5.0
CONSTRUCTED_K = (3, 4)
CONSTRUCTED_SHARES = (0.2, 0.4, 0.7)

DENSE_RECIPE = Recipe(iterations=600, rate=2.5e-3)
CONV_RECIPE = Recipe(iterations=400, rate=4e-3)
# too short to reach 100 % on the training part, so that training accuracy can still move
SHORT_RECIPE = Recipe(iterations=120, every=5)
DENSE_PRUNING = Pruning(rounds=17, rate=0.25)
# the first fourteen of these rounds, down to 2 %
CONTROL_PRUNING = Pruning(rounds=14, rate=0.25)
CONV_PRUNING = Pruning(rounds=7, rate=0.4, conv_rate=0.3)


def digits_cells() -> list[StudyCell]:
    """The study that is shipped: everything on the digits, and the gap on tiny tasks."""
    cells = [
        StudyCell(CONSTRUCTED, seed, k=k, density=share, eps=EPS)
        for seed in FEW_SEEDS
        for k, share in [*((k, None) for k in CONSTRUCTED_K), *((None, s) for s in CONSTRUCTED_SHARES)]
    ]
    magnitude = (ITERATIVE, ONE_SHOT, RANDOM)
    for seed in SEEDS:
        for method, pruning in zip(magnitude, (DENSE_PRUNING, DENSE_PRUNING, CONTROL_PRUNING), strict=True):
            cells.append(StudyCell(method, seed, DENSE, pruning=pruning, recipe=DENSE_RECIPE))
    cells += [
        StudyCell(EDGE_POPUP, seed, network, 0.5, SIGNED_CONSTANT, recipe=POPUP_RECIPE)
        for network in WIDTHS
        for seed in SEEDS
    ]
    cells += [StudyCell(ITERATIVE, s, DENSE, pruning=CONTROL_PRUNING, recipe=SHORT_RECIPE) for s in SEEDS]
    cells += [StudyCell(GAP, 0, source="weight", n=n, trials=200, steps=400) for n in range(4, 29, 4)]
    cells += [StudyCell(GAP, 0, source="neuron", n=n, trials=60, steps=400) for n in (4, 6, 8, 10)]
    cells += [StudyCell(SUPERMASKS, seed, DENSE, recipe=DENSE_RECIPE, densities=DENSITIES) for seed in SEEDS]
    cells += [
        StudyCell(method, seed, CONV, pruning=CONV_PRUNING, recipe=CONV_RECIPE)
        for seed in SEEDS
        for method in magnitude
    ]
    for seed in FEW_SEEDS:
        cells.append(StudyCell(ITERATIVE, seed, WIDE, pruning=Pruning(rounds=0), recipe=DENSE_RECIPE))
        for density in DENSITIES:
            for source in KINDS if density in UNIFORM_DENSITIES else (SIGNED_CONSTANT,):
                cells.append(StudyCell(EDGE_POPUP, seed, WIDE, density, source, recipe=POPUP_RECIPE))
                cells.append(StudyCell(PROBABILITY, seed, WIDE, density, source, recipe=PROBABILITY_RECIPE))
    return list(dict.fromkeys(cells))


def quick_cells() -> list[StudyCell]:
    """A study of seconds with the same kinds of cells, to see how one runs. Its numbers mean nothing."""
    pruning, recipe = Pruning(rounds=3, rate=0.5), Recipe(iterations=40, every=10)
    cells = [
        StudyCell(method, seed, "16", pruning=pruning, recipe=recipe)
        for method in (ITERATIVE, ONE_SHOT, RANDOM)
        for seed in (0, 1)
    ]
    for density in (0.5, 0.1):
        cells.append(
            StudyCell(
                EDGE_POPUP, 0, "32", density, SIGNED_CONSTANT, recipe=Recipe(40, rate=0.1, optimiser="sgd")
            )
        )
        cells.append(StudyCell(PROBABILITY, 0, "32", density, SIGNED_CONSTANT, recipe=Recipe(40, rate=0.1)))
    cells.append(StudyCell(SUPERMASKS, 0, "16", recipe=recipe, densities=(0.5,)))
    cells.append(StudyCell(CONSTRUCTED, 0, k=4, eps=EPS))
    cells += [StudyCell(GAP, 0, source=f, n=4, trials=5, steps=10) for f in ("weight", "neuron")]
    return cells


STUDIES: dict[str, Callable[[], list[StudyCell]]] = {"digits": digits_cells, "quick": quick_cells}


def study_cells(name: str) -> list[StudyCell]:
    """The cells of a study by name.

    Raises
    ------
    InvalidInput
        If there is no such study.
    """
    return STUDIES[as_choice(name, "study", tuple(STUDIES))]()


def do_cell(canonical: str) -> Done:
    """Do one cell; this is what a worker runs."""
    cell = StudyCell.from_canonical(canonical)
    load_torch()
    if cell.method == CONSTRUCTED:
        warm_up()  # the first construction of a process also compiles
    began = time.perf_counter()
    payload = run_cell(cell)
    spent = round(1000 * (time.perf_counter() - began))
    return Done(payload, spent, versions(torch=str(load_torch().__version__)))


def run_study(
    cells: list[StudyCell],
    path: Path,
    *,
    executor: str = SERIAL,
    workers: int | None = None,
    shard: Shard | None = None,
    progress: Progress | None = None,
) -> tuple[int, int]:
    """Do the cells that the ledger lacks, and write each as it is finished.

    Parameters
    ----------
    cells : list of StudyCell
    path : Path
        The ledger; created, or taken up where it stands.
    executor, workers
        As in `slth.experiments.sweep.run_sweep`; they change no result.
    shard : (int, int), optional
        (i, n) with 1 <= i <= n: only every n-th cell.
    progress : callable, optional
        Called as progress("study", cells done, cells wanted).

    Returns
    -------
    (done, wanted)

    Raises
    ------
    MissingExtra
        If torch is not installed.
    InvalidInput
        If the shard is out of range or the file is no ledger of a study.
    LedgerDamaged
        If the ledger holds damaged rows.
    SweepIncomplete
        If cells could not be done; all others are in the ledger.
    """
    load_torch()
    index, shards = shard_index(shard)
    mine = [cell for place, cell in enumerate(cells) if place % shards == index]
    with StudyLedger(path) as ledger:
        ledger.records()
        finished = {block.cell for block in ledger.blocks()}
        for cell in mine:
            ledger.file(cell)
        missing = {cell.digest: cell for cell in mine if cell.digest not in finished}
        if missing:
            tasks = [Task(digest, 0, do_cell, (cell.canonical,)) for digest, cell in missing.items()]
            with open_executor(executor, workers) as (pool, in_flight):
                failures = drive(
                    pool,
                    in_flight,
                    tasks,
                    ledger,
                    total=len(mine),
                    stage="study",
                    unit="cells",
                    progress=progress,
                )
            if failures:
                problems = tuple(
                    f"cell {digest[:12]} ({missing[digest].method}): {error}"
                    for digest, error in failures.items()
                )
                raise SweepIncomplete(
                    f"{len(problems)} cell(s) could not be done; all others are in {path}. "
                    + " ".join(problems[:5]),
                    problems,
                )
        finished = {block.cell for block in ledger.blocks()}
        return sum(cell.digest in finished for cell in mine), len(mine)
