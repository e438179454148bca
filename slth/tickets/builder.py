"""The layers of a ticket, one after the other: found in the folder of finished ones, or solved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from slth._typing import FloatArray, Progress
from slth.errors import WeightsUnreachable
from slth.networks.source import Source
from slth.tickets.arrangement import CHOOSING
from slth.tickets.assignment import assigned_members
from slth.tickets.bounds import inputs_of_layer
from slth.tickets.certificate import entry_errors, pair_graph
from slth.tickets.feedback import Evidence, fill_steered
from slth.tickets.fill import LayerTask, Unreached, fill_layer
from slth.tickets.layer import LIFTED, Assembled, TicketLayer, assemble, pack
from slth.tickets.lifting import Lift, planned
from slth.tickets.planning import LayerPlan
from slth.tickets.problem import Problem
from slth.tickets.resume import FinishedLayers


@dataclass(frozen=True, eq=False)
class Builder:
    """Everything but the tolerances: from them to the layers of a ticket.

    window, search, threads, progress : as in `slth.prune`. beyond : see `LayerTask`. inputs : the data of
    feedback. finished : layers of an earlier, stopped build of the same ticket.
    """

    problem: Problem
    source: Source
    plans: Sequence[LayerPlan]
    window: int
    search: str
    beyond: bool
    inputs: FloatArray | None
    finished: FinishedLayers
    threads: int | None
    progress: Progress | None

    def layers(self, tolerances: Sequence[float]) -> tuple[TicketLayer, ...]:
        """Solve every weight of every layer, or raise WeightsUnreachable with all that cannot be."""
        built, failures = list[_Built](), list[Unreached]()
        steered = self.search == "feedback"
        chain = self.problem.target.dense_chain() if steered else ()
        evidence = Evidence.at(self.problem.domain, self.inputs) if steered else None
        for index, tolerance in enumerate(tolerances):
            task = self._task(index, float(tolerance), built)
            layer, missed = self._layer(task, evidence)
            built.append(_Built(self.source, index, layer))
            failures += missed
            if evidence is not None:
                evidence = evidence.after(chain[index], built[-1].own, layer)
            if self.beyond:
                built[-1].keep_tolerance(task.weight)
        if failures:
            raise WeightsUnreachable(_failure_message(failures), tuple(failures))
        return tuple(own.layer for own in built)

    def _task(self, index: int, tolerance: float, before: Sequence[_Built]) -> LayerTask:
        """What layer `index` asks for, given those before it."""
        problem, plan = self.problem, self.plans[index]
        node, scale = problem.nodes[index], problem.scales[index]
        lift = self._lift(index, before) if plan.arrangement == LIFTED else None
        return LayerTask(
            index=index,
            name=node.name,
            weight=problem.weights[index],
            k=plan.k,
            window=self.window,
            tolerance=tolerance,
            signed=problem.signed[index],
            biased=node.bias is not None,
            arrangement=plan.arrangement,
            search=self.search,
            beyond=self.beyond,
            lift=lift,
            shift=0 if lift is None else lift.exponent - (scale.bias - scale.weight),
        )

    def _lift(self, index: int, before: Sequence[_Built]) -> Lift:
        """How a layer is lifted, by what the ticket's layers before it let it read."""
        problem, plan = self.problem, self.plans[index]
        values = [
            (weight, -weight if signed else None)
            for weight, signed in zip(problem.weights, problem.signed, strict=True)
        ]
        for place, built in enumerate(before):
            values[place] = built.values
        graph = pair_graph(problem.target, problem.scales, values)
        scale, spec = problem.scales[index], self.source.layers[index]
        biases = np.ldexp(problem.weights[index][:, -1], scale.bias - scale.weight)
        moving = problem.weights[index].shape[1] - 1
        return planned(
            inputs_of_layer(graph, problem.domain, index),
            plan.share,
            self.source.law,
            bias=float(np.abs(biases).max()),
            edges=spec.copies * (spec.inputs - moving),
        )

    def _layer(self, task: LayerTask, evidence: Evidence | None) -> tuple[TicketLayer, list[Unreached]]:
        """The layer that was asked for, from the folder of finished ones or solved, and the weights missed."""
        plan, scale = self.plans[task.index], self.problem.scales[task.index]
        members = None
        if plan.arrangement in CHOOSING:
            members = assigned_members(self.source, task.index, signed=task.signed, biased=task.biased)
        # What feedback moves depends on data and on earlier layers: it is made anew.
        packed = None if evidence is not None else self.finished.get(task)
        missed: list[Unreached] = []
        if evidence is not None:
            edges, missed = fill_steered(
                self.source, task, members, evidence, scale, threads=self.threads, progress=self.progress
            )
            packed = pack(edges, plan.source.owners)
        elif packed is None:
            edges, missed = fill_layer(self.source, task, members, threads=self.threads, progress=self.progress)
            packed = pack(edges, plan.source.owners)
            if not missed:
                self.finished.put(task, packed)
        layer = TicketLayer(
            name=task.name,
            outputs=task.weight.shape[0],
            inputs=task.weight.shape[1],
            copies=plan.source.copies,
            biased=task.biased,
            signed=task.signed,
            scale_exponent=scale.weight,
            bias_exponent=scale.bias,
            arrangement=plan.arrangement,
            k=task.k,
            window=task.window,
            tolerance=task.tolerance,
            packed=packed,
            members=members,
            lifts=0 if task.lift is None else plan.source.inputs - task.moving,
            lift_exponent=0 if task.lift is None else task.lift.exponent,
        )
        return layer, missed


@dataclass(eq=False)
class _Built:
    """A layer of the ticket and, once asked for, what its kept edges compute."""

    source: Source
    index: int
    layer: TicketLayer

    @cached_property
    def own(self) -> Assembled:
        """The sums of its products, exact."""
        return assemble(self.source, self.index, self.layer)

    @property
    def values(self) -> tuple[FloatArray, FloatArray | None]:
        """On max(x, 0) and, where inputs may be negative, on max(-x, 0)."""
        return self.own.positive, self.own.negative if self.layer.signed else None

    def keep_tolerance(self, weight: FloatArray) -> None:
        """Raise the layer's tolerance to what every weight keeps, where some are beyond it."""
        largest = float(entry_errors(weight, *self.values, self.layer.biased).max())
        self.layer = replace(self.layer, tolerance=max(self.layer.tolerance, largest))


def _failure_message(failures: list[Unreached]) -> str:
    worst = max(failures, key=lambda failure: failure.error)
    what = (
        "too few neurons, or lifting constants, can serve it"
        if np.isinf(worst.error)
        else f"best error {worst.error:.3g} against tolerance {worst.tolerance:.3g}"
    )
    return (
        f"{len(failures)} weight(s) cannot be reached on this source; the worst is {worst.layer!r} output "
        f"{worst.output}, input {worst.input}, {worst.half} half: {what}. "
        "Use a source with more copies, or a larger `eps`."
    )
