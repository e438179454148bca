"""One random trial: what is drawn, from which stream, and how it is decided.

Everything that counts trials (`verify`, `estimate`, thresholds, sweeps) draws and decides here. An answer is
a proof or it is UNKNOWN; a search that merely ended without finding anything proves nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from slth._typing import FloatArray, IntArray
from slth._validate import as_choice, as_integer, as_real
from slth.errors import InvalidInput
from slth.experiments.bins import UNKNOWN_BIN, bin_of
from slth.laws.law import Law
from slth.laws.named import as_law
from slth.subset_sum.batch import solve_batch
from slth.subset_sum.count import count
from slth.subset_sum.cover_batch import cover_batch
from slth.subset_sum.cover_parts import covered_by_parts
from slth.subset_sum.radius import covering_radius
from slth.subset_sum.result import Status

Event = Literal["hit", "cover", "closest", "radius"]
EVENTS = ("hit", "cover", "closest", "radius")
SELECTIONS = ("subset", "one-per-block")

YES, NO, UNKNOWN = 1, 0, -1

# Trials that share one random stream in `estimate` and `verify`. Part of the meaning of a seed.
CHUNK = 64
# Seconds of work handed to the solver at a time: bounds the wait after Ctrl-C and paces the progress bar.
SLICE = 0.25
# Most samples drawn at once.
_MOST_SAMPLES = 1 << 22


@dataclass(frozen=True, slots=True)
class Experiment:
    """What one trial asks of n fresh samples.

    Attributes
    ----------
    event : {"hit", "cover", "closest", "radius"}
        hit: is `where` within eps of the sum of some k samples. cover: is every point of [-where, where].
        closest: the least distance of such a sum from `where`. radius: the least eps with which
        [-where, where] is covered.
    law : Law
        Law of the samples.
    n, k : int
        1 <= k <= n.
    eps : float or None
        Tolerance > 0 of hit and cover; None for closest and radius.
    where : float or "uniform"
        The target, drawn from [-edge, edge] in each trial when "uniform"; for cover and radius, the end of
        the range.
    edge : float
        sqrt(k), or sqrt(k)/2 for the live product law, whose standard deviation is 1/3.
    selection : {"subset", "one-per-block"}
        Any k samples, or one from each of k consecutive blocks of n/k samples.
    """

    event: str
    law: Law
    n: int
    k: int
    eps: float | None
    where: float | str
    edge: float
    selection: str = "subset"

    @property
    def counts(self) -> bool:
        """Whether a trial ends in yes or no; otherwise it ends in a bin of distances."""
        return self.event in ("hit", "cover")

    @property
    def blocks(self) -> int | None:
        """Length of a block for one-per-block selections."""
        return self.n // self.k if self.selection == "one-per-block" else None


def experiment(
    event: Any,
    n: Any,
    k: Any,
    eps: Any,
    *,
    law: str | Law,
    where: Any = "edge",
    selection: Any = "subset",
) -> Experiment:
    """Check the arguments and build the experiment.

    Parameters
    ----------
    event, n, k, eps, law
        As in `Experiment`; a law may be given by name.
    where : float or {"edge", "uniform"}
        "uniform" for hit and closest only.
    selection
        As in `Experiment`.

    Raises
    ------
    InvalidInput
        If an argument breaks its rule.
    """
    event = as_choice(event, "event", EVENTS)
    n = as_integer(n, "n", low=1)
    k = as_integer(k, "k", low=1, high=n)
    if event in ("hit", "cover"):
        eps = as_real(eps, "eps", low=0.0, open_low=True)
    elif eps is not None:
        raise InvalidInput(f"`eps` must be absent for the event {event!r}, which measures it; got {eps!r}.")
    law = as_law(law)
    selection = as_choice(selection, "selection", SELECTIONS)
    if selection == "one-per-block":
        if n % k:
            raise InvalidInput(f"`n` must be a multiple of k={k} to take one sample per block; got {n}.")
        if event == "closest":
            raise InvalidInput("`event` must be hit, cover or radius with one sample per block; got 'closest'.")
    edge = edge_of(law, k)
    return Experiment(event, law, n, k, eps, _where(event, where, edge), edge, selection)


def edge_of(law: Law, k: int) -> float:
    """End of the range of targets that theory speaks of: sqrt(k), or sqrt(k)/2 for the live product law."""
    return math.sqrt(k) / (2.0 if law.name == "product" else 1.0)


def draw(trial: Experiment, entropy: int, block: int, rows: int) -> tuple[FloatArray, FloatArray]:
    """Samples (rows, n) and targets (rows,) of one block of trials.

    Samples come from ``Philox(SeedSequence(entropy, spawn_key=(block, 0)))``, random targets from spawn key
    (block, 1): the same whoever draws them, in any order.
    """

    def stream(purpose: int) -> np.random.Generator:
        keys = np.random.SeedSequence(entropy, spawn_key=(block, purpose))
        return np.random.Generator(np.random.Philox(keys))

    samples = trial.law.sample(stream(0), (rows, trial.n))
    if isinstance(trial.where, str):
        return samples, trial.edge * (2.0 * stream(1).random(rows) - 1.0)
    return samples, np.full(rows, trial.where)


def decide(trial: Experiment, samples: FloatArray, targets: FloatArray, threads: int | None) -> IntArray:
    """Outcome of each row, int64: YES, NO or UNKNOWN, or the bin of the distance measured."""
    if trial.event in ("cover", "radius"):
        return _decide_ranges(trial, samples, threads)
    if trial.selection == "one-per-block":
        return _decide_one_per_block(trial, samples, targets)
    result = solve_batch(samples, targets, k=trial.k, eps=trial.eps, threads=threads)
    if trial.event == "closest":
        proved = result.statuses == Status.CLOSEST_PROVED.value
        return np.where(proved, bin_of(np.where(proved, result.errors, 0.0)), UNKNOWN_BIN)
    answers = np.full(len(targets), UNKNOWN, np.int64)
    answers[result.statuses == Status.FOUND.value] = YES
    answers[result.statuses == Status.ABSENT_PROVED.value] = NO
    return answers


def outcomes(trial: Experiment, seed: int, trials: int, threads: int | None) -> Iterator[IntArray]:
    """Outcomes of trials 0..trials in order, a slice at a time; the slicing changes no answer.

    Trial t is row t mod CHUNK of block t // CHUNK.
    """
    rows = 1  # grows to what one slice of time allows
    most = max(CHUNK, _MOST_SAMPLES // trial.n)
    start = 0
    while start < trials:
        stop = min(trials, start + rows)
        blocks = [draw(trial, seed, block, CHUNK) for block in range(start // CHUNK, -(-stop // CHUNK))]
        first = start - start // CHUNK * CHUNK
        samples = np.concatenate([s for s, _ in blocks])[first : first + stop - start]
        targets = np.concatenate([t for _, t in blocks])[first : first + stop - start]
        began = time.perf_counter()
        yield decide(trial, samples, targets, threads)
        spent = time.perf_counter() - began
        start = stop
        rows = int(min(most, 4 * rows, max(1.0, rows * SLICE / max(spent, 1e-6))))


def _where(event: str, where: Any, edge: float) -> float | str:
    if event in ("hit", "closest"):
        if isinstance(where, str):
            as_choice(where, "target", ("edge", "uniform"))
            return edge if where == "edge" else where
        return as_real(where, "target")
    if isinstance(where, str):
        as_choice(where, "range", ("edge",))
        return edge
    return as_real(where, "range", low=0.0, open_low=True)


def _decide_ranges(trial: Experiment, samples: FloatArray, threads: int | None) -> IntArray:
    """Outcomes of cover and radius."""
    high = float(trial.where)
    if trial.eps is not None:
        answers = np.full(len(samples), YES, np.int64)
        if trial.blocks:
            left = np.arange(len(samples))
        else:
            left = np.flatnonzero(~covered_by_parts(samples, -high, high, trial.eps, trial.k, threads=threads))
        found = cover_batch(
            samples[left], -high, high, trial.eps, k=_sizes(trial), blocks=trial.blocks, threads=threads
        )
        answers[left] = found.covered  # 1, 0 and -1 are YES, NO and UNKNOWN
        return answers
    radii = [
        covering_radius(sample, -high, high, k=_sizes(trial), blocks=trial.blocks).radius for sample in samples
    ]
    return bin_of(radii)


def _sizes(trial: Experiment) -> int | None:
    """Subset size for the solvers, which take it from the blocks where there are blocks."""
    return None if trial.blocks else trial.k


def _decide_one_per_block(trial: Experiment, samples: FloatArray, targets: FloatArray) -> IntArray:
    """Outcomes of hit with one sample per block, by exact counts."""
    answers = np.full(len(samples), UNKNOWN, np.int64)
    for row, sample in enumerate(samples):
        found = count(sample, float(targets[row]), trial.eps or 0.0, blocks=trial.blocks).count
        if found is not None:
            answers[row] = YES if found else NO
    return answers
