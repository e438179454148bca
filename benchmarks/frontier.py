"""How near certified tickets come to theory: two targets, two domains, every arrangement, feedback on and off.

Run: python benchmarks/frontier.py FILE [--only sizes slack recheck ablation build] [--small]

Each job is one JSON line of FILE; run again, jobs that have their line are passed over. Without --only all are
done; --small leaves the 784-500-10 network out. At the end the tables are printed from FILE.

sizes      a ticket at the predicted size for each target, domain and density, by the best arrangement and by
           the paper's with the theorem's budget (planned only, where the source is larger than MOST): m/m_t
           against Theorem 3 and the lower bound, and what the factor over that bound consists of.
recheck    twenty certified trials of the shipped frontier, at random: built, checked, proved again with
           python-flint.
slack      certified bound over the measured lower estimate, ten tickets of hidden width up to 32, one wider.
ablation   arrangement by arrangement, search by search: size, certified bound, errors over data.
build      784-500-10 in a process of its own, saved, checked: wall time, processor time, peak memory.

The factor over the lower bound is, up to logarithms, one of bits, since at one density the logarithm of the
number of subsets grows as m does:

    log2 C(m, kept) / family bits = structure * (subset bits / family bits).

*structure*: all subsets of all parameters against one subset of k for each weight and half; the parameters of
the matrix that carries no subsets (one edge for each neuron) are its larger part. Subset bits, for each weight:

    halves      a second subset for negative inputs;
    coupon      log2(C(n, k) 2 t f(w)): subsets expected within the tolerance t, that none be missed;
    range       log2(1 / (2 t f(w))) less the entropy of the weights at resolution 2 t: sums cover a wider
                range than the weights take;
    weights     that entropy less the family's bits: this target's weights and tolerances against norm balls;
    lifting     edges that lift neurons and carry biases, and which weights are zero.

f is the density of a sum of k samples. The certificate's slack, log2(bound / lower estimate), is a part of
*weights*.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import slth
from slth.examples.digits import Digits, digits
from slth.experiments.compression import ticket_code
from slth.experiments.frontier import region_digest
from slth.experiments.frontier_cell import FrontierLedger
from slth.experiments.frontier_cell import build as rebuild
from slth.experiments.frontier_theory import family_bits, family_bound, layer_facts, theorem_3
from slth.experiments.shipped import shipped_ledger
from slth.laws.product import LiveProduct
from slth.laws.uniform import Uniform
from slth.theory.entropy import log2_binomial
from slth.tickets.arrangement import CHOOSING
from slth.tickets.budgeting import budgeted
from slth.tickets.planning import Wishes, plan_layers
from slth.tickets.problem import Problem
from slth.tickets.sizing import chosen_magnitude

EPS = 0.01  # of the largest absolute output over the data
TARGETS = {"digits": "dense", "digits-784": "784"}
DOMAINS = {"[0,1]": 0.0, "[-1,1]": -1.0}
DENSITIES = (0.05, 0.45)
# Sources with more parameters are planned, not built.
MOST = 200_000_000
# Seconds for one build of the ablation: the closest of very many subsets takes exponential time.
LIMIT = 600
KINDS = ("sizes", "slack", "recheck", "ablation", "build")
ABLATION = ("paper", "sign-matched", "assigned", "blocks", "gathered", "lifted")

Job = tuple[str, Callable[[], dict[str, Any]]]


def setting(target: str, domain: str) -> tuple[Digits, slth.Domain, float]:
    """The example, its domain, and eps in its own units."""
    example = digits(TARGETS[target])
    region = slth.Domain.box(DOMAINS[domain], 1.0, example.network.input_size)
    return example, region, EPS * float(np.abs(example.network.forward(example.inputs)).max())


def planned(target: slth.Network, domain: slth.Domain, eps: float, density: float, how: dict[str, str]) -> int:
    """m of the source that `slth.prune` would draw."""
    problem = Problem.of(target, domain)
    none = (None,) * len(problem.nodes)
    wishes = Wishes(
        how["arrangement"], subset_density=density, window=0, law="uniform", k=none, copies=none, liftable=True
    )
    tolerances = budgeted(problem, eps, how["budget"], how["arrangement"], "within", liftable=True)
    return sum(plan.source.parameters for plan in plan_layers(problem, tolerances, wishes, None))


def built(target: slth.Network, domain: slth.Domain, **how: Any) -> tuple[slth.Ticket, float, int]:
    """A ticket, the processor seconds it took, and the number of seeds tried."""
    for seed in range(1, 6):
        began = time.process_time()
        try:
            return slth.prune(target, domain=domain, seed=seed, **how), time.process_time() - began, seed
        except (slth.WeightsUnreachable, slth.BoundMissed):
            continue
    raise SystemExit(f"no certified ticket in five seeds: {how}")


def sizes(target: str, domain: str, density: float, how: dict[str, str]) -> dict[str, Any]:
    example, region, eps = setting(target, domain)
    network = example.network
    facts = layer_facts(network, region)
    assert facts is not None
    m_t = network.parameters
    row: dict[str, Any] = {"k/n": density, **how, "theorem 3": theorem_3(facts, eps, density).parameters / m_t}
    row["m/m_t"] = planned(network, region, eps, density, how) / m_t
    row["built"] = row["m/m_t"] * m_t <= MOST
    if not row["built"]:
        return row
    ticket, seconds, seeds = built(
        network, region, eps=eps, subset_density=density, inputs=example.inputs, **how
    )
    least = family_bound(facts, eps, ticket.density)
    row |= described(ticket) | {"seconds": seconds, "seeds": seeds}
    row["family bound"] = None if least is None else least / m_t
    return row if how["arrangement"] == "paper" else row | decomposed(ticket, family_bits(facts, eps) / m_t)


def described(ticket: slth.Ticket) -> dict[str, Any]:
    bound, lower = ticket.certificate.bound or math.nan, ticket.certificate.lower_estimate or math.nan
    return {
        "m/m_t": ticket.overparameterization,
        "kept/total": ticket.density,
        "arrangements": [layer.arrangement for layer in ticket.layers],
        "copies": [layer.copies for layer in ticket.layers],
        "k": [layer.k for layer in ticket.layers],
        "bound": bound,
        "lower estimate": lower,
        "slack": bound / lower,
    }


def decomposed(ticket: slth.Ticket, family: float) -> dict[str, float]:
    """What the factor over the lower bound consists of; see the module. In bits for each target weight."""
    m_t, code = ticket.target_parameters, ticket_code(ticket)
    shared = sum(
        layer.groups * layer.copies * (layer.outputs if layer.owners == "inputs" else layer.inputs)
        for layer in ticket.layers
    )
    parts = {"halves": 0.0, "coupon": 0.0, "range": 0.0, "weights": -family * m_t, "lifting": code.subset_bits}
    problem = Problem.of(ticket.target, ticket.construction.domain)
    for index, (layer, weight) in enumerate(zip(ticket.layers, problem.weights, strict=True)):
        own = ticket.assembled(index)
        if layer.lifts:  # biases are sums over constants, counted with these
            weight = weight[:, :-1]
        w = np.abs(weight[weight != 0.0])
        live = np.broadcast_to(own.live_positive[..., : weight.shape[1]], weight.shape)[weight != 0.0]
        first = log2_binomial(live, layer.k)
        chosen = layer.arrangement in CHOOSING
        law = Uniform() if chosen else LiveProduct()
        roles = 2 * layer.outputs if layer.owners == "outputs" else layer.inputs * (1 + layer.signed)
        spread = chosen_magnitude(roles) if chosen else 1.0
        window = math.log2(2.0 * layer.tolerance) + law.sum_log_pdf(w / spread, layer.k) / math.log(2.0)
        window -= math.log2(spread)
        entropy = _entropy(weight[weight != 0.0], layer.tolerance)
        parts["lifting"] -= float(first.sum())
        parts["coupon"] += float((first + window).sum())
        parts["range"] += float((-window - entropy).sum())
        parts["weights"] += entropy * w.size
        if layer.halved:
            live = np.broadcast_to(own.live_negative, weight.shape)[:, : -1 if layer.biased else None]
            moving = weight[:, : -1 if layer.biased else None] != 0.0
            second = float(log2_binomial(live[moving], layer.k).sum())
            parts["halves"] += second
            parts["lifting"] -= second
    return {
        "bits: family": family,
        **{f"bits: {name}": value / m_t for name, value in parts.items()},
        "bits: subsets": code.subset_bits / m_t,
        "structure": float(log2_binomial(ticket.parameters, ticket.kept)) / code.subset_bits,
        "first matrix": ticket.parameters / shared,
    }


def _entropy(values: np.ndarray, tolerance: float) -> float:
    """Entropy at resolution 2 tolerance, from a histogram of about sqrt(number) bins."""
    counts, edges = np.histogram(values, bins=max(8, math.isqrt(values.size)))
    share = counts[counts > 0] / values.size
    return float(-(share * np.log2(share)).sum() + math.log2((edges[1] - edges[0]) / (2.0 * tolerance)))


def slack(case: int) -> dict[str, Any]:
    """Cases 0 to 4: digits, other densities; 5 to 9: random networks; 10: 784-500-10."""
    if case == 10 or case < 5:
        example, region, eps = setting("digits" if case < 5 else "digits-784", "[0,1]")
        density, network, data = (
            (0.05, 0.1, 0.2, 0.35, 0.45, 0.2)[min(case, 5)],
            example.network,
            example.inputs,
        )
    else:
        rng = np.random.default_rng(case)
        widths = [int(v) for v in rng.integers(4, 33, 3)]
        weights = [rng.normal(0, d**-0.5, (e, d)) for d, e in itertools.pairwise(widths)]
        network = slth.dense_network(weights, [rng.normal(0, 0.1, len(w)) for w in weights])
        region, density = slth.Domain.box(-1.0, 1.0, widths[0]), 0.35
        data = rng.uniform(-1.0, 1.0, (1000, widths[0]))
        eps = EPS * float(np.abs(network.forward(data)).max())
    ticket, _, _ = built(
        network, region, eps=eps, subset_density=density, inputs=data, arrangement="auto", budget="certificate"
    )
    widest = max(layer.outputs for layer in ticket.layers[:-1])
    return {"hidden width": widest, "k/n": density, **described(ticket)}


def ablation(domain: str, arrangement: str, search: str) -> dict[str, Any]:
    example, region, eps = setting("digits", domain)
    how: dict[str, Any] = {"arrangement": arrangement, "search": search, "budget": "certificate"}
    try:
        ticket, seconds, _ = built(
            example.network, region, eps=eps, subset_density=0.2, inputs=example.inputs, **how
        )
    except slth.InvalidInput as error:
        return {"arrangement": arrangement, "search": search, "impossible": str(error)}
    off = np.linalg.norm(
        ticket.network().forward(example.inputs) - example.network.forward(example.inputs), axis=1
    )
    errors = {"data, largest": float(off.max()), "data, rms": float(np.sqrt((off**2).mean()))}
    return {"arrangement": arrangement, "search": search, **described(ticket), **errors, "seconds": seconds}


def limited(domain: str, arrangement: str, search: str) -> dict[str, Any]:
    """`ablation` in a process of its own, ended after LIMIT seconds."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        try:
            row: dict[str, Any] = pool.apply_async(ablation, (domain, arrangement, search)).get(LIMIT)
        except multiprocessing.TimeoutError:
            row = {"arrangement": arrangement, "search": search, "impossible": f"not done in {LIMIT} s"}
    return row


def build(density: float, search: str) -> dict[str, Any]:
    """In a process of its own, compiled code from the cache."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, context.Pool(1) as pool:
        row: dict[str, Any] = pool.apply(_build, (density, search, folder))
        row |= pool.apply(_check, (folder,))
    return row


def _build(density: float, search: str, folder: str) -> dict[str, Any]:
    example, region, eps = setting("digits-784", "[0,1]")
    small = slth.dense_network([np.full((2, 2), 0.3), np.full((2, 2), 0.2)])
    slth.prune(small, domain=slth.Domain.box(0, 1, 2), eps=0.3, arrangement="auto", search=search, seed=1)
    began, spent = time.perf_counter(), time.process_time()
    ticket, _, seeds = built(
        example.network,
        region,
        eps=eps,
        subset_density=density,
        arrangement="auto",
        search=search,
        budget="certificate",
    )
    wall, processor = time.perf_counter() - began, time.process_time() - spent
    ticket.save(Path(folder) / "ticket")
    size = sum(path.stat().st_size for path in (Path(folder) / "ticket").iterdir())
    times = {"wall s": wall, "processor s": processor, "seeds": seeds, "MB on disk": size / 1e6}
    return {"k/n": density, "search": search, **described(ticket), **times, "peak GB": _peak()}


def _check(folder: str) -> dict[str, Any]:
    began = time.perf_counter()
    report = slth.check(Path(folder) / "ticket", digits("784").network)
    return {"checked s": time.perf_counter() - began, "checked bound": report.bound, "peak GB, both": _peak()}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def recheck_some(count: int) -> dict[str, Any]:
    """Certified trials on the 64-32-10 network, drawn from the shipped frontier: built, saved, checked, and
    proved again in ball arithmetic."""
    from slth.tickets.recheck import recheck

    example = digits()
    regions = [slth.Domain.box(low, 1.0, 64) for low in DOMAINS.values()]
    with FrontierLedger(shipped_ledger("frontier"), read_only=True) as ledger:
        cells = ledger.records()
        trials = [
            (cells[block.cell], block.block)
            for block in ledger.blocks()
            if json.loads(block.payload).get("outcome") == "certified"
            and cells[block.cell].target == example.network.digest()
        ]
    ratios = []
    for place in np.random.default_rng(5).permutation(len(trials))[:count]:
        cell, trial = trials[place]
        region = next(own for own in regions if region_digest(own) == cell.domain)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "ticket"
            rebuild(cell, trial, example.network, region).save(path)
            slth.check(path, example.network)
            found = recheck(path)
        ratios.append(found.bound / found.claimed)
    return {"tickets": len(ratios), "of": len(trials), "largest bound again / claimed": max(ratios)}


def jobs(small: bool) -> Iterator[Job]:
    """All jobs, cheap ones first."""
    ways = ({"arrangement": "auto", "budget": "certificate"}, {"arrangement": "paper", "budget": "theorem"})
    targets = tuple(TARGETS)[: 1 if small else None]
    for target in targets:
        for domain in DOMAINS:
            for density in DENSITIES:
                for how in ways:
                    key = f"sizes | {target} | {domain} | {density:g} | {how['arrangement']}"
                    yield key, lambda a=(target, domain, density, how): sizes(*a)
        if target == "digits":
            yield "recheck | 20", lambda: recheck_some(20)
            for case in range(10):
                yield f"slack | {case}", lambda c=case: slack(c)
            for domain in DOMAINS:
                for arrangement in ABLATION:
                    for search in ("within", "closest", "feedback"):
                        key = f"ablation | {domain} | {arrangement} | {search}"
                        yield key, lambda a=(domain, arrangement, search): limited(*a)
    if not small:
        yield "slack | 10", lambda: slack(10)
        # The closest at 0.45 and the predicted size, 17 to 21 of 47, takes most of a second for each weight.
        for how in ((0.45, "within"), (0.2, "within"), (0.2, "closest")):
            yield f"build | {how[0]:g} | {how[1]}", lambda a=how: build(*a)


def show(rows: dict[str, dict[str, Any]]) -> None:
    for kind in KINDS:
        mine = {key: row for key, row in rows.items() if key.startswith(kind)}
        if not mine:
            continue
        print(f"\n{kind}")
        for key, row in mine.items():
            cells = [f"{name} {_text(value)}" for name, value in row.items()]
            print(f"  {key.split(' | ', 1)[1]}\n      " + "; ".join(cells))
    narrow = [
        row["slack"] for key, row in rows.items() if key.startswith("slack") and row["hidden width"] <= 32
    ]
    if narrow:
        print(f"\nmedian of bound / lower estimate, {len(narrow)} tickets: {statistics.median(narrow):.3g}")
    for key, row in rows.items():
        if key.startswith("sizes") and key.endswith("auto") and row["built"]:
            other = rows.get(key.removesuffix("auto") + "paper")
            over = "" if other is None else f", {other['m/m_t'] / row['m/m_t']:.3g} below the paper's"
            print(
                f"{key}: {row['theorem 3'] / row['m/m_t']:.3g} below Theorem 3{over}, "
                f"{row['m/m_t'] / row['family bound']:.3g} over the lower bound"
            )


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    rows: dict[str, dict[str, Any]] = {}
    if options.file.exists():
        for line in options.file.read_text().splitlines():
            record = json.loads(line)
            rows[record.pop("job")] = record
    for key, work in jobs(options.small):
        if key in rows or key.split(" | ")[0] not in options.only:
            continue
        began = time.perf_counter()
        rows[key] = work()
        with options.file.open("a") as file:
            file.write(json.dumps({"job": key, **rows[key]}) + "\n")
        print(f"{key}: {time.perf_counter() - began:.1f} s", flush=True)
    show(rows)


if __name__ == "__main__":
    main()
