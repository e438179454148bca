"""The ledger: written once, damage noticed wherever it strikes, merged without contradiction."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from slth.errors import InvalidInput, LedgerDamaged
from slth.experiments.cell import Cell
from slth.experiments.ledger import Block, Ledger

CELL = Cell("hit", "uniform", 10, 3, eps=0.01)
OTHER = Cell("hit", "uniform", 11, 3, eps=0.01)
WHERE = {"host": "here", "slth": "0"}


def payload(hits: int) -> str:
    return f'{{"hits":{hits},"trials":64,"undecided":0}}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        assert ledger.add_cell(CELL, 64) == 64
        run = ledger.add_run(WHERE)
        for b in range(4):
            assert ledger.add_block(Block(CELL.digest, b, payload(b)), run=run, milliseconds=5)
    return path


def spoil(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    assert db.execute(statement).rowcount > 0
    db.commit()
    db.close()


def test_reads_back_and_is_one_plain_file(path: Path) -> None:
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    with Ledger(path, read_only=True) as ledger:
        assert ledger.cells() == {CELL.digest: (CELL, 64)}
        assert [(b.block, b.payload) for b in ledger.blocks()] == [(b, payload(b)) for b in range(4)]
        assert ledger.done(CELL.digest) == {0, 1, 2, 3}
        assert ledger.done(OTHER.digest) == set()
        assert ledger.check() == ()
        assert ledger.provenance()[0] == (CELL.digest, 0, '{"host":"here","slth":"0"}', 5)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_read_only_writes_nothing(path: Path) -> None:
    before = path.read_bytes()
    with (
        Ledger(path, read_only=True) as ledger,
        pytest.raises(InvalidInput, match="attempt to write a readonly database"),
    ):
        ledger.add_block(Block(CELL.digest, 9, payload(1)), run="", milliseconds=0)
    assert path.read_bytes() == before


def test_a_block_is_written_once(path: Path) -> None:
    with Ledger(path) as ledger:
        assert not ledger.add_block(Block(CELL.digest, 1, payload(1)), run="again", milliseconds=9)
        assert len(ledger.provenance()) == 4
        with pytest.raises(LedgerDamaged, match=r"holds block 1 of cell .* with another result"):
            ledger.add_block(Block(CELL.digest, 1, payload(2)), run="", milliseconds=0)


def test_the_first_length_of_blocks_stays(path: Path) -> None:
    with Ledger(path) as ledger:
        assert ledger.add_cell(CELL, 128) == 64


def test_what_is_not_yet_closed_can_be_read(path: Path) -> None:
    with Ledger(path) as writer:
        writer.add_block(Block(CELL.digest, 7, payload(7)), run="", milliseconds=0)
        with Ledger(path, read_only=True) as reader:
            assert 7 in reader.done(CELL.digest)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE blocks SET payload = replace(payload, '64', '65') WHERE block = 2", "block 2"),
        ("UPDATE blocks SET block = 9 WHERE block = 2", "block 9"),
        ("UPDATE blocks SET sha256 = 'x' WHERE block = 0", "block 0"),
        ("UPDATE cells SET content = replace(content, '10', '12')", "cell"),
        ("UPDATE cells SET block_trials = 65", "cell"),
        ("DELETE FROM cells", "block 0"),
    ],
)
def test_damage_is_noticed_named_and_discarded(path: Path, statement: str, problem: str) -> None:
    spoil(path, statement)
    with Ledger(path) as ledger:
        found = ledger.check()
        assert problem in found[0]
        with pytest.raises(LedgerDamaged, match=r"is damaged: .*--discard-damaged") as caught:
            ledger.raise_damaged(found)
        assert caught.value.problems == found
        assert ledger.check(discard=True) == found
        assert ledger.check() == ()


def test_damage_stops_readers(path: Path) -> None:
    spoil(path, "UPDATE blocks SET payload = replace(payload, '64', '65') WHERE block = 2")
    with Ledger(path, read_only=True) as ledger, pytest.raises(LedgerDamaged, match="is damaged: block 2 of"):
        list(ledger.blocks())
    spoil(path, "UPDATE cells SET block_trials = 65")
    with Ledger(path, read_only=True) as ledger, pytest.raises(LedgerDamaged, match="is damaged: cell"):
        ledger.cells()


def test_merge(path: Path, tmp_path: Path) -> None:
    with Ledger(tmp_path / "second.sqlite") as second:
        second.add_cell(CELL, 64)
        second.add_cell(OTHER, 32)
        run = second.add_run({"host": "there"})
        second.add_block(Block(CELL.digest, 3, payload(3)), run=run, milliseconds=1)
        second.add_block(Block(CELL.digest, 4, payload(4)), run=run, milliseconds=1)
        second.add_block(Block(OTHER.digest, 0, payload(0)), run=run, milliseconds=1)
        with Ledger(path) as ledger:
            assert ledger.merge(second) == 2
            assert ledger.merge(second) == 0
            assert ledger.done(CELL.digest) == {0, 1, 2, 3, 4}
            assert {c: t for c, (_, t) in ledger.cells().items()} == {CELL.digest: 64, OTHER.digest: 32}
            assert '{"host":"there"}' in {row[2] for row in ledger.provenance()}


def test_merge_refuses_contradictions(path: Path, tmp_path: Path) -> None:
    with Ledger(path) as ledger:
        with Ledger(tmp_path / "cut.sqlite") as other:
            other.add_cell(CELL, 32)
            with pytest.raises(InvalidInput, match=r"into blocks of 32 trials, .* into blocks of 64"):
                ledger.merge(other)
        with Ledger(tmp_path / "wrong.sqlite") as other:
            other.add_cell(CELL, 64)
            other.add_block(Block(CELL.digest, 0, payload(60)), run="", milliseconds=0)
            with pytest.raises(LedgerDamaged, match="with another result"):
                ledger.merge(other)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="`ledger` must be an existing file"):
        Ledger(tmp_path / "absent.sqlite", read_only=True)
    with pytest.raises(InvalidInput, match=r"the folder .* must exist"):
        Ledger(tmp_path / "absent" / "ledger.sqlite")
    text = tmp_path / "text.sqlite"
    text.write_text("not a database, but long enough to be taken for the header of one" * 20)
    with pytest.raises(LedgerDamaged, match="is not a database or is damaged"):
        Ledger(text)
    foreign = tmp_path / "foreign.sqlite"
    db = sqlite3.connect(foreign)
    db.execute("CREATE TABLE things (x)")
    db.close()
    with pytest.raises(InvalidInput, match="is another database"):
        Ledger(foreign)
    later = tmp_path / "later.sqlite"
    with Ledger(later):
        pass
    spoil(later, "UPDATE format SET name = 'slth/ledger/2'")
    with pytest.raises(InvalidInput, match=r"must have the format slth/ledger/1; .* has slth/ledger/2"):
        Ledger(later, read_only=True)


def test_a_torn_file_is_noticed(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 4] = b"\xff" * (4096 * 3)
    path.write_bytes(content)
    with pytest.raises(LedgerDamaged, match="damaged"), Ledger(path) as ledger:
        ledger.check()
