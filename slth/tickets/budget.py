"""The output error that tolerances per weight allow, and the tolerances that an output error allows.

Both follow from the target and the domain alone, so they serve before any ticket exists.

[natale2024] "On the Sparsity of the Strong Lottery Ticket Hypothesis", NeurIPS 2024.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slth._typing import FloatArray
from slth._validate import as_choice
from slth.errors import InvalidInput
from slth.networks.domain import Domain
from slth.networks.intervals import HalfMap, domain_enclosure, through_rows
from slth.networks.norms import grouped_norm_upper, norm_upper, spectral_norm_upper, sum_upper, up_scalar
from slth.tickets.pairs import LayerPair, check_chain

COUNTINGS = ("frobenius", "theorem")


def budget(
    pairs: Sequence[LayerPair], tolerances: Sequence[float], domain: Domain, *, counting: str = "frobenius"
) -> float:
    """Bound the output error, in scaled units, of every ticket whose weights are all within the tolerances.

    Parameters
    ----------
    pairs : sequence of LayerPair
        The chain; `positive` and `negative` are not looked at.
    tolerances : sequence of float
        Largest |E+_ij| and |E-_ij| of each layer, >= 0.
    domain : Domain
        Of the first layer's inputs.
    counting : {"frobenius", "theorem"}
        How a layer's error on x = [h; 1] is counted, see Notes.

    Returns
    -------
    float
        At least sup over the domain of ||g(x) - f(x)||_2 divided by 2^output_scale_exponent.

    Raises
    ------
    InvalidInput
        If shapes do not chain, or a tolerance is negative or not finite.

    Notes
    -----
    Exchange the ticket's layers for the target's one after the other: the output error is at most the sum
    over l of the own error Delta(g) of layer l (see `slth.tickets.bounds`), met on the ticket's activations g
    and carried to the output by the *target's* later layers.

    "frobenius": x+ and x- have disjoint supports, so |Delta(x)_i| <= tol ||x||_1 whether one half exists or
    both. Hence ||Delta(x)||_2 <= tol sqrt(d') ||x||_1 <= tol sqrt(d' D) ||x||_2, the Frobenius norm of one half
    times the norm of x.

    "theorem": tol d' D ||x||_2 for each half that exists, the count of entries in the proof of [natale2024],
    Theorem 3. Its tolerance eps / (2 l d d') is this budget's for both halves, norms of at most one and l equal
    layers, but for the second-order term: g is as large as the target's activations plus the error so far.

    Examples
    --------
    >>> one = LayerPair(np.eye(2), np.eye(2), None, biased=False, relu=False)
    >>> round(budget([one], [0.01], Domain.box(0.0, 1.0, size=2)), 6)  # sqrt(2) * 0.01 * 2
    0.028284
    """
    check_chain(pairs, domain)
    if len(tolerances) != len(pairs) or not all(0.0 <= t < math.inf for t in tolerances):
        raise InvalidInput(
            f"`tolerances` must be one number >= 0 per layer ({len(pairs)}); got {tolerances!r}."
        )
    profile = _profile(pairs, domain, as_choice(counting, "counting", COUNTINGS))
    return profile.total([float(t) for t in tolerances])


def tolerances_for(
    weights: Sequence[FloatArray],
    biased: Sequence[bool],
    domain: Domain,
    eps: float,
    *,
    counting: str = "frobenius",
) -> list[float]:
    """Tolerances per weight, one for each layer, for which `budget` is at most eps; no ticket is needed.

    Parameters
    ----------
    weights : sequence of (d', D) arrays
        Scaled target weights; the bias is the last column where `biased`. ReLU follows each layer but the last.
    biased : sequence of bool
    domain : Domain
    eps : float
        Output error allowed, in scaled units, > 0.
    counting : {"frobenius", "theorem"}
        "frobenius": one tolerance for all layers, since the hardest weight of the network decides how large its
        source must be. "theorem": each layer has the same share of eps, as in [natale2024], Theorem 3.

    Returns
    -------
    list of float
        In (0, 1].

    Raises
    ------
    InvalidInput
        If shapes do not chain, or eps is not a positive number.

    Examples
    --------
    >>> tolerance, = tolerances_for([np.eye(2)], [False], Domain.box(0.0, 1.0, size=2), 0.01)
    >>> 0.00353 < tolerance < 0.00354
    True
    """
    if not 0.0 < eps < math.inf:
        raise InvalidInput(f"`eps` must be a positive number; got {eps!r}.")
    pairs = [
        LayerPair(weight, weight, -weight, bool(has_bias), index + 1 < len(weights))
        for index, (weight, has_bias) in enumerate(zip(weights, biased, strict=True))
    ]
    check_chain(pairs, domain)
    profile = _profile(pairs, domain, as_choice(counting, "counting", COUNTINGS))
    direction = [1.0] * len(pairs)
    if counting == "theorem":
        alone = [profile.total(list(row)) for row in np.eye(len(pairs))]
        least = min((value for value in alone if value > 0.0), default=1.0)
        # A layer of which nothing reaches the output may err freely.
        direction = [least / value if value > 0.0 else 1.0 for value in alone]
    if profile.total(direction) <= eps:
        return direction
    low, high = 0.0, 1.0
    # The total is increasing in the factor, and zero at zero.
    while profile.total([t * high / 2.0 for t in direction]) > eps:
        high /= 2.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if profile.total([t * middle for t in direction]) <= eps:
            low = middle
        else:
            high = middle
    tolerances = [t * low for t in direction]
    if min(tolerances) == 0.0:
        raise InvalidInput(
            f"`eps` must allow a tolerance that float64 can hold; got {eps!r}. Use a larger `eps`."
        )
    return tolerances


@dataclass(frozen=True)
class _Profile:
    """What the target alone says about errors: one unit of error at each layer, carried on.

    count[i] : units of error per unit of tolerance and of input norm at layer i; base[i] : norm of the
    target's inputs of layer i; growth[i][j] : how much one unit of error at layer i adds to the norm of the
    inputs of layer j + 1; gain[i] : l2 norm of what one unit of error at layer i becomes at the output.
    """

    count: tuple[float, ...]
    base: tuple[float, ...]
    growth: tuple[tuple[float, ...], ...]
    gain: tuple[float, ...]

    def total(self, tolerances: Sequence[float]) -> float:
        """Output error for these tolerances, every operation rounded up."""
        units: list[float] = []
        total = 0.0
        for index, tolerance in enumerate(tolerances):
            reach = self.base[index]
            for earlier, unit in enumerate(units):
                reach = up_scalar(reach + up_scalar(unit * self.growth[earlier][index - 1]))
            # A tolerance of zero leaves no error, and none is rounded into being.
            units.append(up_scalar(up_scalar(tolerance * self.count[index]) * reach) if tolerance else 0.0)
            if units[index]:
                total = up_scalar(total + up_scalar(units[index] * self.gain[index]))
        # Overflow leaves NaN or infinity, and proves nothing.
        return total if math.isfinite(total) else math.inf


@np.errstate(over="ignore", invalid="ignore")
def _profile(pairs: Sequence[LayerPair], domain: Domain, counting: str) -> _Profile:
    """The numbers behind `budget`, from the targets of `pairs`; overflow ends in NaN or infinity."""
    by_rows = counting == "frobenius"
    inputs, nonnegative = domain_enclosure(domain), domain.nonnegative
    norms, count, base = [], [], []
    for pair in pairs:
        moving = pair.weight.shape[1] - pair.biased
        norms.append(spectral_norm_upper(pair.weight[:, :moving]))
        given = inputs.with_one() if pair.biased else inputs
        halves = 1 if nonnegative else 2
        count.append(1.0 if by_rows else float(halves * pair.weight.size))
        base.append(given.norm1() if by_rows else given.norm2())
        image = HalfMap(pair.weight, -pair.weight).image(given, norms[-1], moving)
        inputs, nonnegative = image.relu() if pair.relu else image, pair.relu
    growth, gain = [], []
    for index, pair in enumerate(pairs):
        outputs = pair.weight.shape[0]
        # One unit: every output off by at most 1 ("frobenius"), or the whole layer by 1 in l2 ("theorem").
        entries, norm = np.ones(outputs), up_scalar(math.sqrt(outputs)) if by_rows else 1.0
        sizes = [_size(entries, norm, by_rows)]
        for later, later_norm in zip(pairs[index + 1 :], norms[index + 1 :], strict=True):
            entries, norm = _carry(later, entries, norm, later_norm, by_rows)
            sizes.append(_size(entries, norm, by_rows))
        growth.append((0.0,) * index + tuple(sizes))
        gain.append(norm)
    return _Profile(tuple(count), tuple(base), tuple(growth), tuple(gain))


def _size(entries: FloatArray, norm: float, by_rows: bool) -> float:
    """The norm of an error in which the next layer's own error is counted: l1 by rows, else l2."""
    if not by_rows:
        return norm
    return min(sum_upper(entries), up_scalar(up_scalar(math.sqrt(entries.size)) * norm))


def _carry(
    pair: LayerPair, entries: FloatArray, norm: float, layer_norm: float, by_rows: bool
) -> tuple[FloatArray, float]:
    """Bounds, entrywise and in l2, of an error after the target's layer."""
    carried = pair.weight[:, : pair.weight.shape[1] - pair.biased]
    after = through_rows(carried, entries, norm)
    total = up_scalar(layer_norm * norm)
    if by_rows:
        each = np.arange(carried.shape[1], dtype=np.int64)
        total = min(total, grouped_norm_upper(carried, each, entries)[0], norm_upper(after))
    return after, total
