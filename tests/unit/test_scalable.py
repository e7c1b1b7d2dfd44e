"""Coded songs: the size asked for, the length exact, the same bytes again, smaller without decoding, damage refused."""

import copy
import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch

import celesta
from celesta.audio import Audio, read, write
from celesta.codec import Codec, bitrate
from celesta.codec.bitrate import Target
from celesta.dsp.metrics import si_sdr
from celesta.entropy.table_file import load_tables
from celesta.entropy.window import NO_DETAIL, Settings, quantise, step_of
from celesta.errors import LatentError, ModelError, UsageError
from celesta.latents import CelReader, verify
from celesta.latents.header import pack, unpack
from celesta.models import registry
from celesta.models.nested import NestedConfig
from celesta.report.demo import CLIPS

SMALL = NestedConfig(encoder_width=16, encoder_depth=1, decoder_width=16, decoder_depth=1)


@pytest.fixture(scope="module")
def codec():
    """The codec's architecture, narrow and untrained: what it adds is next to nothing, so the detail is what counts."""
    torch.manual_seed(0)
    model = registry.build(SMALL)
    model.spread.copy_(torch.from_numpy(load_tables().spread))
    return Codec("nested", model, "0" * 64)


@pytest.fixture(scope="module")
def song():
    """Real music: made-up noise is flat, so that its coefficients come and go all at once."""
    return read(CLIPS / "reggae.ogg", mono=True, duration=12)


def kbps(path, sound):
    return path.stat().st_size * 8 / (sound.samples.shape[1] / sound.sample_rate) / 1000


def test_the_bitrate_is_met_and_more_bits_are_better(codec, song, tmp_path):
    found = []
    for wanted in (6, 12, 24, 64):
        file = tmp_path / f"{wanted}.cel"
        bitrate.encode_file(codec, song, file, Target(kbps=wanted))
        verify(file)
        assert 0.98 * wanted <= kbps(file, song) <= wanted
        codec.decode_file(file, tmp_path / "back.wav")
        back = read(tmp_path / "back.wav")
        assert back.samples.shape == song.samples.shape
        found.append(si_sdr(song.samples, back.samples))
    assert found == sorted(found)
    assert found[-1] > found[0] + 10


def test_quality_is_a_ladder(codec, song, tmp_path):
    sizes = []
    for quality in (0, 4, 7, 10):
        bitrate.encode_file(codec, song, tmp_path / "q.cel", Target(quality=quality))
        sizes.append(kbps(tmp_path / "q.cel", song))
    assert sizes == sorted(sizes)
    assert sizes[-1] > 10 * sizes[0]


def test_a_number_of_coefficients_is_kept_on_average(codec, song, tmp_path):
    for wanted in (2, 30):
        bitrate.encode_file(codec, song, tmp_path / "d.cel", Target(detail=wanted, channels=6))
        with CelReader(tmp_path / "d.cel") as reader:
            found = np.concatenate([n.detail for i in range(len(reader)) for n in reader.numbers(i)], axis=1)
            assert reader.meta.latent_dim == 6
        assert abs(np.count_nonzero(found) / found.shape[1] - wanted) < 0.2 * wanted


@pytest.mark.parametrize("n", [1, 1023, 44_101])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_any_length_and_channels(codec, music, tmp_path, n, channels):
    x = Audio(music(n, channels, 48_000, 1), 48_000)
    bitrate.encode_file(codec, x, tmp_path / "x.cel", Target(quality=3))
    codec.decode_file(tmp_path / "x.cel", tmp_path / "x.wav")
    assert read(tmp_path / "x.wav").samples.shape == (channels, n)


@pytest.mark.parametrize("kind", ["silence", "dc", "impulse", "noise", "clipped"])
def test_odd_sounds_have_defined_results(codec, tmp_path, kind):
    rng = np.random.default_rng(0)
    x = np.zeros((1, 30_000), np.float32)
    if kind == "dc":
        x += 0.5
    elif kind == "impulse":
        x[0, 15_000] = 1
    elif kind == "noise":
        x = rng.uniform(-1, 1, x.shape).astype(np.float32)
    elif kind == "clipped":
        x = np.clip(5 * np.sin(np.arange(30_000) / 30), -1, 1)[None].astype(np.float32)
    bitrate.encode_file(codec, Audio(x, 44_100), tmp_path / "x.cel", Target(kbps=24))
    z = celesta.Latent.load(tmp_path / "x.cel")
    back = codec.decode(z).samples
    assert np.isfinite(back).all()
    assert np.abs(back).max() < 4
    if kind == "silence":
        assert z.values.size == 0 or np.abs(z.values).max() == 0


def test_middle_and_side_are_chosen_where_they_cost_less(codec, music, tmp_path):
    one = 0.4 * music(88_200, 1, 44_100, 5)
    alike = Audio(np.concatenate([one, 0.97 * one]), 44_100)
    apart = Audio(np.concatenate([one, 0.4 * music(88_200, 1, 44_100, 6)]), 44_100)
    for sound, wanted in ((alike, 1), (apart, 0)):
        bitrate.encode_file(codec, sound, tmp_path / "s.cel", Target(quality=6))
        with CelReader(tmp_path / "s.cel") as reader:
            assert reader.meta.mid_side == wanted
        codec.decode_file(tmp_path / "s.cel", tmp_path / "s.wav")
        back = read(tmp_path / "s.wav").samples
        assert all(si_sdr(a[None], b[None]) > 8 for a, b in zip(sound.samples, back, strict=True))
        z = celesta.Latent.load(tmp_path / "s.cel")
        assert np.allclose(codec.decode(z).samples, back, atol=1e-4)


def test_same_bytes_again_and_whatever_the_source(codec, song, tmp_path):
    write(tmp_path / "song.wav", song)
    bitrate.encode_file(codec, read(tmp_path / "song.wav"), tmp_path / "a.cel", Target(kbps=8))
    bitrate.encode_file(codec, read(tmp_path / "song.wav"), tmp_path / "b.cel", Target(kbps=8))
    assert (tmp_path / "a.cel").read_bytes() == (tmp_path / "b.cel").read_bytes()
    # A file's name is in the header, which costs bits: at a quality it does not change the step.
    bitrate.encode_file(codec, read(tmp_path / "song.wav"), tmp_path / "a.cel", Target(quality=3))
    bitrate.encode_file(codec, tmp_path / "song.wav", tmp_path / "c.cel", Target(quality=3))
    with CelReader(tmp_path / "a.cel") as a, CelReader(tmp_path / "c.cel") as c:
        for i in range(len(a)):
            for one, other in zip(a.numbers(i), c.numbers(i), strict=True):
                assert one.step == other.step
                # The base is rounded from floats, which may differ in the last digit between block sizes.
                assert np.mean(one.base != other.base) < 1e-3
                assert np.mean(one.detail != other.detail) < 1e-4


def test_truncation_needs_no_decoding_and_is_nearly_as_good_as_encoding_anew(codec, song, tmp_path):
    bitrate.encode_file(codec, song, tmp_path / "large.cel", Target(kbps=48))
    bitrate.truncate_file(tmp_path / "large.cel", tmp_path / "small.cel", kbps=12)
    verify(tmp_path / "small.cel")
    size = kbps(tmp_path / "small.cel", song)
    assert 6 < size <= 12
    bitrate.encode_file(codec, song, tmp_path / "anew.cel", Target(kbps=size))
    found = []
    for name in ("small", "anew"):
        codec.decode_file(tmp_path / f"{name}.cel", tmp_path / "x.wav")
        found.append(si_sdr(song.samples, read(tmp_path / "x.wav").samples))
    assert found[0] > found[1] - 1.5
    bitrate.truncate_file(tmp_path / "large.cel", tmp_path / "base.cel", channels=2)
    with CelReader(tmp_path / "base.cel") as reader:
        assert reader.meta.latent_dim == 2
    codec.decode_file(tmp_path / "base.cel", tmp_path / "x.wav")
    with pytest.raises(UsageError, match="less than the 500"):
        bitrate.truncate_file(tmp_path / "large.cel", tmp_path / "y.cel", kbps=500)


def test_the_decoder_does_not_depend_on_the_encoders_rounding():
    """Whole numbers are what is coded: floats that differ in the last digits mostly give the same."""
    tables = load_tables()
    rng = np.random.default_rng(0)
    c = (rng.standard_normal((1024, 20)) * tables.spread[:, None]).astype(np.float32)
    b = rng.standard_normal((32, 20)).astype(np.float32)
    one, other = (quantise(b, x, Settings(640), tables) for x in (c, c * np.float32(1 + 1e-6)))
    assert np.mean(one.detail != other.detail) < 1e-4
    assert np.array_equal(one.base, other.base)
    assert not quantise(b, c, Settings(NO_DETAIL), tables).detail.any()
    assert step_of(688) == 2 * step_of(640)


def test_damage_is_one_line(codec, song, tmp_path):
    bitrate.encode_file(codec, Audio(song.samples[:, :60_000], 44_100), tmp_path / "x.cel", Target(kbps=12))
    whole = (tmp_path / "x.cel").read_bytes()
    rng = np.random.default_rng(0)
    bad = tmp_path / "bad.cel"
    for _ in range(300):
        data = bytearray(whole)
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        bad.write_bytes(data[: rng.integers(1, len(data))] if rng.random() < 0.2 else data)
        with pytest.raises(LatentError) as caught:
            verify(bad)
        assert "\n" not in str(caught.value)


def resealed(whole, payload):
    """The file with another payload of the same length and checksums that fit it."""
    meta = unpack(whole, len(whole), "test")[0]
    return pack(meta, hashlib.sha256(payload).hexdigest()) + payload


def test_damage_behind_fitting_checksums_is_an_error_or_sound_never_a_crash(codec, song, tmp_path):
    """What a hostile writer would make: every check of the header holds, the coded parts do not."""
    bitrate.encode_file(codec, Audio(song.samples[:, :30_000], 44_100), tmp_path / "x.cel", Target(kbps=16))
    whole = (tmp_path / "x.cel").read_bytes()
    start = unpack(whole, len(whole), "test")[2]
    rng = np.random.default_rng(0)
    bad, refused = tmp_path / "bad.cel", 0
    for turn in range(120):
        payload = bytearray(whole[start:])
        for at in rng.integers(0, 24 if turn % 3 == 0 else len(payload), rng.integers(1, 4)):
            payload[at] = rng.integers(256)
        bad.write_bytes(resealed(whole, bytes(payload)))
        try:
            codec.decode_file(bad, tmp_path / "back.wav")
        except LatentError:
            refused += 1
        else:
            assert read(tmp_path / "back.wav").samples.shape == (1, 30_000)
    assert 40 < refused < 120


def test_a_header_that_asks_for_much_is_refused(codec, song, tmp_path):
    bitrate.encode_file(codec, Audio(song.samples[:, :30_000], 44_100), tmp_path / "x.cel", Target(kbps=16))
    whole = (tmp_path / "x.cel").read_bytes()
    meta, digest, start = unpack(whole, len(whole), "test")
    lie = replace(meta, frames=1 << 18, window=meta.hop_length << 18)
    (tmp_path / "lie.cel").write_bytes(pack(lie, digest) + whole[start:])
    with pytest.raises(LatentError, match="frames"):
        verify(tmp_path / "lie.cel")


def test_two_thousand_mutations_are_all_noticed(codec, song, tmp_path):
    bitrate.encode_file(codec, Audio(song.samples[:, :20_000], 44_100), tmp_path / "x.cel", Target(kbps=8))
    whole = (tmp_path / "x.cel").read_bytes()
    rng = np.random.default_rng(0)
    bad = tmp_path / "bad.cel"
    for _ in range(2_000):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), rng.integers(1, 6)):
            data[at] ^= rng.integers(1, 256)
        bad.write_bytes(data)
        if data == whole:  # two changes of one byte that undo each other
            continue
        with pytest.raises(LatentError):
            verify(bad)


def test_long_songs_are_searched_on_some_of_their_windows(codec, song, tmp_path):
    long = Audio(np.tile(song.samples, 9), song.sample_rate)
    bitrate.encode_file(codec, long, tmp_path / "x.cel", Target(kbps=10))
    assert 0.95 * 10 <= kbps(tmp_path / "x.cel", long) <= 10


def test_bfloat16_is_near_float32(codec, song, tmp_path):
    """What the networks compute in changes the base by rounding, not the sound."""
    narrow = Codec("nested", copy.deepcopy(codec.model), "0" * 64, precision="bfloat16")
    one = Audio(song.samples[:, :88_200], song.sample_rate)
    found = []
    for coder in (codec, narrow):
        bitrate.encode_file(coder, one, tmp_path / "x.cel", Target(quality=6))
        coder.decode_file(tmp_path / "x.cel", tmp_path / "x.wav")
        found.append(read(tmp_path / "x.wav").samples)
    assert si_sdr(*found) > 25


@pytest.fixture(scope="module")
def shipped():
    """The codec as it ships."""
    return celesta.load("nested")


def test_no_error_at_window_borders_above_elsewhere(shipped, tmp_path):
    """Four windows of music: what is lost within 50 ms of their borders is no more than elsewhere."""
    clip = read(CLIPS / "house.ogg", mono=True, start=2, duration=8)
    x = Audio(np.tile(clip.samples, 5)[:, : 4 * shipped.model.window], clip.sample_rate)
    bitrate.encode_file(shipped, x, tmp_path / "x.cel", Target(kbps=16))
    shipped.decode_file(tmp_path / "x.cel", tmp_path / "x.wav")
    error = (read(tmp_path / "x.wav").samples - x.samples)[0] ** 2
    at = np.arange(len(error)) % shipped.model.window
    near = np.minimum(at, shipped.model.window - at) < 2_205
    near[:2_205], near[-2_205:] = False, False
    # Music is no steadier than that: the same share of frames elsewhere differs as much from place to place.
    elsewhere = [error[i : i + 4_410].mean() for i in range(44_100, len(error) - 44_100, 4_410)]
    assert error[near].mean() < np.quantile(elsewhere, 0.9)


def test_one_or_two_threads_code_the_same_numbers(shipped, song, tmp_path):
    """Floats may differ in the last digits, and whole numbers then here and there; equal numbers give equal bytes."""
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            bitrate.encode_file(shipped, song, tmp_path / f"{count}.cel", Target(quality=5))
            with CelReader(tmp_path / f"{count}.cel") as reader:
                found.append([n for i in range(len(reader)) for n in reader.numbers(i)])
    finally:
        torch.set_num_threads(threads)
    pairs = [(getattr(a, part), getattr(b, part)) for a, b in zip(*found, strict=True) for part in ("base", "detail")]
    assert all(np.mean(one != other) < 1e-4 for one, other in pairs)
    same = all(np.array_equal(one, other) for one, other in pairs)
    assert ((tmp_path / "1.cel").read_bytes() == (tmp_path / "2.cel").read_bytes()) == same


def test_wrong_use(codec, song, tmp_path):
    with pytest.raises(ModelError, match="cannot be coded to a bitrate"):
        bitrate.encode_file(celesta.load("linear-64"), song, tmp_path / "x.cel", Target(kbps=8))
    with pytest.raises(UsageError, match="not several"):
        Target(kbps=8, quality=3)
    with pytest.raises(UsageError, match="not several"):
        Target(kbps=8, detail=3)
    for wrong in ({"kbps": 0.1}, {"quality": 11}, {"channels": 0}, {"detail": -1}):
        with pytest.raises(UsageError):
            Target(**wrong)
