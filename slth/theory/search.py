"""Owns the search for the least sample size at which something holds, at fixed k or at fixed density."""

from __future__ import annotations

from collections.abc import Callable

from slth.errors import CapacityExceeded

_LARGEST = 10**15  # beyond it n + 1 and n are the same number to the densities


def least_size(enough: Callable[[int, int], bool], density: float) -> tuple[int, int]:
    """Least n with enough(n, k), k = max(1, round(density n)), and that k.

    Parameters
    ----------
    enough : callable
        Of (n, k); monotone in n while k stays the same, and true for large n. It may fail again where k
        jumps: the search ends within the first block of equal k that contains a success, looking back four
        blocks from the one that bisection finds.
    density : float
        In (0, 1).

    Returns
    -------
    tuple of int
        (n, k).

    Raises
    ------
    CapacityExceeded
        If no n up to 10^15 is enough.
    """

    def size_of(n: int) -> int:
        return max(1, round(density * n))

    def first_of(block: int) -> int:
        return first_size(lambda n: size_of(n) >= block, 1, None)

    near = size_of(first_size(lambda n: enough(n, size_of(n)), 1, None))
    block = max(1, near - 4)
    while True:
        first, last = first_of(block), first_of(block + 1) - 1
        if last >= first and enough(last, size_of(last)):
            return first_size(lambda n: enough(n, size_of(n)), first, last), block
        block += 1


def first_size(passes: Callable[[int], bool], low: int, high: int | None) -> int:
    """Least n >= low with passes(n), for a predicate that, once true, stays true.

    Parameters
    ----------
    passes : callable
    low : int
        Where the search begins.
    high : int or None
        A size that passes; None doubles the step until one does.

    Raises
    ------
    CapacityExceeded
        If no n up to 10^15 passes.
    """
    if high is None:
        high, step = low, 1
        while not passes(high):
            low = high + 1
            high, step = high + step, 2 * step
            if high > _LARGEST:
                raise CapacityExceeded(
                    f"no sample size up to {_LARGEST} reaches the wanted probability. "
                    "Use a larger `eps`, a larger `k` or a smaller radius."
                )
    while low < high:
        middle = (low + high) // 2
        if passes(middle):
            high = middle
        else:
            low = middle + 1
    return high
