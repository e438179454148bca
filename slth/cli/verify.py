"""`slth verify`: a subset sum bound against exact trials."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from slth.cli.inputs import choose_seed, number_or_word, seed_words
from slth.cli.output import COMMON, VERDICT_EXIT, Common, print_json, print_pairs, progress_bar


def command(
    *,
    n: Annotated[int, Parameter(name=["--n", "-n"])],
    k: Annotated[int, Parameter(name=["--k", "-k"])],
    eps: float,
    trials: int = 1000,
    law: Literal["uniform", "normal", "product"] = "uniform",
    target: Annotated[str, Parameter(allow_leading_hyphen=True)] = "edge",
    bound: str = "theorem-2",
    confidence: float = 0.95,
    seed: int | None = None,
    threads: int | None = None,
    common: Common = COMMON,
) -> int:
    """Test a bound on the probability that k of n random samples sum to within eps of a target.

    Every trial is decided exactly. Exit code 0: verified. 1: refuted. 3: undecided.

    Example: slth verify --n 24 --k 8 --eps 0.01 --trials 1000 --seed 1

    Parameters
    ----------
    n
        Number of samples.
    k
        Subset size.
    eps
        Tolerance.
    trials
        Number of trials, fixed in advance.
    law
        Law of the samples: uniform on [-1, 1], standard normal, or the live product law.
    target
        edge (sqrt(k)), uniform (anywhere up to the edge), or a number.
    bound
        theorem-2, second-moment, a probability, or none.
    confidence
        Of the exact two-sided interval.
    seed
        Default: drawn and printed.
    threads
        Default: all cores; changes no result.
    """
    from slth.experiments.verify import verify

    chosen, drawn = choose_seed(seed)
    with progress_bar() as progress:
        result = verify(
            n,
            k,
            eps,
            trials=trials,
            law=law,
            target=number_or_word(target),
            bound=None if bound == "none" else number_or_word(bound),
            confidence=confidence,
            seed=chosen,
            threads=threads,
            progress=progress,
        )
    if common.json:
        print_json("verify", {**result.summary(), "seed_drawn": drawn})
        return VERDICT_EXIT[result.verdict]
    pairs: list[tuple[str, Any]] = []
    if result.claim is not None:
        pairs.append(("claim", result.claim.text if result.claim.applies else result.claim.title))
    pairs += [
        ("hits", str(result.proportion)),
        ("verdict", f"{result.verdict or 'nothing claimed'}: {result.reason}"),
        (
            "a wrong verdict",
            f"has probability at most {result.proportion.false_alarm:.3g} (trials fixed in advance)",
        ),
        ("seed", seed_words(chosen, drawn)),
    ]
    print_pairs(pairs, title=f"n={n}, k={k}, eps={eps:g}, {result.law} law, target {result.target}")
    return VERDICT_EXIT[result.verdict]
