"""Rigorous upper bounds of the l2 norm of a convolution from its kernel; the matrix is never made.

**Circular.** On a circle of L positions (a torus, in two dimensions) a convolution commutes with shifts, so the
waves exp(2 pi i f x / L) turn it into one (o, i) matrix for each frequency f, the symbol

    K(f) = sum_p kernel[:, :, p] exp(2 pi i f d_p / L) ,   d_p the place that entry p reads,

and the norm is the largest ||K(f)||_2. **Zero padding.** On a circle of L = H + max(padding) positions, the
positions that the windows read outside 0..H-1 are met by no window's reading of the input: the convolution is
the circular one with rows left out and the input zero elsewhere, a compression, whose norm is not larger
([SedghiGuptaLong2019] treat the circular case). **Stride** leaves out rows.

[SedghiGuptaLong2019] H. Sedghi, V. Gupta and P. M. Long, The singular values of convolutional layers,
ICLR 2019.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from slth._typing import FloatArray, IntArray
from slth._validate import as_floats, as_integer
from slth.errors import InvalidInput
from slth.networks.basis import Translations
from slth.networks.norms import inflate, norm_upper, rounding, spectral_norm_upper, up, up_scalar

# Largest error assumed of a computed sine or cosine of 2 pi k / n, 0 <= k < n: three roundings of an angle
# below 2 pi move it by at most 19 units of 2^-53, which leaves 13 for the mathematical library.
WAVE_ERROR = 2.0**-48


def convolution_norm_upper(coefficients: npt.ArrayLike, basis: Translations, groups: int = 1) -> float:
    """Upper bound of the l2 operator norm of a convolution.

    Parameters
    ----------
    coefficients : (o, i / groups, p) array
        The kernel, as in `slth.networks.layers.Linear`.
    basis : Translations
        Input size, stride, padding, dilation.
    groups : int
        As in `Linear`; the norm is that of the worst group.

    Returns
    -------
    float
        At least the norm. For circular padding and stride 1, with as many outputs as inputs, within about 1e-10
        of it, relatively.

    Raises
    ------
    InvalidInput
        If the coefficients are not finite, have no entry, or do not fit the basis or the groups.

    Notes
    -----
    The smaller of two bounds. The first is that of the symbols, see above. Symbols of f and -f are conjugate
    and have one norm, and a complex matrix A + iB has the norm of the real [[A, -B], [B, A]], bounded by
    `spectral_norm_upper`; what sines, cosines and sums are off by is added in the Frobenius norm. Where rows
    repeat (circular padding by more than the kernel needs), the norm grows by at most the square root of how
    often. The second is ||kernel as an (o, i p) matrix|| times the square root of the largest number of windows
    that read one entry, better where windows hardly overlap.

    Time O(F min(o, i)^2 max(o, i)) for F frequencies, about half the (padded) positions.

    A layer between regular representations of the cyclic group C_n has circulant blocks and is the convolution
    with kernel n over n positions, circular (see the example).

    Examples
    --------
    >>> mean = np.full((1, 1, 3), 1 / 3)
    >>> round(convolution_norm_upper(mean, Translations(8, 3, padding=1, padding_mode="circular")), 9)
    1.0
    >>> c4 = Translations(4, 4, padding=((0, 3),), padding_mode="circular")
    >>> round(convolution_norm_upper([[[1.0, -1.0, 1.0, -1.0]]], c4), 9)
    4.0
    """
    kernel = as_floats(coefficients, "coefficients", ndim=3)
    groups = as_integer(groups, "groups", low=1)
    if kernel.size == 0 or kernel.shape[2] != basis.count or kernel.shape[0] % groups:
        raise InvalidInput(
            f"`coefficients` must have shape (o, i / groups, {basis.count}), groups ({groups}) dividing o; "
            f"got {kernel.shape}."
        )
    return max(_group_norm(part, basis) for part in np.split(kernel, groups))


def _group_norm(kernel: FloatArray, basis: Translations) -> float:
    by_windows = spectral_norm_upper(kernel.reshape(len(kernel), -1))
    by_windows = up_scalar(by_windows * up_scalar(math.sqrt(basis.overlap)))
    sizes, repeats = _circle(basis)
    error = _wave_error(kernel)
    largest = 0.0
    for symbol in _symbols(kernel, basis, sizes):
        # Most frequencies are settled by the Frobenius norm, or already no better than the windows.
        if norm_upper(symbol[: len(kernel)].reshape(-1)) > largest:
            largest = max(largest, spectral_norm_upper(symbol))
        if largest >= by_windows:
            return by_windows
    total = up_scalar(largest + error)
    return min(by_windows, total if repeats == 1 else up_scalar(total * up_scalar(math.sqrt(repeats))))


def _circle(basis: Translations) -> tuple[tuple[int, ...], int]:
    """Positions of the circle along each axis, and how many equal rows there may be."""
    if basis.padding_mode == "zeros":
        # Two windows that start at one place of the circle both read padding only.
        return tuple(size + max(pair) for size, pair in zip(basis.spatial, basis.padding, strict=True)), 1
    repeats = 1
    for size, out, stride in zip(basis.spatial, basis.output_spatial, basis.stride, strict=True):
        repeats *= int(np.bincount(np.arange(out) * stride % size).max())
    return basis.spatial, repeats


def _symbols(kernel: FloatArray, basis: Translations, sizes: tuple[int, ...]) -> Iterator[FloatArray]:
    """The symbol of each frequency, one of f and -f, as a real (2o, 2i) matrix."""
    total = math.prod(sizes)
    angles = [2.0 * math.pi * k / total for k in range(total)]
    cosines = np.array([math.cos(angle) for angle in angles])
    sines = np.array([math.sin(angle) for angle in angles])
    places = _places(basis)
    for frequency in np.ndindex(*sizes):
        opposite = tuple(-f % size for f, size in zip(frequency, sizes, strict=True))
        if opposite < frequency:
            continue
        # The wave's phase at each place read, as a whole number of turns / total.
        phases = sum(
            place * (f * (total // size)) for place, f, size in zip(places, frequency, sizes, strict=True)
        )
        turns = np.asarray(phases, dtype=np.int64) % total
        real, imaginary = kernel @ cosines[turns], kernel @ sines[turns]
        yield np.block([[real, -imaginary], [imaginary, real]])


def _places(basis: Translations) -> list[IntArray]:
    """Where each kernel entry reads along each axis, from the window's first place, (p,) each."""
    axes = [np.arange(size) * step for size, step in zip(basis.kernel, basis.dilation, strict=True)]
    return [grid.reshape(-1).astype(np.int64) for grid in np.meshgrid(*axes, indexing="ij")]


def _wave_error(kernel: FloatArray) -> float:
    """Bound, in l2, of what any computed symbol is off by."""
    magnitude = np.abs(kernel).sum(axis=2)
    terms = kernel.shape[2]
    each = up(rounding(magnitude, terms) + up(inflate(magnitude, terms) * WAVE_ERROR))
    # Real and imaginary part, each in two places that act on different inputs and outputs.
    return up_scalar(2.0 * norm_upper(each.reshape(-1)))
