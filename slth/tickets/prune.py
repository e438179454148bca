"""`prune`: from a frozen random source and a target to a ticket that is certified, or to a list of failures.

Each target weight of each half is one random fixed-size subset sum problem over the products of its
neurons' two random weights. All are solved, layer by layer; nothing is redrawn, moved or substituted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray
from slth._validate import as_choice, as_floats, as_real
from slth.errors import InvalidInput, WeightsUnreachable
from slth.networks.domain import Domain
from slth.networks.network import Network
from slth.networks.slots import linear_nodes
from slth.networks.source import Source
from slth.tickets.arrangement import ARRANGEMENTS, CHOOSING
from slth.tickets.assignment import assigned_members
from slth.tickets.bounds import tolerances_for
from slth.tickets.certificate import issue, signed_layers, target_graph
from slth.tickets.fill import LayerTask, Progress, Unreached, fill_layer
from slth.tickets.layer import TicketLayer, pack
from slth.tickets.planning import Wishes, check_fits, per_layer, plan_layers
from slth.tickets.record import Construction
from slth.tickets.resume import FinishedLayers
from slth.tickets.scaling import scaled_slots, scales_of
from slth.tickets.ticket import Ticket

SEARCHES = ("within", "closest")
BUDGETS = ("frobenius", "theorem")


def prune(
    target: Network,
    source: Source | None = None,
    *,
    domain: Domain,
    eps: float | None = None,
    tolerance: float | None = None,
    k: int | Sequence[int] | None = None,
    copies: int | Sequence[int] | None = None,
    subset_density: float = 0.35,
    arrangement: str = "sign-matched",
    search: str = "within",
    budget: str = "frobenius",
    seed: int = 0,
    inputs: npt.ArrayLike | None = None,
    resume: str | Path | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Ticket:
    r"""Find a ticket: a subnetwork of a random source that is within eps of `target` on all of `domain`.

    Two random layers stand for each linear node ([natale2024], Theorems 3 and 4): copies of its input
    features, then random coefficients in the node's own basis, so that every mask leaves a ticket as
    equivariant as its target. Every coefficient, and every bias through a constant input, becomes a random
    fixed-size subset sum with exactly k terms per half; those that are exactly zero keep none. Sums, pools and
    identity paths stay as they are. The certificate bounds :math:`\sup_x \|g(x) - f(x)\|_2`.

    Parameters
    ----------
    target : Network
        Linear nodes (dense, convolutions, equivariant: coefficients times a basis), ReLU, sums, pools.
    source : Source, optional
        The random network to prune, fixed beforehand. Default: drawn from `seed` with `copies` copies.
    domain : Domain
        Inputs on which the certificate holds. Where no input is negative only the positive half is built.
    eps : float, optional
        Certified l2 error of the output, > 0, in the target's units.
    tolerance : float, optional
        Instead of eps: the error allowed of every weight, relative to the largest of its layer, in (0, 1). The
        weights are then all that is certified; for networks too large for a bound on the output.
    k : int or one per layer, optional
        Subset size, 1 <= k. Default: `subset_density` times the number of usable neurons.
    copies : int or one per layer, optional
        Hidden neurons per input. Default: the fewest for which 1e-4 weights of the whole network are
        predicted to be missed; see `slth.tickets.sizing`.
    subset_density : float
        k / n aimed at, in (0, 1).
    arrangement : {"auto", "sign-matched", "paper", "assigned", "gathered"}
        Which neurons may serve which weight; see `slth.tickets.arrangement`. "auto": for each layer the one
        that is predicted to need the fewest parameters.
    search : {"within", "closest"}
        Any subset within the tolerance, or the closest one (slower; a smaller certified bound).
    budget : {"frobenius", "theorem"}
        How eps is divided into tolerances per weight: a layer's error matrix is bounded by its Frobenius
        norm, or by the number of its entries as in Theorem 3, eps / (2 l d d') for norms of one.
    seed : int
        Of the source, when none is given; 0 <= seed < 2^128.
    inputs : (N, d) array, optional
        Data inside the domain. The ticket then also proves on which of them predictions agree.
    resume : path, optional
        Folder in which finished layers are kept, so that the same call, made again, goes on from there. Made
        if there is none; yours to remove.
    threads : int, optional
        Worker threads; the result does not depend on it.
    progress : callable, optional
        Called as progress(layer name, weights done, weights in all).

    Returns
    -------
    Ticket
        Its certified bound is at most eps; or, with `tolerance`, its weights are certified.

    Raises
    ------
    WeightsUnreachable
        Some weight has no subset within tolerance; `failures` lists each with its best error.
    InvalidInput
        An argument is out of range, or the source does not fit the target.
    CapacityExceeded
        No source of reasonable size is predicted to do.
    """
    if (eps is None) == (tolerance is None):
        raise InvalidInput(f"`eps` or `tolerance` must be given, one of them; got {eps!r} and {tolerance!r}.")
    as_real(subset_density, "subset_density", low=0.0, high=1.0, open_low=True, open_high=True)
    as_choice(arrangement, "arrangement", ARRANGEMENTS)
    as_choice(search, "search", SEARCHES)
    as_choice(budget, "budget", BUDGETS)
    nodes = linear_nodes(target)
    if domain.size != target.input_size:
        raise InvalidInput(
            f"`domain` must have the target's {target.input_size} inputs; got {domain.size} coordinates."
        )
    data = None if inputs is None else _data(inputs, domain)
    scales = scales_of(target)
    weights = scaled_slots(target, scales)
    signed = signed_layers(target, domain)
    if eps is not None:
        aim = as_real(eps, "eps", low=0.0, open_low=True) * (1.0 - 2.0**-24)
        # A claim is rounded up (certificate.CLAIM_SLACK): the factor leaves room for it within eps.
        units = [math.ldexp(1.0, scale.weight) for scale in scales]
        graph = target_graph(target, scales)
        tolerances = tolerances_for(graph, domain, aim, units=units, counting=budget)
    else:
        if data is not None:
            raise InvalidInput(
                "`inputs` must be None with `tolerance`: nothing is proved of outputs. Use `eps`."
            )
        share = as_real(tolerance, "tolerance", low=0.0, high=1.0, open_low=True, open_high=True)
        tolerances = [share * float(np.abs(weight).max()) or share for weight in weights]

    wishes = Wishes(
        arrangement, subset_density, per_layer(k, "k", len(nodes)), per_layer(copies, "copies", len(nodes))
    )
    if source is not None:
        check_fits(source, target)
        if copies is not None:
            raise InvalidInput(
                "`copies` must be None when a source is given: the source fixes it. Leave it out."
            )
    plans = plan_layers(target, weights, tolerances, signed, wishes, source)
    if source is None:
        source = Source(seed, "uniform", tuple(plan.source for plan in plans))

    finished = FinishedLayers(None if resume is None else Path(resume), source)
    failures: list[Unreached] = []
    layers = []
    for index, (node, plan) in enumerate(zip(nodes, plans, strict=True)):
        task = LayerTask(
            index=index,
            name=node.name,
            weight=weights[index],
            k=plan.k,
            tolerance=float(tolerances[index]),
            signed=signed[index],
            biased=node.bias is not None,
            arrangement=plan.arrangement,
            search=search,
        )
        members = None
        if plan.arrangement in CHOOSING:
            members = assigned_members(source, index, signed=task.signed, biased=task.biased)
        packed = finished.get(task)
        if packed is None:
            edges, missed = fill_layer(source, task, members, threads=threads, progress=progress)
            packed = pack(edges, plan.source.owners)
            failures += missed
            if not missed:
                finished.put(task, packed)
        layers.append(
            TicketLayer(
                name=node.name,
                outputs=weights[index].shape[0],
                inputs=weights[index].shape[1],
                copies=plan.source.copies,
                biased=task.biased,
                signed=task.signed,
                scale_exponent=scales[index].weight,
                bias_exponent=scales[index].bias,
                arrangement=plan.arrangement,
                k=task.k,
                tolerance=task.tolerance,
                packed=packed,
                members=members,
            )
        )
    if failures:
        raise WeightsUnreachable(_failure_message(failures), tuple(failures))
    construction = Construction(
        eps=None if eps is None else float(eps),
        search=search,
        budget=budget,
        domain=domain,
        layers=tuple(layers),
    )
    certificate = issue(source, target, construction, data)
    return Ticket(source=source, target=target, construction=construction, certificate=certificate, inputs=data)


def _failure_message(failures: list[Unreached]) -> str:
    worst = max(failures, key=lambda failure: failure.error)
    what = (
        "fewer than k neurons of its sign"
        if np.isinf(worst.error)
        else f"best error {worst.error:.3g} against tolerance {worst.tolerance:.3g}"
    )
    return (
        f"{len(failures)} weight(s) cannot be reached on this source; the worst is {worst.layer!r} output "
        f"{worst.output}, input {worst.input}, {worst.half} half: {what}. "
        "Use a source with more copies, or a larger `eps`."
    )


def _data(inputs: npt.ArrayLike, domain: Domain) -> FloatArray:
    data = as_floats(inputs, "inputs", ndim=2)
    if data.shape[1] != domain.size:
        raise InvalidInput(f"`inputs` must have {domain.size} columns; got shape {data.shape}.")
    outside = np.flatnonzero(~domain.contains(data))
    if outside.size:
        raise InvalidInput(
            f"`inputs` must lie in `domain`; row {outside[0]} does not ({outside.size} such row(s))."
        )
    data.setflags(write=False)
    return data
