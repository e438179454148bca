"""Slow, literal versions of the formulas of laws and theory: exact fractions, mpmath, dense quadrature."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction

import mpmath as mp
import numpy as np

# n, k, hits expected at the edge sqrt(k) of uniform samples; probabilities of a hit there and of coverage up to
# it, simulated to +-0.03.
PUBLISHED = [
    (20, 5, 1, 0.50, None),
    (20, 5, 3, 0.74, None),
    (20, 5, 10, 0.88, 0.29),
    (20, 5, 30, 0.94, 0.75),
    (20, 5, 100, 0.963, 0.91),
    (20, 5, 300, None, 0.953),
    (24, 8, 1, 0.46, None),
    (24, 8, 3, 0.70, None),
    (24, 8, 10, 0.86, None),
    (24, 8, 30, 0.93, 0.40),
    (24, 8, 100, 0.95, 0.76),
    (24, 8, 300, None, 0.89),
]


def uniform_sum_pdf(x: Fraction, k: int) -> Fraction:
    """Density of the sum of k uniforms on [-1, 1]: the alternating sum, in exact arithmetic (k >= 2)."""
    u = (x + k) / 2  # the sum of k uniforms on [0, 1]
    if not 0 <= u <= k:
        return Fraction(0)
    total = sum(
        ((-1) ** j * math.comb(k, j) * (u - j) ** (k - 1) for j in range(math.floor(u) + 1)), start=Fraction(0)
    )
    return total / math.factorial(k - 1) / 2


def uniform_sum_cdf(x: Fraction, k: int) -> Fraction:
    u = (x + k) / 2
    if u <= 0:
        return Fraction(0)
    if u >= k:
        return Fraction(1)
    total = sum(
        ((-1) ** j * math.comb(k, j) * (u - j) ** k for j in range(math.floor(u) + 1)), start=Fraction(0)
    )
    return total / math.factorial(k)


def product_pdf_2(x: float) -> mp.mpf:
    """Density of the sum of two live products: the convolution integral itself."""
    size = abs(mp.mpf(x))
    if size >= 2:
        return mp.mpf(0)
    knots = sorted({p for p in (size - 1, mp.mpf(0), size, mp.mpf(1)) if size - 1 <= p <= 1})

    def integrand(y: mp.mpf) -> mp.mpf:
        return mp.log(abs(y)) * mp.log(abs(size - y)) / 4 if y not in (0, size) else mp.mpf(0)

    return mp.quad(integrand, knots)


def product_pdf_3(x: float) -> mp.mpf:
    """One more convolution, with a coarse but convergent rule for the outer integral."""
    knots = sorted({p for p in (-2, -1, 0, 1, 2, x - 1, x, x + 1) if max(-2, x - 1) <= p <= min(2, x + 1)})
    with mp.workdps(12):
        return mp.quad(
            lambda y: -product_pdf_2(y) * mp.log(abs(x - y)) / 2 if y != x else mp.mpf(0), knots, maxdegree=4
        )


def product_inversion(x: float, k: int, reach: float = 150.0) -> tuple[mp.mpf, mp.mpf]:
    """Density and cdf of the sum of k live products by inverting the characteristic function, k large."""
    pieces = mp.linspace(0, reach, 120)
    density = mp.quad(lambda t: mp.cos(t * x) * (mp.si(t) / t) ** k if t else mp.mpf(1), pieces) / mp.pi
    cdf = mp.quad(lambda t: mp.sin(t * x) / t * (mp.si(t) / t) ** k if t else mp.mpf(x), pieces) / mp.pi
    return density, mp.mpf(1) / 2 + cdf


def cox_miss(n: int, k: int, eps: float, z: float, variance: float) -> mp.mpf:
    """E exp(-2 eps nu(z | M)) by brute quadrature in 30 digits."""
    with mp.workdps(30):
        g = mp.mpf(k) / n
        spread, outer = k * (1 - g) * mp.mpf(variance), mp.sqrt(k * g * mp.mpf(variance))
        top = 2 * mp.mpf(eps) * mp.binomial(n, k) / mp.sqrt(2 * mp.pi * spread)

        def integrand(x: mp.mpf) -> mp.mpf:
            return mp.npdf(x) * mp.exp(-top * mp.exp(-((z - outer * x) ** 2) / (2 * spread)))

        return mp.quad(integrand, mp.linspace(-20, 20, 401))


def cox_covered(n: int, k: int, eps: float, radius: float, variance: float, reach: float = 9.0) -> float:
    """The covering formula on dense trapezoids in z and in M, up to `reach` standard deviations."""
    g = k / n
    spread = k * (1 - g) * variance
    log_count = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    xi = np.linspace(-reach, reach, 1 + int(445 * reach))
    weight = np.exp(-xi * xi / 2)
    weight /= weight.sum()
    mean = xi[:, None] * math.sqrt(k * g * variance)
    z = np.linspace(-radius, radius, 3001)[None]
    nu = np.exp(log_count - (z - mean) ** 2 / (2 * spread)) / math.sqrt(2 * math.pi * spread)
    hits = 2 * eps * nu
    gaps = np.trapezoid(nu * np.exp(-hits), z[0], axis=1) + (np.exp(-hits[:, 0]) + np.exp(-hits[:, -1])) / 2
    ends = (1 - np.exp(-hits[:, 0])) * (1 - np.exp(-hits[:, -1]))
    return float(weight @ np.minimum(np.exp(-gaps), ends))


def entropy_bits(x: mp.mpf) -> mp.mpf:
    return -(x * mp.log(x) + (1 - x) * mp.log(1 - x)) / mp.log(2)


def largest_root(function: Callable[[mp.mpf], mp.mpf], low: float) -> mp.mpf:
    """Largest sign change of a function that is positive for large arguments: walk down, then bisect."""
    with mp.workdps(40):
        high = mp.mpf(low) * 2
        while function(high) <= 0 or function(high * 2) <= 0 or function(high * 1000) <= 0:
            high *= 2
        while function(high) > 0:
            high /= mp.mpf("1.1")
        bottom, top = high, high * mp.mpf("1.1")
        for _ in range(120):
            middle = (bottom + top) / 2
            bottom, top = (middle, top) if function(middle) <= 0 else (bottom, middle)
        return top


def theorem_3_root(density: float, tolerance: float, c_amp: float) -> mp.mpf:
    """Largest n with n = c_amp log2(density n/tolerance)^2/H2(density), by bisection."""
    gamma = mp.mpf(density)
    return largest_root(
        lambda n: n * entropy_bits(gamma) - c_amp * (mp.log(gamma * n / mp.mpf(tolerance)) / mp.log(2)) ** 2,
        float(tolerance) / density * 2,
    )


def lower_bound_norm_1(m_t: float, eps: float, density: float) -> mp.mpf:
    g = mp.mpf(density)

    def excess(x: mp.mpf) -> mp.mpf:
        left = x * m_t * entropy_bits(g) - mp.log(2 * mp.pi * g * (1 - g) * x * m_t) / (2 * mp.log(2))
        return left - (m_t * mp.log(1 / (2 * mp.mpf(eps))) / mp.log(2) - 1)

    return largest_root(excess, 1e-3)


def lower_bound_printed(m_t: float, eps: float, density: float) -> mp.mpf:
    g = mp.mpf(density)
    return largest_root(
        lambda x: x * entropy_bits(g) - mp.log(g * m_t * x / mp.mpf(eps)) / (2 * mp.log(2)), 1e-3
    )


def overlap_ratio(k: int, i: int, z: float) -> float:
    """r_i = int f_i(y) f_{k-i}(z-y)^2 dy / f_k(z)^2 for uniforms, Gauss-Legendre between all knots."""
    if i == 0:
        return 1.0
    other = k - i
    knots = {float(p) for p in range(-i, i + 1, 2)} | {z - p for p in range(-other, other + 1, 2)}
    ends = sorted(p for p in knots if max(-i, z - other) <= p <= min(i, z + other))
    nodes, weights = np.polynomial.legendre.leggauss(k + 2)
    total = 0.0
    for low, high in itertools.pairwise(ends):
        half = (high - low) / 2
        for node, weight in zip(nodes, weights, strict=True):
            y = low + half * (1 + node)
            own = _pdf(y, i)
            rest = _pdf(z - y, other)
            total += half * weight * own * rest * rest
    return total / _pdf(z, k) ** 2


def _pdf(x: float, k: int) -> float:
    if k == 1:
        return 0.5 if abs(x) < 1 else 0.0
    return float(uniform_sum_pdf(Fraction(x), k))


def overlap_probability(n: int, k: int, i: int) -> Fraction:
    """h_i: probability that two independent k-subsets of n share i elements."""
    if n - 2 * k + i < 0:
        return Fraction(0)
    return Fraction(math.comb(k, i) * math.comb(n - k, k - i), math.comb(n, k))


def saddlepoint_of_sample(x: np.ndarray, k: int, z: float) -> float:
    """ln of the density of k-sums at z by the second-order saddlepoint formula, tensors written out."""
    y = np.stack([np.ones_like(x), x])
    tilt = np.zeros(2)
    target = np.array([k, z])

    def objective(t: np.ndarray) -> float:
        return float(np.logaddexp(0.0, t @ y).sum() - t @ target)

    for _ in range(500):
        p = 1 / (1 + np.exp(-tilt @ y))
        w = p * (1 - p)
        hessian = np.einsum("ai,bi,i->ab", y, y, w)
        step = np.linalg.solve(hessian, target - y @ p)
        size = 1.0
        while objective(tilt + size * step) > objective(tilt) + 1e-13 and size > 1e-9:
            size /= 2
        tilt = tilt + size * step
    inverse = np.linalg.inv(hessian)
    k3 = np.einsum("ai,bi,ci,i->abc", y, y, y, w * (1 - 2 * p))
    k4 = np.einsum("ai,bi,ci,di,i->abcd", y, y, y, y, w * (1 - 6 * w))
    rho4 = np.einsum("abcd,ab,cd->", k4, inverse, inverse)
    rho13 = np.einsum("abc,def,ab,cd,ef->", k3, k3, inverse, inverse, inverse)
    rho23 = np.einsum("abc,def,ad,be,cf->", k3, k3, inverse, inverse, inverse)
    correction = min(max((3 * rho4 - 3 * rho13 - 2 * rho23) / 24, -0.5), 0.2)
    return objective(tilt) - math.log(2 * math.pi * math.sqrt(np.linalg.det(hessian))) + float(correction)


def covering_radius_of_sums(sums: np.ndarray, radius: float) -> float:
    """Largest distance of a point of [-radius, radius] from the nearest sum."""
    ordered = np.sort(sums)
    middles = (ordered[1:] + ordered[:-1]) / 2
    points = np.concatenate([[-radius, radius], middles[np.abs(middles) <= radius]])
    right = np.searchsorted(ordered, points).clip(1, ordered.size - 1)
    return float(np.minimum(np.abs(points - ordered[right - 1]), np.abs(ordered[right] - points)).max())


def conditional_normal(n: int, k: int, eps: float, z: float) -> float:
    """Conditional second moment for N(0, 1) in the limit eps -> 0, averaged by Gauss-Hermite."""
    g = k / n
    nodes, weights = np.polynomial.hermite_e.hermegauss(160)
    total = 0.0
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        u = (z - k * node / math.sqrt(n)) ** 2 / (k * (1 - g))
        hits = math.comb(n, k) * 2 * eps * math.exp(-u / 2) / math.sqrt(2 * math.pi * k * (1 - g))
        rest = 0.0
        for i in range(k):
            rho = (i - k * g) / (k * (1 - g))
            if rho > -1 + 1e-12:
                h = float(overlap_probability(n, k, i))
                rest += h * math.exp(u * rho / (1 + rho)) / math.sqrt(1 - rho * rho)
        if hits > 0:
            total += weight / (1 / hits + rest)
    return total


def log_uniform_sum(x: Fraction, k: int, *, tail: bool) -> float:
    """ln of the density, or of P(S <= x), of the sum of k uniforms on [-1, 1], in integers."""
    u = (x + k) / 2
    power = k if tail else k - 1
    total, count = 0, 1
    for j in range(math.floor(u) + 1):
        total += (-1) ** j * count * (u.numerator - j * u.denominator) ** power
        count = count * (k - j) // (j + 1)
    with mp.workdps(40):
        value = mp.log(total) - power * mp.log(u.denominator) - mp.log(mp.factorial(power))
        return float(value if tail else value - mp.log(2))
