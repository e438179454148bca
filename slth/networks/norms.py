"""Rigorous upper bounds for sums, products and norms of float64 arrays.

Everything here is proved for IEEE-754 binary64 in round-to-nearest (unit roundoff u = 2**-53) and for
matrix products evaluated in any order, with or without fused multiply-add. With gamma_n = n u / (1 - n u),

    |fl(x . y) - x . y| <= gamma_n |x| . |y| + n t,        t = 2**-1022,

([Higham2002] section 3.1; t covers underflow, even where subnormals are flushed). A computed result is turned
into a bound by adding such a term outward, never by a tolerance chosen by eye.

[Higham2002] N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, SIAM 2002.
[Rump2006] S. M. Rump, Verification of positive definiteness, BIT 46, 433-452, 2006.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.sparse.linalg import ArpackError, eigsh

from slth._typing import BoolArray, FloatArray, IntArray
from slth.errors import InvalidInput

UNIT = 2.0**-53
TINY = 2.0**-1022
# Effort spent on `balanced_weights`: (rows up to, steps, squarings). Nothing rigorous depends on it.
BALANCE = ((128, 12, 4), (640, 5, 3), (math.inf, 0, 0))


def up(value: FloatArray) -> FloatArray:
    """Next float64 above each entry: a bound of the exact result of the one rounded operation before it."""
    return np.asarray(np.nextafter(value, np.inf), dtype=np.float64)


def down(value: FloatArray) -> FloatArray:
    """Next float64 below each entry."""
    return np.asarray(np.nextafter(value, -np.inf), dtype=np.float64)


def add_up(a: FloatArray, b: FloatArray) -> FloatArray:
    """Upper bound of a + b for a, b >= 0; zero where both are zero, since sums do not underflow."""
    total = a + b
    return np.where(total > 0.0, up(total), total)


def up_scalar(value: float) -> float:
    """`up` for one float."""
    return math.nextafter(value, math.inf)


def inflate(value: FloatArray, terms: int) -> FloatArray:
    """Upper bound of a sum of non-negative terms, computed as `value` with at most `terms` roundings per term.

    Notes
    -----
    exact <= (value + terms t) / (1 - gamma_terms) <= (value + terms t) (1 + 2 terms u) for terms u <= 1/4. The
    factor used, 1 + (terms + 3) 2u, is a float64 exactly; its surplus 6u covers the roundings made here.
    """
    return np.asarray(value * (1.0 + (terms + 3) * 2.0 * UNIT) + (terms + 2) * 2.0 * TINY, dtype=np.float64)


def rounding(magnitude: FloatArray, terms: int) -> FloatArray:
    """Bound of |computed - exact| for a signed sum whose terms' absolute values sum to `magnitude` as computed.

    gamma_terms <= 2 terms u for terms u <= 1/2, applied to the inflated `magnitude`.
    """
    return np.asarray(
        up(inflate(magnitude, terms) * (terms * 2.0 * UNIT)) + (terms + 2) * 2.0 * TINY, dtype=np.float64
    )


def dot_upper(matrix: FloatArray, vector: FloatArray) -> FloatArray:
    """Upper bound of `matrix @ vector`, both non-negative, (m, n) by (n,); zero for a zero vector."""
    if not vector.any():
        return np.zeros(matrix.shape[0])
    return inflate(matrix @ vector, matrix.shape[-1])


def matvec(matrix: FloatArray, vector: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Computed `matrix @ vector` and a bound of its rounding error, entry by entry."""
    terms = matrix.shape[-1]
    return matrix @ vector, rounding(np.abs(matrix) @ np.abs(vector), terms)


def sum_upper(vector: FloatArray) -> float:
    """Upper bound of the sum of a non-negative vector."""
    return (
        float(inflate(np.asarray(vector.sum(), dtype=np.float64), max(vector.size, 1))) if vector.any() else 0.0
    )


def row_norms_upper(matrix: FloatArray) -> FloatArray:
    """Upper bounds of the l2 norms of the rows; shape (m, n) -> (m,). Rows of zeros give exactly zero."""
    largest = np.abs(matrix).max(axis=1, initial=0.0)
    _, exponents = np.frexp(largest)
    # Scaled to at most 1, squares cannot overflow; what underflows is covered by TINY.
    scaled = np.ldexp(matrix, -exponents[:, None])
    # A scaled entry that falls below the normal range may be off by 2**-1074; its square is far below TINY.
    squares = inflate(np.einsum("ij,ij->i", scaled, scaled), matrix.shape[1] + 1)
    return np.where(largest > 0.0, _ldexp_up(up(np.sqrt(squares)), exponents), 0.0)


def norm_upper(vector: FloatArray) -> float:
    """Upper bound of the l2 norm of a vector.

    Examples
    --------
    >>> 5.0 <= norm_upper(np.array([3.0, 4.0])) < 5.0 + 1e-13
    True
    """
    return float(row_norms_upper(vector.reshape(1, -1))[0])


def _ldexp_up(value: FloatArray, exponent: IntArray | int) -> FloatArray:
    """`value * 2**exponent` for value >= 0, rounded up where the result leaves the normal range."""
    with np.errstate(over="ignore", under="ignore"):
        scaled = np.ldexp(value, exponent)
    return np.where((scaled < TINY) & (value > 0.0), up(scaled), scaled)


def scale_up(value: float, exponent: int) -> float:
    """`value * 2**exponent` for value >= 0: exact in the normal range, rounded up below it, inf above it."""
    return float(_ldexp_up(np.asarray(value), max(-5000, min(5000, exponent))))


def spectral_norm_upper(matrix: FloatArray, relative: float = 0.0) -> float:
    """Upper bound of the spectral norm of every matrix near a float64 matrix A of shape (m, n).

    Parameters
    ----------
    matrix : (m, n) array
        A, finite; m or n may be 0.
    relative : float
        The bound holds for all A' with |A' - A| <= relative |A| entry by entry. Default: A alone.

    Returns
    -------
    float
        At least ||A'||_2. Ordinarily within 1e-10 of ||A||_2, relatively; never above the Frobenius norm but
        for `relative` and rounding.

    Raises
    ------
    InvalidInput
        If `matrix` is not a finite two-dimensional array.

    Notes
    -----
    A is first scaled by a power of two so that its largest entry lies in [1/2, 1). Let G be A A^T or A^T A,
    whichever is smaller, of order p with inner length q, and H the symmetric matrix with the lower triangle
    that was computed. Then ||G - H||_2 <= gamma_q || |A| |A|^T ||_2 + p q t <= gamma_q ||A||_F^2 + p q t. For
    every number s and every matrix R, from s I - H = R^T R + (s I - H - R^T R) and R^T R >= 0,

        ||A||_2^2 = lambda_max(G) <= s + ||s I - H - R^T R||_F + ||G - H||_2 .

    R is the floating-point Cholesky factor of s I - H for s just above the computed largest eigenvalue. This
    is the test of [Rump2006]; instead of the a-priori bound of the factorisation error,
    ||R^T R - (s I - H)||_2 <= gamma_{p+1} / (1 - gamma_{p+1}) trace(s I - H) ([Higham2002] Theorem 10.3), the
    residual itself is computed, so that nothing is assumed of LAPACK's blocking. Rounding in the residual
    costs at most gamma_{p+4} (||R||_F^2 + ||s I - H||_F). If no factorisation succeeds, the Frobenius norm is
    returned.
    Time O(m n p + p^3), memory O(m n + p^2).

    Examples
    --------
    >>> 1.0 <= spectral_norm_upper(np.eye(3)) < 1.0 + 1e-12
    True
    >>> spectral_norm_upper(np.zeros((0, 4)))
    0.0
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.ndim != 2:
        raise InvalidInput(f"`matrix` must have 2 dimensions; got shape {matrix.shape}.")
    if not np.isfinite(matrix).all():
        raise InvalidInput("`matrix` must be finite; got NaN or infinity.")
    if not matrix.any():
        return 0.0
    exponent = int(np.frexp(np.abs(matrix).max())[1])
    with np.errstate(under="ignore"):
        scaled = np.ldexp(matrix, -exponent)
    # Scaling changes an entry only where it drops below the normal range, by less than TINY.
    lost = math.sqrt(matrix.size) * 2.0 * TINY
    frobenius = norm_upper(scaled.reshape(-1))
    bound = frobenius if min(matrix.shape) == 1 else min(frobenius, _gram_bound(scaled, frobenius))
    if relative:
        bound = up_scalar(bound + up_scalar(relative * frobenius))
    return scale_up(up_scalar(bound + lost), exponent)


def _gram_bound(scaled: FloatArray, frobenius: float) -> float:
    """The bound of `spectral_norm_upper` for a matrix with entries below 1; inf if factorisations fail."""
    wide = scaled.shape[0] <= scaled.shape[1]
    gram = scaled @ scaled.T if wide else scaled.T @ scaled
    order, inner = min(scaled.shape), max(scaled.shape)
    lower = np.tril(gram)
    gram = lower + np.tril(gram, -1).T
    gram_error = float(rounding(np.asarray(frobenius**2), inner + 2)) + order * inner * 2.0 * TINY
    estimate = _largest_eigenvalue(gram)
    diagonal = np.arange(order)
    for slack in (4.0 * order * UNIT, 64.0 * order * UNIT, 1024.0 * order * UNIT, 1e-8):
        level = estimate * (1.0 + slack)
        shifted = -gram
        shifted[diagonal, diagonal] = level - gram[diagonal, diagonal]
        try:
            factor = np.asarray(np.linalg.cholesky(shifted), dtype=np.float64)
        except np.linalg.LinAlgError:
            continue
        # `shifted` differs from level I - H by one rounding on the diagonal: one more term below.
        residual = norm_upper((shifted - factor @ factor.T).reshape(-1))
        weight = norm_upper(factor.reshape(-1)) ** 2 + norm_upper(shifted.reshape(-1))
        residual_error = float(rounding(np.asarray(weight), order + 4)) + order * order * 2.0 * TINY
        square = sum_upper(np.array([level, residual, residual_error, gram_error]))
        return up_scalar(math.sqrt(square))
    return math.inf


def _largest_eigenvalue(symmetric: FloatArray) -> float:
    """Floating-point estimate (no bound) of the largest eigenvalue of a positive semidefinite matrix."""
    order = symmetric.shape[0]
    if order > 96:
        start = np.cos(np.arange(order, dtype=np.float64))  # fixed, so that results repeat
        try:
            return float(eigsh(symmetric, k=1, which="LA", v0=start, tol=1e-13, return_eigenvectors=False)[0])
        except ArpackError:
            pass  # the dense solver below needs longer but always ends
    return float(np.linalg.eigvalsh(symmetric)[-1])


def grouped_norm_upper(
    matrix: FloatArray,
    groups: IntArray,
    radii: FloatArray,
    relative: float = 0.0,
    weights: FloatArray | None = None,
) -> tuple[float, FloatArray]:
    """Upper bound of sup ||A z||_2 over vectors z whose groups of coordinates have bounded l2 norms.

    Parameters
    ----------
    matrix : (m, n) array
        A, finite.
    groups : (n,) array of int
        The group g(j) of each coordinate, in 0..G-1.
    radii : (G,) array
        The l2 norm of z restricted to group g is at most radii[g] >= 0.
    relative : float
        The bound holds for all A' with |A' - A| <= relative |A|.
    weights : (G,) array, optional
        p of the Notes, positive wherever the group matters; default `balanced_weights`.

    Returns
    -------
    bound : float
    shares : (G,) array
        Non-negative, of sum 1 (0 if the bound is 0): how the bound splits over groups, an attribution.

    Notes
    -----
    For every p > 0 put z_j = (r_g / sqrt(p_g)) y_j; then ||y||^2 <= sum_g p_g, hence

        sup ||A z||_2 <= ||A diag(r_g / sqrt(p_g))||_2 sqrt(sum_g p_g) ,

    Lagrange duality for the quadratic form ||A z||^2. One group gives r ||A||_2; p_g proportional to
    r_g ||A_g||_2 is at least as good as the triangle inequality; one group per coordinate is the semidefinite
    bound over a box. Only the last norm has to be rigorous.

    Examples
    --------
    >>> bound, shares = grouped_norm_upper(np.eye(2), np.array([0, 1]), np.array([3.0, 4.0]))
    >>> round(bound, 1), shares.round(1).tolist()  # a box: its corner is at distance 5
    (5.0, [0.4, 0.6])
    """
    if weights is None:
        weights = balanced_weights(matrix, groups, radii)
    used = _used(matrix, groups, radii)
    shares = np.zeros(radii.size)
    if not used.any():
        return 0.0, shares
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        factors = up(radii / down(np.sqrt(weights)))
        scaled = matrix[:, used] * factors[groups[used]]
    if not np.isfinite(scaled).all():
        return math.inf, shares
    # One rounding in each product; a product that underflows is off by less than TINY.
    norm = spectral_norm_upper(scaled, relative + 4.0 * UNIT)
    norm = up_scalar(norm + math.sqrt(matrix.size) * 2.0 * TINY)
    total = sum_upper(weights)
    return up_scalar(norm * up_scalar(math.sqrt(total))), weights / total


def _used(matrix: FloatArray, groups: IntArray, radii: FloatArray) -> BoolArray:
    """Columns that can contribute."""
    used: BoolArray = (radii > 0.0)[groups] & matrix.any(axis=0)
    return used


def balanced_weights(matrix: FloatArray, groups: IntArray, radii: FloatArray) -> FloatArray:
    """Weights p for `grouped_norm_upper`, of sum about 1; zero for groups that cannot matter.

    Notes
    -----
    lambda_max(S), S = sum_g r_g^2 / p_g A_g A_g^T, is convex in p. For a simple top eigenvector y its minimum
    has p_g proportional to r_g ||A_g^T y||. The iteration averages such p, with y y^T replaced by a power of S:
    p is then a smooth function of A, so that another machine's rounding does not move the bound visibly. Any
    p is sound.
    """
    count = radii.size
    weights = np.zeros(count)
    used = _used(matrix, groups, radii)
    if not used.any():
        return weights
    present, inner = np.unique(groups[used], return_inverse=True)
    largest = np.abs(matrix[:, used]).max(axis=0)
    scale = largest * radii[groups[used]]
    if not 0.0 < scale.max() < math.inf:
        weights[present] = 1.0 / present.size
        return weights
    columns = matrix[:, used] / largest * (scale / scale.max())  # r_g A_j, scaled against overflow
    weights[present] = _balance(columns, inner, present.size)
    return weights


def _balance(columns: FloatArray, groups: IntArray, count: int) -> FloatArray:
    """`balanced_weights` for columns of moderate size, every group present."""

    def shared_out(squares: FloatArray) -> FloatArray:
        pull = np.sqrt(np.bincount(groups, weights=np.maximum(squares, 0.0), minlength=count))
        pull = np.maximum(pull, 1e-9 / count * pull.sum())
        return np.asarray(pull / pull.sum(), dtype=np.float64)

    weights = shared_out(np.square(columns).sum(axis=0))
    steps, squarings = next(effort for rows, *effort in BALANCE if columns.shape[0] <= rows)
    for step in range(steps if count > 1 else 0):
        weighted = columns / np.sqrt(weights)[groups]
        power = weighted @ weighted.T
        for _ in range(squarings):
            power = power / np.linalg.norm(power)
            power = power @ power
        share = 2.0 / (step + 3.0)
        weights = (1.0 - share) * weights + share * shared_out(np.einsum("ij,ij->j", columns, power @ columns))
    return weights
