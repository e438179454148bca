"""Specifications: every mistake at once. Cells: identities that must not move."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slth.errors import InvalidInput
from slth.experiments.cell import Cell, run_block, trials_in
from slth.experiments.spec import parse_spec, read_spec

# If a digest below changes, every ledger that exists loses its rows: they are still there, under names that no
# specification asks for. A new field of Cell needs a default, and that default must mean what was done before.
GOLDEN = {
    Cell("hit", "uniform", 20, 5, eps=0.01): (
        "b4709fc18552e7e022bc80f8519930ba4be1e5e7eefc5cafaaada47d0670085a"
    ),
    Cell("hit", "uniform", 20, 5, eps=0.01, where="uniform"): (
        "6c18a5c32ccb406abf7b05abc31d829af4bd088acbc2e6b42c145ea7f66755d6"
    ),
    Cell("hit", "normal", 20, 5, eps=0.01, where=-0.25, seed=7): (
        "b0277dfd6c53b5ad03218b635f020fee1a131eedfff67df756d6655d27abf07c"
    ),
    Cell("hit", "product", 20, 5, eps=0.01, selection="one-per-block"): (
        "16c6f3c8734fa7354c230c8159862b5770754f881f103b46a6d8d04ac6e7b90b"
    ),
    Cell("cover", "uniform", 24, 8, eps=1e-6, where=1.0): (
        "dbfa45b6443f163ce5733f6b6f3a12a82dfd26fbe8c9e5ab18ddf9ad5884d374"
    ),
    Cell("closest", "uniform", 40, 20): ("22380bdca501fe514a8a548cdfb44735e5a13231452539e015a2b6af702ca5d8"),
    Cell("radius", "product", 30, 3, where=1.0): (
        "308214c36497ef8ced24b2a3240385fb66763b2b31934f5d714876d9a06d3fa7"
    ),
}
# The same for what a block contains: random streams, decisions and the form of the payload.
BLOCKS = {
    Cell("hit", "uniform", 12, 4, eps=0.01): ('{"hits":8,"trials":16,"undecided":0}'),
    Cell("hit", "normal", 12, 4, eps=0.01, where="uniform"): ('{"hits":12,"trials":16,"undecided":0}'),
    Cell("closest", "product", 12, 4): (
        '{"histogram":[[-64,1],[-63,1],[-56,1],[-48,1],[-44,1],[-43,1],[-42,1],[-40,2],[-36,1],[-34,1],[-28,1],[-27,1],[-22,1],[-20,1],[-4,1]],"trials":16,"undecided":0}'
    ),
}


@pytest.mark.parametrize(("cell", "digest"), GOLDEN.items())
def test_identities_stay(cell: Cell, digest: str) -> None:
    assert cell.digest == digest


@pytest.mark.parametrize(("cell", "payload"), BLOCKS.items())
def test_blocks_stay(cell: Cell, payload: str) -> None:
    assert run_block(cell, 3, 16) == payload


def test_a_field_at_its_default_does_not_enter_the_identity() -> None:
    assert json.loads(Cell("closest", "uniform", 4, 2).canonical) == {
        "event": "closest",
        "k": 2,
        "law": "uniform",
        "n": 4,
    }
    assert Cell("hit", "uniform", 4, 2, eps=1).digest == Cell("hit", "uniform", 4, 2, eps=1.0).digest


@given(
    st.builds(
        Cell,
        event=st.just("hit"),
        law=st.sampled_from(["uniform", "normal", "product"]),
        n=st.integers(5, 100),
        k=st.integers(1, 5),
        eps=st.floats(1e-300, 1e300),
        where=st.one_of(st.floats(-1e300, 1e300), st.sampled_from(["edge", "uniform"])),
        seed=st.integers(0, 2**64 - 1),
    )
)
def test_canonical_form_reads_back(cell: Cell) -> None:
    assert Cell.from_canonical(cell.canonical) == cell


def test_every_field_enters_the_identity() -> None:
    base = Cell("hit", "uniform", 20, 5, eps=0.5)
    changes = {
        "event": "cover",
        "law": "normal",
        "n": 25,
        "k": 4,
        "eps": 0.25,
        "where": 1.0,
        "selection": "one-per-block",
        "seed": 1,
    }
    assert set(changes) == {field.name for field in dataclasses.fields(Cell)}
    digests = {dataclasses.replace(base, **{name: value}).digest for name, value in changes.items()}
    assert len(digests | {base.digest}) == len(changes) + 1


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"event":"hit"}',
        Cell("closest", "uniform", 4, 2).canonical + " ",
        '{"event":"hit","n":1,"x":2}',
    ],
)
def test_other_text_is_no_cell(text: str) -> None:
    with pytest.raises(InvalidInput, match="`text` must be a cell in canonical JSON"):
        Cell.from_canonical(text)


def test_blocks_are_cut_without_a_clock() -> None:
    trial = Cell("closest", "uniform", 30, 15).experiment()
    short, long = trials_in(0.1, trial), trials_in(10.0, trial)
    assert short == trials_in(0.1, trial)
    assert long > 50 * short
    assert short.bit_count() == long.bit_count() == 1
    assert trials_in(1e-9, trial) == 1


WRONG = """
seed = -1
bogus = 2
[block]
seconds = 1
trials = 3
[[grid]]
event = "hit"
n = ["a", 0]
k = [2]
gamma = [0.5]
law = "uniform"
[[grid]]
event = "closest"
n = {from = 3, to = 5}
k = [4]
eps = [0.1]
[[grid]]
event = "radius"
n = [10]
gamma = [2.0]
target = ["edge"]
range = ["x"]
"""


def test_all_mistakes_are_listed_at_once() -> None:
    with pytest.raises(InvalidInput, match=r"has \d+ mistakes") as caught:
        parse_spec(WRONG)
    text = str(caught.value)
    for line in (
        "seed: input should be greater than or equal to 0",
        "bogus: extra inputs are not permitted",
        "block: must give exactly one of seconds and trials",
        "grid 1, n 1: input should be a valid integer",
        "grid 1, n 2: input should be greater than or equal to 1",
        "grid 1, law: input should be a valid list",
        "grid 1: must give exactly one of k and gamma",
        "grid 1: must give exactly one of eps and load for the event 'hit'",
        "grid 2: must not give eps or load for the event 'closest', which measures it",
        "grid 3, gamma 1: input should be less than or equal to 1",
        "grid 3, range 1: input should be 'edge'",
        "grid 3: must give a range, not a target, for the event 'radius'",
    ):
        assert f"  - {line}" in text


def test_mistakes_of_cells_are_listed_too() -> None:
    grids = (
        '[[grid]]\nevent="closest"\nn={from=3,to=4}\nk=[4,2]\n[[grid]]\nevent="hit"\nn=[10]\nk=[3]\neps=[0.1]\n'
    )
    with pytest.raises(InvalidInput, match="has 2 mistakes") as caught:
        parse_spec(grids + 'selection="one-per-block"')
    assert "grid 1: `k` must be an integer in [1, 3]; got 4" in str(caught.value)
    assert "grid 2: `n` must be a multiple of k=3" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a =", "the text must be TOML"),
        ("", "has a mistake: grid: field required"),
        ('[[grid]]\nevent="hit"\nn=[]\nk=[1]\neps=[1.0]', "grid 1: must stand for 1 to 1000000 cells; got 0"),
        ('[[grid]]\nevent="hit"\nn=[3]\nk=[1]\neps=[nan]', "grid 1, eps 1: input should be"),
    ],
)
def test_rejects(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        parse_spec(text)


def test_plan() -> None:
    spec = parse_spec(
        """
        trials = 100
        seed = 2
        block = { trials = 64 }
        [[grid]]
        event = "hit"
        law = ["uniform", "normal"]
        n = { from = 10, to = 20, step = 5 }
        gamma = [0.5, 0.01]
        eps = [1, 0.5]
        [[grid]]
        event = "hit"
        n = [10]
        k = [5]
        eps = [0.5]
        trials = 200
        [[grid]]
        event = "radius"
        n = [10]
        k = [2]
        range = [1.0, "edge"]
        trials = 10
        """
    )
    plan = spec.plan()
    assert len(plan) == 2 * 3 * 2 * 2 + 2
    assert len({cell for cell, _, _ in plan}) == len(plan)
    by_cell = {cell: (trials, length) for cell, trials, length in plan}
    assert by_cell[Cell("hit", "uniform", 10, 5, 0.5, seed=2)] == (200, 64)
    assert by_cell[Cell("hit", "normal", 15, 8, 1.0, seed=2)] == (100, 64)
    assert by_cell[Cell("hit", "normal", 15, 1, 1.0, seed=2)] == (100, 64)
    assert by_cell[Cell("radius", "uniform", 10, 2, where=1.0, seed=2)] == (10, 10)


def test_unreadable_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("spec")
    with pytest.raises(InvalidInput, match="cannot read"):
        read_spec(folder / "absent.toml")
    (folder / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput, match="cannot read"):
        read_spec(folder / "bad.toml")


def test_loads_become_tolerances_on_edges() -> None:
    spec = parse_spec('[[grid]]\nevent="cover"\nlaw=["uniform","product"]\nn=[20]\nk=[5]\nload=[1, 10, 10.01]')
    cells = [cell for cell, _, _ in spec.plan()]
    # C(20, 5) 2 eps f_5(sqrt 5) = 15504 * 2 * 0.0737712 eps
    assert [cell.eps for cell in cells if cell.law == "uniform"] == [10 ** (-54 / 16), 10 ** (-38 / 16)]
    assert len(cells) == 4
