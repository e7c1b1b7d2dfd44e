"""Coded files of a codec with a band envelope: bitrates, edits, truncation, damage, stretches."""

from __future__ import annotations

import dataclasses
import shutil
import tracemalloc
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from celesta import truncate
from celesta.audio import Audio, AudioSource, read, write
from celesta.codec import Codec, bitrate
from celesta.codec.replay import Replay
from celesta.dsp import band_envelope as bands
from celesta.dsp.metrics import mel_distance, si_sdr
from celesta.entropy.table_file import load_tables
from celesta.errors import LatentError, LatentWarning, UsageError
from celesta.latents import CelReader, Latent, verify
from celesta.latents.header import pack, unpack
from celesta.latents.rate_control import BASE_CHANNELS
from celesta.models import registry
from celesta.models.nested2 import Nested2Config
from celesta.report.demo import CLIPS

SMALL = Nested2Config(encoder_width=16, encoder_depth=1, decoder_width=16, decoder_depth=1)
WINDOW = 432 * 1024 / 44_100


@pytest.fixture(scope="module")
def codec() -> Codec:
    """The architecture, narrow and untrained: it adds noise of the coded power."""
    torch.manual_seed(0)
    model = registry.build(SMALL)
    model.spread.copy_(torch.from_numpy(load_tables(50).spread))
    return Codec("nested2", model, "0" * 64, device="cpu")


@pytest.fixture(scope="module")
def song() -> Audio:
    """Three windows and a bit of real stereo music."""
    clip = read(CLIPS / "reggae.ogg", duration=15)
    return Audio(np.tile(clip.samples, 3)[:, : 33 * 44_100], clip.sample_rate)


@pytest.fixture(scope="module")
def coded(codec: Codec, song: Audio, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("coded") / "song.cel"
    codec.encode_file(song, path, kbps=24)
    return path


def decoded(codec: Codec, path: Path, **options: object) -> np.ndarray:
    target = path.with_suffix(".wav")
    codec.decode_file(path, target, **options)  # type: ignore[arg-type]
    return read(target).samples


def test_bitrates_are_met_and_more_bits_are_better(codec: Codec, song: Audio, tmp_path: Path) -> None:
    short = Audio(song.samples[:, : 12 * 44_100], 44_100)
    found = []
    for kbps in (8, 16, 48):
        made = codec.encode_file(short, tmp_path / "x.cel", kbps=kbps)
        verify(tmp_path / "x.cel")
        assert 0.98 * kbps <= made.kbps <= kbps
        found.append(si_sdr(short.samples, decoded(codec, tmp_path / "x.cel")))
    assert found == sorted(found)
    assert found[-1] > found[0] + 6


def test_qualities_are_a_ladder_and_do_not_depend_on_the_level(codec: Codec, song: Audio, tmp_path: Path) -> None:
    short = Audio(song.samples[:, : 6 * 44_100], 44_100)
    sizes = [codec.encode_file(short, tmp_path / "x.cel", quality=q).n_bytes for q in (1, 5, 9)]
    assert sizes == sorted(sizes)
    assert sizes[2] > 4 * sizes[0]
    soft = codec.encode_file(Audio(short.samples * 0.1, 44_100), tmp_path / "x.cel", quality=5)
    assert abs(soft.n_bytes / sizes[1] - 1) < 0.12


def test_a_song_that_was_read_has_envelope_and_settings(coded: Path) -> None:
    z = Latent.load(coded)
    assert z.envelope is not None
    assert z.envelope.shape == (4, 2, 50, 108)
    assert z.latent_dim == BASE_CHANNELS[2]
    with CelReader(coded) as reader:
        assert (reader.encoding, reader.meta.envelope) == ("coded-2", 50)
        numbers = reader.numbers(1)[0]
        assert np.array_equal(bands.decibels(numbers.envelope), z.envelope[1, 0, :25])
        assert {one.step for row in reader.settings() for one in row} == {numbers.step}


def test_saving_again_changes_no_number(coded: Path, tmp_path: Path) -> None:
    z = Latent.load(coded)
    z.save(tmp_path / "again.cel")
    with CelReader(coded) as a, CelReader(tmp_path / "again.cel") as b:
        for i in range(len(a)):
            for one, other in zip(a.numbers(i), b.numbers(i), strict=True):
                assert one.settings == other.settings
                for part in ("base", "envelope", "detail"):
                    assert np.array_equal(getattr(one, part), getattr(other, part)), part
                assert np.mean(one.rest != other.rest) < 0.01


@pytest.mark.parametrize("saved", [False, True])
def test_six_decibels_of_envelope_are_six_of_output(codec: Codec, coded: Path, tmp_path: Path, saved: bool) -> None:
    z = Latent.load(coded)
    assert z.envelope is not None
    louder = z.replace(envelope=np.where(z.envelope > bands.FLOOR_DB, z.envelope + 6, z.envelope))
    assert np.array_equal(z.equalise(6.0).values, louder.values)
    if saved:
        louder.save(tmp_path / "louder.cel", kbps=48)
        louder = Latent.load(tmp_path / "louder.cel")
    one, other = codec.decode(z).samples, codec.decode(louder).samples
    level = 10 * np.log10((other**2).mean(1) / (one**2).mean(1))
    assert np.abs(level - 6).max() < 0.25


def test_a_tilt_is_a_tone_control(codec: Codec, coded: Path) -> None:
    z = Latent.load(coded)
    centres = bands.centres()
    tilted = z.equalise(np.where(centres > 4000, -12.0, 0.0))
    one, other = codec.decode(z).samples[0], codec.decode(tilted).samples[0]
    power = [np.abs(np.fft.rfft(x)) ** 2 for x in (one, other)]
    frequency = np.fft.rfftfreq(len(one), 1 / 44_100)
    for low, high, wanted in ((200, 3000, 0.0), (6000, 12_000, -12.0)):
        inside = (frequency > low) & (frequency < high)
        assert abs(10 * np.log10(power[1][inside].sum() / power[0][inside].sum()) - wanted) < 1.0
    with pytest.raises(UsageError, match="do not fit"):
        z.equalise(np.zeros(7))
    with pytest.raises(UsageError, match="finite"):
        z.equalise(np.nan)
    with pytest.raises(UsageError, match="no band envelope"):
        z.replace(envelope=None).equalise(1.0)  # type: ignore[arg-type]


def test_truncation_goes_down_a_ladder_of_its_own_output(codec: Codec, song: Audio, tmp_path: Path) -> None:
    """Each file is made of the one before, at sizes that are met, and is no better than it."""
    short = Audio(song.samples[:1, : 12 * 44_100], 44_100)
    path, found, sizes = tmp_path / "24.cel", [], []
    codec.encode_file(short, path, kbps=24)
    for kbps in (16, 10, 6):
        target = tmp_path / f"{kbps}.cel"
        made = truncate(path, target, kbps=kbps)
        verify(target)
        sizes.append(made.kbps)
        assert 0.8 * kbps <= made.kbps <= kbps
        found.append(si_sdr(short.samples, decoded(codec, target)))
        path = target
    assert sizes == sorted(sizes, reverse=True)
    assert found == sorted(found, reverse=True)
    codec.encode_file(short, tmp_path / "anew.cel", kbps=6)
    anew = decoded(codec, tmp_path / "anew.cel")
    assert found[-1] > si_sdr(short.samples, anew) - 2.0
    mel = [mel_distance(short.samples, x, 44_100) for x in (decoded(codec, tmp_path / "6.cel"), anew)]
    assert mel[0] < 1.1 * mel[1]


def test_the_second_channel_does_not_follow_the_first(codec: Codec, tmp_path: Path) -> None:
    """Independent noise left and right stays so: what is added to the second channel has signs of its own."""
    rng = np.random.default_rng(0)
    noise = Audio(0.1 * rng.standard_normal((2, 6 * 44_100)).astype(np.float32), 44_100)
    codec.encode_file(noise, tmp_path / "x.cel", kbps=8)
    left, right = decoded(codec, tmp_path / "x.cel")
    assert abs(np.corrcoef(left, right)[0, 1]) < 0.05


def test_a_file_is_read_and_analysed_once(
    codec: Codec, song: Audio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the search for a step looks at some of its windows only, and several steps are tried."""
    write(tmp_path / "song.wav", Audio(song.samples[:1], 44_100))
    monkeypatch.setattr(bitrate, "SAMPLED_WINDOWS", 1)
    reads, analysed = [], []
    blocks, analyse = AudioSource.blocks, codec.network.analyse
    monkeypatch.setattr(AudioSource, "blocks", lambda self, **how: reads.append(1) or blocks(self, **how))
    monkeypatch.setattr(
        codec.network, "analyse", lambda windows, ms: analyse((analysed.append(1) or one for one in windows), ms)
    )
    made = codec.encode_file(tmp_path / "song.wav", tmp_path / "x.cel", kbps=9)
    assert 0.98 * 9 <= made.kbps <= 9
    assert len(reads) == 1
    assert len(analysed) == 4 + 1  # windows, and those of the sample


def test_what_does_not_fit_a_temporary_file_is_made_again() -> None:
    made = []

    def make() -> Iterator[list[np.ndarray]]:
        made.append(1)
        return iter([[np.full(10, i)] for i in range(5)])

    for most, times in ((1 << 20, 1), (100, 3)):
        made.clear()
        with Replay(make, most) as replay:
            for _ in range(3):
                assert [int(arrays[0][0]) for arrays in replay] == list(range(5))
        assert len(made) == times


# ---- damage


def test_damage_anywhere_is_found_and_costs_its_window_only(codec: Codec, coded: Path, tmp_path: Path) -> None:
    whole = coded.read_bytes()
    start = unpack(whole, len(whole), "test")[2]
    with CelReader(coded) as reader:
        sizes = reader._index.numbers[..., :4].sum(-1).astype(int)
    payload = start + 4 * 6 * sizes.size
    ends = payload + np.cumsum(sizes.ravel())
    good = decoded(codec, coded)
    bad = tmp_path / "bad.cel"
    places = {0: int(ends[0] - sizes[0, 0] // 2), 2: int(ends[5] - 3)}  # first channel's, second channel's
    index = {1: start + 24 * 2, 3: start + 24 * 7 + 18}  # a size of window 1, settings of window 3
    for window, at in (places | index).items():
        data = bytearray(whole)
        data[at] ^= 0x40
        bad.write_bytes(data)
        with pytest.raises(LatentError, match="damaged"):
            verify(bad)
        with pytest.raises(LatentError, match="damaged"):
            codec.decode_file(bad, tmp_path / "x.wav")
        with pytest.warns(LatentWarning, match="lost and silent"):
            lost = codec.decode_file(bad, tmp_path / "x.wav", salvage=True)
        begin, end = lost[0]
        assert len(lost) == 1
        assert abs(begin - window * WINDOW) < 1e-6
        back = read(tmp_path / "x.wav").samples
        first, last = round(begin * 44_100), round(end * 44_100)
        assert back.shape == good.shape
        assert not back[:, first:last].any()
        far = np.ones(good.shape[1], bool)
        far[max(0, first - 30_000) : last + 30_000] = False  # neighbours see other frames around them
        assert np.abs(back - good)[:, far].max(initial=0) < 1e-4


def test_a_file_cut_short_gives_what_is_there(codec: Codec, coded: Path, tmp_path: Path) -> None:
    whole = coded.read_bytes()
    cut = tmp_path / "cut.cel"
    cut.write_bytes(whole[: int(0.6 * len(whole))])
    with pytest.raises(LatentError, match=r"bytes instead"):
        codec.decode_file(cut, tmp_path / "x.wav")
    with pytest.warns(LatentWarning, match="are lost"):
        lost = codec.decode_file(cut, tmp_path / "x.wav", salvage=True)
    assert lost[-1][1] == pytest.approx(33.0)
    assert read(tmp_path / "x.wav").samples.shape == (2, 33 * 44_100)
    for size in (100, 700):
        cut.write_bytes(whole[:size])
        with pytest.raises(LatentError):
            codec.decode_file(cut, tmp_path / "x.wav", salvage=True)


def test_salvage_of_a_whole_file_loses_nothing(codec: Codec, coded: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", LatentWarning)
        assert codec.decode_file(coded, tmp_path / "x.wav", salvage=True) == []


def test_salvage_works_for_plain_files(tmp_path: Path) -> None:
    linear = Codec.from_pretrained("linear-16")
    x = np.random.default_rng(0).normal(size=(1, 12 * 22_050)).astype(np.float32) * 0.1
    linear.encode(x, 22_050).save(tmp_path / "x.cel")
    data = bytearray((tmp_path / "x.cel").read_bytes())
    data[-30] ^= 1
    (tmp_path / "x.cel").write_bytes(data)
    with pytest.raises(LatentError):
        linear.decode_file(tmp_path / "x.cel", tmp_path / "x.wav")
    with pytest.warns(LatentWarning, match="lost and silent"):
        lost = linear.decode_file(tmp_path / "x.cel", tmp_path / "x.wav", salvage=True)
    assert len(lost) == 1
    assert 0 < lost[0][0] < lost[0][1] <= 12


# ---- stretches


def test_a_stretch_reads_and_decodes_only_the_windows_it_needs(
    codec: Codec, coded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = decoded(codec, coded)
    asked: set[int] = set()
    decoded_windows: list[int] = []
    read_window, decode_window = CelReader.window, codec.network.decode
    monkeypatch.setattr(CelReader, "window", lambda self, i: asked.add(i) or read_window(self, i))
    monkeypatch.setattr(
        codec.network, "decode", lambda get, some, n: decoded_windows.extend(some) or decode_window(get, some, n)
    )
    damaged = tmp_path / "damaged.cel"
    shutil.copy(coded, damaged)
    with damaged.open("r+b") as file:  # far away from the stretch: nothing reads it
        file.seek(-10, 2)
        file.write(b"\xff" * 5)
    back = decoded(codec, damaged, start=11.5, stop=12.5)
    assert decoded_windows == [1]
    assert asked <= {0, 1, 2}
    assert np.abs(back - whole[:, round(11.5 * 44_100) : round(12.5 * 44_100)]).max() < 1e-4


# ---- hostile headers


def whole_file(path: Path, salvage: bool) -> None:
    with CelReader(path, salvage=salvage) as reader:
        for i in range(len(reader)):
            reader.numbers(i)
        reader.check_payload()


def test_headers_that_ask_for_much_are_refused_in_little_memory(codec: Codec, coded: Path, tmp_path: Path) -> None:
    whole = coded.read_bytes()
    meta, digest, start = unpack(whole, len(whole), "test")
    lies = [
        {"windows": 1 << 30, "n_samples": 44_100},
        {"latent_dim": 1 << 15},
        {"envelope": 4096},
        {"envelope": 0},
        {"tables": "01234567"},
    ]
    for lie in lies:
        path = tmp_path / "lie.cel"
        path.write_bytes(pack(dataclasses.replace(meta, **lie), digest) + whole[start:])  # type: ignore[arg-type]
        tracemalloc.start()
        for salvage in (False, True):
            with pytest.raises(LatentError):
                whole_file(path, salvage)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 30_000_000
