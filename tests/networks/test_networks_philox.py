"""Compiled Philox words against numpy's stream, published vectors and plain Python integers."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slth._jit.philox import block, fill_matched, fill_words, multiply, round_keys

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


@given(
    seed=st.integers(0, 2**128 - 1),
    stream=st.integers(0, 2 * 10**4 + 1),
    first_j=st.integers(0, 2**31 - 3),
    first_c=st.integers(0, 2**31 - 3),
    shape=st.tuples(st.integers(1, 2), st.integers(1, 2), st.integers(0, 9)),
)
def test_words_equal_numpy(
    seed: int, stream: int, first_j: int, first_c: int, shape: tuple[int, int, int]
) -> None:
    out = np.zeros(shape, dtype=np.uint64)
    fill_words(round_keys(seed), np.uint64(stream), first_j, first_c, out)
    for j in range(shape[0]):
        for c in range(shape[1]):
            numpy_stream = np.random.Philox(key=seed, counter=[0, first_c + c, first_j + j, stream])
            assert out[j, c].tolist() == numpy_stream.random_raw(shape[2]).tolist()


@given(st.integers(0, 2**128 - 1), st.integers(0, 2 * 10**4), st.integers(0, 999))
def test_matched_words_equal_numpy(seed: int, stream: int, first_j: int) -> None:
    out = np.zeros((5, 2), dtype=np.uint64)
    fill_matched(round_keys(seed), np.uint64(stream), first_j, out)
    for j in range(first_j, first_j + 5):
        for c in range(2):
            expected = np.random.Philox(key=seed, counter=[0, c, j, stream]).random_raw(j + 1)[j]
            assert int(out[j - first_j, c]) == int(expected)


@pytest.mark.compiled
@pytest.mark.skipif(JIT_OFF, reason="signatures exist only when compiled")
def test_one_signature_per_routine() -> None:
    keys = round_keys(1)
    block_of_words = np.zeros((2, 3, 4), dtype=np.uint64)
    for part in (block_of_words, block_of_words[:1], block_of_words[1:, 1:2]):
        fill_words(keys, np.uint64(1), 0, 0, part)
    fill_matched(keys, np.uint64(0), 3, block_of_words[0])
    assert len(fill_words.signatures) == 1  # type: ignore[attr-defined]
    assert len(fill_matched.signatures) == 1  # type: ignore[attr-defined]


@pytest.mark.compiled
@pytest.mark.skipif(JIT_OFF, reason="speed of compiled code")
def test_fast_enough_to_draw_sources_on_demand() -> None:
    """An order of magnitude below the measured 75 M words/s, so that only a real loss of speed fails."""
    out = np.zeros((64, 32, 128), dtype=np.uint64)
    keys = round_keys(5)
    fill_words(keys, np.uint64(1), 0, 0, out)
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        fill_words(keys, np.uint64(1), 0, 0, out)
        best = min(best, time.perf_counter() - start)
    assert out.size / best > 5e6
