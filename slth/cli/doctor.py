"""`slth doctor`: what this machine offers, what is installed, and whether the solver tells the truth here."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import itertools
import math
import os
import platform
import sys
from pathlib import Path
from typing import Any

from slth import __version__
from slth.cli.output import COMMON, Common, print_json, print_pairs, say

CORE = ("numpy", "scipy", "numba", "ortools", "matplotlib", "cyclopts", "rich")
OPTIONAL = {
    "hypothesis": "testing",
    "scikit-learn": "demo",
    "torch": "torch",
    "onnx": "onnx",
    "python-flint": "rigor",
}


def command(*, common: Common = COMMON) -> int:
    """Report versions, cores, memory and caches, and test the solver against brute force.

    Exit code 0: all is well. 1: something core is missing or the self test failed.

    Example: slth doctor --json
    """
    core = {name: _version(name) for name in CORE}
    optional = {name: _version(name) for name in OPTIONAL}
    problems = [
        f"{name} is not installed, though slth depends on it" for name, found in core.items() if not found
    ]
    cache = _numba_cache()
    warnings = _warnings(cache)
    tested: dict[str, Any] = _self_test() if not problems else {"instances": 0, "wrong": []}
    problems += [f"self test: {text}" for text in tested["wrong"]]
    record: dict[str, Any] = {
        "slth": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": _memory("MemTotal"),
        "memory_available_bytes": _memory("MemAvailable"),
        "threads": "Python threads over compiled routines without the GIL; results do not depend on their "
        "number",
        "numba_cache": cache,
        "packages": core,
        "optional": optional,
        "self_test": tested,
        "warnings": warnings,
        "problems": problems,
    }
    code = 1 if problems else 0
    if common.json:
        print_json("doctor", record)
        return code
    _show(record)
    return code


def _show(record: dict[str, Any]) -> None:
    packages = " ".join(f"{name} {found or 'MISSING'}" for name, found in record["packages"].items())
    extras = ", ".join(
        f"{name} {found}" if found else f"{name} absent (extra {OPTIONAL[name]})"
        for name, found in record["optional"].items()
    )
    tested = record["self_test"]
    print_pairs(
        [
            ("slth", f"{record['slth']}, Python {record['python']} on {record['platform']}"),
            ("cores", record["cores"]),
            ("memory", f"{_gib(record['memory_bytes'])}, {_gib(record['memory_available_bytes'])} available"),
            ("threads", record["threads"]),
            ("compiled code", f"{record['numba_cache']['directory']} ({record['numba_cache']['state']})"),
            ("packages", packages),
            ("optional", extras),
            ("self test", f"{tested['instances']} instances against brute force, {len(tested['wrong'])} wrong"),
        ]
    )
    for text in record["warnings"]:
        say(f"warning: {text}")
    for text in record["problems"]:
        say(f"problem: {text}")
    say("All is well." if not record["problems"] else "Not well.")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _gib(amount: int | None) -> str:
    return "unknown" if amount is None else f"{amount / 2**30:.1f} GiB"


def _memory(field: str) -> int | None:
    """Bytes by /proc/meminfo; None where there is no such file."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return None


def _numba_cache() -> dict[str, str]:
    """Where compiled code is kept between runs, and whether it can be."""
    import slth._jit

    chosen = os.environ.get("NUMBA_CACHE_DIR")
    directory = Path(chosen) if chosen else Path(slth._jit.__path__[0]) / "__pycache__"
    existing = directory
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        state = "compilation is switched off by NUMBA_DISABLE_JIT"
    elif os.access(existing, os.W_OK):
        kept = len(list(directory.glob("*.nbc"))) if directory.is_dir() else 0
        state = f"writable, {kept} routine(s) kept"
    else:
        state = "not writable: numba falls back to a folder of the user, or compiles at each start"
    return {"directory": str(directory), "state": state}


def _warnings(cache: dict[str, str]) -> list[str]:
    found = []
    if importlib.util.find_spec("highspy") is not None:
        found.append(
            "highspy is installed: it and ortools cannot be loaded into one process. slth does not use it; "
            "do not import it beside slth."
        )
    if "writable," not in cache["state"]:
        found.append(f"compiled code: {cache['state']}")
    return found


def _self_test() -> dict[str, Any]:
    """Closest subsets of 24 small instances by `solve` and by trying all subsets."""
    import numpy as np

    from slth.subset_sum.solve import solve

    rng = np.random.default_rng(1)
    wrong = []
    for number in range(24):
        n = 6 + number % 5
        k = 1 + number % 4
        samples = (rng.integers(-(2**23), 2**23, n) * 2.0**-23).tolist()
        target = float(rng.uniform(-1.0, 1.0))
        best = min(abs(math.fsum([*chosen, -target])) for chosen in itertools.combinations(samples, k))
        result = solve(samples, target, k=k)
        if result.error is None or abs(result.error - best) > 1e-15:
            wrong.append(f"n={n}, k={k}: error {result.error!r}, brute force {best!r}")
    return {"instances": 24, "wrong": wrong}
