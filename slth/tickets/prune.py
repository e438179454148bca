"""`prune`: from a frozen random source and a target to a ticket that is certified, or to a list of failures.

Each target weight of each half is one random fixed-size subset sum problem over the products of its
neurons' two random weights. All are solved, layer by layer; nothing is redrawn, moved or substituted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slth._typing import BoolArray, FloatArray, IntArray
from slth._validate import as_choice, as_floats, as_integer, as_real
from slth.errors import InvalidInput, WeightsUnreachable
from slth.networks.domain import Domain
from slth.networks.network import Network
from slth.networks.slots import linear_nodes, slots
from slth.networks.source import Source
from slth.subset_sum.batch import solve_batch
from slth.subset_sum.result import Status
from slth.tickets.arrangement import ARRANGEMENTS, HalfSample, halves
from slth.tickets.bounds import tolerances_for
from slth.tickets.certificate import issue, signed_layers, target_graph
from slth.tickets.layer import PRODUCT_SCALE, TicketLayer, input_blocks, pack
from slth.tickets.record import Construction
from slth.tickets.scaling import carried_exponents, scale_exponents, scaled_slots
from slth.tickets.sizing import FAILURE, layer_size, subset_size
from slth.tickets.ticket import Ticket

Progress = Callable[[str, int, int], None]
SEARCHES = ("within", "closest")
BUDGETS = ("frobenius", "theorem")


@dataclass(frozen=True)
class Unreached:
    """A target weight that no subset reaches: where it is, the best error there is, the tolerance (both in
    scaled units). `error` is infinite when fewer than k neurons can serve it."""

    layer: str
    output: int
    input: int
    half: str
    error: float
    tolerance: float


def prune(
    target: Network,
    source: Source | None = None,
    *,
    domain: Domain,
    eps: float,
    k: int | Sequence[int] | None = None,
    copies: int | Sequence[int] | None = None,
    subset_density: float = 0.35,
    arrangement: str = "sign-matched",
    search: str = "within",
    budget: str = "frobenius",
    seed: int = 0,
    inputs: npt.ArrayLike | None = None,
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
    eps : float
        Certified l2 error of the output, > 0, in the target's units.
    k : int or one per layer, optional
        Subset size, 1 <= k. Default: `subset_density` times the number of usable neurons.
    copies : int or one per layer, optional
        Hidden neurons per input. Default: the fewest predicted to reach every weight but for probability
        1e-3 over the whole network.
    subset_density : float
        k / n aimed at, in (0, 1).
    arrangement : {"sign-matched", "paper"}
        Which neurons may serve which half; see `slth.tickets.arrangement`.
    search : {"within", "closest"}
        Any subset within the tolerance, or the closest one (slower; a smaller certified bound).
    budget : {"frobenius", "theorem"}
        How eps is divided into tolerances per weight: a layer's error matrix is bounded by its Frobenius
        norm, or by the number of its entries as in Theorem 3, eps / (2 l d d') for norms of one.
    seed : int
        Of the source, when none is given; 0 <= seed < 2^128.
    inputs : (N, d) array, optional
        Data inside the domain. The ticket then also proves on which of them predictions agree.
    threads : int, optional
        Worker threads; the result does not depend on it.
    progress : callable, optional
        Called as progress(layer name, weights done, weights in all).

    Returns
    -------
    Ticket
        Its certified bound is at most eps.

    Raises
    ------
    WeightsUnreachable
        Some weight has no subset within tolerance; `failures` lists each with its best error.
    InvalidInput
        An argument is out of range, or the source does not fit the target.
    CapacityExceeded
        No source of reasonable size is predicted to do.
    """
    as_real(eps, "eps", low=0.0, open_low=True)
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
    exponents = scale_exponents(target)
    weights = scaled_slots(target, exponents)
    graph = target_graph(target, weights)
    signed = signed_layers(graph, target, domain)
    # A claim is rounded up (certificate.CLAIM_SLACK): leave room for it, so that it still stays within eps.
    scale = carried_exponents(target, exponents)[target.output]
    aim = float(np.ldexp(eps * (1.0 - 2.0**-24), -scale))
    tolerances = tolerances_for(graph, domain, aim, counting=budget)

    per_layer_k = _per_layer(k, "k", len(nodes))
    per_layer_copies = _per_layer(copies, "copies", len(nodes))
    if source is not None:
        _fits(source, target)
        if copies is not None:
            raise InvalidInput(
                "`copies` must be None when a source is given: the source fixes it. Leave it out."
            )
        per_layer_copies = [layer.copies for layer in source.layers]
    sizes = []
    for index, weight in enumerate(weights):
        own_k, own_copies = per_layer_k[index], per_layer_copies[index]
        if own_copies is None:
            size = layer_size(
                weight,
                tolerances[index],
                signed=signed[index],
                arrangement=arrangement,
                subset_density=subset_density,
                k=own_k,
                failure=FAILURE / len(nodes),
            )
            own_k, own_copies = size.k, size.copies
        if own_k is None:
            divided = 2 if signed[index] and arrangement == "paper" else 1
            own_k = subset_size(own_copies // divided, arrangement, subset_density)
        sizes.append((own_k, own_copies))
    if source is None:
        source = Source.for_network(target, [size[1] for size in sizes], seed=seed)

    failures: list[Unreached] = []
    layers = []
    for index, node in enumerate(nodes):
        edges = _solve_layer(
            source,
            index,
            node.name,
            weights[index],
            k=sizes[index][0],
            tolerance=tolerances[index],
            signed=signed[index],
            biased=node.bias is not None,
            arrangement=arrangement,
            search=search,
            threads=threads,
            progress=progress,
            failures=failures,
        )
        layers.append(
            TicketLayer(
                name=node.name,
                outputs=weights[index].shape[0],
                inputs=weights[index].shape[1],
                copies=source.layers[index].copies,
                biased=node.bias is not None,
                signed=signed[index],
                scale_exponent=exponents[index],
                k=sizes[index][0],
                tolerance=float(tolerances[index]),
                packed=pack(edges),
            )
        )
    if failures:
        raise WeightsUnreachable(_failure_message(failures), tuple(failures))
    construction = Construction(
        eps=float(eps),
        arrangement=arrangement,
        search=search,
        budget=budget,
        domain=domain,
        layers=tuple(layers),
    )
    certificate = issue(source, target, construction, data)
    return Ticket(source=source, target=target, construction=construction, certificate=certificate, inputs=data)


def _solve_layer(
    source: Source,
    index: int,
    name: str,
    weight: FloatArray,
    *,
    k: int,
    tolerance: float,
    signed: bool,
    biased: bool,
    arrangement: str,
    search: str,
    threads: int | None,
    progress: Progress | None,
    failures: list[Unreached],
) -> BoolArray:
    """Edges (d', D, N) kept for one layer; weights that cannot be reached are appended to `failures`."""
    outputs, inputs = weight.shape
    copies = source.layers[index].copies
    first = source.matched(index)
    edges = np.zeros((outputs, inputs, copies), dtype=np.bool_)
    for start, stop in input_blocks(inputs, copies, outputs):
        second = source.outgoing_block(index, start, stop)
        jobs = []
        for j in range(start, stop):
            both = halves(arrangement, first[j], signed=signed and not (biased and j == inputs - 1))
            jobs += [(j, half, sample) for half, sample in enumerate(both)]
        for sizes, group in _alike(jobs, k):
            _solve_group(
                sizes, group, name, weight, first, second, start,
                tolerance=tolerance, search=search, threads=threads, edges=edges, failures=failures,
            )  # fmt: skip
        if progress is not None:
            progress(name, outputs * stop, outputs * inputs)
    return edges


Job = tuple[int, int, HalfSample]


def _alike(jobs: list[Job], k: int) -> Iterator[tuple[tuple[int, int] | None, list[Job]]]:
    """Jobs grouped by what makes them one batch: the same number of live samples and the same sizes."""
    groups: dict[tuple[int, tuple[int, int] | None], list[Job]] = {}
    for job in jobs:
        groups.setdefault((job[2].live.size, job[2].sizes(k)), []).append(job)
    for (_, sizes), group in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or (-1, -1))):
        yield sizes, group


def _solve_group(
    sizes: tuple[int, int] | None,
    group: list[Job],
    name: str,
    weight: FloatArray,
    first: IntArray,
    second: IntArray,
    start: int,
    *,
    tolerance: float,
    search: str,
    threads: int | None,
    edges: BoolArray,
    failures: list[Unreached],
) -> None:
    """Solve the subset sums of several (input, half) jobs with equally many live samples; fill `edges`."""
    samples, targets, places = [], [], []
    for j, half, sample in group:
        rows = np.flatnonzero(weight[:, j] != 0.0)
        magnitude = np.abs(first[j, sample.live])
        samples.append((magnitude[:, None] * second[j - start][np.ix_(sample.live, rows)]).T * PRODUCT_SCALE)
        targets.append(weight[rows, j] if half == 0 else -weight[rows, j])
        places += [(int(i), j, half, sample.live) for i in rows]
    if not places:
        return
    if sizes is None:
        failures += [_unreached(name, place, np.inf, tolerance) for place in places]
        return
    stacked, wanted = np.concatenate(samples), np.concatenate(targets)
    eps = None if search == "closest" else tolerance
    batch = solve_batch(stacked, wanted, k=sizes, eps=eps, threads=threads)
    missed = []
    for place, kept, error, status, row in zip(
        places, batch.mask, batch.errors, batch.statuses, range(len(places)), strict=True
    ):
        # A rounded error strictly below the tolerance proves the exact one is; FOUND was decided exactly.
        if status == Status.FOUND.value or (status == Status.CLOSEST_PROVED.value and error < tolerance):
            i, j, _, live = place
            edges[i, j, live[kept]] = True
        else:
            missed.append(row)
    if missed:
        closest = solve_batch(stacked[missed], wanted[missed], k=sizes, threads=threads).errors
        failures += [
            _unreached(name, places[row], float(error), tolerance)
            for row, error in zip(missed, closest, strict=True)
        ]


def _unreached(name: str, place: tuple[int, int, int, IntArray], error: float, tolerance: float) -> Unreached:
    i, j, half, _ = place
    return Unreached(name, i, j, ("positive", "negative")[half], error, tolerance)


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


def _per_layer(value: int | Sequence[int] | None, name: str, count: int) -> list[int | None]:
    if value is None:
        return [None] * count
    if isinstance(value, Sequence):
        if len(value) != count:
            raise InvalidInput(f"`{name}` must have one value per layer ({count}); got {len(value)}.")
        return [as_integer(item, name, low=1, high=1 << 20) for item in value]
    return [as_integer(value, name, low=1, high=1 << 20)] * count


def _fits(source: Source, target: Network) -> None:
    nodes = linear_nodes(target)
    if len(source.layers) != len(nodes):
        raise InvalidInput(
            f"`source` must have one pair of layers per target layer ({len(nodes)}); got {len(source.layers)}."
        )
    for own, node in zip(source.layers, nodes, strict=True):
        wanted = slots(node)
        if (own.inputs, own.outputs, own.constant_outputs) != (
            wanted.inputs,
            wanted.outputs,
            wanted.constant_outputs,
        ):
            raise InvalidInput(
                f"`source` must match layer {node.name!r}: {wanted.inputs} inputs (the bias's constant "
                f"included) and {wanted.outputs} outputs; got {own.inputs} and {own.outputs}."
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
