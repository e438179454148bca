"""The one place that decides how numba compiles: every routine of slth is decorated with `routine` or `step`.

No fast-math (infinities and exact comparisons carry meaning here), no parallel=True (threads are Python
threads that each own a block, so the result cannot depend on their number), the GIL released so that they
can run, and an on-disk cache so that only the first run on a machine compiles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def routine(function: F) -> F:
    """Compile `function` lazily, serial, GIL-free, cached on disk."""
    return cast(F, numba.njit(cache=True, error_model="numpy", fastmath=False, nogil=True)(function))


def step(function: F) -> F:
    """Write `function` out wherever a routine of its file calls it: the step of a loop, as quick as by hand."""
    return cast(F, numba.njit(error_model="numpy", fastmath=False, nogil=True, inline="always")(function))
