"""Shared test setup: a compile cache keyed on the sources, oracles on the path, Hypothesis without deadlines.

numba's cache does not notice an edit in a function that another file's routine calls, so the cache folder's
name holds a digest of all compiled sources; and of the regime, which the cache does not tell apart either.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import signal
import sys
import tempfile
from pathlib import Path

_SOURCES = sorted((Path(__file__).parents[1] / "slth" / "_jit").glob("*.py"))
_KEY = hashlib.sha256(b"".join(path.read_bytes() for path in _SOURCES))
_KEY.update(os.environ.get("NUMBA_BOUNDSCHECK", "").encode())
os.environ["NUMBA_CACHE_DIR"] = str(Path(tempfile.gettempdir()) / f"slth-numba-{_KEY.hexdigest()[:16]}")

# A shell's background jobs ignore Ctrl-C, and so would every command that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402  (numba may come in with it)

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent / "tickets")]

settings.register_profile(
    "slth", deadline=None, print_blob=True, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("slth")

# Modules whose examples need an optional package.
_EXAMPLES = {"rigor.py": "flint"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the examples of a module whose optional package is not installed, as its tests are."""
    for item in items:
        package = _EXAMPLES.get(item.path.name)
        if package and importlib.util.find_spec(package) is None:
            item.add_marker(pytest.mark.skip(reason=f"the example needs {package}"))


@pytest.fixture(autouse=True)
def _same_numbers_in_every_order(request: pytest.FixtureRequest) -> None:
    """A test module's `rng` starts anew with each test: what a test draws is no matter of which ran before."""
    generator = getattr(getattr(request, "module", None), "rng", None)
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = np.random.default_rng(0).bit_generator.state
