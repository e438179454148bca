"""`slth estimate`: the probability of a hit or a cover, by exact trials."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from slth.cli.inputs import choose_seed, number_or_word, seed_words
from slth.cli.output import COMMON, VERDICT_EXIT, Common, print_json, print_pairs, progress_bar


def command(
    event: Literal["hit", "cover"],
    *,
    n: Annotated[int, Parameter(name=["--n", "-n"])],
    k: Annotated[int, Parameter(name=["--k", "-k"])],
    eps: float,
    law: Literal["uniform", "normal", "product"] = "uniform",
    where: Annotated[str, Parameter(allow_leading_hyphen=True)] = "edge",
    selection: Literal["subset", "one-per-block"] = "subset",
    trials: int = 1000,
    stop_early: Annotated[bool, Parameter(negative="")] = False,
    width: float | None = None,
    claim: str | None = None,
    confidence: float = 0.95,
    seed: int | None = None,
    threads: int | None = None,
    common: Common = COMMON,
) -> int:
    """Estimate the probability that k of n random samples hit a target, or cover a range, within eps.

    Every trial is decided exactly. With a claim, exit code 0: verified. 1: refuted. 3: undecided.

    Example: slth estimate cover --n 24 --k 8 --eps 0.01 --trials 500 --seed 1

    Parameters
    ----------
    event
        hit one target, or cover every target of a range.
    n
        Number of samples.
    k
        Subset size.
    eps
        Tolerance.
    law
        Law of the samples: uniform on [-1, 1], standard normal, or the live product law.
    where
        edge (sqrt(k), or half of it for the product law), uniform (hits: anywhere up to the edge), or a
        number: the target, or the end R of the range [-R, R].
    selection
        Any k samples, or one from each of k blocks.
    trials
        Number of trials, or the most of them with --stop-early.
    stop_early
        Stop when the claim is decided or the interval is narrow; the interval stays valid.
    width
        Of the interval, for --stop-early.
    claim
        Test that the probability is at least this: a number, or a guarantee such as second-moment,
        conditional-second-moment (hits), two-halves (covers).
    confidence
        Of the interval.
    seed
        Default: drawn and printed.
    threads
        Default: all cores; changes no result.
    """
    from slth.experiments.estimate import estimate

    chosen, drawn = choose_seed(seed)
    with progress_bar() as progress:
        result = estimate(
            event,
            n,
            k,
            eps,
            law=law,
            where=number_or_word(where),
            selection=selection,
            trials=trials,
            stop_early=stop_early,
            width=width,
            claim=None if claim is None else number_or_word(claim),
            confidence=confidence,
            seed=chosen,
            threads=threads,
            progress=progress,
        )
    if common.json:
        print_json("estimate", {**result.summary(), "seed_drawn": drawn})
        return VERDICT_EXIT[result.verdict]
    pairs: list[tuple[str, Any]] = [(f"P({event})", str(result.proportion))]
    if result.claim is not None:
        pairs += [("claim", result.claim.text), ("verdict", f"{result.verdict}: {result.reason}")]
    pairs.append(("seed", seed_words(chosen, drawn)))
    end = result.experiment.where
    place = f"target {end}" if event == "hit" else f"range [-{end:g}, {end:g}]"
    print_pairs(pairs, title=f"n={n}, k={k}, eps={eps:g}, {result.experiment.law.name} law, {place}")
    return VERDICT_EXIT[result.verdict]
