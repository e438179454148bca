"""The menu of commands: `nox -l` lists it, `nox` runs what CI runs, in the environment that nox itself is in.

The three regimes of compiled code: `boundscheck` finds writes out of range, `tests` is the truth, `nojit`
runs the routines as plain Python and measures branch coverage.
"""

from __future__ import annotations

import tempfile

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "tests", "slow", "extras", "boundscheck", "nojit", "notebooks"]
nox.options.stop_on_first_error = True

PARALLEL = ["-n", "auto"]

# What reaches compiled code; the other tests say nothing new in these regimes.
COMPILED = ["tests/subset_sum", "tests/networks", "tests/tickets/test_tiny.py"]


@nox.session
def lint(session: nox.Session) -> None:
    """Style, formatting and types."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


# Tests that skip without an optional package (torch, onnx, scikit-learn, python-flint, dask, sympy).
EXTRAS = [
    "tests/baselines",
    "tests/cli/test_cli_compare.py",
    "tests/cli/test_cli_targets.py",
    "tests/examples",
    "tests/experiments/test_experiments_sweep.py",
    "tests/groups/test_groups_representations.py",
    "tests/laws/test_laws_rigor.py",
    "tests/networks/test_against_torch.py",
    "tests/networks/test_networks_equivariant.py",
    "tests/readers",
    "tests/tickets/test_export.py",
    "tests/tickets/test_export_layers.py",
    "tests/tickets/test_export_networks.py",
]


@nox.session
def tests(session: nox.Session) -> None:
    """The suite that the README's command runs: compiled, without what is marked slow."""
    session.run("python", "-m", "pytest", *PARALLEL, *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """What is marked slow."""
    session.run("python", "-m", "pytest", "-m", "slow", "tests", *PARALLEL, *session.posargs)


@nox.session
def extras(session: nox.Session) -> None:
    """What needs an optional package; nothing may be skipped for want of one."""
    session.run("python", "-c", "import dask, flint, onnx, onnxruntime, safetensors, sklearn, sympy, torch")
    session.run("python", "-m", "pytest", *EXTRAS, *PARALLEL, *session.posargs)


@nox.session
def boundscheck(session: nox.Session) -> None:
    """Compiled with bounds checks: an index out of range raises instead of corrupting memory."""
    env = {"NUMBA_BOUNDSCHECK": "1"}
    session.run(
        "python",
        "-m",
        "pytest",
        "-m",
        "not slow and not compiled",
        *COMPILED,
        *PARALLEL,
        *session.posargs,
        env=env,
    )


@nox.session
def nojit(session: nox.Session) -> None:
    """Plain Python with branch coverage: shows which branches the tests never take."""
    env = {"NUMBA_DISABLE_JIT": "1"}
    # Tickets as plain Python would take minutes and reach no branch that these do not.
    command = ["-m", "pytest", "-m", "not slow and not compiled", *COMPILED[:2], *session.posargs]
    session.run("python", "-m", "coverage", "run", "--include=slth/_jit/*,slth/subset_sum/*", *command, env=env)
    session.run("python", "-m", "coverage", "report", "--skip-covered", "--show-missing")


@nox.session
def notebooks(session: nox.Session) -> None:
    """Execute the notebooks in their small mode, assertions included."""
    env = {"SLTH_NOTEBOOKS": "small"}
    session.run("python", "-m", "pytest", "-W", "default", "--nbmake", "notebooks", env=env)


@nox.session
def bench(session: nox.Session) -> None:
    """Benchmarks with the incumbents in the same table. They report; they judge nothing."""
    with tempfile.NamedTemporaryFile(suffix=".json") as record:
        session.run(
            "python",
            "-m",
            "pytest",
            "benchmarks/solvers.py",
            "benchmarks/cover.py",
            f"--benchmark-json={record.name}",
            *session.posargs,
        )
