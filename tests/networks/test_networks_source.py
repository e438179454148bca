"""Random sources: equal to numpy at any place, prefix-stable in every size, strict in what they accept."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import sources as oracle
from scipy import stats

import slth.networks.source as source_module
from slth.errors import CapacityExceeded, InvalidInput
from slth.laws.words import word_law
from slth.networks.layers import Add, Input, Linear
from slth.networks.network import Network, dense_network
from slth.networks.source import MAX_SEED, Source, SourceLayer

SMALL = (SourceLayer(3, 4, 5), SourceLayer(6, 2, 3))
OUTWARDS = SourceLayer(3, 4, 5, owners="outputs")


def of_owner(source: Source, layer: int, sublayer: int, j: int) -> np.ndarray:
    """Numerators (copies, ends) of the hidden neurons of one owner."""
    return source.block(layer, sublayer, j, j + 1)[0]


def test_blocks_equal_the_oracle() -> None:
    for seed in (0, 7, 2**64, 2**128 - 1):
        source = Source(seed, "uniform", SMALL)
        for i, layer in enumerate(SMALL):
            first = oracle.sublayer_numerators(seed, i, 0, layer.inputs, layer.copies, layer.inputs)
            second = oracle.sublayer_numerators(seed, i, 1, layer.inputs, layer.copies, layer.outputs)
            assert np.array_equal(source.block(i, 1, 0, layer.inputs), second)
            assert np.array_equal(source.block(i, 1, 1, 3), second[1:3])
            own = first[np.arange(layer.inputs), :, np.arange(layer.inputs)]
            assert np.array_equal(source.matched(i), own)
            for j in range(layer.inputs):
                assert np.array_equal(of_owner(source, i, 0, j), first[j])
                assert np.array_equal(of_owner(source, i, 1, j), second[j])


def test_hidden_neurons_may_belong_to_outputs() -> None:
    source = Source(7, "uniform", (OUTWARDS,))
    assert source.parameters == 5 * 4 * (3 + 5)
    first = oracle.sublayer_numerators(7, 0, 0, 5, 4, 3)
    second = oracle.sublayer_numerators(7, 0, 1, 5, 4, 5)
    assert np.array_equal(source.block(0, 0, 0, 5), first)
    assert np.array_equal(source.block(0, 1, 0, 5), second)
    assert np.array_equal(source.matched(0), second[np.arange(5), :, np.arange(5)])
    assert source.weight(0, 0, 4, 3, 2) == first[4, 3, 2] * 2.0**-23
    assert Source.from_json(source.to_json()) == source


@given(seed=st.integers(0, MAX_SEED), data=st.data())
def test_single_edges_and_rows_are_those_of_the_blocks(seed: int, data: st.DataObject) -> None:
    for spec in (*SMALL, OUTWARDS):
        source = Source(seed, "uniform", (spec,))
        for sublayer, width in ((0, spec.inputs), (1, spec.outputs)):
            whole = source.block(0, sublayer, 0, spec.groups).reshape(-1, width)
            neurons = np.array(data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=6)))
            ends = np.array(
                data.draw(st.lists(st.integers(0, width - 1), min_size=len(neurons)))[: len(neurons)]
            )
            assert np.array_equal(source.rows(0, sublayer, neurons), whole[neurons])
            assert np.array_equal(source.edges(0, sublayer, neurons, ends), whole[neurons, ends])


def test_blocks_are_int64_and_cover_the_grid_ends_only() -> None:
    block = Source(3, layers=(SourceLayer(20, 50, 30),)).block(0, 1, 0, 20)
    assert block.dtype == np.int64
    assert block.flags.c_contiguous
    assert block.min() >= -(2**23)
    assert block.max() <= 2**23 - 1
    # 30,000 uniform weights on [-1, 1): mean has s.d. 0.00333, second moment 0.00172; 6 s.d. fail below 1e-8
    values = block * 2.0**-23
    assert abs(values.mean()) < 6 * 0.00334
    assert abs((values**2).mean() - 1 / 3) < 6 * 0.00173


@given(
    seed=st.integers(0, MAX_SEED),
    layer=st.integers(0, 9_999),
    sublayer=st.integers(0, 1),
    j=st.integers(0, 2**31 - 1),
    c=st.integers(0, 2**31 - 1),
    other=st.integers(0, 300),
)
def test_weight_alone_equals_the_oracle_at_any_place(
    seed: int, layer: int, sublayer: int, j: int, c: int, other: int
) -> None:
    source = Source(seed, "uniform", (SourceLayer(2**31, 2**31, 2**31),) * 10_000)
    expected = oracle.numerator(seed, layer, sublayer, j, c, other) * 2.0**-23
    assert source.weight(layer, sublayer, j, c, other) == expected
    assert np.float32(expected) == expected


@given(seed=st.integers(0, MAX_SEED), j=st.integers(0, 2**31 - 1), layer=st.integers(0, 9_999), data=st.data())
def test_weight_alone_equals_the_compiled_block(seed: int, j: int, layer: int, data: st.DataObject) -> None:
    source = Source(seed, "uniform", (SourceLayer(2**31, 3, 7),) * (layer + 1))
    c, i = data.draw(st.integers(0, 2)), data.draw(st.integers(0, 6))
    assert of_owner(source, layer, 1, j)[c, i] * 2.0**-23 == source.weight(layer, 1, j, c, i)
    square = Source(seed, "uniform", (SourceLayer(11, 3, 1),))
    other, row = data.draw(st.integers(0, 10)), j % 11
    assert of_owner(square, 0, 0, row)[c, other] * 2.0**-23 == square.weight(0, 0, row, c, other)
    assert square.matched(0)[row, c] * 2.0**-23 == square.weight(0, 0, row, c, row)


def test_far_end_of_a_long_row_is_reached_directly() -> None:
    source = Source(2**127 + 1, "uniform", (SourceLayer(1, 1, 2**31),))
    stream = np.random.Philox(key=2**127 + 1, counter=[2**29 - 1, 0, 0, 1])
    assert source.weight(0, 1, 0, 0, 2**31 - 1) == ((int(stream.random_raw(4)[3]) >> 40) - 2**23) / 2**23


def test_module_docstring_recipe_rebuilds_a_weight() -> None:
    text = source_module.__doc__ or ""
    recipe = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    scope: dict[str, Any] = {}
    exec(recipe, scope)
    source = Source(2**65 + 3, "uniform", SMALL)
    assert scope["weight"](2**65 + 3, 1, 1, 5, 1, 2) == source.weight(1, 1, 5, 1, 2)
    assert scope["weight"](2**65 + 3, 1, 0, 5, 1, 2) == of_owner(source, 1, 0, 5)[1, 2] / 2**23


@given(
    seed=st.integers(0, MAX_SEED),
    sizes=st.tuples(*[st.integers(1, 6)] * 3),
    more=st.tuples(*[st.integers(0, 3)] * 3),
)
def test_larger_sources_extend_smaller_ones(
    seed: int, sizes: tuple[int, int, int], more: tuple[int, int, int]
) -> None:
    d, n, o = sizes
    small = Source(seed, "uniform", (SourceLayer(*sizes),))
    grown = SourceLayer(*(a + b for a, b in zip(sizes, more, strict=True)))
    large = Source(seed, "uniform", (grown, SourceLayer(1, 1, 1)))
    assert np.array_equal(large.matched(0)[:d, :n], small.matched(0))
    assert np.array_equal(large.block(0, 1, 0, d)[:, :n, :o], small.block(0, 1, 0, d))
    for j in range(d):
        assert np.array_equal(of_owner(large, 0, 0, j)[:n, :d], of_owner(small, 0, 0, j))


def test_layers_sublayers_and_seeds_differ() -> None:
    source = Source(1, "uniform", (SourceLayer(8, 8, 8),) * 2)
    blocks = [source.block(0, 1, 0, 8), source.block(1, 1, 0, 8)]
    blocks += [np.stack([of_owner(source, i, 0, j) for j in range(8)]) for i in range(2)]
    blocks += [Source(1 + 2**64, "uniform", source.layers).block(0, 1, 0, 8)]
    for i, a in enumerate(blocks):
        for b in blocks[:i]:
            # 512 pairs, each equal with probability 2^-24: two or more coincide with probability below 1e-9
            assert (a == b).sum() < 2


@pytest.mark.parametrize("chunk", [1, 7, 24, 100])
def test_chunks_do_not_show(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(9, "uniform", (SourceLayer(5, 4, 6),))
    whole = source.block(0, 1, 0, 5), source.matched(0)
    monkeypatch.setattr(source_module, "CHUNK_WORDS", chunk)
    assert np.array_equal(source.block(0, 1, 0, 5), whole[0])
    assert np.array_equal(source.matched(0), whole[1])


def test_empty_range_is_an_empty_block() -> None:
    assert Source(0, layers=SMALL).block(0, 1, 2, 2).shape == (0, 4, 5)


def test_golden_weights() -> None:
    """Sources must never change between versions: the first weights of seed 0."""
    source = Source(0, "uniform", (SourceLayer(2, 3, 4),))
    assert of_owner(source, 0, 1, 0)[0].tolist() == [-2647734, 1283699, -6934829, 2273845]
    assert source.matched(0).tolist() == [[-8194886, -4834195, 2687184], [-7322786, 5693968, 4126983]]


def test_parameters_count_both_sublayers() -> None:
    assert SMALL[0].parameters == 3 * 4 * (3 + 5)
    assert Source(0, layers=SMALL).parameters == 3 * 4 * 8 + 6 * 2 * 9


def test_for_network_adds_an_input_where_there_is_a_bias() -> None:
    network = dense_network([np.ones((5, 3)), np.ones((2, 5))], [None, np.ones(2)])
    assert Source.for_network(network, 7, seed=3).layers == (SourceLayer(3, 7, 5), SourceLayer(6, 7, 2))
    assert Source.for_network(network, [7, 9], seed=3).layers == (SourceLayer(3, 7, 5), SourceLayer(6, 9, 2))
    with pytest.raises(InvalidInput, match=r"`copies` must have one entry per layer \(2\); got 3"):
        Source.for_network(network, [1, 2, 3], seed=3)
    with pytest.raises(InvalidInput, match=r"`copies` must be an integer in \[1, 2147483648\]; got 0"):
        Source.for_network(network, 0, seed=3)
    with pytest.raises(InvalidInput, match=r"`law` must be one of 'uniform', 'normal'; got 'cauchy'"):
        Source.for_network(network, 1, seed=3, law="cauchy")
    mix = Linear("mix", "x", [[[1.0]]], [[[1.0]]])
    residual = Network((Input("x", 1), mix, Add("sum", ("x", "mix"))), "sum")
    assert Source.for_network(residual, 5, seed=3).layers == (SourceLayer(1, 5, 1),)


def test_json_round_trip() -> None:
    source = Source(MAX_SEED, "uniform", SMALL)
    text = json.dumps(source.to_json())
    assert Source.from_json(json.loads(text)) == source
    assert json.loads(text)["seed"] == str(MAX_SEED)
    assert source.to_json() == {
        "format": "slth-source/1",
        "seed": "340282366920938463463374607431768211455",
        "law": "uniform",
        "layers": [{"inputs": 3, "copies": 4, "outputs": 5}, {"inputs": 6, "copies": 2, "outputs": 3}],
    }


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"format": "slth-source/2"}, "`source` must have format 'slth-source/1'; got 'slth-source/2'"),
        ({"seed": 5}, "`seed` must be a string of decimal digits; got 5"),
        ({"seed": "05"}, "`seed` must be a string of decimal digits; got '05'"),
        ({"seed": "-1"}, "`seed` must be a string of decimal digits"),
        ({"seed": "٣"}, "`seed` must be a string of decimal digits"),
        ({"seed": "9" * 39}, r"`seed` must be an integer in \[0, 3402"),
        ({"seed": "1" * 5000}, "`seed` must be a string of decimal digits"),
        ({"law": "cauchy"}, "`law` must be one of 'uniform', 'normal'; got 'cauchy'"),
        ({"law": None}, "`law` must be one of 'uniform', 'normal'; got None"),
        ({"layers": {}}, "`layers` must be a list of at most 10000 layers; got {}"),
        ({"layers": []}, "`layers` must hold 1 to 10000 layers; got 0"),
        ({"layers": [{}] * 10_001}, "`layers` must be a list of at most 10000 layers"),
        ({"layers": [3]}, r"`layers\[0\]` must be a JSON object; got int"),
        ({"layers": [{"inputs": 1, "copies": 1}]}, r"`layers\[0\]` must have the keys"),
        ({"layers": [{"inputs": 1, "copies": 1, "outputs": 1, "x": 1}]}, r"`layers\[0\]` must have the keys"),
        ({"layers": [{"inputs": 1.0, "copies": 1, "outputs": 1}]}, "`inputs` must be an integer"),
        ({"layers": [{"inputs": 1, "copies": True, "outputs": 1}]}, "`copies` must be an integer"),
        ({"layers": [{"inputs": 1, "copies": 1, "outputs": 2**31 + 1}]}, "`outputs` must be an integer"),
        ({"layers": [{"inputs": 0, "copies": 1, "outputs": 1}]}, "`inputs` must be an integer"),
        ({"extra": 1}, "`source` must have the keys"),
    ],
)
def test_from_json_rejects(change: dict[str, Any], match: str) -> None:
    data = Source(1, "uniform", SMALL).to_json()
    with pytest.raises(InvalidInput, match=match):
        Source.from_json({**data, **change})


def test_from_json_rejects_missing_keys_and_other_types() -> None:
    with pytest.raises(InvalidInput, match="`source` must be a JSON object; got list"):
        Source.from_json([])
    data = Source(1, "uniform", SMALL).to_json()
    for key in data:
        with pytest.raises(InvalidInput, match="`source` must have the keys"):
            Source.from_json({k: v for k, v in data.items() if k != key})


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((-1, "uniform", SMALL), r"`seed` must be an integer in \[0, 3402"),
        ((2**128, "uniform", SMALL), r"`seed` must be an integer in \[0, 3402"),
        ((1.5, "uniform", SMALL), "`seed` must be an integer"),
        ((True, "uniform", SMALL), "`seed` must be an integer"),
        ((0, "gauss", SMALL), "`law` must be one of 'uniform', 'normal'; got 'gauss'"),
        ((0, "uniform", ()), "`layers` must hold 1 to 10000 layers; got 0"),
        ((0, "uniform", SMALL[:1] * 10_001), "`layers` must hold 1 to 10000 layers; got 10001"),
        ((0, "uniform", (SMALL[0], (1, 2, 3))), "`layers` must hold SourceLayer; got tuple at index 1"),
    ],
)
def test_source_rejects(arguments: tuple[Any, ...], match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        Source(*arguments)


@pytest.mark.parametrize(
    ("method", "arguments", "match"),
    [
        ("matched", (2,), r"`layer` must be an integer in \[0, 1\]; got 2"),
        ("matched", (-1,), r"`layer` must be an integer in \[0, 1\]; got -1"),
        ("block", (0, 2, 0, 1), r"`sublayer` must be an integer in \[0, 1\]; got 2"),
        ("block", (0, 1, -1, 1), r"`start` must be an integer in \[0, 3\]; got -1"),
        ("block", (0, 1, 0, 4), r"`stop` must be an integer in \[0, 3\]; got 4"),
        ("block", (0, 1, 2, 1), r"`stop` must be an integer in \[2, 3\]; got 1"),
        ("weight", (0, 2, 0, 0, 0), r"`sublayer` must be an integer in \[0, 1\]; got 2"),
        ("weight", (0, 0, 3, 0, 0), r"`j` must be an integer in \[0, 2\]; got 3"),
        ("weight", (0, 0, 0, 4, 0), r"`c` must be an integer in \[0, 3\]; got 4"),
        ("weight", (0, 0, 0, 0, 3), r"`other` must be an integer in \[0, 2\]; got 3"),
        ("weight", (0, 1, 0, 0, 5), r"`other` must be an integer in \[0, 4\]; got 5"),
    ],
)
def test_places_outside_the_source_are_refused(method: str, arguments: tuple[int, ...], match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        getattr(Source(0, layers=SMALL), method)(*arguments)


def test_blocks_beyond_memory_are_refused_before_allocation() -> None:
    source = Source(0, layers=(SourceLayer(2**31, 2**31, 2**31),))
    for draw in (
        lambda: source.matched(0),
        lambda: of_owner(source, 0, 1, 0),
        lambda: of_owner(source, 0, 0, 0),
    ):
        with pytest.raises(CapacityExceeded, match=r"more than 4 GiB\. Ask for fewer hidden neurons at a time"):
            draw()


def test_source_is_frozen() -> None:
    source = Source(0, layers=SMALL)
    with pytest.raises(FrozenInstanceError, match="seed"):
        source.seed = 1  # type: ignore[misc]
    assert source == Source(0, "uniform", list(SMALL))  # type: ignore[arg-type]
    assert source != Source(1, "uniform", SMALL)


def test_law_maps_words_to_numerators() -> None:
    law = word_law("uniform")
    words = np.array([0, 2**40 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1], dtype=np.uint64)
    assert law.numerators(words).tolist() == [-(2**23), -(2**23), 1 - 2**23, -1, 0, 2**23 - 1]
    assert law.scale_bits == Source(0, layers=SMALL).scale_bits == 23
    with pytest.raises(InvalidInput, match="`law` must be one of 'uniform', 'normal'; got 3"):
        word_law(3)  # type: ignore[arg-type]


def test_normal_weights_are_quantiles_on_a_grid_that_float32_holds() -> None:
    law = word_law("normal")
    ends = np.array([0, 2**63 - 1, 2**63, 2**64 - 1], dtype=np.uint64)
    assert law.numerators(ends).tolist() == [-5683264, 0, 0, 5683264]
    words = np.arange(0, 2**64, 2**40 + 2**20, dtype=np.uint64)[: 2**20] * np.uint64(2**4)
    numerators = law.numerators(words.copy())
    ranks = ((words >> np.uint64(40)).astype(np.float64) + 0.5) / 2**24
    assert np.array_equal(numerators, np.rint(stats.norm.ppf(ranks) * 2**20))
    assert np.array_equal(numerators.astype(np.float32).astype(np.int64), numerators)
    source = Source(3, "normal", (SourceLayer(20, 50, 30),))
    values = source.block(0, 1, 0, 20) * 2.0**-source.scale_bits
    # 30,000 normal weights: the mean has s.d. 0.0058, the second moment 0.0082; 6 s.d. fail below 1e-8
    assert abs(values.mean()) < 6 * 0.0058
    assert abs((values**2).mean() - 1.0) < 6 * 0.0082
    assert values[3, 7, 11] == source.weight(0, 1, 3, 7, 11)
    assert Source.from_json(source.to_json()) == source
