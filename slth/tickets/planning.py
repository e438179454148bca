"""What each layer of a ticket is built with: arrangement, subset size and copies, from the target alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from slth._typing import FloatArray
from slth._validate import as_integer
from slth.errors import CapacityExceeded, InvalidInput
from slth.networks.layers import Linear
from slth.networks.network import Network
from slth.networks.slots import linear_nodes, slots
from slth.networks.source import Source, SourceLayer
from slth.tickets.arrangement import DIVIDED
from slth.tickets.layer import LIFTED, owners_of
from slth.tickets.lifting import LIFTS
from slth.tickets.problem import Problem
from slth.tickets.sizing import FAILURE, layer_size, subset_size
from slth.tickets.wiring import may_choose


@dataclass(frozen=True)
class Wishes:
    """What the caller asks of all layers: see `slth.prune`.

    k, copies : one entry per layer, None to be chosen; liftable : whether bounds of activations are proved,
    which lifted neurons need.
    """

    arrangement: str
    subset_density: float
    window: int
    law: str
    k: tuple[int | None, ...]
    copies: tuple[int | None, ...]
    liftable: bool


@dataclass(frozen=True)
class LayerPlan:
    """Arrangement of a layer, k edges per weight and half, and the random layers it is cut from."""

    arrangement: str
    k: int
    source: SourceLayer

    @property
    def share(self) -> float:
        """About the part of a neuron's incoming edges that are kept."""
        return self.k / self.source.copies


def plan_layers(
    problem: Problem, tolerances: Sequence[float], wishes: Wishes, source: Source | None
) -> list[LayerPlan]:
    """A plan for each layer; `source`, when given, fixes copies and owners. tolerances : in scaled units."""
    signed = problem.signed
    plans = []
    for index, node in enumerate(problem.nodes):
        given = None if source is None else source.layers[index]
        options = []
        reasons: list[CapacityExceeded] = []
        for arrangement in _candidates(node, wishes.arrangement, signed[index], wishes.liftable, given):
            try:
                options.append(
                    _plan(
                        node,
                        problem.weights[index],
                        tolerances[index],
                        signed=signed[index],
                        arrangement=arrangement,
                        subset_density=wishes.subset_density,
                        k=wishes.k[index],
                        window=wishes.window,
                        law=wishes.law,
                        copies=wishes.copies[index] if given is None else given.copies,
                        failure=FAILURE / len(problem.nodes),
                    )
                )
            except CapacityExceeded as reason:
                reasons.append(reason)
        if not options:
            raise reasons[0]
        best = min(options, key=lambda plan: plan.source.parameters)
        plans.append(best if given is None else replace(best, source=given))
    return plans


def _candidates(
    node: Linear, arrangement: str, signed: bool, liftable: bool, given: SourceLayer | None = None
) -> list[str]:
    """Arrangements that the layer can have, of those asked for. Raises InvalidInput when there is none."""
    possible = ["sign-matched", "paper"]
    if may_choose(node):
        possible += ["assigned", "blocks"]
        if not signed and node.is_dense:
            possible.append("gathered")
        # Without weights there are no neurons to lift, whose constants would carry the bias.
        if liftable and node.is_dense and node.bias is not None and node.coefficients.any():
            possible.append(LIFTED)
    if given is not None:
        lifted = given.inputs > slots(node).inputs
        possible = [name for name in possible if owners_of(name) == given.owners and (name == LIFTED) == lifted]
    wanted = ("assigned", "gathered", LIFTED, "sign-matched") if arrangement == "auto" else (arrangement,)
    found = [name for name in wanted if name in possible]
    if not found:
        raise InvalidInput(
            f"`arrangement` must suit layer {node.name!r}; got {arrangement!r}. Neurons choose their owners "
            "in layers without groups that have no biases or are dense; they gather inputs in dense layers "
            "where none is negative; they are lifted in dense layers with biases, for an `eps`, "
            "unless all weights are zero; and a given source decides who owns them. Use 'auto'."
        )
    # A layer that can choose its owners needs no more neurons for it.
    return [name for name in found if name != "sign-matched"] or found if arrangement == "auto" else found


def likely(node: Linear, arrangement: str, signed: bool, liftable: bool) -> tuple[str, float]:
    """The cheapest of the arrangements that are possible, and its source parameters for one more live neuron
    per owner and half."""
    own = slots(node)
    width = own.inputs + own.outputs
    costs = {
        name: (2 if signed else 1) * own.inputs * width
        if owners_of(name) == "inputs"
        else (1 if name == LIFTED else 2) * own.outputs * width
        for name in _candidates(node, arrangement, signed, liftable)
    }
    best = min(costs, key=lambda name: costs[name])
    return best, float(costs[best])


def _plan(
    node: Linear,
    weight: FloatArray,
    tolerance: float,
    *,
    signed: bool,
    arrangement: str,
    subset_density: float,
    k: int | None,
    window: int,
    law: str,
    copies: int | None,
    failure: float,
) -> LayerPlan:
    if copies is None:
        size = layer_size(
            weight,
            tolerance,
            signed=signed,
            arrangement=arrangement,
            subset_density=subset_density,
            k=k,
            window=window,
            failure=failure,
            law=law,
        )
        k, copies = size.k, size.copies
    if k is None:
        divided = 2 if signed and arrangement in DIVIDED else 1
        k = subset_size(copies // divided, arrangement, subset_density)
    own = slots(node)
    half = copies // 2 if signed and arrangement in DIVIDED else copies
    if arrangement == "blocks" and half % k:
        raise InvalidInput(
            f"`copies` must give every half k blocks of equal length; got {half} for a half and k = {k} "
            f"(layer {node.name!r}). Leave it, or `k`, out."
        )
    inputs = own.inputs - 1 + LIFTS if arrangement == LIFTED else own.inputs
    return LayerPlan(
        arrangement,
        k,
        SourceLayer(inputs, copies, own.outputs, own.constant_outputs, owners_of(arrangement)),
    )


def per_layer(value: int | Sequence[int] | None, name: str, count: int) -> tuple[int | None, ...]:
    """One entry for each of `count` layers. Raises InvalidInput."""
    if value is None:
        return (None,) * count
    if isinstance(value, Sequence):
        if len(value) != count:
            raise InvalidInput(f"`{name}` must have one value per layer ({count}); got {len(value)}.")
        return tuple(as_integer(item, name, low=1, high=1 << 20) for item in value)
    return (as_integer(value, name, low=1, high=1 << 20),) * count


def check_fits(source: Source, target: Network) -> None:
    """Require that the source has the target's widths. Raises InvalidInput."""
    nodes = linear_nodes(target)
    if len(source.layers) != len(nodes):
        raise InvalidInput(
            f"`source` must have one pair of layers per target layer ({len(nodes)}); got {len(source.layers)}."
        )
    for own, node in zip(source.layers, nodes, strict=True):
        wanted = slots(node)
        widths = (wanted.inputs, wanted.outputs, wanted.constant_outputs)
        # Further constants lift neurons that belong to outputs.
        lifted = own.owners == "outputs" and node.is_dense and node.bias is not None
        inputs = min(own.inputs, wanted.inputs) if lifted else own.inputs
        if (inputs, own.outputs, own.constant_outputs) != widths:
            raise InvalidInput(
                f"`source` must match layer {node.name!r}: {wanted.inputs} inputs (the bias's constant "
                f"included) and {wanted.outputs} outputs; got {own.inputs} and {own.outputs}."
            )
