"""Owns what a predictor is: a named way to say how probable a hit or a coverage is, and how far to trust it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from slth.errors import InvalidInput
from slth.laws.law import Law
from slth.laws.named import as_law


@dataclass(frozen=True)
class Prediction:
    """A probability of success, with its complement kept apart so that neither loses digits.

    Attributes
    ----------
    probability, failure : float
        Of success, and 1 minus that, each in [0, 1].
    error : float or None
        Standard error of the drawing of samples; None where nothing is drawn.
    samples, seed : int or None
        How many samples were drawn and from which seed; None where nothing is drawn.
    """

    probability: float
    failure: float
    error: float | None = None
    samples: int | None = None
    seed: int | None = None


Evaluator = Callable[..., Prediction]


@dataclass(frozen=True)
class Predictor:
    """One way to compute the probability of an event, exactly described.

    Attributes
    ----------
    name : str
        Word that names it among those of its event.
    event : {"hit", "cover"}
        "hit": some k of n samples sum to within eps of z. "cover": this holds for every z in [-radius, radius].
    kind : {"prediction", "guarantee"}
        A prediction is sharp and unproved. A guarantee is a theorem, up to rounding and quadrature.
    side : {"estimate", "lower", "upper"}
        What the number is for the true probability: an estimate, at most it, or at least it.
    laws : tuple of str
        Names of the laws it applies to.
    statement : str
        What it computes.
    distrust : str
        Where it is not to be trusted; for guarantees, what is assumed.
    source : str
        Where it comes from.
    options : tuple of str
        Further named arguments of `evaluate`.
    evaluator : callable
    """

    name: str
    event: str
    kind: str
    side: str
    laws: tuple[str, ...]
    statement: str
    distrust: str
    source: str
    evaluator: Evaluator = field(repr=False)
    options: tuple[str, ...] = ()

    def evaluate(self, n: int, k: int, eps: float, place: float, law: str | Law, **options: Any) -> Prediction:
        """The probability.

        Parameters
        ----------
        n, k : int
            Sample size and subset size.
        eps : float
            Tolerance, eps > 0.
        place : float
            The target z (hit) or the radius (cover).
        law : str or Law
            Law of one sample, or the name of one.
        **options
            Those named in `options`: `samples` and `seed` where samples are drawn.

        Raises
        ------
        InvalidInput
            If the law is not one of `laws`, an option is unknown or an argument is outside its range.
        """
        law = as_law(law)
        if law.name not in self.laws:
            raise InvalidInput(f"`law` must be one of {', '.join(self.laws)} for {self.name}; got {law.name}.")
        unknown = [name for name in options if name not in self.options]
        if unknown:
            known = ", ".join(self.options) or "none"
            raise InvalidInput(f"`{unknown[0]}` is not an option of {self.name}; it has {known}.")
        return self.evaluator(n, k, eps, place, law, **options)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the evaluator, JSON-ready."""
        names = ("name", "event", "kind", "side", "statement", "distrust", "source")
        words: dict[str, Any] = {name: getattr(self, name) for name in names}
        return {**words, "laws": list(self.laws), "options": list(self.options)}
