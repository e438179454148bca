"""Studies: killed and resumed, in shards, damaged, without torch; always the same table."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slth.baselines.cells import METHODS, StudyCell
from slth.baselines.compared import gap_table, side_by_side
from slth.baselines.lottery import claims, kept_promises, plain_runs, training_claims
from slth.baselines.magnitude import Pruning
from slth.baselines.results import read_study
from slth.baselines.study import digits_cells, quick_cells, run_study, study_cells
from slth.baselines.study_ledger import StudyLedger
from slth.baselines.training import Recipe
from slth.errors import InvalidInput, LedgerDamaged
from slth.experiments.ledger import Block, Ledger
from slth.reports.lottery import table_text

COMMAND = [sys.executable, "-m", "slth", "compare", "run", "--study", "quick", "--out"]


def facts(path: Path) -> tuple[object, ...]:
    """All that a study says, but for the times."""
    study = read_study(path)
    runs = plain_runs(study)
    return (
        table_text(side_by_side(study), seconds=False),
        gap_table(study),
        [claim for run in runs for claim in (*claims(study, run), *training_claims(study, run))],
        [(item.cell, item.rows) for item in study],
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    path = tmp_path_factory.mktemp("study") / "whole.sqlite"
    cells = quick_cells()
    assert run_study(cells, path) == (len(cells), len(cells))
    return path


def test_killed_and_resumed_gives_the_same_table(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "killed.sqlite"
    process = subprocess.Popen([*COMMAND, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    done = 0
    while done < 3 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
        if path.exists():
            try:
                with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as database:
                    (done,) = database.execute("SELECT count(*) FROM blocks").fetchone()
            except sqlite3.OperationalError:
                continue
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    with StudyLedger(path) as ledger:
        left = len(list(ledger.blocks()))
    assert 0 < left < len(quick_cells())
    assert run_study(quick_cells(), path)[0] == len(quick_cells())
    assert facts(path) == facts(whole)


def test_shards_merge_into_the_same_table(whole: Path, tmp_path: Path) -> None:
    parts = [tmp_path / f"{i}.sqlite" for i in (1, 2)]
    for i, part in enumerate(parts, 1):
        done, wanted = run_study(quick_cells(), part, shard=(i, 2))
        assert done == wanted == len(quick_cells()) // 2
    with StudyLedger(tmp_path / "all.sqlite") as ledger:
        for part in parts:
            with StudyLedger(part, read_only=True) as other:
                assert ledger.take_over(other) == len(quick_cells()) // 2
                assert ledger.take_over(other) == 0
    assert facts(tmp_path / "all.sqlite") == facts(whole)
    with pytest.raises(InvalidInput, match="`shard` must be i/n"):
        run_study(quick_cells(), parts[0], shard=(3, 2))


@pytest.mark.slow
def test_processes_give_the_same_table(whole: Path, tmp_path: Path) -> None:
    run_study(quick_cells(), tmp_path / "p.sqlite", executor="processes", workers=2)
    assert facts(tmp_path / "p.sqlite") == facts(whole)


def test_a_finished_study_is_left_alone(whole: Path) -> None:
    before = whole.read_bytes()
    calls: list[tuple[str, int, int]] = []
    run_study(quick_cells(), whole, progress=lambda *a: calls.append(a))
    assert calls == []
    assert facts(whole)
    assert len(before) == len(whole.read_bytes())


def test_damage_is_noticed(whole: Path, tmp_path: Path) -> None:
    for number, (table, change) in enumerate(
        (
            ("blocks", "payload = replace(payload, '1', '2')"),
            ("cells", "content = replace(content, '40', '41')"),
        )
    ):
        path = tmp_path / f"{number}.sqlite"
        shutil.copy(whole, path)
        with sqlite3.connect(path) as database:
            database.execute(f"UPDATE {table} SET {change}")
        database.close()
        with pytest.raises(LedgerDamaged, match="is damaged"):
            read_study(path)
        with pytest.raises(LedgerDamaged, match="is damaged"):
            run_study(quick_cells(), path)


def test_a_result_that_contradicts_the_ledger_is_refused(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    shutil.copy(whole, path)
    with StudyLedger(path) as ledger:
        block = next(iter(ledger.blocks()))
        run = ledger.add_run({})
        with pytest.raises(LedgerDamaged, match="with another result"):
            ledger.add_block(type(block)(block.cell, 0, '{"rows":[]}'), run=run, milliseconds=1)


def test_times_of_a_cell_add_up(tmp_path: Path) -> None:
    one, two = StudyCell("gap", 0, source="weight", n=8), StudyCell("gap", 1, source="weight", n=8)
    with StudyLedger(tmp_path / "times.sqlite") as ledger:
        run = ledger.add_run({})
        for cell, block, spent in ((one, 0, 5), (one, 1, 7), (two, 0, 11)):
            ledger.file(cell)
            ledger.add_block(Block(cell.digest, block, "{}"), run=run, milliseconds=spent)
        assert ledger.milliseconds() == {one.digest: 12, two.digest: 11}


def test_ledgers_of_trials_are_not_studies(tmp_path: Path) -> None:
    from slth.experiments.cell import Cell

    path = tmp_path / "sweep.sqlite"
    with Ledger(path) as ledger:
        ledger.add_cell(Cell("hit", "uniform", 20, 5, eps=0.5), 1)
    with pytest.raises(InvalidInput, match="must hold a study of slth compare"):
        read_study(path)
    empty = tmp_path / "empty.sqlite"
    StudyLedger(empty).close()
    with pytest.raises(InvalidInput, match="must hold finished cells"):
        read_study(empty)


def test_cells_keep_their_names() -> None:
    cell = StudyCell(
        "iterative", 0, "300-100", pruning=Pruning(rounds=2, rate=0.25), recipe=Recipe(iterations=7, every=7)
    )
    # a changed name loses all results that were stored under the old one
    assert cell.digest == "7a50b3980f514db2fee715562c55fcc6948f219191f19d7e46fdae5d6ed5ec1e"
    assert StudyCell.from_canonical(cell.canonical) == cell
    for made in (*digits_cells(), *quick_cells()):
        assert StudyCell.from_canonical(made.canonical) == made
        assert made.method in METHODS
    assert len({c.digest for c in digits_cells()}) == len(digits_cells())
    for text in (
        "{}",
        "[]",
        "1",
        '{"method":"imp","seed":0}',
        cell.canonical + " ",
        '{"method":"gap","seed":0,"x":1}',
    ):
        with pytest.raises(InvalidInput, match="`text` must be a cell of a study"):
            StudyCell.from_canonical(text)
    with pytest.raises(InvalidInput, match="`study` must be one of"):
        study_cells("cifar")


def test_promises_are_counted(whole: Path) -> None:
    assert kept_promises(read_study(whole)) == (4, 4, 4)


BLOCKED = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from slth.cli import app
sys.exit(app.run(sys.argv[1:]))
"""


def without_torch(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BLOCKED, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_without_torch_the_message_says_what_to_install(tmp_path: Path) -> None:
    done = without_torch("compare", "run", "--study", "quick", "--out", tmp_path / "x.sqlite")
    assert done.returncode == 2
    assert "training needs torch, which is not installed. Install slth[torch]" in done.stderr
    assert not (tmp_path / "x.sqlite").exists()


def test_without_torch_a_stored_study_is_shown(whole: Path, tmp_path: Path) -> None:
    done = without_torch("compare", "show", whole, "--out", tmp_path / "pictures")
    assert done.returncode == 0, done.stderr
    assert "constructed ticket" in done.stdout
    assert (tmp_path / "pictures" / "compare.svg").is_file()
