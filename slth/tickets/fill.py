"""One layer of a ticket: its weights as batches of random subset sums, solved, none substituted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from slth._typing import BoolArray, FloatArray, IntArray
from slth.networks.source import Source
from slth.subset_sum.batch import solve_batch
from slth.subset_sum.result import Status
from slth.tickets.arrangement import HalfSample, halves
from slth.tickets.layer import PRODUCT_SCALE, input_blocks

Progress = Callable[[str, int, int], None]
Job = tuple[int, int, HalfSample]


@dataclass(frozen=True)
class Unreached:
    """A target weight that no subset reaches: its layer, its row and column in the layer's slot matrix (output
    and input of a dense layer), the best error there is and the tolerance, both in scaled units. `error` is
    infinite when fewer than k neurons can serve it."""

    layer: str
    output: int
    input: int
    half: str
    error: float
    tolerance: float


@dataclass(frozen=True, eq=False)
class LayerTask:
    """What a layer asks for: scaled slot matrix (d', D), subset size, tolerance, halves, and how to search."""

    index: int
    name: str
    weight: FloatArray
    k: int
    tolerance: float
    signed: bool
    biased: bool
    arrangement: str
    search: str


def fill_layer(
    source: Source, task: LayerTask, *, threads: int | None, progress: Progress | None
) -> tuple[BoolArray, list[Unreached]]:
    """Kept edges (d', D, N) of one layer, and the weights that no subset reaches.

    Memory: d' D N bytes for the edges and a bounded block of the source. Threads do not change the result.
    """
    outputs, inputs = task.weight.shape
    copies = source.layers[task.index].copies
    first = source.matched(task.index)
    edges = np.zeros((outputs, inputs, copies), dtype=np.bool_)
    failures: list[Unreached] = []
    for start, stop in input_blocks(inputs, copies, outputs):
        second = source.outgoing_block(task.index, start, stop)
        jobs: list[Job] = []
        for j in range(start, stop):
            constant = task.biased and j == inputs - 1
            both = halves(task.arrangement, first[j], signed=task.signed and not constant)
            jobs += [(j, half, sample) for half, sample in enumerate(both)]
        for sizes, group in _alike(jobs, task.k):
            failures += _solve_group(task, sizes, group, first, second, start, threads, edges)
        if progress is not None:
            progress(task.name, outputs * stop, outputs * inputs)
    return edges, failures


def _alike(jobs: list[Job], k: int) -> Iterator[tuple[tuple[int, int] | None, list[Job]]]:
    """Jobs grouped by what makes them one batch: the same number of live samples and the same sizes."""
    groups: dict[tuple[int, tuple[int, int] | None], list[Job]] = {}
    for job in jobs:
        groups.setdefault((job[2].live.size, job[2].sizes(k)), []).append(job)
    for (_, sizes), group in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or (-1, -1))):
        yield sizes, group


def _solve_group(
    task: LayerTask,
    sizes: tuple[int, int] | None,
    group: list[Job],
    first: IntArray,
    second: IntArray,
    start: int,
    threads: int | None,
    edges: BoolArray,
) -> list[Unreached]:
    """Solve the subset sums of several (input, half) jobs with equally many live samples; fill `edges`.

    second : outgoing weights of inputs from `start` on, (J, N, d').
    """
    samples, targets, rows_of = [], [], []
    for j, half, sample in group:
        rows = np.flatnonzero(task.weight[:, j] != 0.0)
        magnitude = np.abs(first[j, sample.live])
        products = magnitude[:, None] * second[j - start][np.ix_(sample.live, rows)]
        samples.append(products.T * PRODUCT_SCALE)
        targets.append(task.weight[rows, j] if half == 0 else -task.weight[rows, j])
        rows_of.append(rows)
    wanted = np.concatenate(targets)
    if wanted.size == 0:
        return []
    if sizes is None:
        errors = np.full(wanted.size, np.inf)
        return _unreached(task, group, rows_of, np.zeros(wanted.size, dtype=np.bool_), errors)
    stacked = np.concatenate(samples)
    eps = None if task.search == "closest" else task.tolerance
    batch = solve_batch(stacked, wanted, k=sizes, eps=eps, threads=threads)
    # FOUND was decided exactly; a rounded error strictly below the tolerance proves that the exact one is.
    closest = (batch.statuses == Status.CLOSEST_PROVED.value) & (batch.errors < task.tolerance)
    reached = (batch.statuses == Status.FOUND.value) | closest
    place = 0
    for (j, _, sample), rows in zip(group, rows_of, strict=True):
        own = slice(place, place + rows.size)
        kept = batch.mask[own] & reached[own, None]
        edges[np.ix_(rows, np.array([j]), sample.live)] |= kept[:, None, :]
        place += rows.size
    if reached.all():
        return []
    # Absence is proved with the closest subset at hand; a search that was stopped may know none.
    errors = np.where(np.isnan(batch.errors), np.inf, batch.errors)
    return _unreached(task, group, rows_of, reached, errors)


def _unreached(
    task: LayerTask, group: list[Job], rows_of: list[IntArray], reached: BoolArray, errors: FloatArray
) -> list[Unreached]:
    """Records of the weights of a group that are not `reached`."""
    found = []
    place = 0
    for (j, half, _), rows in zip(group, rows_of, strict=True):
        for row in rows.tolist():
            if not reached[place]:
                side = ("positive", "negative")[half]
                found.append(Unreached(task.name, row, j, side, float(errors[place]), task.tolerance))
            place += 1
    return found
