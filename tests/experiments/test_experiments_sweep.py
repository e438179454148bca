"""Sweeps: one table whatever the executor, the order, the kills and the shards."""

from __future__ import annotations

import csv
import io
import json
import math
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slth.errors import CapacityExceeded, InvalidInput, LedgerDamaged, MissingExtra, SweepIncomplete
from slth.experiments import driver
from slth.experiments import sweep as module
from slth.experiments.bins import BEYOND, LOWEST, bin_of, edge_bin, edge_of_bin, edges
from slth.experiments.cell import Cell, run_block
from slth.experiments.executors import open_executor
from slth.experiments.export import Row, read_table, table_bytes
from slth.experiments.ledger import Ledger
from slth.experiments.spec import Spec, parse_spec
from slth.experiments.sweep import merge_ledgers, run_sweep, sweep_status
from slth.subset_sum.solve import solve

KILL_SWEEP = Path(__file__).parents[2] / "benchmarks" / "kill_sweep.py"
TEXT = """
seed = 9
trials = 150
block = { trials = 32 }
[[grid]]
event = "hit"
law = ["uniform", "product"]
n = [12, 14]
k = [4]
eps = [0.01]
target = ["edge", "uniform"]
[[grid]]
event = "closest"
n = [12]
k = [3]
"""


@pytest.fixture
def spec() -> Spec:
    return parse_spec(TEXT)


def rows(path: Path) -> list[tuple[Any, ...]]:
    with Ledger(path, read_only=True) as ledger:
        assert ledger.check() == ()
        return [(b.cell, b.block, b.payload) for b in ledger.blocks()] + list(ledger.cells().items())


def test_counts_equal_the_cells_own_blocks(spec: Spec, tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    steps: list[tuple[str, int, int]] = []
    status = run_sweep(spec, path, progress=lambda *step: steps.append(step))
    assert status.complete
    assert (status.cells, status.blocks, status.trials) == (9, 45, 45 * 32)
    assert steps == [("sweep", i, 45) for i in range(46)]
    assert sweep_status(spec, path) == status
    cell = Cell("hit", "uniform", 12, 4, eps=0.01, seed=9)
    payloads = [json.loads(run_block(cell, b, 32)) for b in range(5)]
    (row,) = [r for r in read_table(path) if r.cell == cell.digest]
    assert (row.trials, row.hits, row.undecided) == (160, sum(p["hits"] for p in payloads), 0)
    assert 0 < row.hits < 160
    assert row.always_low <= row.low <= row.estimate <= row.high <= row.always_high


def test_trials_are_those_of_the_documented_streams() -> None:
    """Distances by `solve` on samples drawn here from the digest."""
    cell = Cell("closest", "uniform", 9, 3, seed=4)
    keys = np.random.SeedSequence(int(cell.digest, 16), spawn_key=(2, 0))
    samples = np.random.Generator(np.random.Philox(keys)).uniform(-1.0, 1.0, (20, 9))
    errors = [solve(x, math.sqrt(3), k=3).error for x in samples]
    wanted: dict[int, int] = {}
    for error in errors:
        assert error is not None
        j = next(j for j in range(LOWEST, BEYOND + 1) if j == BEYOND or edge_of_bin(j) >= error)
        wanted[j] = wanted.get(j, 0) + 1
    found = json.loads(run_block(cell, 2, 20))
    assert dict(map(tuple, found["histogram"])) == wanted
    assert found["trials"] == 20
    assert found["undecided"] == 0


def test_histogram_counts_are_the_hits_at_each_edge(tmp_path: Path) -> None:
    spec = parse_spec('trials=300\n[[grid]]\nevent="closest"\nn=[12]\nk=[3]')
    run_sweep(spec, tmp_path / "a.sqlite")
    counts = [r.hits for r in read_table(tmp_path / "a.sqlite", eps=(1e-3, 1e-2, 1e-1))]
    cell = spec.plan()[0][0]
    keys = np.random.SeedSequence(int(cell.digest, 16), spawn_key=(0, 0))
    samples = np.random.Generator(np.random.Philox(keys)).uniform(-1.0, 1.0, (300, 12))
    errors = [solve(x, math.sqrt(3), k=3).error or 0.0 for x in samples]
    assert counts == [sum(e <= eps for e in errors) for eps in (1e-3, 1e-2, 1e-1)]
    assert counts[0] < counts[1] < counts[2]


def test_two_processes_and_resumption(spec: Spec, tmp_path: Path) -> None:
    run_sweep(spec, tmp_path / "serial.sqlite")
    wanted = rows(tmp_path / "serial.sqlite")

    class EnoughError(Exception):
        pass

    def stop(stage: str, done: int, total: int) -> None:
        if done == 20:
            raise EnoughError("stop here")

    path = tmp_path / "two.sqlite"
    with pytest.raises(EnoughError, match="stop here"):
        run_sweep(spec, path, progress=stop)
    assert sweep_status(spec, path).blocks_done == 20
    assert run_sweep(spec, path, executor="processes", workers=2).complete
    assert rows(path) == wanted
    tables = [table_bytes(read_table(tmp_path / name), ".csv") for name in ("serial.sqlite", "two.sqlite")]
    assert tables[0] == tables[1]


def test_shards_merge_to_the_whole(spec: Spec, tmp_path: Path) -> None:
    run_sweep(spec, tmp_path / "whole.sqlite")
    parts = [tmp_path / f"{i}.sqlite" for i in (1, 2, 3)]
    sizes = [run_sweep(spec, part, shard=(i, 3)).blocks for i, part in enumerate(parts, 1)]
    assert sum(sizes) == 45
    assert min(sizes) >= 9
    assert merge_ledgers(tmp_path / "merged.sqlite", parts) == 45
    assert rows(tmp_path / "merged.sqlite") == rows(tmp_path / "whole.sqlite")
    assert sweep_status(spec, parts[0]).complete is False
    assert sweep_status(spec, parts[0], shard=(1, 3)).complete


def test_an_extended_grid_reuses_what_is_there(spec: Spec, tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    run_sweep(spec, path)
    before = rows(path)[:45]
    steps: list[int] = []
    wider = parse_spec(TEXT.replace("n = [12, 14]", "n = [11, 12, 14]").replace("150", "180"))
    status = run_sweep(wider, path, progress=lambda _, done, __: steps.append(done))
    assert status.complete
    assert steps[0] == 45
    assert set(before) <= set(rows(path))
    assert sweep_status(spec, path).others == 4


def test_damaged_rows_are_named_or_done_again(spec: Spec, tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "a.sqlite"
    run_sweep(spec, path)
    wanted = rows(path)
    db = sqlite3.connect(path)
    db.execute("UPDATE blocks SET payload = replace(payload, '32', '33') WHERE block = 2")
    db.execute("UPDATE cells SET block_trials = 33 WHERE cell = ?", (wanted[0][0],))
    db.commit()
    db.close()
    with pytest.raises(LedgerDamaged, match="is damaged"):
        run_sweep(spec, path)
    with pytest.raises(LedgerDamaged, match="is damaged"):
        read_table(path)
    assert run_sweep(spec, path, discard_damaged=True).complete
    assert rows(path) == wanted


def use(monkeypatch: pytest.MonkeyPatch, submit: Callable[..., Future[Any]], in_flight: int) -> None:
    """Make sweeps run on an executor that calls `submit`."""

    class Odd(Executor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            return submit(fn, *args, **kwargs)

    @contextmanager
    def opened(kind: str, workers: int | None) -> Any:
        yield Odd(), in_flight

    monkeypatch.setattr(module, "open_executor", opened)


def test_order_of_completion_is_irrelevant(spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_sweep(spec, tmp_path / "a.sqlite")
    held: list[tuple[Future[Any], Any, Any]] = []

    def submit(fn: Any, *args: Any) -> Future[Any]:
        """Hold tasks back and finish the latest first."""
        future: Future[Any] = Future()
        held.append((future, fn, args))
        if len(held) in (7, 45):
            for waiting, call, values in reversed(held):
                if not waiting.done():
                    waiting.set_result(call(*values))
        return future

    use(monkeypatch, submit, 45)
    run_sweep(spec, tmp_path / "b.sqlite")
    assert len(held) == 45
    assert rows(tmp_path / "b.sqlite") == rows(tmp_path / "a.sqlite")


def test_no_more_tasks_are_submitted_than_agreed(
    spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: dict[Future[Any], Any] = {}
    held: list[int] = []

    def submit(fn: Any, *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        calls[future] = fn, args
        return future

    def wait(running: dict[Future[Any], Any], **_: Any) -> tuple[set[Future[Any]], set[Future[Any]]]:
        """The first task alone is finished."""
        held.append(len(running))
        first = next(iter(running))
        fn, args = calls[first]
        first.set_result(fn(*args))
        return {first}, set(running) - {first}

    monkeypatch.setattr(driver, "wait", wait)
    use(monkeypatch, submit, 3)
    assert run_sweep(spec, tmp_path / "a.sqlite").complete
    assert held == [3] * 43 + [2, 1]


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (CapacityExceeded("too large"), CapacityExceeded, r"1 cell\(s\) could not be done; all others are in"),
        (InvalidInput("wrong"), SweepIncomplete, r"could not be done; .* wrong"),
    ],
)
def test_a_cell_that_fails_stops_no_other(
    spec: Spec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    raised: type[Exception],
    message: str,
) -> None:
    bad = Cell("closest", "uniform", 12, 3, seed=9).canonical

    def submit(fn: Any, canonical: str, *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if canonical == bad:
            future.set_exception(error)
        else:
            future.set_result(fn(canonical, *args))
        return future

    use(monkeypatch, submit, 1)
    with pytest.raises(raised, match=message):
        run_sweep(spec, tmp_path / "a.sqlite")
    status = sweep_status(spec, tmp_path / "a.sqlite")
    assert status.cells_done == status.cells - 1


def test_a_worker_that_dies_ends_the_run_with_words(
    spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from concurrent.futures.process import BrokenProcessPool

    calls: list[int] = []

    def submit(fn: Any, *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        calls.append(1)
        if len(calls) > 4:
            future.set_exception(BrokenProcessPool("gone"))
        else:
            future.set_result(fn(*args))
        return future

    use(monkeypatch, submit, 1)
    with pytest.raises(SweepIncomplete, match=r"a worker process died; 4 of 45 blocks are in .*Run the same"):
        run_sweep(spec, tmp_path / "a.sqlite")
    monkeypatch.undo()
    assert run_sweep(spec, tmp_path / "a.sqlite").complete


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"executor": "threads"}, "`executor` must be serial, processes or dask://host:port; got 'threads'"),
        ({"executor": "dask://"}, "`executor` must be serial"),
        ({"executor": "processes", "workers": 0}, "`workers` must be an integer"),
        ({"shard": (0, 3)}, "`shard` must be i/n with 1 <= i <= n; got 0/3"),
        ({"shard": (4, 3)}, "`shard` must be i/n with 1 <= i <= n; got 4/3"),
    ],
)
def test_rejects(spec: Spec, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        run_sweep(spec, tmp_path / "a.sqlite", **change)


def test_merge_rejects(spec: Spec, tmp_path: Path) -> None:
    run_sweep(spec, tmp_path / "a.sqlite")
    with pytest.raises(InvalidInput, match="`ledger` must be an existing file"):
        merge_ledgers(tmp_path / "out.sqlite", [tmp_path / "none.sqlite"])
    with pytest.raises(InvalidInput, match="`out` must not be one of the ledgers"):
        merge_ledgers(tmp_path / "a.sqlite", [tmp_path / "a.sqlite"])


def test_no_dask_scheduler_there() -> None:
    pytest.importorskip("distributed")
    with (
        pytest.raises(InvalidInput, match="`executor` must be the address of a Dask scheduler"),
        open_executor("dask://nowhere", None),
    ):
        pass


@pytest.mark.skipif(not KILL_SWEEP.exists(), reason="needs the repository")
def test_killed_and_resumed_is_the_same() -> None:
    """Twelve SIGKILLs; the full two thousand blocks and fifty kills are the same script's defaults."""
    arguments = ["--blocks", "150", "--trials", "128", "--kills", "12", "--ways", "kill", "shards"]
    done = subprocess.run([sys.executable, KILL_SWEEP, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" same") == 2
    assert "150 blocks" in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not KILL_SWEEP.exists(), reason="needs the repository")
def test_killed_drivers_and_workers() -> None:
    pytest.importorskip("distributed")
    arguments = ["--blocks", "250", "--trials", "1024", "--kills", "20"]
    done = subprocess.run([sys.executable, KILL_SWEEP, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" same") == 4


def test_bins() -> None:
    assert len(edges()) == len(set(edges().tolist())) == BEYOND - LOWEST
    for j in (LOWEST, -33, -32, 0, 5, BEYOND - 1):
        edge = edge_of_bin(j)
        assert edge_bin(edge) == j
        assert bin_of([np.nextafter(edge, 0), edge, np.nextafter(edge, np.inf)]).tolist() == [j, j, j + 1]
        assert edge == pytest.approx(10 ** (j / 16), rel=1e-14)
    assert edge_of_bin(-96) == 1e-6
    assert bin_of([0.0, 1e300]).tolist() == [LOWEST, BEYOND]
    with pytest.raises(InvalidInput, match=r"`eps` must be an edge of the bins.*The nearest is 0.01"):
        edge_bin(0.0101)


def test_table_formats(spec: Spec, tmp_path: Path) -> None:
    run_sweep(spec, tmp_path / "a.sqlite")
    table = read_table(tmp_path / "a.sqlite", eps=(1e-2, 1e-1))
    assert len(table) == 8 + 2
    assert all(isinstance(row, Row) for row in table)
    lines = list(csv.DictReader(io.StringIO(table_bytes(table, ".csv").decode())))
    assert [float(line["low"]) for line in lines] == [row.low for row in table]
    document = json.loads(table_bytes(table, ".json"))
    assert document["schema"] == "slth/sweep-table/1"
    assert document["rows"][0]["hits"] == table[0].hits
    with pytest.raises(InvalidInput, match=r"`out` must end in .csv, .json, .parquet; got '.xls'"):
        table_bytes(table, ".xls")


def test_parquet_holds_what_csv_holds(spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_sweep(spec, tmp_path / "a.sqlite")
    table = read_table(tmp_path / "a.sqlite", eps=(1e-2, 1e-1))
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(MissingExtra, match=r"`out` .parquet needs pyarrow"):
            table_bytes(table, ".parquet")
    parquet = pytest.importorskip("pyarrow.parquet")
    read = parquet.read_table(io.BytesIO(table_bytes(table, ".parquet"))).to_pylist()
    assert read == [{**asdict(row), "where": str(row.where)} for row in table]
