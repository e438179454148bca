"""torch, imported late and made to repeat itself: one thread, deterministic algorithms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from slth.errors import MissingExtra


def load_torch() -> Any:
    """The module torch.

    Raises
    ------
    MissingExtra
        If it is not installed.
    """
    try:
        import torch
    except ImportError:
        raise MissingExtra(
            "training needs torch, which is not installed. Install slth[torch]; "
            "`slth compare show` reads the stored study without it."
        ) from None
    return torch


@contextmanager
def repeatable() -> Iterator[Any]:
    """torch with one thread and deterministic algorithms; what was set before is restored.

    On one machine the same work then gives the same bits, whatever else runs.
    """
    torch = load_torch()
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield torch
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)
