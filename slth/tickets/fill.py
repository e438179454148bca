"""One layer of a ticket: its weights as batches of random subset sums, solved, none substituted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from slth._typing import BoolArray, FloatArray, IntArray, Progress
from slth.networks.source import Source
from slth.subset_sum.batch import solve_batch
from slth.subset_sum.result import Status
from slth.tickets.arrangement import HalfSample, halves
from slth.tickets.layer import BLOCKS, owner_blocks, owners_of
from slth.tickets.lifting import Lift, base_edges, liftable, subset_for
from slth.tickets.wiring import Wiring, wiring

Sizes = tuple[int, int] | None
# The closest of all subsets of lifting edges is out of reach; one that is so much closer than asked is not.
_FINER = 256


@dataclass(frozen=True)
class Unreached:
    """A target weight that no subset reaches: its layer, its row and column in the layer's slot matrix (output
    and input of a dense layer), the best error there is and the tolerance, both in scaled units. `error` is
    infinite when too few neurons can serve it: fewer than k, or of a lifted bias any number."""

    layer: str
    output: int
    input: int
    half: str
    error: float
    tolerance: float


@dataclass(frozen=True, eq=False)
class LayerTask:
    """What a layer asks for: scaled slot matrix (d', D), subset size, tolerance, halves, and how to search.

    beyond : the closest subset is taken even when it is not within the tolerance, but for lifted biases.
    negative : targets of the negative half, where they are others than -weight. lift, shift : how neurons are
    lifted, where they are, and `TicketLayer.constant_shift`.
    """

    index: int
    name: str
    weight: FloatArray
    k: int
    window: int
    tolerance: float
    signed: bool
    biased: bool
    arrangement: str
    search: str
    beyond: bool = False
    negative: FloatArray | None = None
    lift: Lift | None = None
    shift: int = 0

    @property
    def moving(self) -> int:
        """Columns of the weight that multiply inputs."""
        return int(self.weight.shape[1]) - self.biased

    @property
    def halved(self) -> bool:
        """Whether weights on max(x, 0) and on max(-x, 0) are subset sums of their own."""
        return self.signed and self.lift is None

    @property
    def columns(self) -> slice:
        """Columns of the weight that are subset sums of their own."""
        return slice(0, self.moving) if self.lift is not None else slice(None)


@dataclass(frozen=True, eq=False)
class Batch:
    """Weights (B,) whose samples are equally long and whose subsets have the same sizes.

    sizes : fewest and most members, None when no subset is allowed; samples : (B, n); targets : (B,);
    owners, others : (B,), the ends of each weight; neurons : (B, n), the owner's neuron behind each sample;
    half : 0 positive, 1 negative.
    """

    sizes: Sizes
    samples: FloatArray
    targets: FloatArray
    owners: IntArray
    others: IntArray
    neurons: IntArray
    halves: IntArray


def fill_layer(
    source: Source,
    task: LayerTask,
    members: IntArray | None = None,
    *,
    threads: int | None,
    progress: Progress | None,
) -> tuple[BoolArray, list[Unreached]]:
    """Kept edges (owners, N, others) of one layer, and the weights that no subset reaches.

    members : hidden neurons of the owners (`slth.tickets.wiring`). Memory: d' D N bytes for the edges and a
    bounded block of the source. Threads do not change the result.
    """
    own = wiring(source, task.index, members)
    (owners, copies), others = own.singles.shape, own.others
    edges = np.zeros((owners, copies, others), dtype=np.bool_)
    failures: list[Unreached] = []
    for start, stop in owner_blocks(owners, copies, others):
        for batch in batches(task, own, start, stop):
            failures += solve(task, batch, threads, edges)[0]
        if task.lift is not None:
            failures += lift_outputs(task, task.lift, own, start, stop, edges)
        if progress is not None:
            progress(task.name, others * stop, others * owners)
    return edges, failures


def batches(
    task: LayerTask, own: Wiring, start: int, stop: int, columns: slice | None = None
) -> Iterator[Batch]:
    """Batches of the weights of owners start .. stop - 1, of some columns where outputs are the owners."""
    if owners_of(task.arrangement) == "inputs":
        return by_inputs(task, own, start, stop)
    return by_outputs(task, own, start, stop, task.columns if columns is None else columns)


def by_inputs(task: LayerTask, own: Wiring, start: int, stop: int) -> Iterator[Batch]:
    """Batches of the weights of inputs start .. stop - 1: one live sample for each half."""
    shared = own.block(start, stop)
    jobs: dict[tuple[int, Sizes], list[tuple[int, int, HalfSample]]] = {}
    for j in range(start, stop):
        constant = task.biased and j == own.singles.shape[0] - 1
        both = halves(task.arrangement, own.singles[j], signed=task.signed and not constant)
        for half, sample in enumerate(both):
            in_blocks = task.arrangement == BLOCKS
            sizes = (task.k, task.k) if in_blocks else sample.sizes(task.k, task.window)
            count = sample.whole.size if in_blocks else sample.live.size
            jobs.setdefault((count, sizes), []).append((j, half, sample))
    for (count, sizes), group in sorted(jobs.items(), key=lambda item: (item[0][0], item[0][1] or (-1, -1))):
        parts = []
        for j, half, sample in group:
            rows = np.flatnonzero(task.weight[:, j] != 0.0)
            copies = sample.whole if task.arrangement == BLOCKS else sample.live
            # |a| where the sign serves the half; zeros stay in blocks, and nowhere else.
            magnitude = np.where(np.isin(copies, sample.live), np.abs(own.singles[j, copies]), 0)
            products = magnitude[:, None] * shared[j - start][np.ix_(copies, rows)]
            if half == 0:
                wanted = task.weight[rows, j]
            else:
                wanted = -task.weight[rows, j] if task.negative is None else task.negative[rows, j]
            parts.append(
                (
                    products.T * own.product_scale,
                    wanted,
                    np.full(rows.size, j),
                    rows,
                    np.broadcast_to(copies, (rows.size, count)),
                    np.full(rows.size, half),
                )
            )
        yield Batch(sizes, *(np.concatenate(column) for column in zip(*parts, strict=True)))


def by_outputs(task: LayerTask, own: Wiring, start: int, stop: int, columns: slice) -> Iterator[Batch]:
    """Batches of the weights of outputs start .. stop - 1, of some inputs: edges with a > 0 are live or, where
    neurons are lifted, all of those that can be."""
    block = own.block(start, stop)
    shared = block[:, :, columns]
    products = own.singles[start:stop, :, None] * shared
    live = shared > 0
    if task.lift is not None:
        constants = np.ldexp(block[:, :, task.moving :].astype(np.float64), -own.source.scale_bits)
        able = liftable(constants, task.lift)
        live = able[:, :, None] & (shared != 0)
    first = np.argsort(~live, axis=1, kind="stable")  # along the neurons: live ones first, in their order
    counts = live.sum(axis=1)
    wanted = task.weight[start:stop, columns]
    before = columns.start or 0
    least = max(0, task.k - task.window)
    for count in np.unique(counts[wanted != 0.0]).tolist():
        rows, inputs = np.nonzero((counts == count) & (wanted != 0.0))
        neurons = first[rows, :count, inputs]
        yield Batch(
            sizes=(least, min(task.k, count)) if count >= least else None,
            samples=products[rows[:, None], neurons, inputs[:, None]].astype(np.float64) * own.product_scale,
            targets=wanted[rows, inputs],
            owners=rows + start,
            others=inputs + before,
            neurons=neurons,
            halves=np.zeros(rows.size, dtype=np.int64),
        )


def lift_outputs(
    task: LayerTask, lift: Lift, own: Wiring, start: int, stop: int, edges: BoolArray
) -> list[Unreached]:
    """Lift the neurons of outputs start .. stop - 1 that keep edges, for their constants to sum to the bias;
    neurons that do not may help."""
    numerators, moving = own.block(start, stop), task.moving
    weights, singles = (
        np.ldexp(part.astype(np.float64), -own.source.scale_bits)
        for part in (numerators, own.singles[start:stop])
    )
    kept = edges[start:stop, :, :moving]
    aims = task.weight[start:stop, moving]
    bases, upright = base_edges(weights, kept, singles, np.ldexp(aims, -task.shift), lift)
    products = numerators[:, :, moving:] * own.singles[start:stop, :, None]
    unit = Fraction(own.product_scale) * Fraction(2) ** task.shift
    failures = []
    for row, base in enumerate(bases):
        lifted = np.zeros(products.shape[1:], dtype=np.bool_)
        neurons = np.flatnonzero(base >= 0)
        lifted[neurons, base[neurons]] = True
        rest = Fraction(float(aims[row])) - int(products[row][lifted].sum()) * unit
        free = (numerators[row, :, moving:] > 0) & ~lifted
        serving = kept[row].any(axis=1)[:, None]
        found = None
        # Neurons that serve no weight stay pruned, unless the others' constants do not suffice.
        for among in (free & serving, free):
            for share in (1,) if task.search == "within" else (_FINER, 1):
                if found is None and upright[row]:
                    chosen = subset_for(products[row][among], rest, Fraction(task.tolerance) / share, unit)
                    found = None if chosen is None else np.argwhere(among)[chosen]
        if found is None:
            failures.append(Unreached(task.name, start + row, moving, "positive", math.inf, task.tolerance))
            continue
        lifted[found[:, 0], found[:, 1]] = True
        edges[start + row, :, moving:] = lifted
    return failures


def solve(
    task: LayerTask, batch: Batch, threads: int | None, edges: BoolArray
) -> tuple[list[Unreached], FloatArray]:
    """Solve the subset sums of a batch and fill `edges`; the weights missed, and the sums (NaN for those)."""
    nothing = np.full(batch.targets.size, np.nan)
    if batch.targets.size == 0:
        return [], nothing
    if batch.sizes is None:
        return _unreached(task, batch, np.full(batch.targets.size, np.inf)), nothing
    eps = None if task.search == "closest" else task.tolerance
    in_blocks = task.arrangement == BLOCKS
    found = solve_batch(
        batch.samples,
        batch.targets,
        k=None if in_blocks else batch.sizes,
        blocks=batch.samples.shape[1] // task.k if in_blocks else None,
        eps=eps,
        threads=threads,
    )
    # FOUND was decided exactly; a rounded error strictly below the tolerance proves that the exact one is.
    within = task.beyond | (found.errors < task.tolerance)
    closest = (found.statuses == Status.CLOSEST_PROVED.value) & within
    reached = (found.statuses == Status.FOUND.value) | closest
    kept = found.mask & reached[:, None]
    if in_blocks:
        kept &= batch.samples != 0.0  # what carries nothing is pruned
    edges[batch.owners[:, None], batch.neurons, batch.others[:, None]] |= kept
    sums = np.where(reached, np.where(kept, batch.samples, 0.0).sum(axis=1), np.nan)
    if reached.all():
        return [], sums
    # Absence is proved with the closest subset at hand; a search that was stopped may know none.
    errors = np.where(np.isnan(found.errors), np.inf, found.errors)
    return _unreached(task, batch, np.where(reached, np.nan, errors)), sums


def _unreached(task: LayerTask, batch: Batch, errors: FloatArray) -> list[Unreached]:
    """Records of the weights of a batch whose error is not NaN."""
    found = []
    for place in np.flatnonzero(~np.isnan(errors)).tolist():
        owner, other = int(batch.owners[place]), int(batch.others[place])
        row, column = (owner, other) if owners_of(task.arrangement) == "outputs" else (other, owner)
        side = ("positive", "negative")[int(batch.halves[place])]
        found.append(Unreached(task.name, row, column, side, float(errors[place]), task.tolerance))
    return found
