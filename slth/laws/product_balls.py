"""Owns ball arithmetic for sums of the live product law; the formulas are stated in `sum_pdf_enclosure`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from slth.laws.contour import PRODUCT
from slth.laws.law import Law

_MOST_TERMS = 300_000
_SI_TOP = "1.85194"  # Si(pi) = 1.851937..., the largest value of |Si|


def product_ball(flint: Any, law: Law, x: float, k: int, digits: int, cdf: bool) -> Any:
    """Ball with the density at x of the sum of k copies, or with P(S_k <= x); `digits` are wanted."""
    del law
    arb, y = flint.arb, abs(x)
    if y >= k:
        return arb(1 if cdf and x > 0 else 0)
    if k - Fraction(y) <= Fraction(1, 2):
        tail = _near_end(flint, k - Fraction(y), k, digits, cdf)
        return 1 - tail if cdf and x > 0 else tail
    if cdf:
        upper = {1: _tail_1, 2: _tail_2, 3: _tail_3}.get(k)
        tail = upper(flint, y) if upper else _series(flint, y, k, digits, cdf=True)
        return 1 - tail if x > 0 else tail
    if k == 1:
        return arb.pos_inf() if y == 0.0 else -arb(y).log() / 2
    if k == 2:
        special = {0.0: arb(1), 1.0: (2 - arb.pi() ** 2 / 6) / 4}
        return special[y] if y in special else _pdf_2(flint, flint.acb(y), y < 1.0, False).real
    return _pdf_3(flint, y) if k == 3 else _series(flint, y, k, digits, cdf=False)


def _near_end(flint: Any, u: Fraction, k: int, digits: int, cdf: bool) -> Any:
    """The positive power series of f_k(k - u), or of P(S_k >= k - u), for u <= 1/2.

    2^{-k} sum_n d_n u^{p+n}/(p+n)!, p = 2k - 1 (density) or 2k, sum_n d_n w^n = (sum_i i! w^i)^k. Since
    d_n <= k (k+1) ... (k+n-1), term n is at most u^n times the first, and the rest at most 2 u^N times it.
    """
    count = math.ceil(3.33 * digits) + 20
    power = 2 * k if cdf else 2 * k - 1
    square = flint.fmpz_poly([math.factorial(i) for i in range(count)])
    result, left = flint.fmpz_poly([1]), k
    while left:
        if left & 1:
            result = _cut(flint, result * square, count)
        square, left = _cut(flint, square * square, count), left >> 1
    ball = flint.arb(flint.fmpq(u.numerator, u.denominator))
    total, factor = flint.arb(0), flint.arb(1)
    for n in range(count):
        total += result[n] * factor
        factor = factor * ball / (power + n + 1)
    total += flint.arb(0, 1) * 2 * ball**count
    return total * ball**power / flint.arb(math.factorial(power)) / flint.arb(2) ** k


def _cut(flint: Any, poly: Any, count: int) -> Any:
    return flint.fmpz_poly(poly.coeffs()[:count])


def _tail_1(flint: Any, y: float) -> Any:
    ball = flint.arb(y)
    return (1 - (ball - ball * ball.log() if y > 0.0 else ball)) / 2


def _pieces(flint: Any, integrand: Callable[..., Any], cuts: list[Fraction]) -> Any:
    """Integral over consecutive cuts of integrand(lower cut, upper cut)(z, analytic).

    The integrand is one of f_1(v) times something in [0, 1], perhaps singular at the cuts: 2^-80 at both ends
    of a piece is left out, where f_1 has a mass of at most w (1 + ln(1/w)), w = 2^-80.
    """
    total = flint.arb(0)
    ordered = sorted(set(cuts))
    tolerance = flint.arb(2) ** -72
    skipped = Fraction(1, 2**80)
    rest = 2 * flint.arb(2) ** -80 * (1 + 80 * flint.arb(2).log())
    for low, high in itertools.pairwise(ordered):
        total += rest * flint.arb(0.5, 0.5)
        if high - low <= 2 * skipped:
            continue
        ends = [flint.acb(flint.fmpq(c.numerator, c.denominator)) for c in (low + skipped, high - skipped)]
        piece = flint.acb.integral(integrand(low, high), *ends, abs_tol=tolerance, rel_tol=tolerance)
        total += piece.real
    return total


def _tail_2(flint: Any, y: float) -> Any:
    """P(S_2 >= y) = int f_1(v) P(X >= y - v) dv."""
    exact = Fraction(y)

    def integrand(low: Fraction, high: Fraction) -> Callable[..., Any]:
        sign, tail = _sign(low + high), _tail_near(flint, exact, low, high)

        def value(z: Any, analytic: bool) -> Any:
            return -(sign * z).log(analytic=analytic) / 2 * tail(z, analytic)

        return value

    low = exact - 1
    return _pieces(flint, integrand, [low, Fraction(1), *(c for c in (Fraction(0), exact) if low <= c <= 1)])


def _tail_3(flint: Any, y: float) -> Any:
    """P(S_3 >= y) = int f_2(v) P(X >= y - v) dv."""
    exact = Fraction(y)

    def integrand(low: Fraction, high: Fraction) -> Callable[..., Any]:
        sign, tail = _sign(low + high), _tail_near(flint, exact, low, high)
        inner = abs(low + high) < 2

        def value(z: Any, analytic: bool) -> Any:
            return _pdf_2(flint, sign * z, inner, analytic) * tail(z, analytic)

        return value

    low = exact - 1
    marks = (Fraction(0), Fraction(1), exact, exact + 1)
    return _pieces(flint, integrand, [low, Fraction(2), *(c for c in marks if low <= c <= 2)])


def _sign(twice: Fraction) -> int:
    return 1 if twice > 0 else -1


def _tail_near(flint: Any, y: Fraction, low: Fraction, high: Fraction) -> Callable[..., Any]:
    """P(X >= y - v) as an analytic function of v around a piece of (y - 1, y), (y, y + 1) or beyond."""
    if low >= y + 1:
        return lambda *_: flint.acb(1)
    side = -_sign(low + high - 2 * y)
    centre = flint.acb(flint.fmpq(y.numerator, y.denominator))

    def tail(z: Any, analytic: bool) -> Any:
        w = side * (centre - z)
        return (1 - side * w * (1 - w.log(analytic=analytic))) / 2

    return tail


def _pdf_2(flint: Any, s: Any, inner: bool, analytic: bool) -> Any:
    """The density of two, s in (0, 1) (inner) or (1, 2) or complex around; nan where a branch cut is met."""

    def dilogarithm(z: Any) -> Any:
        if analytic and z.imag.contains(0) and not z.real < 1:
            return flint.acb(flint.arb.nan())
        return z.polylog(2)

    log_s = s.log(analytic=analytic)
    gap = ((1 - s) if inner else (s - 1)).log(analytic=analytic)
    if inner:
        above = flint.acb.pi() ** 2 / 3 - log_s * log_s / 2 - dilogarithm(s)
    else:
        above = dilogarithm(1 / s)
    return ((2 * s - 2 - s * log_s) * gap + 4 - 2 * s + s * (dilogarithm(1 - 1 / s) - above)) / 4


def _pdf_3(flint: Any, y: float) -> Any:
    """int f_1(v) f_2(y - v) dv."""
    exact = Fraction(y)

    def integrand(low: Fraction, high: Fraction) -> Callable[..., Any]:
        middle = (low + high) / 2
        sign, rest = (1 if middle > 0 else -1), (1 if middle < exact else -1)
        inner = abs(exact - middle) < 1

        def value(z: Any, analytic: bool) -> Any:
            w = rest * (flint.acb(flint.fmpq(exact.numerator, exact.denominator)) - z)
            return -(sign * z).log(analytic=analytic) / 2 * _pdf_2(flint, w, inner, analytic)

        return value

    low = max(exact - 2, Fraction(-1))
    marks = (Fraction(0), exact - 1, exact, exact + 1)
    return _pieces(flint, integrand, [low, Fraction(1), *(c for c in marks if low <= c <= 1)])


def _series(flint: Any, y: float, k: int, digits: int, *, cdf: bool) -> Any:
    """The tilted Fourier series of the density at y, or of the probability of at least y."""
    arb, acb = flint.arb, flint.acb
    # any positive tilt is right; near the saddlepoint the terms do not cancel
    theta = arb(max(PRODUCT.tilt(min(y / k, 1.0 - 1e-9)), 1e-3))
    log_scale = k * (float((theta.shi() / theta).log()) - float(theta) * y / k)
    # how far to go: the rest of the series against about 1/spread of the largest term
    log_value = log_scale - 0.5 * math.log(k) - 3.0
    aimed = log_value - digits * math.log(10.0)
    count = min(_terms(float(theta), y, k, aimed, cdf), _MOST_TERMS)
    unit = arb.pi() / k
    total = arb(0)
    point, end = arb(y), arb(k)
    for m in range(count + 1):
        s = acb(theta, unit * m)
        term = (s.shi() / s) ** k * (-s * point).exp()
        if cdf:
            term = term * (1 - (s * (point - end)).exp()) / s
        total += term.real if m == 0 else 2 * term.real
    total /= 2 * k
    top = unit * count
    bound = (arb(_SI_TOP) + theta.sinh() / top) / top
    rest = bound**k * top / (k - 1) / arb.pi() * (-theta * point).exp()
    if cdf:
        rest = rest * 2 / top
    return total + rest * arb(0, 1)


def _terms(theta: float, y: float, k: int, aimed: float, cdf: bool) -> int:
    """Where the bound of the rest falls below e^aimed."""
    count = 4 * k
    while count <= _MOST_TERMS:
        t = math.pi * count / k
        # ln sinh(theta), safe for large theta
        log_sinh = theta + math.log(-math.expm1(-2.0 * theta) / 2.0)
        bound = math.log(1.86 + math.exp(min(log_sinh - math.log(t), 600.0))) - math.log(t)
        log_rest = k * bound + math.log(t / (k - 1) / math.pi) - theta * y
        if cdf:
            log_rest += math.log(2.0 / t)
        if log_rest < aimed:
            break
        count = int(1.25 * count) + 1
    return count
