"""Claims: the exact second moment against enumeration and published values, and when a bound does not apply."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest

from slth.errors import InvalidInput
from slth.experiments.claims import claim_for
from slth.experiments.rounding import lower
from slth.laws.normal import Normal
from slth.laws.product import LiveProduct
from slth.laws.uniform import Uniform
from slth.theory.second_moment import second_moment_bound

UNIFORM = Uniform()


@pytest.mark.parametrize(
    ("n", "k", "edge", "lam", "value"),
    [(30, 6, False, 3, 0.7353), (30, 6, True, 30, 0.5742), (40, 10, True, 30, 0.5175)],
)
def test_second_moment_published_values(n: int, k: int, edge: bool, lam: float, value: float) -> None:
    z = math.sqrt(k) if edge else 0.0
    eps = lam / (2 * math.comb(n, k) * float(UNIFORM.sum_pdf(z, k)))
    assert second_moment_bound(n, k, eps, z, UNIFORM) == pytest.approx(value, abs=5e-5)


@pytest.mark.parametrize(
    ("n", "k", "u", "r"), [(20, 5, 0, 1.055901), (20, 5, 1, 1.286309), (100, 10, 1, 1.102960)]
)
def test_second_moment_of_the_normal_law(n: int, k: int, u: int, r: float) -> None:
    law, eps, z = Normal(1.0), 1e-9, u * math.sqrt(k)
    hits = math.comb(n, k) * float(law.window(z, eps, k))
    assert 1 / second_moment_bound(n, k, eps, z, law) - 1 / hits == pytest.approx(r, abs=1e-6)


def test_second_moment_where_everything_can_be_integrated() -> None:
    """n = 2, k = 1: h_0 = h_1 = 1/2, q_0 = p^2, q_1 = p, with p = eps for an interior target."""
    eps = 0.1
    assert second_moment_bound(2, 1, eps, 0.0, UNIFORM) == pytest.approx(2 / (1 + 1 / eps))
    # the truth is 1 - (1 - eps)^2, above it
    assert second_moment_bound(2, 1, eps, 0.0, UNIFORM) < 1 - (1 - eps) ** 2


def test_second_moment_against_a_lattice() -> None:
    """q_i counted on the lattice of a discretised uniform law, exactly, at a resolution that hardly matters."""
    n, k, eps, z, grid = 5, 3, Fraction(1, 4), Fraction(1, 3), 24
    points = [Fraction(2 * a + 1, grid) - 1 for a in range(grid)]

    def sums(count: int) -> dict[Fraction, Fraction]:
        found = {Fraction(0): Fraction(1)}
        for _ in range(count):
            new: dict[Fraction, Fraction] = {}
            for (value, weight), x in itertools.product(found.items(), points):
                new[value + x] = new.get(value + x, Fraction(0)) + weight / grid
            found = new
        return found

    def window(count: int, middle: Fraction) -> Fraction:
        return sum((w for v, w in tables[count].items() if abs(v - middle) <= eps), Fraction(0))

    tables = {count: sums(count) for count in range(k + 1)}
    p = window(k, z)
    total = Fraction(0)
    for i in range(max(0, 2 * k - n), k + 1):
        h = Fraction(math.comb(k, i) * math.comb(n - k, k - i), math.comb(n, k))
        q = p if i == k else sum((w * window(k - i, z - y) ** 2 for y, w in tables[i].items()), Fraction(0))
        total += h * q
    assert second_moment_bound(n, k, float(eps), float(z), UNIFORM) == pytest.approx(
        float(p * p / total), rel=0.02
    )


def test_second_moment_of_an_unreachable_target() -> None:
    assert second_moment_bound(4, 2, 0.1, 3.0, UNIFORM) == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((4, 5, 0.1, 0.0, UNIFORM), r"`k` must be an integer in \[1, 4\]; got 5"),
        ((100, 65, 0.1, 0.0, UNIFORM), r"`k` must be an integer in \[1, 64\]; got 65"),
        ((4, 2, 0.0, 0.0, UNIFORM), "`eps` must be a finite number"),
        ((4, 2, 0.1, math.nan, UNIFORM), "`z` must be a finite number"),
        ((4, 2, 0.1, 0.0, LiveProduct()), "`law` must be Uniform or Normal"),
    ],
)
def test_second_moment_rejects(arguments: tuple[int, int, float, float, Uniform], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        second_moment_bound(*arguments)


def test_theorem_2() -> None:
    inside = claim_for("theorem-2", 20, 5, 1e-4, UNIFORM, math.sqrt(5))
    assert inside is not None
    assert inside.applies
    assert 0.0165 < inside.probability < 0.03
    assert inside.text == f"Theorem 2: P(hit) >= {lower(inside.probability, 6)}"
    # the constant holds for each fixed target, so for random ones too; inside the range it doubles
    anywhere = claim_for("theorem-2", 20, 5, 1e-4, UNIFORM, "uniform")
    middle = claim_for("theorem-2", 20, 5, 1e-4, UNIFORM, 0.0)
    assert anywhere is not None
    assert middle is not None
    assert anywhere.probability == inside.probability
    assert middle.probability == pytest.approx(2 * inside.probability)


@pytest.mark.parametrize(
    ("bound", "n", "k", "eps", "law", "target", "reason"),
    [
        ("theorem-2", 20, 5, 1e-9, UNIFORM, 0.0, "n H2(k/n) >= c_hyp log2(k/eps)"),
        ("theorem-2", 20, 15, 1e-1, UNIFORM, 0.0, "1 <= k <= lambda_0 n"),
        ("theorem-2", 20, 5, 2.0, UNIFORM, 0.0, "eps < 1"),
        ("theorem-2", 20, 5, 1e-2, UNIFORM, 3.0, "|z| <= sqrt(k)"),
        ("theorem-2", 20, 5, 1e-2, LiveProduct(), 0.0, "product law is not sum-bounded"),
        ("second-moment", 20, 5, 1e-2, UNIFORM, "uniform", "one fixed number"),
        ("second-moment", 200, 65, 1e-2, UNIFORM, 0.0, "k <= 64"),
        ("second-moment", 20, 5, 1e-2, LiveProduct(), 0.0, "uniform or normal"),
    ],
)
def test_when_a_bound_does_not_apply(
    bound: str, n: int, k: int, eps: float, law: Uniform, target: float | str, reason: str
) -> None:
    claim = claim_for(bound, n, k, eps, law, target)
    assert claim is not None
    assert not claim.applies
    assert any(reason in text for text in claim.failing)
    assert "does not apply here" in claim.text
    assert claim.summary()["applies"] is False


def test_given_probability_and_nothing() -> None:
    claim = claim_for(0.25, 4, 2, 0.1, UNIFORM, 0.0)
    assert claim is not None
    assert (claim.probability, claim.applies) == (0.25, True)
    assert claim_for(None, 4, 2, 0.1, UNIFORM, 0.0) is None


@pytest.mark.parametrize(
    ("bound", "message"),
    [
        ("theorem-7", "`bound` must be one of 'theorem-2', 'second-moment'; got 'theorem-7'"),
        (1.5, r"`bound` must be a finite number in \[0.0, 1.0\]; got 1.5"),
        (True, "`bound` must be a name, a probability or None; got True"),
        ([], r"`bound` must be a name, a probability or None; got \[\]"),
    ],
)
def test_rejects(bound: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        claim_for(bound, 4, 2, 0.1, UNIFORM, 0.0)  # type: ignore[arg-type]
