"""Compiled Philox words against numpy's stream, published vectors and plain Python integers."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slth._jit.philox import block, fill_edges, fill_rows, multiply, round_keys

JIT_OFF = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
words = st.integers(0, 2**64 - 1)


@pytest.mark.parametrize(
    ("counter", "seed", "answer"),
    [  # kat_vectors of Random123, philox4x64 with 10 rounds
        (
            (0, 0, 0, 0),
            0,
            (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B),
        ),
        (
            (2**64 - 1,) * 4,
            2**128 - 1,
            (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0),
        ),
        (
            (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89),
            0x452821E638D01377 + (0xBE5466CF34E90C6C << 64),
            (0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6),
        ),
    ],
)
def test_published_vectors(counter: tuple[int, ...], seed: int, answer: tuple[int, ...]) -> None:
    assert tuple(int(w) for w in block(round_keys(seed), *map(np.uint64, counter))) == answer


@given(words, words)
@example(2**64 - 1, 2**64 - 1)
@example(0, 2**64 - 1)
@example(2**32, 2**32 - 1)
@example(2**32 - 1, 2**32 + 1)
def test_multiply_is_the_exact_product(a: int, b: int) -> None:
    high, low = multiply(np.uint64(a), np.uint64(b >> 32), np.uint64(b % 2**32))
    assert (int(high) << 64) + int(low) == a * b


@given(st.integers(0, 2**128 - 1))
@example(2**64)
@example(2**128 - 1)
def test_seed_splits_into_key_words_as_numpy_does(seed: int) -> None:
    key = np.random.Philox(key=seed).state["state"]["key"]
    assert round_keys(seed)[0].tolist() == key.tolist()


places = st.lists(st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1)), min_size=1, max_size=3)


@given(st.integers(0, 2**128 - 1), st.integers(0, 2 * 10**4 + 1), places, st.integers(0, 9))
def test_rows_equal_numpy(seed: int, stream: int, where: list[tuple[int, int]], width: int) -> None:
    owners, copies = np.array(where).T.copy()
    out = np.zeros((len(where), width), dtype=np.uint64)
    fill_rows(round_keys(seed), np.uint64(stream), owners, copies, out)
    for row, (j, c) in zip(out, where, strict=True):
        numpy_stream = np.random.Philox(key=seed, counter=[0, c, j, stream])
        assert row.tolist() == numpy_stream.random_raw(width).tolist()


@given(st.integers(0, 2**128 - 1), st.integers(0, 2 * 10**4), places, st.integers(0, 999))
def test_single_edges_equal_numpy(seed: int, stream: int, where: list[tuple[int, int]], end: int) -> None:
    owners, copies = np.array(where).T.copy()
    ends, out = end + np.arange(len(where)), np.zeros(len(where), dtype=np.uint64)
    fill_edges(round_keys(seed), np.uint64(stream), owners, copies, ends, out)
    for word, (j, c), other in zip(out, where, ends, strict=True):
        numpy_stream = np.random.Philox(key=seed, counter=[0, c, j, stream])
        assert int(word) == int(numpy_stream.random_raw(other + 1)[other])


@pytest.mark.compiled
@pytest.mark.skipif(JIT_OFF, reason="signatures exist only when compiled")
def test_one_signature_per_routine() -> None:
    keys, numbers = round_keys(1), np.arange(3)
    block_of_words = np.zeros((3, 4), dtype=np.uint64)
    for part in (slice(0, 3), slice(1, 2)):
        fill_rows(keys, np.uint64(1), numbers[part], numbers[part], block_of_words[part])
        fill_edges(keys, np.uint64(0), numbers[part], numbers[part], numbers[part], block_of_words[0, part])
    assert len(fill_rows.signatures) == 1  # type: ignore[attr-defined]
    assert len(fill_edges.signatures) == 1  # type: ignore[attr-defined]


@pytest.mark.compiled
@pytest.mark.skipif(JIT_OFF, reason="speed of compiled code")
def test_fast_enough_to_draw_sources_on_demand() -> None:
    """An order of magnitude below the measured 75 M words/s, so that only a real loss of speed fails."""
    out = np.zeros((2048, 128), dtype=np.uint64)
    keys, (owners, copies) = round_keys(5), np.divmod(np.arange(2048), 32)
    fill_rows(keys, np.uint64(1), owners, copies, out)
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        fill_rows(keys, np.uint64(1), owners, copies, out)
        best = min(best, time.perf_counter() - start)
    assert out.size / best > 5e6
