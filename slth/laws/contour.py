"""Owns densities and upper tails of sums far out and for many copies: integrals on a tilted contour."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt
from scipy.special import shichi

from slth._typing import FloatArray

ComplexArray = npt.NDArray[np.complex128]

_BLOCK = 1 << 20  # nodes times points held at once
_DEEP = 36.0  # e^-36 = 2e-16: what is smaller is left out
_WIDE = 46.0  # standard deviations of the tilted sum between two aliases


class Transform(ABC):
    """M(s) = E e^{s X} of a symmetric law on [-1, 1], through its logarithm K and on vertical lines.

    Attributes
    ----------
    series : ndarray
        Coefficients of s^2, s^4, ... in M(s) - 1; all positive.
    reach : float
        |s| up to which the series is used.
    """

    series: FloatArray
    reach: float

    @abstractmethod
    def far_gap(self, theta: float) -> float:
        """theta - K(theta) for theta >= 1."""

    @abstractmethod
    def slope(self, theta: float) -> float:
        """K'(theta) for theta > 0, to a few digits or more: it only places the contour."""

    @abstractmethod
    def curvature(self, theta: float) -> float:
        """K''(theta) for theta > 0, to a few digits or more."""

    @abstractmethod
    def far_ratio(self, theta: float, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """ln|R| and arg R - t of R = M(theta + it)/M(theta) where |theta + it| > reach; args modulo 2 pi."""

    def log_ratio(self, theta: float, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """ln|R| and arg R - t of R = M(theta + it)/M(theta), without cancellation near t = 0.

        Parameters
        ----------
        theta : float
            Positive.
        t : ndarray
            Non-negative.
        """
        size, angle = np.empty(t.shape), np.empty(t.shape)
        near = theta * theta + t * t <= self.reach**2
        if near.any():
            inner = t[near]
            # with a = s^2, b = theta^2: the difference of the two series has the factor a - b
            step = -inner * inner + 2j * theta * inner
            a, b = theta * theta + step, theta * theta
            total, quotient = np.zeros(inner.shape, dtype=complex), np.zeros(inner.shape, dtype=complex)
            value = 0.0
            for c in self.series[::-1]:
                # (p(a) - p(b))/(a - b) and p(b), for p <- c + x p
                quotient = quotient * a + value
                value = value * b + c
            # p stands for (M - 1)/x; x p(x) differs by a - b times p(b) + a (p(a) - p(b))/(a - b)
            total = step * (value + a * quotient) / (1.0 + b * value)
            u, v = total.real, total.imag
            size[near] = 0.5 * np.log1p(2.0 * u + u * u + v * v)
            angle[near] = np.arctan2(v, 1.0 + u) - inner
        if not near.all():
            size[~near], angle[~near] = self.far_ratio(theta, t[~near])
        return size, angle

    def log_scale(self, theta: float, k: int, y: FloatArray) -> FloatArray:
        """k K(theta) - theta y, arranged so that nothing large cancels.

        Parameters
        ----------
        theta : float
            Positive.
        k : int
            Number of copies.
        y : ndarray
            At most k.
        """
        if theta >= 1.0:
            return theta * (k - y) - k * self.far_gap(theta)
        b, value = theta * theta, 0.0
        for c in self.series[::-1]:
            value = value * b + c
        return k * math.log1p(b * value) - theta * y

    def tilt(self, share: float) -> float:
        """The theta with K'(theta) = share, roughly; 0 < share < 1."""
        low, high = 0.0, 1.0
        while self.slope(high) < share:
            low, high = high, 2.0 * high
        for _ in range(40):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self.slope(middle) < share else (low, middle)
        return high


class UniformTransform(Transform):
    """sinh(s)/s, the transform of U[-1, 1]."""

    series = np.array([1.0 / math.factorial(2 * n + 1) for n in range(1, 11)])
    reach = 1.0

    def far_gap(self, theta: float) -> float:
        """theta - ln(sinh(theta)/theta)."""
        return math.log(2.0 * theta) - math.log1p(-math.exp(-2.0 * theta))

    def slope(self, theta: float) -> float:
        """coth(theta) - 1/theta."""
        return theta / 3.0 if theta < 1e-3 else 1.0 / math.tanh(theta) - 1.0 / theta

    def curvature(self, theta: float) -> float:
        """1/theta^2 - 1/sinh(theta)^2."""
        if theta < 1e-2:
            return 1.0 / 3.0
        return 1.0 / theta**2 - (math.sinh(theta) ** -2 if theta < 300.0 else 0.0)

    def far_ratio(self, theta: float, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """|sinh(theta + it)/sinh(theta)|^2 = 1 + (sin t/sinh theta)^2."""
        fall = math.exp(-2.0 * theta)
        over_sinh = 2.0 * math.exp(-theta) / (1.0 - fall)
        coth = (1.0 + fall) / (1.0 - fall)
        size = 0.5 * (np.log1p((np.sin(t) * over_sinh) ** 2) - np.log1p((t / theta) ** 2))
        return size, np.arctan2(coth * np.sin(t), np.cos(t)) - np.arctan2(t, theta) - t


class ProductTransform(Transform):
    """Shi(s)/s, the transform of the live product law."""

    series = np.array([1.0 / ((2 * n + 1) * math.factorial(2 * n + 1)) for n in range(1, 25)])
    reach = 4.0

    def far_gap(self, theta: float) -> float:
        """theta - ln(Shi(theta)/theta)."""
        return math.log(theta) - math.log(float(_scaled_shi(np.array([theta], dtype=np.complex128))[0].real))

    def slope(self, theta: float) -> float:
        """sinh(theta)/(theta Shi(theta)) - 1/theta."""
        if theta < 1e-2:
            return theta / 9.0
        shi = float(_scaled_shi(np.array([theta], dtype=np.complex128))[0].real)
        return (-math.expm1(-2.0 * theta) / (2.0 * shi) - 1.0) / theta

    def curvature(self, theta: float) -> float:
        """By a difference of slopes."""
        if theta < 0.1:
            return 1.0 / 9.0
        return (self.slope(theta * 1.01) - self.slope(theta * 0.99)) / (0.02 * theta)

    def far_ratio(self, theta: float, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Through Shi, scaled by e^-s."""
        whole = float(_scaled_shi(np.array([theta], dtype=np.complex128))[0].real)
        ratio = _scaled_shi(np.asarray(theta + 1j * t, dtype=np.complex128)) / whole * theta / (theta + 1j * t)
        return np.log(np.abs(ratio)), np.angle(ratio)


UNIFORM, PRODUCT = UniformTransform(), ProductTransform()


def log_upper(transform: Transform, y: FloatArray, k: int, *, tail: bool) -> FloatArray:
    r"""ln of the density at y of the sum of k copies, or of the probability of at least y.

    Parameters
    ----------
    transform : Transform
        `UNIFORM` or `PRODUCT`.
    y : ndarray
        (m,) in [0, k).
    k : int
        Number of copies, at least 4.
    tail : bool
        The probability instead of the density.

    Returns
    -------
    ndarray
        (m,) natural logarithms.

    Notes
    -----
    With any theta > 0,

        f_k(y) = e^{k K(theta) - theta y} (1/2 pi) int (M(theta + it)/M(theta))^k e^{-ity} dt,

    and for P(S_k >= y) a factor 1/(theta + it). At the saddlepoint K'(theta) = y/k the integrand does not
    oscillate before it has died, so that nothing cancels and tails keep their digits. Points within 1.5
    standard deviations share one theta. The trapezoidal rule adds aliases of e^{theta y} f_k(y) at distance
    2 pi/step, here at least 46 standard deviations. The number of nodes grows from about 70 to thousands
    at the ends and for few copies. Absolute error of the logarithms about 1e-13 (1 + k/1000).
    """
    result = np.empty(y.shape)
    order = np.argsort(y)
    begin = 0
    while begin < order.size:
        first = float(y[order[begin]])
        # the least theta keeps the pole of the tail away from the contour
        floor = 0.8 / math.sqrt(k * transform.curvature(1e-3))
        theta = max(transform.tilt(min(first / k, 1.0 - 1e-9)), floor)
        spread = math.sqrt(k * transform.curvature(theta))
        theta = max(transform.tilt(min((first + 0.75 * min(spread, k - first)) / k, 1.0 - 1e-9)), floor)
        spread = math.sqrt(k * transform.curvature(theta))
        end = begin + int(np.searchsorted(y[order[begin:]], first + 1.5 * spread, side="right"))
        group = order[begin:end]
        result[group] = _integrate(transform, theta, spread, y[group], k, tail=tail)
        begin = end
    return result


def _integrate(
    transform: Transform, theta: float, spread: float, y: FloatArray, k: int, *, tail: bool
) -> FloatArray:
    scale = transform.log_scale(theta, k, y)
    distance = _WIDE * spread
    if tail:
        distance = max(distance, (_DEEP - float(scale.min())) / theta)
    else:
        distance = min(distance, k + float(y.max()))  # the support is [-k, k]: no alias at all
    step = 2.0 * math.pi / distance
    top = 8.0 / spread
    # slow decay for few copies: what is left out is about top times the last term
    while k * float(transform.log_ratio(theta, np.array([float(top)]))[0][0]) + math.log(top * spread) > -_DEEP:
        top *= 1.1
    count = math.ceil(top / step)
    total = np.full(y.shape, 0.5 / theta if tail else 0.5)
    nodes = max(1, _BLOCK // y.size)
    for start in range(1, count + 1, nodes):
        t = step * np.arange(start, min(start + nodes, count + 1), dtype=np.float64)
        size, angle = transform.log_ratio(theta, t)
        weight = np.exp(k * size)
        phase = k * angle + t * (k - y[:, np.newaxis])
        if tail:
            weight = weight / np.hypot(theta, t)
            phase = phase - np.arctan2(t, theta)
        total += np.cos(phase) @ weight
    with np.errstate(invalid="ignore", divide="ignore"):
        logs: FloatArray = scale + np.log(total * (step / math.pi))
    return logs


def _scaled_shi(s: ComplexArray) -> ComplexArray:
    """e^-s Shi(s) for Re s >= 0, Im s >= 0."""
    far = np.abs(s) > 45.0
    near = np.where(far, 1.0, s)
    values = shichi(near)[0] * np.exp(-near)
    if far.any():
        z = np.where(far, s, 50.0)
        rise, fall = np.zeros(z.shape, dtype=complex), np.zeros(z.shape, dtype=complex)
        for n in range(40, 0, -1):
            rise, fall = (1.0 + rise) * n / z, (1.0 + fall) * -n / z
        below = np.exp(-np.minimum(2.0 * z.real, 700.0) - 2j * z.imag) * (1.0 + fall)
        constant = 0.5j * math.pi * np.exp(-np.minimum(z.real, 700.0) - 1j * z.imag) * (z.imag > 0.0)
        values = np.where(far, (1.0 + rise + below) / (2.0 * z) + constant, values)
    return np.asarray(values)
