"""All sums of a small family, exact and sorted: the plainest method, for every mixture of magnitudes."""

from __future__ import annotations

from typing import Any

import numpy as np

from slth._typing import FloatArray
from slth.errors import CapacityExceeded
from slth.subset_sum.family import Family
from slth.subset_sum.grid import Grid
from slth.subset_sum.halves import sums_by_size, sums_of_blocks

INTEGERS, LONG_INTEGERS = 48, 300  # bytes a sum takes while being sorted


def pays(grid: Grid, family: Family, listed: int, max_bytes: int, few: int) -> bool:
    """Whether listing all sums is hardly dearer than the lists of halves, of `listed` entries.

    few : the same limit where Python's integers are needed.
    """
    size = family.size
    exact = bool(grid.exact[0])
    return (
        size <= (listed if exact else min(listed, few))
        and size * (INTEGERS if exact else LONG_INTEGERS) <= max_bytes
    )


def all_sums(samples: FloatArray, grid: Grid, family: Family, max_bytes: int) -> tuple[Any, int]:
    """Distinct sums, ascending, as integers (int64 or Python's) in units of 1/finer of the grid's; and finer.

    Refused before allocating if it needs more than max_bytes. O(M log M) for M sums.
    """
    exact = bool(grid.exact[0])
    need = family.size * (INTEGERS if exact else LONG_INTEGERS)
    if need > max_bytes:
        raise CapacityExceeded(
            f"listing all sums with {family.words} needs about {need / 2**20:.0f} MiB, more than "
            f"`max_bytes`={max_bytes}. Raise `max_bytes` or use method='blocked'."
        )
    items: Any = grid.items[0]
    finer = 1
    if not exact:
        numbers, finer = grid.integers(samples)
        items = np.array(numbers, object)
    if family.blocks is not None:
        sums = sums_of_blocks(items, family.blocks)
    else:
        sums = np.concatenate(sums_by_size(items, family.k_max)[family.k_min :])
    sums.sort()
    fresh = np.append(True, sums[1:] != sums[:-1]).astype(np.bool_)
    return sums[fresh], finer
