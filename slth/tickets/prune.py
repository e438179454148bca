"""`prune`: from a frozen random source and a target to a ticket that is certified, or to a list of failures.

Each target weight of each half is one random fixed-size subset sum problem over the products of its
neurons' two random weights. All are solved, layer by layer; nothing is redrawn, moved or substituted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray, Progress
from slth._validate import as_choice, as_floats, as_fraction, as_integer, as_real
from slth.errors import BoundMissed, InvalidInput
from slth.laws.words import word_law
from slth.networks.domain import Domain
from slth.networks.network import Network
from slth.networks.slots import linear_nodes
from slth.networks.source import Source
from slth.tickets.arrangement import ARRANGEMENTS
from slth.tickets.budgeting import AIM, BUDGETS, budgeted
from slth.tickets.builder import Builder
from slth.tickets.certificate import issue
from slth.tickets.planning import Wishes, check_fits, per_layer, plan_layers
from slth.tickets.problem import Problem
from slth.tickets.record import Construction
from slth.tickets.resume import FinishedLayers
from slth.tickets.ticket import Ticket

SEARCHES = ("within", "closest", "feedback")
# How often tolerances are made smaller when a certificate proves less than was foretold.
TIGHTENINGS = 3


def prune(
    target: Network,
    source: Source | None = None,
    *,
    domain: Domain,
    eps: float | None = None,
    tolerance: float | None = None,
    k: int | Sequence[int] | None = None,
    window: int = 0,
    copies: int | Sequence[int] | None = None,
    subset_density: float = 0.35,
    arrangement: str = "auto",
    search: str = "within",
    budget: str = "frobenius",
    seed: int = 0,
    law: str = "uniform",
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
    window : int
        Subsets of k - window to k are allowed, instead of exactly k: samples whose mean leads sums of k away
        from a weight reach it with fewer. Not in the paper's arrangement, where zeros do that, nor in blocks.
    copies : int or one per layer, optional
        Hidden neurons per owner, an input or an output. Default: the fewest for which 1e-4 weights of the
        whole network are predicted to be missed; see `slth.tickets.sizing`.
    subset_density : float
        k / n aimed at, in (0, 1).
    arrangement : {"auto", "sign-matched", "paper", "assigned", "blocks", "gathered", "lifted"}
        Which neurons may serve which weight; see `slth.tickets.arrangement`. "auto": for each layer the one
        that is predicted to need the fewest parameters; with `copies` given, the one that has the fewest,
        whether or not they will do.
    search : {"within", "closest", "feedback"}
        Any subset within the tolerance; the closest one (slower; a smaller certified bound, or with the budget
        "certificate" a smaller source: no weight need then be within a tolerance, for what all of them make of
        the bound decides); or, in chains of dense layers, the closest to a target that cancels
        what earlier weights left on `inputs` (a smaller error on data; `slth.tickets.feedback`).
    budget : {"frobenius", "theorem", "certificate"}
        How eps is divided into tolerances per weight: a layer's error matrix is bounded by its Frobenius
        norm, or by the number of its entries as in Theorem 3, eps / (2 l d d') for norms of one; or as large as
        the certificate of simulated errors allows (`slth.tickets.budgeting`), and tightened if the ticket's own
        certificate allows less.
    seed : int
        Of the source, when none is given; 0 <= seed < 2^128.
    law : {"uniform", "normal"}
        Of its weights, when none is given; see `Source`.
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
    BoundMissed
        Every weight has its subset, but the certificate proves less than eps.
    InvalidInput
        An argument is out of range, or the source does not fit the target.
    CapacityExceeded
        No source of reasonable size is predicted to do.
    """
    if (eps is None) == (tolerance is None):
        raise InvalidInput(f"`eps` or `tolerance` must be given, one of them; got {eps!r} and {tolerance!r}.")
    as_fraction(subset_density, "subset_density")
    as_choice(arrangement, "arrangement", ARRANGEMENTS)
    as_choice(search, "search", SEARCHES)
    as_choice(budget, "budget", BUDGETS)
    if domain.size != target.input_size:
        raise InvalidInput(
            f"`domain` must have the target's {target.input_size} inputs; got {domain.size} coordinates."
        )
    if as_integer(window, "window", low=0) and arrangement in ("paper", "blocks"):
        raise InvalidInput(
            f"`window` must be 0 in the arrangement {arrangement!r}; got {window}. Leave it out."
        )
    if tolerance is not None and inputs is not None:
        raise InvalidInput("`inputs` must be None with `tolerance`: nothing is proved of outputs. Use `eps`.")
    count = len(linear_nodes(target))
    wishes = Wishes(
        arrangement,
        subset_density,
        window,
        law if source is None else source.law,
        per_layer(k, "k", count),
        per_layer(copies, "copies", count),
        liftable=eps is not None,
    )
    word_law(law)
    if source is not None:
        check_fits(source, target)
        if copies is not None:
            raise InvalidInput(
                "`copies` must be None when a source is given: the source fixes it. Leave it out."
            )
    data = None if inputs is None else _data(inputs, domain)
    problem = Problem.of(target, domain)
    aim = None if eps is None else as_real(eps, "eps", low=0.0, open_low=True)
    if aim is None:
        share = as_fraction(tolerance, "tolerance")
        tolerances = [share * float(np.abs(weight).max()) or share for weight in problem.weights]
    else:
        # A claim is rounded up (certificate.CLAIM_SLACK): the factor leaves room for it within eps.
        tolerances = budgeted(
            problem, aim * (1.0 - 2.0**-24), budget, arrangement, search, liftable=wishes.liftable
        )
    plans = plan_layers(problem, tolerances, wishes, source)
    if source is None:
        source = Source(seed, law, tuple(plan.source for plan in plans))
    finished = FinishedLayers(None if resume is None else Path(resume), source)
    beyond = aim is not None and search == "closest" and budget == "certificate"
    builder = Builder(problem, source, plans, window, search, beyond, data, finished, threads, progress)
    left = 0 if beyond else TIGHTENINGS  # nothing is closer than the closest
    while True:
        construction = Construction(
            eps=aim, search=search, budget=budget, domain=domain, layers=builder.layers(tolerances)
        )
        certificate = issue(source, target, construction, data)
        if aim is None or certificate.bound is None or certificate.bound <= aim:
            return Ticket(source, target, construction, certificate, data)
        if not left:
            how = "of the closest subsets" if beyond else f"{TIGHTENINGS} times tightened"
            raise BoundMissed(
                f"`eps` must be one that the certificate can reach; got {aim:g}, proved is "
                f"{certificate.bound:.6g}, {how}. Use a larger `eps`, more copies, or another `budget`.",
                certificate.bound,
                aim,
            )
        left -= 1
        tolerances = [own * AIM * aim / certificate.bound for own in tolerances]


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
