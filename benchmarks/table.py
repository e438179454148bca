"""The table of times: slth beside what else a user could pick, on the same instances and questions.

Run: python benchmarks/table.py [--large] [--peers] [--million]

Every number is in CPU time of this process (all its threads) and in wall time, median and least of the
instances, warm; compilation is timed apart. On a shared machine only ratios carry over: the first lines give
the yardsticks of the same run, a branch-free merge of two lists of 2^20 numbers and a copy. Every answer is
recomputed exactly; answers outside eps and answers that are not the closest are counted, not hidden.

--large adds (60,30) with 4 GB and with 13 GB; --peers the rivals, stopped after 30 s; --million 10^6 weights,
one thread and two in turn, five times, in memory that was touched before.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rivals import SECONDS, Rival, rivals

from slth._jit import merge
from slth.subset_sum.batch import solve_batch
from slth.subset_sum.plan import make_layout
from slth.subset_sum.problem import exact_error
from slth.subset_sum.solve import solve

COLUMNS = ("slth", "NumPy", "CP-SAT", "SCIP", "HiGHS", "Gurobi", "dpss")
Instance = tuple[np.ndarray, float]
Times = list[tuple[float, float]]


def instances(n: int, k: int, count: int) -> list[Instance]:
    """Samples uniform on [-1, 1], targets uniform on [-sqrt k, sqrt k], seeded."""
    rng = np.random.default_rng([n, k])
    return [(rng.uniform(-1, 1, n), float(rng.uniform(-1, 1) * np.sqrt(k))) for _ in range(count)]


def timed(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """Wall seconds, CPU seconds and the result."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def show(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def line(question: str, who: str, times: Times, note: str = "") -> None:
    wall, cpu = np.array(times).T
    cells = [question, who, show(float(np.median(wall))), show(float(wall.min())), show(float(np.median(cpu)))]
    print("| " + " | ".join([*cells, f"{float(np.median(cpu)) / YARD:.3g}", note]) + " |", flush=True)


def yardsticks() -> tuple[float, float]:
    """Least CPU seconds of merging two sorted lists of 2^20 numbers, and of copying 2^24 numbers."""
    size = 1 << 20
    rng = np.random.default_rng(0)
    work = np.zeros(4 * size + 16, np.int64)
    for place in (1, size + 3):
        work[place - 1], work[place + size] = -merge.FAR, merge.FAR
        work[place : place + size] = np.sort(rng.integers(-(2**55), 2**55, size))
    ops = np.array([[1, size, size + 3, size, 0, 2 * size + 6]])
    shift, large = np.zeros(1, np.int64), np.zeros(1 << 24, np.int64)
    other = large.copy()
    merged = min(timed(lambda: merge.run_part(work, shift, ops, 0, 0, 2 * size))[1] for _ in range(15))
    return merged, min(timed(lambda: np.copyto(other, large))[1] for _ in range(9))


def closest(n: int, k: int, count: int, threads: int, **options: Any) -> float:
    """Median CPU seconds of one public call, compiled and planned before."""
    given = instances(n, k, count)
    if count > 2:
        solve(*given[0], k=k, threads=threads, **options)
    times: Times = []
    for samples, target in given:
        wall, cpu, result = timed(lambda x=samples, z=target: solve(x, z, k=k, threads=threads, **options))
        result.check()
        times.append((wall, cpu))
    note = f"{result.work / 1e6:.3g} M entries and steps" if result.work > 10**5 else ""
    name = "".join(f", {option >> 30} GiB" for option in options.values())
    line(f"closest ({n},{k}){name}", f"slth, {threads} thread(s)", times, note)
    return float(np.median([cpu for _, cpu in times]))


def within(n: int, k: int | None, eps: float, count: int, repeats: int = 5, blocks: int | None = None) -> float:
    """Through `solve_batch` on one thread, time per instance; median CPU seconds."""
    rng = np.random.default_rng([n, k or 0, count])
    samples, reach = rng.uniform(-1, 1, (count, n)), np.sqrt(k) if k else 0.5
    targets = rng.uniform(-reach, reach, count)
    options: dict[str, Any] = {"k": k, "eps": eps, "threads": 1, "blocks": blocks}
    solve_batch(samples[:100], targets[:100], **options)
    times: Times = []
    for _ in range(repeats):
        wall, cpu, result = timed(lambda: solve_batch(samples, targets, **options))
        times.append((wall / count, cpu / count))
    name = f"within ({n},{k},{eps:g})" if k else f"RSS within ({n},{eps:g})"
    name += f", one of each {blocks}" if blocks else ""
    line(name, f"slth, batch of {count}", times, answers(result))
    return float(np.median([cpu for _, cpu in times]))


def answers(result: Any) -> str:
    """What became of a batch."""
    found, absent = int((result.statuses == 0).sum()), int((result.statuses == 2).sum())
    return f"found {found}, proved absent {absent}, open {len(result) - found - absent}"


def throughput(n: int, k: int | None, eps: float, count: int) -> None:
    """One thread and two in turn on the same fresh instances; the first, untimed, touches the memory."""
    rng = np.random.default_rng([n, k or 0, count])
    samples, reach = rng.uniform(-1, 1, (count, n)), np.sqrt(k) if k else 0.5
    targets = rng.uniform(-reach, reach, count)
    times: dict[int, Times] = {1: [], 2: []}
    results = {t: solve_batch(samples, targets, k=k, eps=eps, threads=t) for t in times}
    fields = ("bits", "values", "errors", "statuses")
    same = all(getattr(results[1], f).tobytes() == getattr(results[2], f).tobytes() for f in fields)
    for _ in range(5):
        for threads, own in times.items():
            wall, cpu, _ = timed(lambda t=threads: solve_batch(samples, targets, k=k, eps=eps, threads=t))
            own.append((wall / count, cpu / count))
    for threads, own in times.items():
        rate = f"{1e-6 / np.median([wall for wall, _ in own]):.3g} M/s; {answers(results[threads])}"
        line(f"within ({n},{k},{eps:g})", f"slth, batch of {count}, {threads} thread(s)", own, rate)
    gain = np.median([one[0] / two[0] for one, two in zip(times[1], times[2], strict=True)])
    print(f"| | | | | | | two threads {gain:.2f} times as fast; bit-identical: {same} |")


def peers(n: int, k: int, eps: float | None, count: int) -> list[str]:
    """Single public calls, ours and theirs, errors recomputed; their row in the table of the README."""
    cells: dict[str, tuple[int, float]] = {}
    question = f"closest ({n},{k})" if eps is None else f"within ({n},{k},{eps:g})"
    given = instances(n, k, count)
    truths = [solve(samples, target, k=k, eps=eps) for samples, target in given]
    everyone: dict[str, Rival] = {"slth": lambda x, z, k, eps: solve(x, z, k=k, eps=eps, threads=1).indices}
    for who, rival in (everyone | rivals(n, eps)).items():
        times: Times = []
        missed = 0
        for (samples, target), truth in zip(given, truths, strict=True):
            wall, cpu, chosen = timed(lambda x=samples, z=target, ask=rival: ask(x, z, k, eps))
            times.append((wall, cpu))
            sound = chosen is not None and len(set(map(int, chosen))) == k
            error = exact_error(samples[list(chosen)].tolist(), target) if sound else np.inf
            if eps is None:  # 1e-13: the rival in plain NumPy works in floats
                missed += error > truth.error * (1 + 1e-9) + 1e-13
            else:
                missed += truth.found and error > eps
        what = "the closest" if eps is None else "within eps"
        line(question, who, times, f"{missed} of {count} not {what}" if missed else "")
        own = missed, float(np.median([cpu for _, cpu in times]))
        column = who.split(",")[0]  # of two ways in NumPy the one that misses less, then the quicker one
        cells[column] = min(own, cells.get(column, own))
    row = [question]
    for column in COLUMNS:
        missed, cpu = cells.get(column, (0, np.nan))
        wrong = f" ({missed} of {count} missed)" if missed else ""
        row.append("" if np.isnan(cpu) else f"{show(cpu)}{wrong}")
    return row


def roofline(seconds: float) -> None:
    """The largest search against the ceilings of the same run."""
    layout = make_layout(50, 25, 25, turn=True)
    entries = layout.merged + layout.joined
    ceiling = layout.merged * YARD / 2**21 + 16 * layout.joined * COPY / 2**28
    print(
        f"closest (50,25): {layout.merged / 1e6:.0f} M entries written and "
        f"{layout.joined / 1e6:.0f} M steps in {layout.bytes / 2**20:.0f} MiB, "
        f"{seconds / entries * 1e9:.2f} ns each; merging at the yardstick and walking at the copy's "
        "bytes would take "
        f"{show(ceiling)}, {ceiling / seconds:.0%} of the time"
    )


def exponents() -> None:
    """Slopes of log2 time, fitted, beside those of the algorithms."""
    sizes, times = (32, 36, 40, 44), []
    for n in sizes:
        given = instances(n, n // 2, 5)
        solve(*given[0], k=n // 2, threads=1)
        times.append(min(timed(lambda x=x, z=z, k=n // 2: solve(x, z, k=k, threads=1))[1] for x, z in given))
    layouts = [make_layout(n, n // 2, n // 2, turn=True) for n in sizes]
    work = [layout.merged + layout.joined for layout in layouts]
    measured, counted = (np.polyfit(sizes, np.log2(numbers), 1)[0] for numbers in (times, work))
    print(f"closest (n, n/2): time 2^({measured:.2f} n), entries and steps 2^({counted:.2f} n); theory 2^(n/2)")
    for name, tolerances, theory in (
        ("pools", (1e-6, 1e-7, 1e-8), "1/2"),
        ("four lists", (1e-10, 1e-11, 1e-12, 1e-13), "1/3, up to logarithms"),
    ):
        each = []
        for eps in tolerances:
            rng = np.random.default_rng(5)
            samples, targets = rng.uniform(-1, 1, (60, 200)), rng.uniform(-4, 4, 60)
            solve_batch(samples[:2], targets[:2], k=20, eps=eps, threads=1)
            each.append(timed(lambda x=samples, z=targets, e=eps: solve_batch(x, z, k=20, eps=e, threads=1))[1])
        slope = -np.polyfit(np.log2(tolerances), np.log2(each), 1)[0]
        span = f"{tolerances[0]:g} to {tolerances[-1]:g}"
        print(f"within (200,20), {name}, eps {span}: time (1/eps)^{slope:.2f}; theory {theory}")


def machine() -> str:
    """The processor's name where Linux tells it."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = [entry.split(":")[1].strip() for entry in lines if entry.startswith("model name")]
    return names[0] if names else platform.processor()


def main(arguments: list[str]) -> None:
    print(
        f"{machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}; Python "
        f"{platform.python_version()}, NumPy {np.__version__}; first call, with compilation or its cache: "
        f"{show(COMPILED)}; merge of 2^21 entries: {show(YARD)}; "
        f"copy: {2**28 / COPY / 1e9:.0f} GB/s read and written\n"
    )
    print("| question | who | median wall | least wall | median CPU | CPU / merge | |\n" + "|---" * 7 + "|")
    for n, k, count in ((20, 10, 50), (30, 15, 30), (40, 20, 15), (50, 10, 10)):
        closest(n, k, count, 1)
    longest = closest(50, 25, 10, 1)
    closest(50, 25, 10, 2)
    closest(702, 4, 10, 1)
    for arguments_of in (
        (30, 6, 1e-2, 50_000), (50, 10, 1e-3, 20_000), (100, 5, 1e-3, 20_000), (200, 20, 1e-6, 2000),
        (200, 20, 1e-10, 40), (200, 20, 1e-12, 20), (25, None, 1e-2, 50_000), (21, None, 1e-2, 50_000),
    ):  # fmt: skip
        within(*arguments_of)
    for n, k, eps, blocks in ((30, 6, 1e-2, 5), (60, 6, 1e-2, 10), (160, 40, 1e-6, 4)):
        within(n, k, eps, 20_000 if eps > 1e-3 else 1000, 5, blocks)
    if "--million" in arguments:
        throughput(30, 6, 1e-2, 10**6)
        throughput(25, None, 1e-2, 10**6)
    if "--large" in arguments:
        closest(60, 30, 2, 2, max_bytes=4 << 30)
        closest(60, 30, 2, 2, max_bytes=13 << 30)
    if "--peers" in arguments:
        rows = []
        for question, count in (
            ((20, 10, None), 10), ((30, 15, None), 1), ((40, 20, None), 5), ((30, 6, 1e-2), 10),
            ((50, 10, 1e-3), 10), ((100, 5, 1e-3), 10), ((200, 20, 1e-6), 3), ((200, 20, 1e-12), 1),
        ):  # fmt: skip
            rows.append(peers(*question, count))
        print(f"\nMedian CPU time of one call; a rival is stopped after {SECONDS:.0f} s\n")
        for row in (["", *COLUMNS], ["---"] * (len(COLUMNS) + 1), *rows):
            print("| " + " | ".join(row) + " |")
    print()
    roofline(longest)
    exponents()
    calls = instances(10, 5, 1)[0]
    least = min(timed(lambda: solve(*calls, k=5, threads=1))[1] for _ in range(500))
    print(f"one public call of solve, (10,5): {show(least)} CPU")


if __name__ == "__main__":
    COMPILED = timed(lambda: solve([0.5, 0.25, 0.125], 0.3))[0]
    YARD, COPY = yardsticks()
    main(sys.argv[1:])
