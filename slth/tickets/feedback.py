"""Error feedback: later weights of a row cancel, on given inputs, what earlier ones left.

Weights are solved input by input. What an input's weights are off by is carried over to the targets of the
inputs still to come, so that the row's output on the data changes least: sequential least squares, as optimal
brain surgeons do it for quantised weights ([frantar2023]). In later layers the targets first absorb what the
layers before them got wrong. A moved target stays within half the tolerance of the weight, and its subset
within half the tolerance of it: every weight keeps its tolerance, and certificates need not know.

A worst case over a free box is a sum over inputs that no later choice can cancel; the gain is on data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from slth._typing import BoolArray, FloatArray, IntArray, Progress
from slth.networks.domain import Domain
from slth.networks.network import DenseLayer
from slth.networks.source import Source
from slth.tickets.fill import LayerTask, Unreached, batches, lift_outputs, solve
from slth.tickets.layer import Assembled, TicketLayer, owners_of
from slth.tickets.scaling import Scale
from slth.tickets.wiring import Wiring, wiring

# Added to the second moments of the inputs, relative to their mean: directions without data move nothing.
_DAMPING = 0.01
# Share of the tolerance by which a target may move; the subset may miss it by the rest.
_ROOM = 0.5
# Points drawn where no inputs are given.
_POINTS = 1024
_SEED = 20241205


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a layer reads on the data: (M, d) activations of target and ticket."""

    target: FloatArray
    ticket: FloatArray

    @classmethod
    def at(cls, domain: Domain, inputs: FloatArray | None) -> Evidence:
        """At the given inputs, or at points of the domain drawn uniformly from its box and projected."""
        if inputs is None:
            share = np.random.default_rng(_SEED).random((_POINTS, domain.size))
            inputs = domain.project(domain.low + share * (domain.high - domain.low))
        return cls(inputs, inputs)

    def after(self, layer: DenseLayer, own: Assembled, kept: TicketLayer) -> Evidence:
        """The same for the next layer, behind this one and its ReLU."""
        read = features(self.ticket, kept.scale, biased=kept.biased, halved=True)
        width = own.positive.shape[1]
        value = read[:, :width] @ own.positive.T
        value += read[:, width:] @ own.negative[:, : read.shape[1] - width].T
        value *= 2.0**kept.scale_exponent
        wanted = self.target @ layer.weight.T + (0.0 if layer.bias is None else layer.bias)
        return Evidence(np.maximum(wanted, 0.0), np.maximum(value, 0.0))


def features(values: FloatArray, scale: Scale, *, biased: bool, halved: bool) -> FloatArray:
    """What a layer's weights multiply: (M, D) values and the constant, or (M, D + d) positive parts, the
    constant, negative parts."""
    parts = [np.maximum(values, 0.0) if halved else values]
    if biased:
        parts.append(np.full((len(values), 1), scale.constant))
    if halved:
        parts.append(np.maximum(-values, 0.0))
    return np.hstack(parts)


def fill_steered(
    source: Source,
    task: LayerTask,
    members: IntArray | None,
    evidence: Evidence,
    scale: Scale,
    *,
    threads: int | None,
    progress: Progress | None,
) -> tuple[BoolArray, list[Unreached]]:
    """As `fill_layer`, with every target moved by feedback, and the closest subset to it taken.

    Memory: the layer's random weights and a square matrix of its features. Time beyond the subset sums: O(F^2
    d') for F features.
    """
    own = wiring(source, task.index, members).hold()
    outputs, inputs = task.weight.shape
    edges = np.zeros((*own.singles.shape, own.others), dtype=np.bool_)
    original = task.weight if not task.halved else np.hstack((task.weight, -task.weight[:, : task.moving]))
    moved, upper = _prepared(original, evidence, task, scale)
    room = _ROOM * task.tolerance
    failures: list[Unreached] = []
    for j in range(inputs if task.lift is None else task.moving):
        places = [j, inputs + j] if task.halved and j < task.moving else [j]
        wanted = original[:, places]
        aims = np.where(wanted == 0.0, 0.0, np.clip(moved[:, places], wanted - room, wanted + room))
        values, missed = _column(task, own, j, aims, task.tolerance - room, "closest", threads, edges)
        if missed:
            # A target that moved out of reach goes back to its weight, and has the whole tolerance again.
            back = np.where(np.isnan(values), wanted, 0.0)
            again, missed = _column(task, own, j, back, task.tolerance, "within", threads, edges)
            values = np.where(np.isnan(values), again, values)
            failures += missed
        values = np.where(np.isnan(values), aims, values)
        for place, feature in enumerate(places):
            error = (moved[:, feature] - values[:, place]) / upper[feature, feature]
            moved[:, feature + 1 :] -= error[:, None] * upper[feature, feature + 1 :]
        if progress is not None:
            progress(task.name, outputs * (j + 1), outputs * inputs)
    if task.lift is not None:
        # Sums over lifting constants reach anything: half of the tolerance is enough.
        weight = original.copy()
        weight[:, -1] = np.clip(moved[:, -1], weight[:, -1] - room, weight[:, -1] + room)
        last = replace(task, weight=weight, tolerance=task.tolerance - room)
        failures += lift_outputs(last, task.lift, own, 0, outputs, edges)
    return edges, failures


def _column(
    task: LayerTask,
    own: Wiring,
    j: int,
    aims: FloatArray,
    tolerance: float,
    search: str,
    threads: int | None,
    edges: BoolArray,
) -> tuple[FloatArray, list[Unreached]]:
    """Solve the weights of input j for `aims` (d', halves), zeros left out: their sums, NaN where missed."""
    weight = np.zeros_like(task.weight)
    weight[:, j] = aims[:, 0]
    negative = None
    if aims.shape[1] == 2:
        # Rows are left out where the positive target is zero: both halves of a weight are, or none.
        negative = np.zeros_like(task.weight)
        negative[:, j] = aims[:, 1]
    now = replace(task, weight=weight, negative=negative, tolerance=tolerance, search=search)
    values = np.where(aims == 0.0, 0.0, np.nan)
    failures: list[Unreached] = []
    by_output = owners_of(task.arrangement) == "outputs"
    start, stop = (0, own.singles.shape[0]) if by_output else (j, j + 1)
    for batch in batches(now, own, start, stop, slice(j, j + 1)):
        missed, sums = solve(now, batch, threads, edges)
        rows = batch.owners if by_output else batch.others
        values[rows, batch.halves] = sums
        failures += missed
    return values, failures


def _prepared(
    original: FloatArray, evidence: Evidence, task: LayerTask, scale: Scale
) -> tuple[FloatArray, FloatArray]:
    """Targets (d', F) that absorb earlier layers' errors, and U (F, F) upper with U^T U = inverse second
    moments."""
    read, wanted = (
        features(values, scale, biased=task.biased, halved=task.halved)
        for values in (evidence.ticket, evidence.target)
    )
    count = len(read)
    moments = read.T @ read / count
    moments += np.eye(len(moments)) * (_DAMPING * max(float(np.trace(moments)) / len(moments), 1e-300))
    inverse = linalg.cho_solve(linalg.cho_factor(moments), np.eye(len(moments)))
    drift = (wanted - read).T @ read / count
    upper = linalg.cholesky(0.5 * (inverse + inverse.T))
    return original + original @ drift @ inverse, upper
