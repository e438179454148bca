"""Owns the list of predictors and guarantees, for hits and for coverage, and the door to it."""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Mapping
from types import MappingProxyType

from slth._validate import as_choice, as_integer, as_real
from slth.errors import CapacityExceeded, InvalidInput
from slth.laws.law import Law
from slth.laws.normal import Normal
from slth.theory.averaged import averaged_cover, averaged_miss
from slth.theory.bounds import bound
from slth.theory.conditional import MOST_N, conditional_bound
from slth.theory.covering import cover_probability, uncovered_probability
from slth.theory.entropy import log_binomial
from slth.theory.halves import two_halves_bound
from slth.theory.hitting import hit_probability, miss_probability
from slth.theory.predictor import Evaluator, Prediction, Predictor
from slth.theory.second_moment import second_moment_bound

EVENTS = ("hit", "cover")

_ALL = ("uniform", "normal", "product", "custom")
_DRAWN = ("samples", "seed")
_MOST_DRAWN = 20_000_000  # numbers in all the drawn samples together


def _formula_hit(n: int, k: int, eps: float, z: float, law: Law, *, kind: str) -> Prediction:
    return Prediction(
        float(hit_probability(n, k, eps, z, law, kind=kind)),
        float(miss_probability(n, k, eps, z, law, kind=kind)),
    )


def _formula_cover(n: int, k: int, eps: float, radius: float, law: Law, *, kind: str) -> Prediction:
    return Prediction(
        cover_probability(n, k, eps, radius, law, kind=kind),
        uncovered_probability(n, k, eps, radius, law, kind=kind),
    )


def _drawable(n: int, samples: int) -> None:
    if n * samples > _MOST_DRAWN:
        raise CapacityExceeded(
            f"{samples} samples of size {n} are more than {_MOST_DRAWN} numbers. Use fewer `samples` or `cox`."
        )


def _drawn_hit(
    n: int, k: int, eps: float, z: float, law: Law, *, form: str, samples: int = 400, seed: int = 0
) -> Prediction:
    _drawable(n, samples)
    mean = averaged_miss(n, k, eps, z, law, form=form, samples=samples, seed=seed)
    miss = float(mean.value)
    return Prediction(1.0 - miss, miss, float(mean.error), mean.samples, mean.seed)


def _drawn_cover(
    n: int, k: int, eps: float, radius: float, law: Law, *, form: str, samples: int = 400, seed: int = 0
) -> Prediction:
    _drawable(n, samples)
    mean = averaged_cover(n, k, eps, radius, law, form=form, samples=samples, seed=seed)
    covered = float(mean.value)
    return Prediction(covered, 1.0 - covered, float(mean.error), mean.samples, mean.seed)


def _lower(value: float) -> Prediction:
    return Prediction(value, 1.0 - value)


def _second_moment(n: int, k: int, eps: float, z: float, law: Law) -> Prediction:
    return _lower(second_moment_bound(n, k, eps, z, law))


def _conditional(n: int, k: int, eps: float, z: float, law: Law) -> Prediction:
    _evaluable(n)
    return _lower(conditional_bound(n, k, eps, z, law))


def _two_halves(n: int, k: int, eps: float, radius: float, law: Law) -> Prediction:
    _evaluable(n)
    return _lower(two_halves_bound(n, k, eps, radius, law) if 2 <= k <= n - 2 else 0.0)


def _evaluable(n: int) -> None:
    if n > MOST_N:
        raise CapacityExceeded(f"the conditional second moment is evaluated up to n = {MOST_N}; got n = {n}.")


def _theorem_2(n: int, k: int, eps: float, z: float, law: Law) -> Prediction:
    if not eps < 1.0:
        return _lower(0.0)
    scale = {"s": law.s} if isinstance(law, Normal) else {}
    value = bound("theorem-2", n=n, k=k, eps=eps, z=z, law=law.name, **scale).values["guaranteed_probability"]
    return _lower(0.0 if value is None else float(value))


def _corollary(n: int, k: int, eps: float, radius: float, law: Law, *, name: str) -> Prediction:
    """The corollary where all its hypotheses hold, the range of the printed proof among them; else nothing."""
    del law
    if not eps < 0.5 or radius > math.sqrt(k) or k > n:
        return _lower(0.0)
    holds = bound(name, n=n, k=k, eps=eps, c_amp="literal").holds
    return Prediction(1.0 - eps, eps) if holds else _lower(0.0)


def _markov(n: int, k: int, eps: float, z: float, law: Law) -> Prediction:
    size, chosen = as_integer(n, "n", low=1), as_integer(k, "k", low=1, high=n)
    window = float(law.window(as_real(z, "z"), eps, chosen))
    log_mean = float(log_binomial(size, chosen)) + (math.log(window) if window > 0.0 else -math.inf)
    value = math.exp(min(log_mean, 0.0))
    return Prediction(value, -math.expm1(min(log_mean, 0.0)))


def _counting(n: int, k: int, eps: float, radius: float, law: Law) -> Prediction:
    """Least of: 0 if the segments together are shorter than the interval; Markov at the end."""
    reach = as_real(radius, "radius", low=0.0)
    if float(log_binomial(n, k)) + math.log(eps) < math.log(max(reach, 1e-300)):
        return Prediction(0.0, 1.0)
    return _markov(n, k, eps, reach, law)


def _formulas(event: str, evaluator: Evaluator) -> tuple[Predictor, ...]:
    rows = (
        (
            "annealed",
            "Number of hitting subsets taken as Poisson with its true mean C(n, k) P(|S_k - z| <= eps).",
            "Wrong at constant density: subsets of one sample share its mean (n = 20, k = 5, edge of "
            "sqrt(k), uniform, three expected hits: 0.95, simulation 0.74). For k << n only.",
        ),
        (
            "cox",
            "Poisson with the normal finite-population intensity, averaged over a normal sample mean.",
            "k <= 4, far targets, small misses (the sample variance is held fixed): see `miss_probability`.",
        ),
        (
            "cox-variance",
            "As cox, with a log-normal sample variance averaged over as well.",
            "k <= 4; misses of uniform samples below 1e-3; live products below 1e-5: see `miss_probability`.",
        ),
    )
    source = "Poisson clumping over all subsets of fixed size; derived in the docstrings"
    return tuple(_prediction(event, *row, source, functools.partial(evaluator, kind=row[0])) for row in rows)


def _quenched(event: str, evaluator: Evaluator) -> tuple[Predictor, ...]:
    rows = (
        (
            "saddlepoint",
            "Poisson given the sample, with the saddlepoint intensity; mean over drawn samples.",
            "k = 2, 3, 4 (coverage off by up to 0.09); probabilities nearer to 0 or 1 than about 10/samples; "
            "n - k = 2, 3, 4 likewise. k = 1 and k = n - 1 are simulated.",
        ),
        (
            "quenched",
            "Poisson given the sample, with the normal finite-population intensity; mean over drawn samples.",
            "As saddlepoint, and besides coverage of ranges near the largest sums (off by up to 0.25).",
        ),
    )
    source = "Poisson clumping given the sample; derived in `log_intensity` and `sample_cover`"
    forms = {"saddlepoint": "saddlepoint", "quenched": "normal"}
    return tuple(
        _prediction(event, *row, source, functools.partial(evaluator, form=forms[row[0]]), _DRAWN)
        for row in rows
    )


def _prediction(
    event: str,
    name: str,
    statement: str,
    distrust: str,
    source: str,
    evaluator: Evaluator,
    options: tuple[str, ...] = (),
) -> Predictor:
    return Predictor(
        name, event, "prediction", "estimate", _ALL, statement, distrust, source, evaluator, options
    )


_PROVED = ("uniform", "normal")

_HIT_GUARANTEES = (
    Predictor(
        "second-moment",
        "hit",
        "guarantee",
        "lower",
        _PROVED,
        "E[Y]^2/E[Y^2] for the number Y of hitting subsets, windows integrated exactly.",
        "Sound; far below the truth at constant density. k <= 64.",
        "natale2024, Section 3.1, without its estimates",
        _second_moment,
    ),
    Predictor(
        "conditional-second-moment",
        "hit",
        "guarantee",
        "lower",
        _PROVED,
        "The second moment given the sample's total, averaged over the total.",
        "Sound for every eps up to quadrature (relative 1e-5, 2e-4 for n <= 12); n <= 10^4. Weak for uniform "
        "samples and k > n/2.",
        "derived in `conditional_bound`",
        _conditional,
    ),
    Predictor(
        "theorem-2",
        "hit",
        "guarantee",
        "lower",
        ("uniform", "normal", "product"),
        "The constant c_thm that the proof of Theorem 2 yields, where its hypotheses hold; else 0.",
        "Sound; 3-10 % where the truth is near 1. Live products: |z| <= sqrt(k)/2, k >= 2, constants of "
        "sum-boundedness checked numerically for k <= 60.",
        "natale2024, Theorem 2, constants collected",
        _theorem_2,
    ),
    Predictor(
        "first-moment",
        "hit",
        "guarantee",
        "upper",
        _ALL,
        "Markov: min(1, C(n, k) P(|S_k - z| <= eps)).",
        "Sound, as an upper end. Says nothing once a hit is expected.",
        "Markov's inequality",
        _markov,
    ),
)

_COVER_GUARANTEES = (
    Predictor(
        "two-halves",
        "cover",
        "guarantee",
        "lower",
        _PROVED,
        "Both halves of the sample hit most targets at eps/2, hence their sums hit all.",
        "Sound up to quadrature; needs about twice the entropy n H2(k/n) that the truth does.",
        "derived in `two_halves_bound`",
        _two_halves,
    ),
    *(
        Predictor(
            name,
            "cover",
            "guarantee",
            "lower",
            ("uniform",),
            f"{title}, with the literal c_amp, inside the density range of its printed proof; else 0.",
            "Sound only there: elsewhere the printed proof has a gap and 0 is returned.",
            f"natale2024, {title}",
            functools.partial(_corollary, name=name),
        )
        for name, title in (("corollary-1", "Corollary 1"), ("corollary-2", "Corollary 2"))
    ),
    Predictor(
        "first-moment",
        "cover",
        "guarantee",
        "upper",
        _ALL,
        "0 if C(n, k) segments of length 2 eps cannot fill the interval; else Markov at an end.",
        "Sound, as an upper end. Says nothing once all targets expect a hit.",
        "Markov's inequality and counting",
        _counting,
    ),
)

PREDICTORS: Mapping[tuple[str, str], Predictor] = MappingProxyType(
    {
        (item.event, item.name): item
        for item in (
            *_formulas("hit", _formula_hit),
            *_quenched("hit", _drawn_hit),
            *_HIT_GUARANTEES,
            *_formulas("cover", _formula_cover),
            *_quenched("cover", _drawn_cover),
            *_COVER_GUARANTEES,
        )
    }
)


def predictor(name: str, event: str = "hit") -> Predictor:
    """The predictor or guarantee called `name` for an event.

    Parameters
    ----------
    name : str
        hit: annealed, cox, cox-variance, saddlepoint, quenched, second-moment, conditional-second-moment,
        theorem-2, first-moment. cover: annealed, cox, cox-variance, saddlepoint, quenched, two-halves,
        corollary-1, corollary-2, first-moment.
    event : {"hit", "cover"}

    Raises
    ------
    InvalidInput
        If there is no such predictor.

    Examples
    --------
    >>> from slth.laws.uniform import Uniform
    >>> two = predictor("two-halves", "cover")
    >>> two.kind, two.side
    ('guarantee', 'lower')
    >>> 0.0 < two.evaluate(40, 12, 1e-2, 1.0, Uniform()).probability < 1.0
    True
    """
    word = as_choice(event, "event", EVENTS)
    names = [key[1] for key in PREDICTORS if key[0] == word]
    if name not in names:
        close = difflib.get_close_matches(str(name), names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        listed = ", ".join(repr(item) for item in names)
        raise InvalidInput(f"`kind` must be one of {listed} for the event {word!r}; got {name!r}.{hint}")
    return PREDICTORS[word, name]
