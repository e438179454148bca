"""Owns the live product law, the law of the products that a ticket's gadget really chooses from."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, sici, spence

from slth._typing import FloatArray
from slth._validate import read_only
from slth.laws.contour import PRODUCT, log_upper
from slth.laws.law import Law

# Numbers held at once by a Fourier sum or a convolution; bounds the memory, not the result.
_BLOCK = 1 << 21
_END_TERMS = 60  # 2^-60: what the power series at the ends leaves out
# Double-exponential rule on [-1, 1]: integrable singularities at both ends cost nothing.
_T = np.arange(-51, 52) / 16.0
_DE_NODES = np.tanh(0.5 * math.pi * np.sinh(_T))
_DE_WEIGHTS = 0.5 * math.pi * np.cosh(_T) / np.cosh(0.5 * math.pi * np.sinh(_T)) ** 2 / 16.0
# The same nodes as distances from the nearer end, which do not round to 0.
_DE_GAPS = 1.0 / (np.exp(math.pi * np.sinh(np.abs(_T))) + 1.0) * 2.0


@dataclass(frozen=True)
class LiveProduct(Law):
    r"""The law of X Y with X ~ U[0, 1] and Y ~ U[-1, 1] independent.

    A pair of layers offers, for one target weight, the products b a^+ of two uniform weights; half of them
    are 0, and the others ("live") follow this law: density -(1/2) ln|t| on [-1, 1], variance 1/9,
    characteristic function Si(t)/t.

    Notes
    -----
    Sums of k copies: k = 1 in closed form (the density is infinite at 0; the value there is `inf`); k = 2,
    the density in closed form with dilogarithms; k = 3 and 4 (densities) and k = 2 and 3 (cdf), a convolution
    by double-exponential quadrature. Otherwise, in the bulk, since the support is
    [-k, k], the Fourier series

        f_k(x) = (1/2k) [1 + 2 sum_{j>=1} (Si(t_j)/t_j)^k cos(t_j x)],   t_j = pi j / k,

    is exact and only has to be cut: |Si(t)| < 1.86 bounds the rest. Farther out the tilted contour integral of
    `log_upper` keeps the digits that the series would lose. Within 1/2 of the ends of the support, where
    1 - XY has density -(1/2) ln(1 - u) = (1/2)(u + u^2/2 + ...), a power series with positive terms,

        f_k(k - u) = 2^{-k} sum_n d_n u^{2k-1+n}/(2k-1+n)!,   sum_n d_n w^n = (sum_i i! w^i)^k.

    Relative errors below 1e-12 up to k = 10^4 wherever the value is a normal float (checked against enclosures
    for k up to 200, densities and distribution functions, and against contour integrals in 40 digits for
    densities at k = 10^4); windows, relative 1e-9.

    Examples
    --------
    >>> law = LiveProduct()
    >>> round(float(law.pdf(0.5)), 8)
    0.34657359
    >>> round(float(law.sum_pdf(0.0, 2)), 10)
    1.0
    """

    @property
    def name(self) -> str:
        """`product`."""
        return "product"

    @property
    def variance(self) -> float:
        """1/9."""
        return 1.0 / 9.0

    @property
    def fourth_moment(self) -> float:
        """1/25."""
        return 0.04

    def sample(self, rng: np.random.Generator, shape: int | tuple[int, ...]) -> FloatArray:
        """Independent samples of X Y, float64 of the given shape; two uniforms each."""
        return np.asarray(rng.uniform(0.0, 1.0, shape) * rng.uniform(-1.0, 1.0, shape))

    def _sum_pdf(self, x: FloatArray, k: int) -> FloatArray:
        values: FloatArray = np.exp(self._sum_log_pdf(x, k))
        return values

    def _sum_lower(self, x: FloatArray, k: int) -> FloatArray:
        values: FloatArray = np.exp(self._sum_log_lower(x, k))
        return values

    def _sum_log_pdf(self, x: FloatArray, k: int) -> FloatArray:
        return _logs(x, k, _DENSITIES.get(k, functools.partial(_series_pdf, k=k)), tail=False)

    def _sum_log_lower(self, x: FloatArray, k: int) -> FloatArray:
        return _logs(x, k, _TAILS.get(k, functools.partial(_series_lower, k=k)), tail=True)

    def _window(self, z: FloatArray, eps: FloatArray, k: int) -> FloatArray:
        if k >= 4:
            # Inside [-k, k] the periodic series is the law itself, and averages term by term.
            waves, coefficients = _series(k, 0, 12)
            averaged = coefficients * np.sinc(waves * (float(eps.max(initial=0.0)) / math.pi))
            values = np.maximum(2.0 * eps * (0.5 / k + _fourier(np.cos, waves, averaged / k, z)), 0.0)
            far = np.abs(z) + eps > min(math.sqrt(k), float(k))
            if far.any():
                values[far] = self._smooth_window(z[far], eps[far], k)
            return values
        if np.all(eps >= 0.05):
            return self._difference(z, eps, k)
        # Work with distances from z, which stay exact when eps is tiny; split at the singular integers.
        low, high = np.maximum(-eps, -k - z), np.minimum(eps, k - z)
        high = np.maximum(low, high)
        cuts = [low, *(np.clip(c - z, low, high) for c in range(-k, k + 1)), high]
        total = np.zeros(z.shape)
        for start, stop in itertools.pairwise(cuts):
            if np.any(stop > start):
                total += self._piece(z, start, stop, k)
        return total

    def _piece(self, z: FloatArray, start: FloatArray, stop: FloatArray, k: int) -> FloatArray:
        """Integral of the density over z + [start, stop], an interval without an integer inside."""
        half, middle = (stop - start) / 2, (stop + start) / 2
        if k == 1:
            far = np.maximum(np.abs(z + start), np.abs(z + stop))
            smooth = 2.0 * (stop - start) <= far
            return np.where(smooth, self._quadrature(z, middle, half, 1), _cdf_1(z + stop) - _cdf_1(z + start))
        points = (z + middle)[..., np.newaxis] + half[..., np.newaxis] * _DE_NODES
        total: FloatArray = half * (self._sum_pdf(points, k) @ _DE_WEIGHTS)
        return total


def _logs(x: FloatArray, k: int, direct: Callable[[FloatArray], FloatArray], *, tail: bool) -> FloatArray:
    """Logarithms of the density, or of the lower tail, at x <= 0: near the end, in the tail, in the bulk."""
    y = -x.ravel()
    result = np.full(y.shape, -np.inf)
    near = (y < k) & (k - y <= 0.5)
    result[near] = _near_end(k - y[near], k, tail=tail)
    # the series is worth its absolute error only while the value is large
    reach = math.sqrt(k) * (1.0 if k < 6 else 0.6 if tail else 0.8)
    far = (y < k - 0.5) & (y > reach) & (k >= 4)
    if far.any():
        result[far] = log_upper(PRODUCT, y[far], k, tail=tail)
    bulk = (y < k - 0.5) & ~far
    with np.errstate(divide="ignore"):
        result[bulk] = np.log(direct(-y[bulk]))
    return result.reshape(x.shape)


def _near_end(u: FloatArray, k: int, *, tail: bool) -> FloatArray:
    """ln f_k(k - u), or ln P(S_k >= k - u), for 0 < u <= 1/2."""
    power = 2.0 * k if tail else 2.0 * k - 1.0
    orders = np.arange(_END_TERMS)
    factors = np.concatenate([[1.0], np.cumprod(power + orders[1:])])
    total = (u[..., np.newaxis] ** orders) @ (_end_powers(k) / factors)
    return np.asarray(power * np.log(u) - float(gammaln(power + 1.0)) - k * math.log(2.0) + np.log(total))


@functools.lru_cache(maxsize=256)
def _end_powers(k: int) -> FloatArray:
    """Coefficients of (sum_i i! w^i)^k, by repeated squaring."""
    result, square = np.eye(1, _END_TERMS)[0], np.cumprod(np.maximum(np.arange(float(_END_TERMS)), 1.0))
    while k:
        if k & 1:
            result = np.convolve(result, square)[:_END_TERMS]
        square, k = np.convolve(square, square)[:_END_TERMS] if k > 1 else square, k >> 1
    return read_only(result)


def _pdf_1(x: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        values: FloatArray = np.where(np.abs(x) <= 1.0, -0.5 * np.log(np.minimum(np.abs(x), 1.0)), 0.0)
    return values


def _cdf_1(x: FloatArray) -> FloatArray:
    size = np.minimum(np.abs(x), 1.0)
    body = np.where(size > 0, 0.5 * size * (1.0 - np.log(np.where(size > 0, size, 1.0))), 0.0)
    # Near -1 the difference 1/2 - body cancels: its series in u = 1 - |x| starts with u^2/4.
    u = 1.0 - size
    tail = np.where(u < 1e-3, u * u * (0.25 + u * (1.0 / 12 + u * (1.0 / 24 + u / 40))), 0.5 - body)
    return np.where(x < 0, tail, 0.5 + body)


def _pdf_2(x: FloatArray) -> FloatArray:
    """The convolution (1/4) int ln|y| ln|y - x| dy over [|x| - 1, 1], through its antiderivative."""
    size = np.minimum(np.abs(x), 2.0)
    small = size < 1e-150  # f_2(0) = (1/4) 2 int_0^1 ln^2 = 1, and x ln^2 x vanishes against it
    safe = np.where(small, 1.0, size)
    value = 0.25 * (_antiderivative(np.ones_like(safe), safe) - _antiderivative(safe - 1.0, safe))
    return np.where(small, 1.0, np.where(np.abs(x) < 2.0, np.maximum(value, 0.0), 0.0))


def _antiderivative(y: FloatArray, x: FloatArray) -> FloatArray:
    """An antiderivative in y of ln|y| ln|y - x|, for x > 0.

    By parts, (y ln|y| - y) ln|y - x| - (y ln|y| - 2 y) + x ln|y - x| - x D, where D is an antiderivative of
    ln|y|/(y - x), namely ln x ln|y - x| - Re Li_2(1 - y/x). Collected, the factor of ln|y - x| vanishes at
    y = x together with its singularity.
    """
    gap = np.abs(y - x)
    log_gap = np.log(np.where(gap == 0.0, 1.0, gap))
    y_log_y = y * np.log(np.where(y == 0.0, 1.0, np.abs(y)))
    factor = y_log_y - y + x - x * np.log(x)
    return factor * log_gap - y_log_y + 2.0 * y + x * _real_dilogarithm(y / x)


def _real_dilogarithm(s: FloatArray) -> FloatArray:
    """Re Li_2(1 - s) for real s; scipy's `spence` gives it for s >= 0, inversion for s < 0."""
    negative = s < 0.0
    safe = np.where(negative, 1.0 - s, 1.0)
    inverted = math.pi**2 / 3.0 - 0.5 * np.log(safe) ** 2 - spence(1.0 - 1.0 / safe)
    values: FloatArray = np.where(negative, inverted, spence(np.where(negative, 1.0, s)))
    return values


def _series_pdf(x: FloatArray, k: int) -> FloatArray:
    waves, coefficients = _series(k, 0)
    return np.maximum(0.5 / k + _fourier(np.cos, waves, coefficients / k, x), 0.0)


def _series_lower(x: FloatArray, k: int) -> FloatArray:
    waves, coefficients = _series(k, 1)
    rest = _fourier(np.sin, waves, coefficients / (waves * k), x)
    return np.clip(0.5 + x / (2.0 * k) + rest, 0.0, 1.0)


def _convolve(
    first: Callable[[FloatArray], FloatArray],
    second: Callable[[FloatArray], FloatArray],
    x: FloatArray,
    reach: int,
    width: int,
) -> FloatArray:
    """int_{-width}^{width} first(x - y) second(y) dy.

    `first` may be singular at the integers of [-reach, reach], `second` at those of [-width, width].
    """
    flat = x.ravel()
    total = np.zeros(flat.shape)
    pieces = 2 * (reach + width) + 2
    step = max(1, _BLOCK // (pieces * _DE_NODES.size))
    for begin in range(0, flat.size, step):
        part = flat[begin : begin + step, np.newaxis]
        own = np.broadcast_to(np.arange(-width, width + 1.0), (part.shape[0], 2 * width + 1))
        others = np.clip(part - np.arange(-reach, reach + 1.0), -width, width)
        cuts = np.sort(np.concatenate([own, others], axis=1), axis=1)[..., np.newaxis]
        start, stop = cuts[:, :-1], cuts[:, 1:]
        half = (stop - start) / 2
        y = np.where(_T < 0, start + half * _DE_GAPS, stop - half * _DE_GAPS)
        with np.errstate(invalid="ignore"):
            values = first(part[..., np.newaxis] - y) * second(y)
        # Only a node that rounds onto a singularity is infinite; its weight is far below rounding.
        values = np.where(np.isfinite(values), values, 0.0)
        total[begin : begin + step] = ((values @ _DE_WEIGHTS) * half[..., 0]).sum(axis=1)
    return total.reshape(x.shape)


@functools.lru_cache(maxsize=128)
def _series(k: int, order: int, digits: int = 15) -> tuple[FloatArray, FloatArray]:
    """Waves t_j = pi j / k and coefficients (Si(t_j)/t_j)^k, k >= 4.

    Cut where the rest of the sum of coefficients[j] / (k waves[j]^order) is below 10^-digits.
    """
    power = k - 1.0 + order
    bound = (
        k * math.log(1.86) + power * math.log(k / math.pi) - math.log(math.pi * power) + digits * math.log(10.0)
    )
    waves = np.arange(1.0, math.ceil(math.exp(bound / power)) + 2.0) * (math.pi / k)
    coefficients = (sici(waves)[0] / waves) ** k
    kept = coefficients > 1e-21
    return read_only(waves[kept]), read_only(coefficients[kept])


def _fourier(
    wave: Callable[[FloatArray], FloatArray], waves: FloatArray, coefficients: FloatArray, x: FloatArray
) -> FloatArray:
    """Sum over j of coefficients[j] wave(waves[j] x)."""
    flat = x.ravel()
    total = np.zeros(flat.shape)
    step = max(1, _BLOCK // waves.size)
    for begin in range(0, flat.size, step):
        total[begin : begin + step] = wave(flat[begin : begin + step, np.newaxis] * waves) @ coefficients
    return total.reshape(x.shape)


# Few copies, away from the ends: densities and lower tails in closed form or by convolution.
_DENSITIES: dict[int, Callable[[FloatArray], FloatArray]] = {
    1: lambda x: _pdf_1(x),
    2: lambda x: _pdf_2(x),
    3: lambda x: _convolve(_pdf_2, _pdf_1, x, 2, 1),
    4: lambda x: _convolve(_pdf_2, _pdf_2, x, 2, 2),
}
_TAILS: dict[int, Callable[[FloatArray], FloatArray]] = {
    1: lambda x: _cdf_1(x),
    2: lambda x: _convolve(_cdf_1, _pdf_1, x, 1, 1),
    3: lambda x: _convolve(_cdf_1, _pdf_2, x, 1, 2),
}
