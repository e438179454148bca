"""Every method of a finished study in one table, and the gap between what exists and what is found."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slth._typing import FloatArray
from slth.baselines.architecture import architecture
from slth.baselines.cells import CONSTRUCTED, EDGE_POPUP, GAP, ITERATIVE, ONE_SHOT, PROBABILITY
from slth.baselines.lottery import plain_runs, run_name
from slth.baselines.magnitude import ONE_SHOT as ONE_SHOT_ARM
from slth.baselines.magnitude import WINNING
from slth.baselines.results import CONFIDENCE, Finished, Interval, interval

DENSITIES = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01)


@dataclass(frozen=True)
class Row:
    """One line of the side-by-side table.

    Attributes
    ----------
    method : str
    network : str
        What was pruned.
    source, ticket : int
        Parameters of the source and of the ticket, biases included (mean over seeds).
    density : float
        ticket / source for constructed tickets; share of weights kept for the others.
    accuracy, agreement : Interval
        Percent of the test images: right, and the same class as the target network says.
    certified : float or None
        Proved bound on the largest l2 error from the target over all images in the box; only constructed
        tickets have one.
    proved : float or None
        Percent of the test images on which the target's prediction is proved to be kept.
    seconds : float
        Wall time on one core, everything before included; mean over seeds. The machine was shared.
    """

    method: str
    network: str
    source: int
    ticket: int
    density: float
    accuracy: Interval
    agreement: Interval
    certified: float | None
    proved: float | None
    seconds: float


def side_by_side(study: Sequence[Finished], densities: Sequence[float] = DENSITIES) -> list[Row]:
    """Every method at about the given densities (constructed tickets at those they have)."""
    rows = [
        *_dense_rows(study),
        *_magnitude_rows(study, densities),
        *_masked_rows(study),
        *_constructed_rows(study),
    ]
    return rows


def _plain(study: Sequence[Finished]) -> list[Finished]:
    """Without trainings that are shorter than another of their network, or have options."""
    chosen = plain_runs(study)
    done = {name.split(",")[0] for name in chosen}
    return [i for i in study if i.cell.network not in done or run_name(i.cell) in chosen]


def _percent(values: list[float]) -> Interval:
    return interval(values, low=0.0, high=100.0)


def _groups(study: Iterable[Finished], method: str) -> dict[tuple[Any, ...], list[Finished]]:
    found: dict[tuple[Any, ...], list[Finished]] = {}
    for item in study:
        cell = item.cell
        if cell.method == method:
            key = (cell.network or "", cell.source or "", cell.density or 0.0, cell.k or 0, cell.pruning)
            found.setdefault(key, []).append(item)
    return found


def _row(
    method: str,
    network: str,
    kept: float,
    biases: int,
    weights: int,
    measured: list[dict[str, Any]],
    seconds: float,
) -> Row:
    return Row(
        method,
        network,
        weights + biases,
        round(kept) + biases,
        kept / weights,
        _percent([100.0 * m["stop_test"] / m["tests"] for m in measured]),
        _percent([100.0 * m["stop_agree"] / m["tests"] for m in measured]),
        None,
        None,
        seconds,
    )


def _dense_rows(study: Sequence[Finished]) -> list[Row]:
    rows = []
    for (network, *_), items in _groups(_plain(study), ITERATIVE).items():
        net = architecture(network)
        share = [i.milliseconds / len(i.rows) for i in items]
        measured = [i.rows[0] for i in items]
        rows.append(
            _row(
                "trained dense net",
                network,
                net.weights,
                net.biases,
                net.weights,
                measured,
                float(np.mean(share)) / 1e3,
            )
        )
    return sorted(rows, key=lambda r: (r.network.startswith("conv"), r.source))


def _magnitude_rows(study: Sequence[Finished], densities: Sequence[float]) -> list[Row]:
    rows = []
    for method, arm, name in ((ITERATIVE, WINNING, "IMP ticket"), (ONE_SHOT, ONE_SHOT_ARM, "one-shot ticket")):
        for (network, *_, pruning), items in _groups(_plain(study), method).items():
            if pruning is None or not pruning.rounds:
                continue
            net = architecture(network)
            counts = [sum(row) for row in pruning.counts(net)]
            for density in densities:
                number = min(
                    range(1, len(counts)), key=lambda r: abs(math.log(counts[r] / net.weights / density))
                )
                if abs(math.log(counts[number] / net.weights / density)) > 0.3:
                    continue
                measured = [r for i in items for r in i.rows if r["arm"] == arm and r["round"] == number]
                # trainings of a cell take equally many steps; a one-shot cell trains the dense net too
                each = [i.milliseconds / (len(i.rows) + (method == ONE_SHOT)) for i in items]
                seconds = float(np.mean(each)) / 1e3 * measured[0]["trainings"]
                rows.append(_row(name, network, counts[number], net.biases, net.weights, measured, seconds))
    return rows


def _masked_rows(study: Sequence[Finished]) -> list[Row]:
    rows = []
    for method in (EDGE_POPUP, PROBABILITY):
        for (network, source, *_), items in _groups(study, method).items():
            net = architecture(network)
            measured = [i.rows[0] for i in items]
            seconds = float(np.mean([i.milliseconds for i in items])) / 1e3
            kept = sum(measured[0]["kept"])
            rows.append(_row(f"{method}, {source}", network, kept, 0, net.weights, measured, seconds))
    return sorted(rows, key=lambda r: (r.method, r.source, -r.density))


def _constructed_rows(study: Sequence[Finished]) -> list[Row]:
    rows = []
    for items in _groups(study, CONSTRUCTED).values():
        facts = [i.rows[0] for i in items]
        rows.append(
            Row(
                "constructed ticket",
                f"k = {'/'.join(str(k) for k in facts[0]['k'])}",
                round(np.mean([f["m"] for f in facts])),
                round(np.mean([f["kept"] for f in facts])),
                float(np.mean([f["kept"] / f["m"] for f in facts])),
                _percent([100.0 * f["test"] / f["tests"] for f in facts]),
                _percent([100.0 * f["agree"] / f["tests"] for f in facts]),
                max((f["bound"] for f in facts if f["bound"] is not None), default=None),
                float(np.mean([100.0 * f["proved"] / f["tests"] for f in facts])),
                float(np.mean([i.milliseconds for i in items])) / 1e3,
            )
        )
    return sorted(rows, key=lambda r: -r.density)


@dataclass(frozen=True)
class GapRow:
    """Median errors over trials on sources of n hidden neurons, each (median, low, high) at 95 %, exact.

    `ratio` is the median over trials of (error of the best mask edge-popup visits) / (least error there is).
    """

    family: str
    n: int
    trials: int
    masks: int
    exists: tuple[float, float, float]
    visited: tuple[float, float, float]
    last: tuple[float, float, float]
    random: tuple[float, float, float]
    ratio: tuple[float, float, float]


def gap_table(study: Iterable[Finished]) -> list[GapRow]:
    """The gap between what exists and what edge-popup finds, by family and n."""
    rows = []
    for item in study:
        if item.cell.method != GAP:
            continue
        row = item.rows[0]
        logs = {name: np.array(row[name]) / 1e4 for name in ("exists", "visited", "last", "random")}
        rows.append(
            GapRow(
                item.cell.source or "",
                item.cell.n or 0,
                len(logs["exists"]),
                row["masks"],
                exists=_median(logs["exists"]),
                visited=_median(logs["visited"]),
                last=_median(logs["last"]),
                random=_median(logs["random"]),
                ratio=_median(logs["visited"] - logs["exists"]),
            )
        )
    return sorted(rows, key=lambda r: (r.family == "neuron", r.n))


def _median(logs: FloatArray) -> tuple[float, float, float]:
    """10^median of `logs`, with the interval of order statistics that covers it with at least 95 %."""
    from scipy.special import bdtr

    ordered = np.sort(logs)
    n = len(ordered)
    # P(Binomial(n, 1/2) <= j) <= 2.5 %: the j+1-th smallest lies above the median at most so often
    below = max((j for j in range(n // 2) if bdtr(j, n, 0.5) <= (1 - CONFIDENCE) / 2), default=-1)
    low = ordered[below] if below >= 0 else -math.inf
    high = ordered[n - 1 - below] if below >= 0 else math.inf
    return 10.0 ** float(np.median(ordered)), 10.0 ** float(low), 10.0 ** float(high)
