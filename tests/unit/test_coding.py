import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import celesta
from celesta.audio import Audio
from celesta.errors import LatentError, UsageError
from celesta.evaluation import latent_coder


def latent(music, model="linear-16", seed=0):
    return celesta.load(model).encode(Audio(music(40_000, sample_rate=22_050, seed=seed), 22_050))


@pytest.fixture
def tables(music):
    return latent_coder.fit_tables([latent(music, seed=1)], 0.02, relative=False)


def test_comes_back_exactly(music, tables):
    x = next(latent_coder.dense_rows(latent(music, seed=2), 0))
    q = latent_coder.quantise(x, tables.steps)
    assert np.abs(q).max() > 0
    assert np.array_equal(latent_coder.decode(latent_coder.encode(q, tables), tables), q)
    assert np.abs(q * tables.steps[:, None] - x).max() <= 0.5 * tables.steps.max() * 1.001


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**31 - 1), st.sampled_from([0, 1, 30, 2**20]))
def test_any_integers_come_back(frames, seed, largest):
    counts = np.ones((5, latent_coder.CONTEXTS, 2 * latent_coder.LARGEST + 2), np.int64)
    tables = latent_coder.Tables(np.ones(5, np.float32), latent_coder._as_integers(counts), 0)
    q = np.random.default_rng(seed).integers(-largest, largest + 1, (5, frames)).astype(np.int32)
    assert np.array_equal(latent_coder.decode(latent_coder.encode(q, tables), tables), q)


def test_size_is_near_the_tables_code_length_and_falls_with_the_step(music):
    x = next(latent_coder.dense_rows(latent(music, seed=2), 0))
    sizes = []
    for step in (0.005, 0.02, 0.08):
        tables = latent_coder.fit_tables([latent(music, seed=1)], step, relative=False)
        q = latent_coder.quantise(x, tables.steps)
        ideal = 0.0
        for r, context in latent_coder._contexts(q):
            ideal -= np.log2(tables.counts[r, context, latent_coder._symbol(q[r])] / 65_536).sum()
        size = len(latent_coder.encode(q, tables))
        assert ideal / 8 <= size <= ideal / 8 * 1.01 + 40 + 3 * (np.abs(q) > latent_coder.LARGEST).sum()
        sizes.append(size)
    assert sizes[0] > sizes[1] > sizes[2]


def test_context_pays(music):
    q = latent_coder.quantise(next(latent_coder.dense_rows(latent(music, seed=2), 0)), np.full(16, 0.02, np.float32))
    tables = latent_coder.fit_tables([latent(music, seed=1)], 0.02, relative=False)
    rows = np.repeat(tables.counts.mean(axis=1, keepdims=True), latent_coder.CONTEXTS, axis=1)
    blind = latent_coder.Tables(tables.steps, latent_coder._as_integers(rows), 0)
    assert len(latent_coder.encode(q, tables)) < len(latent_coder.encode(q, blind))


def test_sparse_detail_comes_back(music):
    z = latent(music, "sparse-16", seed=3)
    tables = latent_coder.fit_tables([latent(music, "sparse-16")], 0.02, relative=False, bands=512)
    rows = next(latent_coder.dense_rows(z, 512))
    assert np.count_nonzero(rows) <= z.values.size
    base, _places, values = latent_coder.gather(rows, z, 0, 512)
    assert len(base) == 0
    assert np.array_equal(values, z.timeline()[2][0])
    q = latent_coder.quantise(rows, tables.steps)
    assert np.array_equal(latent_coder.decode(latent_coder.encode(q, tables), tables), q)


def test_every_damaged_byte_is_noticed(music, tables):
    q = latent_coder.quantise(next(latent_coder.dense_rows(latent(music, seed=2), 0)), tables.steps)
    data = latent_coder.encode(q, tables)
    for at in range(0, len(data), 7):
        broken = bytearray(data)
        broken[at] ^= 1 << at % 8
        with pytest.raises(LatentError):
            latent_coder.decode(bytes(broken), tables)
    for length in (0, 5, 23, 24, len(data) - 1):
        with pytest.raises(LatentError):
            latent_coder.decode(data[:length], tables)


def test_wrong_arguments(music, tables):
    with pytest.raises(UsageError):
        latent_coder.fit_tables([latent(music)], 0, relative=True)
    with pytest.raises(UsageError):
        latent_coder.fit_tables([], 1, relative=True)
    with pytest.raises(UsageError):
        latent_coder.encode(np.zeros((3, 4), np.int32), tables)
