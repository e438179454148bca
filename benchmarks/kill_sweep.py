"""A sweep killed again and again against one left alone: the tables must be the same, bit for bit.

    python benchmarks/kill_sweep.py --blocks 2000 --trials 1024 --kills 50 --ways kill processes dask shards

`--ways kill` runs the sweep in children that are killed with SIGKILL at random moments and resumed; `processes`
kills the driver of two worker processes once and resumes; `dask` kills a worker of a LocalCluster; `shards`
merges three parts. The children are forked from this process, which has no threads and everything compiled, so
that kills fall into the work and not into the imports.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from slth.errors import SlthError
from slth.experiments.cell import Cell, run_block
from slth.experiments.export import table, table_bytes
from slth.experiments.ledger import Ledger
from slth.experiments.spec import Spec, parse_spec
from slth.experiments.sweep import merge_ledgers, run_sweep

SPEC = """
seed = 5
trials = {per_cell}
block = {{ trials = {trials} }}
[[grid]]
event = "hit"
law = ["uniform", "normal"]
n = [20]
k = [5]
eps = [1e-3, 1e-4]
[[grid]]
event = "closest"
n = [18]
k = [5]
"""
CELLS = 5


def fingerprint(path: Path) -> tuple[str, int]:
    """sha256 over cells, blocks and the exported table; number of blocks."""
    with Ledger(path, read_only=True) as ledger:
        assert ledger.check() == ()
        cells = sorted((digest, cell.canonical, trials) for digest, (cell, trials) in ledger.cells().items())
        blocks = [(b.cell, b.block, b.payload) for b in ledger.blocks()]
        content = repr((cells, blocks)).encode() + table_bytes(table(ledger), ".csv")
    return hashlib.sha256(content).hexdigest(), len(blocks)


def killed(spec: Spec, path: Path, kills: int, seconds: float) -> tuple[int, int]:
    """Run in children, SIGKILL each at a random moment, finish at last; (kills, kills that hit)."""
    chance = random.Random(1)
    struck = 0
    for _ in range(kills):
        child = os.fork()
        if child == 0:
            run_sweep(spec, path)
            os._exit(0)
        time.sleep(chance.uniform(0.0, 1.6 * seconds / kills))
        done, _status = os.waitpid(child, os.WNOHANG)
        if not done:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            struck += 1
    run_sweep(spec, path)
    return kills, struck


def driver_killed(text: str, spec: Spec, path: Path, seconds: float) -> None:
    """Kill the driver of two processes in the middle, see its workers leave, resume."""
    file = path.with_suffix(".toml")
    file.write_text(text)
    command = [sys.executable, "-m", "slth", "sweep", "run", str(file), "--out", str(path)]
    driver = subprocess.Popen(
        [*command, "--executor", "processes", "--workers", "2"], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (path.exists() and _some_blocks(path)):
        time.sleep(0.05)
    time.sleep(seconds / 8)
    workers = _children(driver.pid)
    assert driver.poll() is None, "the driver ended before it could be killed"
    driver.kill()
    driver.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        time.sleep(0.05)
        assert time.monotonic() < deadline, "workers outlive their driver"
    run_sweep(spec, path, executor="processes", workers=2)


def on_dask(spec: Spec, path: Path) -> None:
    """Run on a LocalCluster of two workers, one of which is killed on the way."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:
        victim = next(iter(cluster.workers.values())).pid
        struck = []

        def progress(stage: str, done: int, total: int) -> None:
            del stage
            if done > total // 4 and not struck:
                os.kill(victim, signal.SIGKILL)
                struck.append(done)

        run_sweep(
            spec, path, executor=cluster.scheduler_address.replace("tcp://", "dask://"), progress=progress
        )
        assert struck


def in_shards(spec: Spec, path: Path) -> None:
    parts = [path.with_name(f"part{i}.sqlite") for i in (1, 2, 3)]
    for i, part in enumerate(parts, 1):
        run_sweep(spec, part, shard=(i, 3))
    merge_ledgers(path, parts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=2000)
    parser.add_argument("--trials", type=int, default=1024)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--ways", nargs="*", default=["kill", "processes", "dask", "shards"])
    options = parser.parse_args()
    text = SPEC.format(per_cell=options.trials * (options.blocks // CELLS), trials=options.trials)
    spec = parse_spec(text)
    run_block(Cell("hit", "uniform", 20, 5, eps=1e-3), 0, 8)  # compile before the clock starts
    same = True
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        run_sweep(spec, Path(folder, "alone.sqlite"))
        seconds = time.perf_counter() - began
        wanted, blocks = fingerprint(Path(folder, "alone.sqlite"))
        print(
            f"serial, alone: {blocks} blocks in {seconds:.1f} s ({1000 * seconds / blocks:.1f} ms each), "
            f"{wanted[:16]}"
        )
        for way in options.ways:
            path = Path(folder, f"{way}.sqlite")
            began = time.perf_counter()
            note = ""
            if way == "kill":
                kills, struck = killed(spec, path, options.kills, seconds)
                note = f", {struck} of {kills} SIGKILLs hit a running sweep"
            elif way == "processes":
                driver_killed(text, spec, path, seconds)
            elif way == "dask":
                on_dask(spec, path)
            else:
                in_shards(spec, path)
            found, blocks = fingerprint(path)
            same &= found == wanted
            word = "same" if found == wanted else "DIFFERENT"
            print(f"{way}: {blocks} blocks in {time.perf_counter() - began:.1f} s, {found[:16]} {word}{note}")
    return 0 if same else 1


def _some_blocks(path: Path) -> bool:
    try:
        with Ledger(path, read_only=True) as ledger:
            return next(ledger.blocks(), None) is not None
    except SlthError:
        return False  # it is being created


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(entry.name))
    return found


if __name__ == "__main__":
    sys.exit(main())
