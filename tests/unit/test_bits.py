"""The codec's numbers as bytes: exact there and back, small, and never more than an error when damaged."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from celesta.entropy import base, detail
from celesta.entropy.table_file import load_tables
from celesta.entropy.tables import TOTAL, BitTables, as_shares
from celesta.errors import LatentError, UsageError

BANDS = 64


def numbers(frames=40, seed=0, density=0.15, channels=8):
    """A detail with tones and noise, and a base that wanders."""
    rng = np.random.default_rng(seed)
    q = np.where(rng.random((BANDS, frames)) < density * np.linspace(2, 0, BANDS)[:, None], 1, 0)
    q = q * rng.geometric(0.5, q.shape) * rng.choice([-1, 1], q.shape)
    q[10] = 5 + rng.integers(0, 3, frames)
    b = np.cumsum(rng.integers(-2, 3, (channels, frames)), axis=1)
    return q.astype(np.int32), b.astype(np.int32)


@pytest.fixture(scope="module")
def tables():
    found, moves = detail.DetailCounts(), base.BaseCounts(8)
    for seed in range(6):
        q, b = numbers(100, seed + 100)
        found.add(q)
        moves.add(b)
    return BitTables(*found.tables(), moves.table(), np.ones(BANDS, np.float32))


@settings(max_examples=40, deadline=None)
@given(frames=st.integers(1, 30), seed=st.integers(0, 1000), density=st.floats(0, 1), huge=st.booleans())
def test_there_and_back_exactly(tables, frames, seed, density, huge):
    q, b = numbers(frames, seed, density)
    if huge:
        q[3, 0], b[2, -1] = -100_000, 40_000
    assert np.array_equal(detail.decode(detail.encode(q, tables), BANDS, frames, tables), q)
    assert np.array_equal(base.decode(base.encode(b, tables), 8, frames, tables), b)
    assert np.array_equal(base.decode(base.encode(b[4:6], tables, 4), 2, frames, tables, 4), b[4:6])


def test_nothing_costs_nothing(tables):
    silent = np.zeros((BANDS, 20), np.int32)
    assert detail.encode(silent, tables) == b""
    assert np.array_equal(detail.decode(b"", BANDS, 20, tables), silent)
    assert base.encode(np.zeros((0, 20), np.int32), tables) == b""
    assert base.decode(b"", 0, 20, tables).shape == (0, 20)


def test_size_is_near_the_ideal_code_length(tables):
    """The tables' own entropy of the numbers, a bit a sign; the coder may cost a few words more."""
    q, _ = numbers(400, 7)
    bits = 0.0
    for cell, row, numbers_ in detail._walk(q, BANDS):
        share = tables.found.ravel()[cell] / TOTAL
        some = numbers_ != 0
        bits -= np.log2(np.where(some, share, 1 - share)).sum()
        sizes = np.minimum(np.abs(numbers_[some]), detail.LARGEST) - 1
        bits += some.sum() - np.log2(tables.size[row, sizes] / TOTAL).sum()
    coded = 8 * len(detail.encode(q, tables))
    assert bits <= coded < 1.01 * bits + 400
    assert abs(detail.cost(q, tables) - coded) < 0.01 * coded + 100


def test_contexts_pay(tables):
    """Coding with what is known of the neighbours takes fewer bits than without."""
    q, _ = numbers(400, 8)
    blind_counts = detail.DetailCounts()
    blind_counts.add(numbers(400, 9)[0])
    flat = blind_counts.found.sum((0, 1, 2, 3))
    found = np.full_like(tables.found, int(TOTAL * flat[1] / flat.sum()))
    size = np.broadcast_to(as_shares(blind_counts.size.sum(0), blind_counts.size.sum(0)), tables.size.shape)
    blind = BitTables(found, np.ascontiguousarray(size), tables.move, tables.spread)
    assert len(detail.encode(q, tables)) < 0.93 * len(detail.encode(q, blind))


@pytest.mark.parametrize("coder", [detail, base])
def test_any_damage_is_an_error_or_other_numbers_never_a_crash(tables, coder):
    q, b = numbers(40)
    sizes = (BANDS, 40) if coder is detail else (8, 40)
    whole = coder.encode(q if coder is detail else b, tables)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        bad = bytearray(whole)
        for at in rng.integers(0, len(bad), rng.integers(1, 4)):
            bad[at] = rng.integers(256)
        bad = bytes(bad[: rng.integers(1, len(bad) + 1)] if rng.random() < 0.3 else bad)
        try:
            found = coder.decode(bad, *sizes, tables)
        except LatentError:
            refused += 1
        else:
            assert found.shape == sizes
    assert refused > 100


def test_tables_are_whole_probabilities(tables):
    assert (tables.size.sum(-1) == TOTAL).all()
    assert (tables.move.sum(-1) == TOTAL).all()
    with pytest.raises(UsageError, match="int32"):
        BitTables(tables.found.astype(float), tables.size, tables.move, tables.spread)
    with pytest.raises(UsageError, match="add up"):
        BitTables(tables.found, tables.size, np.maximum(tables.move - 1, 1), tables.spread)


def test_shipped_tables_are_those_of_music():
    """A coefficient in silence is rare, one among large neighbours is not: rows of the file are where they belong."""
    shipped = load_tables().bits
    assert (shipped.found[3:, :, 0, 0] < 0.1 * TOTAL).all()
    assert (shipped.found[3:, 2:6, 6, -1] > 0.4 * TOTAL).all()
