"""Waveforms, spectrograms and playback of songs."""

import io
import time
import urllib.parse

import numpy as np
import pytest
import soundfile

from celesta.audio import Audio, read, write
from celesta.dsp.peaks import BIN, PeakPyramid
from celesta.dsp.spectrogram import ROWS, SpectrogramColumns, frequencies
from celesta.errors import UsageError
from celesta.studio.playback import VirtualWav, file_blocks, parse_range, wav_header
from celesta.studio.song import SongOverview, song_facts


def pushed(samples, *sizes):
    peaks, first = PeakPyramid(), 0
    for size in sizes:
        peaks.push(samples[:, first : first + size])
        first += size
    peaks.push(samples[:, first:])
    peaks.finish()
    return peaks


def test_peaks_are_the_extremes_of_their_samples_at_every_resolution(music):
    x = music(199_936, 2, seed=3)  # whole bins
    peaks = pushed(x, 1_000, 77, 65_536)
    for first, last, bins in ((0, 199_936, 50), (51_200, 153_600, 7), (0, 131_072, 2), (256, 512, 1)):
        edges = first + (last - first) * np.arange(bins + 1) / bins
        for got, a, b in zip(peaks.read(first, last, bins), edges[:-1], edges[1:], strict=True):
            step = BIN * (1 if b - a < 32 * BIN else 16 if b - a < 512 * BIN else 256)
            part = x[:, int(a // step) * step : int(-(-b // step)) * step]
            assert got[0] == pytest.approx(float(part.min()) * 32_000, abs=1)
            assert got[1] == pytest.approx(float(part.max()) * 32_000, abs=1)
            assert got[2] == pytest.approx(32_000 * np.sqrt(np.mean(part**2)), abs=3)


def test_peaks_do_not_depend_on_how_the_stream_is_cut(music):
    x = music(70_001, 1)
    assert (pushed(x).state() == pushed(x, 1, 255, 256, 10_000, 3).state()).all()
    again = PeakPyramid.restored(pushed(x).state(), 70_001)
    assert (again.read(0, 70_001, 333) == pushed(x).read(0, 70_001, 333)).all()


def test_what_a_stream_has_not_reached_is_zero_and_bad_ranges_are_refused():
    peaks = PeakPyramid()
    peaks.push(np.ones((1, 1_024), np.float32))
    got = peaks.read(0, 4_096, 4)
    assert got[0].tolist() == [32_000, 32_000, 32_000]
    assert not got[1:].any()
    with pytest.raises(UsageError):
        peaks.read(5, 5, 1)
    with pytest.raises(ValueError, match="peaks of so many samples"):
        PeakPyramid.restored(np.zeros((3, 3), np.int16), 1)


@pytest.mark.parametrize("hop", [100, 512, 5_000])
def test_a_sine_of_full_scale_shows_at_its_frequency(hop):
    rate = 22_050
    t = np.arange(3 * rate) / rate
    made = SpectrogramColumns(rate, hop)
    for part in np.split(np.sin(2 * np.pi * 1_000 * t).astype(np.float32), [10, 999, 30_000]):
        made.push(part)
    made.finish()
    assert made.columns.shape == (-(-3 * rate // hop), ROWS)
    middle = made.columns[len(made.columns) // 2]
    assert frequencies(rate)[middle.argmax()] == pytest.approx(1_000, rel=0.03)
    assert int(middle.max()) > 245  # about 0 dB


def test_a_long_plain_file_is_sketched_before_it_is_read(tmp_path, music):
    x = np.tile(music(44_100, 1, 8_000), (1, 30))
    x[:, x.shape[1] // 2 :] *= 0.1
    write(tmp_path / "a.wav", Audio(x, 8_000))
    facts = song_facts(tmp_path / "a.wav")
    made = SongOverview(facts, iter(()))
    made._sketch()
    early, late = made.waveform(10, 60, 20)[:, 2].mean(), made.waveform(100, 150, 20)[:, 2].mean()
    assert early == pytest.approx(10 * late, rel=0.4)


def test_overviews_are_cached_and_damaged_caches_are_made_again(tmp_path, music):
    write(tmp_path / "a.wav", Audio(music(50_000), 44_100))
    facts = song_facts(tmp_path / "a.wav")
    made = SongOverview(facts, file_blocks(tmp_path / "a.wav")(0), tmp_path / "cache")
    made.run()
    assert made.complete
    again = SongOverview(facts, iter(()), tmp_path / "cache")
    again.run()
    assert (again.waveform(0, 1, 100) == made.waveform(0, 1, 100)).all()
    assert (again.tile(0, 1) == made.tile(0, 1)).all()
    (file,) = (tmp_path / "cache").glob("*.safetensors")
    file.write_bytes(b"damaged")
    third = SongOverview(facts, file_blocks(tmp_path / "a.wav")(0), tmp_path / "cache")
    third.run()
    assert third.complete
    assert (third.waveform(0, 1, 100) == made.waveform(0, 1, 100)).all()


def test_a_wav_that_is_made_as_it_is_read_has_the_samples_of_the_file(songs):
    """Any range, in any order, gives the bytes of the whole."""
    for name in ("long.wav", "short.flac", "übung 1 & 2.mp3"):
        x = read(songs / name)
        made = VirtualWav(file_blocks(songs / name), x.samples.shape[1], len(x.samples), x.sample_rate)
        whole = b"".join(made.read(0, made.size))
        assert len(whole) == made.size
        back, rate = soundfile.read(io.BytesIO(whole), always_2d=True)
        assert rate == x.sample_rate
        assert np.abs(back.T - x.samples).max() < 1.1 / 32_768
        rng = np.random.default_rng(0)
        for _ in range(12):
            a, b = sorted(rng.integers(0, made.size + 1, 2))
            if a < b:
                assert b"".join(made.read(int(a), int(b))) == whole[a:b]
        made.close()


def test_very_long_songs_fit_into_a_wav():
    made = VirtualWav(lambda first: iter(()), 10**10, 2, 48_000)
    assert made.channels == 1
    assert made.size < 2**32
    assert wav_header(10, 2, 48_000)[:4] == b"RIFF"


@pytest.mark.parametrize(
    ("header", "expected"),
    [("", None), ("bytes=0-", (0, 100)), ("bytes=5-5", (5, 6)), ("bytes=-7", (93, 100)), ("bytes=0-999", (0, 100)),
     ("items=0-1", None), ("bytes=a-b", None), ("bytes=-", None), ("bytes=0-1,4-5", None)],
)  # fmt: skip
def test_ranges(header, expected):
    assert parse_range(header, 100) == expected


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=7-3", "bytes=-0"])
def test_ranges_outside_the_file_are_refused(header):
    with pytest.raises(UsageError):
        parse_range(header, 100)


# ---- over HTTP


def complete(studio, ref):
    end = time.monotonic() + 30
    while not (info := studio.json(studio.get("/song", song=ref)))["complete"] and time.monotonic() < end:
        time.sleep(0.02)
    return info


def test_files_are_listed_and_found(studio):
    root = studio.json(studio.get("/files"))["entries"][0]  # behind it: what other tests have uploaded
    names = [one["name"] for one in studio.json(studio.get("/files", folder=root["ref"]))["entries"]]
    assert names[:2] == ["linked", "sub"]
    assert "übung 1 & 2.mp3" in names
    assert "notes.txt" not in names
    found = studio.json(studio.get("/files", query="deep SUB"))["entries"]
    assert [one["ref"] for one in found] == ["0/sub/deep.ogg"]


def test_a_song_is_described_drawn_and_played(studio, songs):
    ref = "0/%C3%BCbung 1 & 2.mp3"
    info = complete(studio, ref)
    assert info["name"] == "übung 1 & 2.mp3"
    assert info["seconds"] == pytest.approx(4, abs=0.001)
    status, headers, body = studio.get("/waveform", song=ref, start=0, stop=4, bins=100)
    wave = np.frombuffer(body, "<i2").reshape(100, 3)
    assert status == 200
    assert headers["x-celesta-complete"] == "1"
    assert (wave[:, 1] > wave[:, 2]).all()
    for start, stop in ((0, 4), (1, 1.1), (3.99, 9)):
        assert len(studio.get("/spectrogram", song=ref, start=start, stop=stop)[2]) == 512 * ROWS
    close = np.frombuffer(studio.get("/samples", song=ref, start=1, stop=1.01)[2], "<f4")
    assert np.allclose(close, read(songs / "übung 1 & 2.mp3", start=1, duration=0.01).samples.mean(axis=0), atol=1e-6)
    data = (songs / "übung 1 & 2.mp3").read_bytes()
    target = f"/api/audio?{urllib.parse.urlencode({'song': ref})}"
    status, headers, body = studio.raw("GET", target, headers={"range": "bytes=100-199"})
    assert (status, body) == (206, data[100:200])
    assert headers["content-range"] == f"bytes 100-199/{len(data)}"
    status, headers, body = studio.raw("GET", "/api/wav?song=0/short.flac", headers={"range": "bytes=0-43"})
    assert status == 206
    assert body == wav_header(3 * 44_100, 1, 44_100)
    assert studio.raw("GET", "/api/wav?song=0/short.flac", headers={"range": "bytes=999999999-"})[0] == 416


def test_errors_say_what_happened_and_what_to_do(studio):
    assert "celesta library add" in studio.json(studio.get("/library"), 404)["error"]
    assert "broken.wav" in studio.json(studio.get("/song", song="0/broken.wav"), 409)["error"]
    assert "behind" in studio.json(studio.get("/waveform", song="0/long.wav", start=3, stop=3, bins=9), 422)["error"]
    assert "bins" in studio.json(studio.get("/waveform", song="0/long.wav", start=3, stop=4, bins=0), 422)["error"]
    for bad in ("nan", "inf", "-1", "1e300", "x"):
        assert studio.get("/waveform", song="0/long.wav", start=bad, stop=4, bins=9)[0] == 422
    assert studio.raw("POST", "/api/abx", b"{", {"content-type": "application/json"})[0] == 400
    assert studio.json(studio.get("/nothing"), 404)["error"]


def test_parts_of_a_song_are_found(studio):
    """The folder's long song is loud for 8 s, then quiet and other for 8 s."""
    parts = studio.result(studio.post("/structure", song="0/long.wav"))["result"]["segments"]
    assert [one["label"] for one in parts] == ["A", "B"]
    assert parts[0]["stop"] == pytest.approx(8, abs=1)
    assert parts[-1]["stop"] == pytest.approx(16, abs=0.01)
