"""Magnitude pruning in a finished study: curves, and the paper's claims as paired differences over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slth._typing import FloatArray
from slth.baselines.architecture import architecture
from slth.baselines.cells import EDGE_POPUP, ITERATIVE, ONE_SHOT, PROBABILITY, RANDOM, StudyCell
from slth.baselines.frozen import SIGNED_CONSTANT, kept_counts
from slth.baselines.magnitude import ONE_SHOT as ONE_SHOT_ARM
from slth.baselines.magnitude import RANDOM as RANDOM_ARM
from slth.baselines.magnitude import REINITIALISED, WINNING, Pruning
from slth.baselines.results import Finished, Interval, interval
from slth.baselines.training import Recipe

# "reaches" means: worse by less than this, in points of accuracy
MARGIN = 1.0
# verdict where the dense network already gets every training image right
CEILING = "at the ceiling"


@dataclass(frozen=True)
class Curve:
    """An arm of magnitude pruning on one network: rounds by seeds, in percent and steps.

    `density` (rounds,) is the share of weights kept; every other array is (rounds, seeds).
    """

    arm: str
    seeds: tuple[int, ...]
    rounds: tuple[int, ...]
    density: FloatArray
    last_step: int
    stop_iteration: FloatArray
    stop_test: FloatArray
    stop_train: FloatArray
    final_test: FloatArray
    final_train: FloatArray
    final_loss: FloatArray


def run_name(cell: StudyCell) -> str:
    """Network and training of a cell in words, such as "300-100, 600 steps"."""
    recipe, pruning = cell.recipe or Recipe(), cell.pruning or Pruning()
    words = [cell.network or "", f"{recipe.iterations} steps"]
    words += [f"dropout {recipe.dropout:g}"] if recipe.dropout else []
    words += [f"warm-up {recipe.warmup}"] if recipe.warmup else []
    words += [f"rewinding to step {pruning.rewind}"] if pruning.rewind else []
    return ", ".join(words)


def runs(study: Iterable[Finished]) -> list[str]:
    """Names of the runs of magnitude pruning in a study: dense before convolutional, longest first."""
    found = {
        run_name(item.cell): item.cell
        for item in study
        if item.cell.method in (ITERATIVE, ONE_SHOT, RANDOM) and item.cell.pruning and item.cell.pruning.rounds
    }

    def order(name: str) -> tuple[Any, ...]:
        cell = found[name]
        steps = cell.recipe.iterations if cell.recipe else 0
        return (cell.network or "").startswith("conv"), cell.network, -steps, name

    return sorted(found, key=order)


def plain_runs(study: Sequence[Finished]) -> list[str]:
    """Of the runs of each network the one that all arms belong to: the longest without options."""
    chosen: dict[str, str] = {}
    for name in runs(study):
        if name.count(",") == 1:
            chosen.setdefault(name.split(",")[0], name)
    return list(chosen.values())


def curves(study: Iterable[Finished], run: str) -> dict[str, Curve]:
    """The arms of a run of magnitude pruning."""
    table: dict[str, dict[int, dict[int, dict[str, Any]]]] = {}
    last_step = 0
    for item in study:
        cell = item.cell
        if cell.pruning is None or not cell.pruning.rounds or run_name(cell) != run:
            continue
        last_step = max(last_step, cell.recipe.iterations if cell.recipe else 0)
        for row in item.rows:
            table.setdefault(row["arm"], {}).setdefault(cell.seed, {})[row["round"]] = row
    weights = architecture(run.split(",")[0]).weights
    found = {}
    for arm, by_seed in table.items():
        seeds = tuple(sorted(by_seed))
        rounds = tuple(sorted(set.intersection(*(set(rows) for rows in by_seed.values()))))

        def grid(
            name: str, scale: str | None = None, *, own: Any = by_seed, who: Any = seeds, at: Any = rounds
        ) -> Any:
            return np.array(
                [[own[s][r][name] * (100.0 / own[s][r][scale] if scale else 1.0) for s in who] for r in at]
            )

        found[arm] = Curve(
            arm,
            seeds,
            rounds,
            np.array([sum(by_seed[seeds[0]][r]["kept"]) / weights for r in rounds]),
            last_step,
            grid("stop_iteration"),
            grid("stop_test", "tests"),
            grid("stop_train", "trains"),
            grid("final_test", "tests"),
            grid("final_train", "trains"),
            grid("final_loss"),
        )
    return found


@dataclass(frozen=True)
class Claim:
    """A paired difference over seeds and what it says of a statement.

    Attributes
    ----------
    run, statement : str
    density : float
        Share of weights kept.
    difference : Interval
        In points of accuracy, or steps where the statement says so.
    verdict : {"holds", "does not hold", "undecided", "at the ceiling"}
        At 95 %, each claim on its own.
    """

    run: str
    statement: str
    density: float
    difference: Interval
    verdict: str


def claims(study: Sequence[Finished], run: str) -> list[Claim]:
    """The facts of Frankle and Carbin, as paired differences at about 20, 5, 2 and 1 % of the weights."""
    arms = curves(study, run)
    if WINNING not in arms:
        return []
    winning = arms[WINNING]
    made = []
    for near in (0.2, 0.05, 0.02, 0.01):
        rounds = [r for r, d in zip(winning.rounds, winning.density, strict=True) if r and d <= 1.1 * near]
        if not rounds:
            continue
        number = rounds[0]
        text = "winning ticket reaches the dense net"
        made.append(_claim(run, winning, number, winning, 0, "stop_test", text, -MARGIN))
        text = "it stops earlier than the dense net (steps)"
        made.append(_claim(run, winning, 0, winning, number, "stop_iteration", text, 0.0))
        for other, text in (
            (REINITIALISED, "it beats its mask over fresh weights"),
            (RANDOM_ARM, "it beats a random mask"),
            (ONE_SHOT_ARM, "iterative beats one-shot"),
        ):
            if other in arms and number in arms[other].rounds:
                made.append(_claim(run, winning, number, arms[other], number, "stop_test", text, 0.0))
    return made


def training_claims(study: Sequence[Finished], run: str) -> list[Claim]:
    """Whether training accuracy rises while weights are removed, down to about an eighth of them.

    Both at the early-stopping step and at the last one, and the training loss at the last step, which still
    moves where the accuracy is at its ceiling.
    """
    arms = curves(study, run)
    if WINNING not in arms:
        return []
    winning = arms[WINNING]
    rounds = [r for r, d in zip(winning.rounds, winning.density, strict=True) if r and d <= 0.8]
    chosen = [r for r in rounds if winning.density[winning.rounds.index(r)] >= 0.12]
    picked = list(dict.fromkeys([*chosen[:1], *chosen[len(chosen) // 2 : len(chosen) // 2 + 1], *chosen[-1:]]))
    made = []
    for number in picked:
        for name, text in (
            ("stop_train", "training accuracy at the early stop rises"),
            ("final_train", "final training accuracy rises"),
        ):
            made.append(_claim(run, winning, number, winning, 0, name, text, 0.0))
        text = "final training loss falls (milli)"
        made.append(_claim(run, winning, 0, winning, number, "final_loss", text, 0.0, 1e3))
    return made


def _claim(
    run: str,
    first: Curve,
    at: int,
    second: Curve,
    against: int,
    name: str,
    statement: str,
    above: float,
    scale: float = 1.0,
) -> Claim:
    """Paired over the seeds that both curves have."""
    seeds = [s for s in first.seeds if s in second.seeds]
    left = getattr(first, name)[first.rounds.index(at)]
    right = getattr(second, name)[second.rounds.index(against)]
    pairs = [left[first.seeds.index(s)] - right[second.seeds.index(s)] for s in seeds]
    found = interval(scale * np.array(pairs))
    full = name.endswith("_train") and bool(np.all(right == 100.0))
    density = first.density[first.rounds.index(at or against)]
    return Claim(run, statement, float(density), found, CEILING if full else _verdict(found, above))


def _verdict(found: Interval, above: float) -> str:
    if found.low is None or found.high is None:
        return "undecided"
    if found.low > above or (found.low == found.high == above and above < 0):
        return "holds"
    return "does not hold" if found.high <= above else "undecided"


def popup_claims(study: Sequence[Finished], density: float = 0.5) -> list[Claim]:
    """Edge-popup at a density on wider and wider sources, against the trained 300-100 of the same seed."""
    reference = next((name for name in plain_runs(study) if name.startswith("300-100,")), "")
    dense = {
        item.cell.seed: item.rows[0]
        for item in study
        if item.cell.method == ITERATIVE and run_name(item.cell) == reference
    }
    made = []
    names = {i.cell.network or "" for i in study if i.cell.method == EDGE_POPUP and i.cell.density == density}
    for network in sorted(names, key=lambda name: architecture(name).weights):
        pairs = [
            100.0 * (i.rows[0]["stop_test"] - dense[i.cell.seed]["stop_test"]) / i.rows[0]["tests"]
            for i in study
            if (i.cell.method, i.cell.network, i.cell.density, i.cell.source)
            == (EDGE_POPUP, network, density, SIGNED_CONSTANT)
            and i.cell.seed in dense
        ]
        if pairs:
            found = interval(pairs)
            text = "edge-popup is within 2 points of the trained 300-100"
            made.append(Claim(network, text, density, found, _verdict(found, -2.0)))
    return made


def kept_promises(study: Sequence[Finished]) -> tuple[int, int, int]:
    """(searches over frozen weights, those whose weights are unchanged to the bit, those of exact density)."""
    searches = [i for i in study if i.cell.method in (EDGE_POPUP, PROBABILITY)]
    unchanged = sum(i.rows[0]["unchanged"] == 1 for i in searches)
    exact = sum(
        tuple(i.rows[0]["kept"]) == kept_counts(architecture(i.cell.network or ""), i.cell.density or 0.0)
        for i in searches
    )
    return len(searches), unchanged, exact
