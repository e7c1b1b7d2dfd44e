"""Windows with a band envelope: what is coded comes back, hostile bytes are refused, indices mean powers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from celesta.dsp import band_envelope as bands
from celesta.entropy import envelope as envelope_coder
from celesta.entropy import window as bits
from celesta.entropy.base import BaseCounts
from celesta.entropy.detail import DetailCounts
from celesta.entropy.envelope import EnvelopeCounts
from celesta.entropy.envelope_tables import EnvelopeTables
from celesta.entropy.rest import RestCounts, thresholds
from celesta.entropy.table_file import Tables
from celesta.entropy.tables import BitTables
from celesta.entropy.window import NO_DETAIL, Numbers, Settings, step_keeping
from celesta.errors import LatentError, UsageError
from celesta.models import envelope as torch_envelope

FRAMES, CHANNELS = 24, 4


def blank() -> Tables:
    spread = np.geomspace(0.3, 1.2, 1024).astype(np.float32)
    level = np.rint(320 * np.log10(np.add.reduceat(spread, bands.EDGES[:-1]) / bands.WIDTHS)).astype(np.int32)
    made = BitTables(*DetailCounts().tables(), BaseCounts(CHANNELS).table(), spread)
    return Tables(made, EnvelopeTables.blank(level=level))


def music(seed: int, frames: int = FRAMES) -> np.ndarray:
    """Coefficients ``(1024, frames)`` whose level falls with frequency and varies in time."""
    rng = np.random.default_rng(seed)
    slope = 10 ** (-np.arange(1024)[:, None] / 400 - rng.uniform(0, 2))
    made: np.ndarray = rng.laplace(size=(1024, frames)) * slope * 10 ** rng.normal(0, 0.3, frames)
    return made.astype(np.float32)


def numbers(seed: int, share: float, power: int, tables: Tables, frames: int = FRAMES) -> Numbers:
    c = music(seed, frames)
    base = np.random.default_rng(seed).normal(size=(CHANNELS, frames))
    envelope = bits.envelope_of(c, tables)
    magnitude = np.abs(c) / bits.unit(envelope, power, tables)
    step = step_keeping(float(np.quantile(magnitude, 1 - share)))
    return bits.quantise(base, c, Settings(step, power), tables, envelope)


def same(a: Numbers, b: Numbers) -> None:
    for name in ("base", "envelope", "detail", "rest"):
        assert np.array_equal(getattr(a, name), getattr(b, name)), name
    assert a.settings == b.settings


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(0.001, 0.5), st.integers(0, 16), st.sampled_from([4, 8, 36, 108]))
def test_what_is_coded_comes_back(seed: int, share: float, power: int, frames: int) -> None:
    tables = blank()
    made = numbers(seed, share, power, tables, frames)
    parts = bits.encode(made, tables)
    same(made, bits.decode(parts, made.settings, CHANNELS, frames, tables))
    # The estimate leaves out what every part spends on its own sizes.
    coded = 8 * len(parts[2] + parts[3])
    assert abs(bits.detail_cost(made, tables) - coded) < 0.02 * coded + 400


def test_without_a_detail_only_envelope_and_base_are_coded() -> None:
    tables, c = blank(), music(1)
    envelope = bits.envelope_of(c, tables)
    made = bits.quantise(np.ones((CHANNELS, FRAMES)), c, Settings(NO_DETAIL, 3), tables, envelope)
    parts = bits.encode(made, tables)
    assert parts[2:] == [b"", b""]
    assert bits.detail_cost(made, tables) == 0
    same(made, bits.decode(parts, Settings(NO_DETAIL, 3), CHANNELS, FRAMES, tables))
    assert not bits.coefficients(made, tables).any()
    with pytest.raises(LatentError, match="without a step"):
        bits.decode([*parts[:2], b"1234", b""], Settings(NO_DETAIL, 3), CHANNELS, FRAMES, tables)


def test_silence_costs_next_to_nothing() -> None:
    tables, c = blank(), np.zeros((1024, FRAMES), np.float32)
    envelope = bits.envelope_of(c, tables)
    assert not envelope.any()
    made = bits.quantise(np.zeros((CHANNELS, FRAMES)), c, Settings(300, 8), tables, envelope)
    same(made, bits.decode(bits.encode(made, tables), Settings(300, 8), CHANNELS, FRAMES, tables))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_hostile_bytes_are_refused_or_decode_to_numbers_in_range(data: st.DataObject) -> None:
    tables = blank()
    made = numbers(3, 0.05, 5, tables)
    parts = bits.encode(made, tables)
    part = data.draw(st.integers(0, 3))
    broken = bytearray(parts[part])
    kind = data.draw(st.sampled_from(["flip", "cut", "random"]))
    if kind == "flip" and broken:
        broken[data.draw(st.integers(0, len(broken) - 1))] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del broken[data.draw(st.integers(0, len(broken))) :]
    else:
        broken = bytearray(data.draw(st.binary(max_size=300)))
    parts[part] = bytes(broken)
    try:
        found = bits.decode(parts, made.settings, CHANNELS, FRAMES, tables)
    except LatentError:
        return
    assert found.envelope.min() >= 0
    assert found.envelope.max() <= bands.LARGEST
    assert (found.rest >= 0).all()
    assert (found.rest <= found.envelope).all()


@pytest.mark.parametrize(("step", "power", "frames"), [(-1, 0, 24), (1024, 0, 24), (500, 17, 24), (500, 0, 23)])
def test_impossible_numbers_are_refused(step: int, power: int, frames: int) -> None:
    tables = blank()
    parts = bits.encode(numbers(1, 0.1, 3, tables), tables)
    with pytest.raises(LatentError):
        bits.decode(parts, Settings(step, power), CHANNELS, frames, tables)


def test_the_envelope_leans_by_at_most_three_quarters_of_a_step() -> None:
    tables, c = blank(), music(7, 108)
    level = bands.levels(bands.cell_sums(c**2) / bands.SIZES[:, None])
    assert np.abs(bits.envelope_of(c, tables) - level).max() <= 0.75 + 1e-5
    assert np.array_equal(envelope_coder.quantise(level, tables.envelope, 0), np.rint(level))


def test_what_is_left_out_has_the_coded_power() -> None:
    tables, c = blank(), music(5, 108)
    made = numbers(5, 0.1, 5, tables, 108)
    left = np.where(made.detail == 0, c, 0)
    count = bands.cell_sums((made.detail == 0).astype(float))
    partly = (count > 0) & (count < bands.SIZES[:, None]) & (made.rest > 0) & (made.rest < made.envelope)
    power = bands.cell_sums(left**2) / np.maximum(count, 1)
    off = bands.decibels(made.rest) - 10 * np.log10(np.maximum(power, 1e-20))
    assert partly.sum() > 50
    assert np.abs(off[partly]).max() <= bands.STEP_DB / 2 + 1e-3


def test_fitted_tables_take_fewer_bits() -> None:
    tables = blank()
    songs = [numbers(seed, 0.1, 4, tables, 108) for seed in range(12)]
    envelopes, rests, details = EnvelopeCounts(), RestCounts(), DetailCounts()
    for n in songs:
        at = thresholds(n.envelope, n.step, n.settings.power, tables.envelope)
        envelopes.add(n.envelope)
        rests.add(bits.cells(n.envelope, at, n.detail), n.rest)
        details.add(n.detail, bits.contexts(n.envelope, at))
    level = tables.envelope.level
    fitted = Tables(
        BitTables(*details.tables(), tables.bits.move, tables.bits.spread),
        EnvelopeTables(*envelopes.fit(), rests.fit(), level),
    )
    before, after = ([sum(map(len, bits.encode(n, t))) for n in songs] for t in (tables, fitted))
    assert sum(after) < 0.8 * sum(before)
    same(songs[0], bits.decode(bits.encode(songs[0], fitted), songs[0].settings, CHANNELS, 108, fitted))


def test_tables_of_other_shapes_are_refused() -> None:
    made = EnvelopeTables.blank()
    with pytest.raises(UsageError, match="weights"):
        EnvelopeTables(made.weights[:1], made.offset, made.drop, made.level)
    with pytest.raises(UsageError, match="add up"):
        EnvelopeTables(made.weights, made.offset + 1, made.drop, made.level)
    with pytest.raises(UsageError, match="32768"):
        EnvelopeTables(made.weights, made.offset, made.drop, made.level + (1 << 20))


def test_torch_and_numpy_agree_on_cells() -> None:
    c, cells = music(2), torch_envelope.Cells()
    t = torch.from_numpy(c.T.copy())[None]
    assert np.allclose(cells.sum(t)[0].T.numpy(), bands.cell_sums(c), rtol=1e-4, atol=1e-6)
    index = np.rint(bands.levels(bands.cell_sums(c**2) / bands.SIZES[:, None]))
    assert (np.abs(cells.envelope(t)[0].T.numpy() - index) <= 1).all()
    assert np.mean(cells.envelope(t)[0].T.numpy() != index) < 0.01
    assert np.array_equal(
        cells.spread(torch.from_numpy(index.T.astype(np.float32))[None])[0].T.numpy(), bands.over_coefficients(index)
    )
    power = torch_envelope.to_power(torch.tensor([0.0, 1.0, 32.0]))
    assert power.tolist() == pytest.approx([0, 10**-9.3, 1.0])
