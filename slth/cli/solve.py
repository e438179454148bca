"""`slth solve`: one subset sum, exactly."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from slth.cli.inputs import parse_k, read_samples
from slth.cli.output import COMMON, Common, print_json, print_pairs

if TYPE_CHECKING:
    from slth.subset_sum.result import SubsetSumResult

EXIT = {"FOUND": 0, "CLOSEST_PROVED": 0, "ABSENT_PROVED": 1, "NOT_FOUND": 3, "LIMIT": 3}
MEANING = {
    "FOUND": "a subset within eps",
    "CLOSEST_PROVED": "no subset is closer (proved)",
    "ABSENT_PROVED": "no subset is within eps (proved)",
    "NOT_FOUND": "nothing within eps was found; this is not a proof",
    "LIMIT": "stopped at a limit before an answer was proved",
}


def command(
    *samples: Annotated[str, Parameter(allow_leading_hyphen=True)],
    target: Annotated[float, Parameter(allow_leading_hyphen=True)],
    k: Annotated[str, Parameter(name=["--k", "-k"])] = "any",
    eps: float | None = None,
    method: Literal["auto", "exhaustive", "meet-in-the-middle", "cp-sat"] = "auto",
    blocks: int | None = None,
    forced_in: Annotated[list[int] | None, Parameter(consume_multiple=True, negative_iterable="")] = None,
    forced_out: Annotated[list[int] | None, Parameter(consume_multiple=True, negative_iterable="")] = None,
    time_limit: float | None = None,
    max_bytes: int | None = None,
    common: Common = COMMON,
) -> int:
    """Find a subset of samples whose sum is closest to a target, or within eps of it.

    Exit code 0: found, or closest proved. 1: proved that none is within eps. 3: a limit was reached.

    Example: slth solve 0.5 -0.3 0.25 0.9 --target 0.2 -k 2

    Parameters
    ----------
    samples
        Numbers, or one file (.npy, .npz, .txt, .csv), or - for stdin.
    target
        Number to approximate.
    k
        Subset size: 5 exactly, 3:7 a range, or any.
    eps
        Absolute tolerance; without it the closest subset is found and proved.
    method
        Solver; auto chooses by size.
    blocks
        Take exactly one of each so many consecutive samples; k may be left out then.
    forced_in
        Positions of samples that must be taken, counted from 0.
    forced_out
        Positions of samples that must not.
    time_limit
        Seconds after which to stop with the best known subset.
    max_bytes
        Memory the solver may use. Default: 4 GiB.
    """
    from slth.subset_sum.solve import solve

    values = read_samples(samples)
    began = time.perf_counter()
    result = solve(
        values,
        target,
        k=parse_k(k),
        eps=eps,
        method=method,
        time_limit=time_limit,
        max_bytes=max_bytes,
        forced_in=forced_in or (),
        forced_out=forced_out or (),
        blocks=blocks,
    )
    seconds = time.perf_counter() - began
    result.check()
    if common.json:
        print_json("solve", _record(result, seconds))
    else:
        _show(result, seconds)
    return EXIT[result.status.name]


def _record(result: SubsetSumResult, seconds: float) -> dict[str, Any]:
    problem = result.problem
    return {
        "status": result.status.name,
        "indices": None if result.indices is None else [int(i) for i in result.indices],
        "value": result.value,
        "error": result.error,
        "n": problem.n,
        "target": problem.target,
        "k_min": problem.k_min,
        "k_max": problem.k_max,
        "eps": problem.eps,
        "method": result.method,
        "work": result.work,
        "limits": result.limits,
        "seconds": seconds,
    }


def _show(result: SubsetSumResult, seconds: float) -> None:
    status = result.status.name
    pairs = [("status", f"{status}: {MEANING[status]}")]
    if result.indices is not None:
        best = "closest" if status == "ABSENT_PROVED" else "best known" if EXIT[status] else "indices"
        pairs += [
            (best, " ".join(str(int(i)) for i in result.indices) or "(empty subset)"),
            ("size", f"{len(result.indices)} of {result.problem.n}"),
            ("sum", repr(result.value)),
            ("error", f"{result.error!r} (absolute)"),
        ]
    if result.limits:
        pairs.append(("limits", ", ".join(result.limits)))
    pairs.append(("method", f"{result.method}, {seconds:.3g} s"))
    print_pairs(pairs)
