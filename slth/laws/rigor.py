"""Owns enclosures of densities and distribution functions of sums: intervals that hold the exact value.

Ball arithmetic is python-flint's, an optional dependency (`pip install slth[rigor]`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from slth._validate import as_integer, as_real
from slth.errors import InvalidInput, MissingExtra
from slth.laws.law import Law
from slth.laws.normal import Normal
from slth.laws.product import LiveProduct
from slth.laws.product_balls import product_ball
from slth.laws.uniform import Uniform


@dataclass(frozen=True)
class Enclosure:
    """A closed interval, rounded outward to floats, that holds the exact value.

    Attributes
    ----------
    low, high : float
        Ends; high may be infinite.
    """

    low: float
    high: float

    @property
    def middle(self) -> float:
        """A float inside."""
        return self.low + 0.5 * (self.high - self.low)

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def sum_pdf_enclosure(law: Law, x: float, k: int, *, digits: int = 25) -> Enclosure:
    """Interval that holds the density at x of the sum of k independent copies.

    Parameters
    ----------
    law : Law
        `Uniform()`, `Normal(s)` or `LiveProduct()`.
    x : float
        Taken as exactly this float.
    k : int
        Number of copies, 1 <= k <= 2000.
    digits : int
        Wanted relative digits before rounding to floats, 1 to 100. A wider interval is returned where they
        would take more than 300,000 terms of the series of the product law.

    Returns
    -------
    Enclosure

    Raises
    ------
    InvalidInput
        If an argument is outside its range or the law is another one.
    MissingExtra
        If python-flint is not installed.

    Notes
    -----
    *Uniform*: the alternating sum in exact integers. *Normal*: its formula. *Live product*: k = 1 and 2 in
    closed form (dilogarithms), k = 3 by a rigorous integral of both, within 1/2 of the ends by the power series
    of `LiveProduct` with a bound of its rest, else for k >= 4 by the exact series

        e^{theta y} f_k(y) = (1/2k) sum_m M(theta + i t_m)^k e^{-i t_m y},   t_m = pi m / k,  M(s) = Shi(s)/s,

    true for every theta because e^{theta y} f_k(y) has its support in [-k, k]. It is cut at t = T where
    |M(theta + it)| <= (1.85194 + sinh(theta)/t)/t, from Shi(theta + it) = i Si(t) + an integral of
    sinh(r + it)/(r + it), bounds the rest.

    Examples
    --------
    >>> from slth.laws.uniform import Uniform
    >>> box = sum_pdf_enclosure(Uniform(), 0.0, 5)
    >>> 115 / 384 in box, box.high - box.low < 1e-15
    (True, True)
    """
    return _enclose(law, x, k, digits, cdf=False)


def sum_cdf_enclosure(law: Law, x: float, k: int, *, digits: int = 25) -> Enclosure:
    """Interval that holds P(S_k <= x) for the sum S_k of k independent copies.

    Parameters
    ----------
    law : Law
        `Uniform()`, `Normal(s)` or `LiveProduct()`.
    x : float
        Taken as exactly this float.
    k : int
        Number of copies, 1 <= k <= 2000.
    digits : int
        As in `sum_pdf_enclosure`.

    Returns
    -------
    Enclosure

    Raises
    ------
    InvalidInput
        If an argument is outside its range or the law is another one.
    MissingExtra
        If python-flint is not installed.

    Notes
    -----
    As for the density; the series of the product law is integrated term by term from y to k, and for k = 2 and
    3 the density of k - 1 times the tail of one is integrated.

    Examples
    --------
    >>> from slth.laws.normal import Normal
    >>> 0.5 in sum_cdf_enclosure(Normal(), 0.0, 7)
    True
    """
    return _enclose(law, x, k, digits, cdf=True)


def _flint() -> Any:
    try:
        import flint
    except ImportError:
        raise MissingExtra("enclosures need python-flint; install it with `pip install slth[rigor]`.") from None
    return flint


def _enclose(law: Law, x: float, k: int, digits: int, *, cdf: bool) -> Enclosure:
    flint = _flint()
    point = as_real(x, "x")
    copies = as_integer(k, "k", low=1, high=2000)
    wanted = as_integer(digits, "digits", low=1, high=100)
    functions: dict[type, Callable[..., Any]] = {Uniform: _uniform, Normal: _normal, LiveProduct: product_ball}
    if type(law) not in functions:
        raise InvalidInput(f"`law` must be Uniform, Normal or LiveProduct; got {type(law).__name__}.")
    before = flint.ctx.prec
    try:
        flint.ctx.prec = max(math.ceil(3.33 * wanted) + 40, 140)
        ball = functions[type(law)](flint, law, point, copies, wanted, cdf)
        return _to_floats(flint, ball)
    finally:
        flint.ctx.prec = before


def _to_floats(flint: Any, ball: Any) -> Enclosure:
    """Outward: float() of an exact ball rounds to nearest, so each end moves to the next float if it must."""
    if not ball.is_finite():
        return Enclosure(0.0, math.inf)
    low, high = float(ball.lower()), float(ball.upper())
    if not flint.arb(low) <= ball.lower():
        low = math.nextafter(low, -math.inf)
    if not flint.arb(high) >= ball.upper():
        high = math.nextafter(high, math.inf)
    return Enclosure(max(low, 0.0), high)


def _uniform(flint: Any, law: Law, x: float, k: int, digits: int, cdf: bool) -> Any:
    del law, digits
    if k == 1 and not cdf:
        return flint.arb(1) / 2 if -1.0 <= x <= 1.0 else flint.arb(0)
    u = (Fraction(x) + k) / 2
    if u <= 0 or u >= k:
        return flint.arb(1 if cdf and u > 0 else 0)
    power = k if cdf else k - 1
    top, bottom = u.numerator, u.denominator
    total, count = flint.fmpz(0), flint.fmpz(1)
    for j in range(math.floor(u) + 1):
        term = count * flint.fmpz(top - j * bottom) ** power
        total = total - term if j % 2 else total + term
        count = count * (k - j) // (j + 1)
    value = flint.arb(total) / flint.arb(flint.fmpz(bottom) ** power) / flint.arb(math.factorial(power))
    return value if cdf else value / 2


def _normal(flint: Any, law: Any, x: float, k: int, digits: int, cdf: bool) -> Any:
    del digits
    scaled = flint.arb(x) / (flint.arb(law.s) * flint.arb(k).sqrt())
    if cdf:
        return (-scaled / flint.arb(2).sqrt()).erfc() / 2
    return (-scaled * scaled / 2).exp() / (flint.arb(law.s) * (2 * k * flint.arb.pi()).sqrt())
