"""The search for the smallest certified source at one subset density: sizes in order, trials at each.

A size is a common factor, in 64ths, on the copies that are predicted to do; every size looked at gets the same
number of trials with fresh seeds. A size is *reached* when at least half of them (or the share asked for) are
certified. The search depends on outcomes only, so that it takes the same way again when they are read from a
ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

# Sizes are multiples of 1/UNIT of the prediction; the largest is MOST of it.
UNIT, MOST = 64, 4
_STEP = 12
# More sizes than a search looks at; the level of intervals counts on it.
LOOKS = 16


@dataclass(frozen=True, slots=True)
class Look:
    """A size and how its trials ended."""

    copies: tuple[int, ...]
    certified: int
    trials: int


def copies_at(size: int, predicted: tuple[int, ...], steps: tuple[int, ...]) -> tuple[int, ...]:
    """Copies of every layer at `size` 64ths of the prediction, as the nearest multiples of its step.

    Examples
    --------
    >>> copies_at(32, (70, 141), (1, 2))
    (35, 70)
    """
    return tuple(
        max(step, step * round(number * size / (UNIT * step)))
        for number, step in zip(predicted, steps, strict=True)
    )


def search(
    look: Callable[[tuple[int, ...]], Look],
    predicted: tuple[int, ...],
    steps: tuple[int, ...],
    *,
    share: float,
) -> Iterator[tuple[Look, int]]:
    """Look at sizes until the smallest reached one stands next to one that is not, yielding each look.

    Yields
    ------
    (look, sizes still to be looked at, about)
    """
    seen: dict[tuple[int, ...], Look] = {}

    def looked(size: int) -> Iterator[tuple[Look, int]]:
        copies = copies_at(size, predicted, steps)
        if copies not in seen and len(seen) < LOOKS:
            seen[copies] = look(copies)
            yield seen[copies], _left(low, high)

    def reached(size: int) -> bool:
        found = seen.get(copies_at(size, predicted, steps))
        return found is not None and found.certified >= share * found.trials

    low, high = 0, UNIT
    yield from looked(high)
    if not reached(high):
        while not reached(high) and high < MOST * UNIT and len(seen) < LOOKS:
            low, high = high, high + max(_STEP, high // 2)
            yield from looked(high)
        if not reached(high):
            return
    else:
        while low < high - _STEP:
            down = high - _STEP
            yield from looked(down)
            if not reached(down):
                low = down
                break
            high = down
    while high - low > 1 and len(seen) < LOOKS:
        middle = (low + high) // 2
        at = copies_at(middle, predicted, steps)
        if at == copies_at(high, predicted, steps):
            high = middle
            continue
        if at == copies_at(low, predicted, steps):
            low = middle
            continue
        yield from looked(middle)
        low, high = (low, middle) if reached(middle) else (middle, high)


def _left(low: int, high: int) -> int:
    """Sizes that bisection between two still takes, about."""
    return max(high - low - 1, 0).bit_length()
