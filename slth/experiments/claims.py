"""What a verification puts to the test: a probability, where it comes from, and whether it applies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slth._validate import as_choice, as_real
from slth.errors import InvalidInput
from slth.experiments.rounding import lower
from slth.laws.law import Law
from slth.laws.normal import Normal
from slth.laws.uniform import Uniform
from slth.theory.bounds import bound_by_name
from slth.theory.second_moment import MOST_K, second_moment_bound

BOUND_NAMES = ("theorem-2", "second-moment")


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed lower bound on the probability of an event.

    Attributes
    ----------
    name, title : str
        Word and words for it.
    probability : float
        In [0, 1]: the claim is P(event) >= probability.
    hypotheses : tuple of (str, bool)
        What the bound presupposes, and whether it holds for these inputs.
    source : str
        Where it is stated.
    event : {"hit", "cover"}
        What it is the probability of.
    """

    name: str
    title: str
    probability: float
    hypotheses: tuple[tuple[str, bool], ...] = ()
    source: str = ""
    event: str = "hit"

    @property
    def failing(self) -> tuple[str, ...]:
        """Hypotheses that do not hold."""
        return tuple(text for text, holds in self.hypotheses if not holds)

    @property
    def applies(self) -> bool:
        """Whether every hypothesis holds; otherwise nothing is claimed."""
        return not self.failing

    @property
    def text(self) -> str:
        """One line."""
        if not self.applies:
            return f"{self.title} does not apply here; it fails that {'; that '.join(self.failing)}"
        return f"{self.title}: P({self.event}) >= {lower(self.probability, 6)}"

    def summary(self) -> dict[str, Any]:
        """Everything as JSON-ready values."""
        return {
            "name": self.name,
            "title": self.title,
            "probability": self.probability,
            "applies": self.applies,
            "hypotheses": [{"text": text, "holds": holds} for text, holds in self.hypotheses],
            "source": self.source,
        }


def claim_for(
    bound: float | str | None, n: int, k: int, eps: float, law: Law, target: float | str
) -> Claim | None:
    """The claim that `bound` makes for these inputs; None if nothing is claimed.

    Parameters
    ----------
    bound : float, str or None
        A probability, one of `BOUND_NAMES`, or nothing.
    n, k, eps, law
        The subset sum problem.
    target : float or "uniform"
        The number to hit, or a random one within the edges.

    Raises
    ------
    InvalidInput
        If `bound` is none of these.
    """
    if bound is None:
        return None
    if isinstance(bound, str):
        name = as_choice(bound, "bound", BOUND_NAMES)
        return (
            _theorem_2(n, k, eps, law, target)
            if name == "theorem-2"
            else _second_moment(n, k, eps, law, target)
        )
    if isinstance(bound, bool) or not isinstance(bound, (int, float)):
        raise InvalidInput(f"`bound` must be a name, a probability or None; got {bound!r}.")
    probability = as_real(bound, "bound", low=0.0, high=1.0)
    return Claim("given", "Given probability", probability)


def _theorem_2(n: int, k: int, eps: float, law: Law, target: float | str) -> Claim:
    """c_thm of Theorem 2, collected from its proof, for lambda_0 = 1/2 as printed."""
    known = isinstance(law, (Uniform, Normal))
    rules = [
        ("the law is uniform or normal (the live product law is not sum-bounded)", known),
        ("eps < 1", eps < 1.0),
    ]
    theorem = bound_by_name("theorem-2")
    probability = 0.0
    if all(holds for _, holds in rules):
        inputs: dict[str, Any] = {"n": n, "k": k, "eps": eps, "law": law.name}
        if isinstance(law, Normal):
            inputs["s"] = law.s
        if not isinstance(target, str):
            inputs["z"] = target
        result = theorem.evaluate(**inputs)
        rules += [(hypothesis.text, hypothesis.holds is True) for hypothesis in result.hypotheses]
        probability = float(result.values["guaranteed_probability"] or 0.0)
    return Claim("theorem-2", "Theorem 2", probability, tuple(rules), theorem.source)


def _second_moment(n: int, k: int, eps: float, law: Law, target: float | str) -> Claim:
    """E[Y]^2 / E[Y^2] without the paper's estimates."""
    rules = (
        ("the law is uniform or normal", isinstance(law, (Uniform, Normal))),
        ("the target is one fixed number", not isinstance(target, str)),
        (f"k <= {MOST_K}", k <= MOST_K),
    )
    probability = 0.0
    if all(holds for _, holds in rules) and not isinstance(target, str):
        probability = second_moment_bound(n, k, eps, target, law)
    return Claim(
        "second-moment", "Second moment", probability, rules, "natale2024, Section 3.1, evaluated exactly"
    )
