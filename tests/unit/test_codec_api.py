"""The codec as an API: what it takes, what it refuses, what it writes and says."""

import dataclasses
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import celesta
from celesta.audio import Audio, AudioSource, read, write
from celesta.audio import source as audio_source
from celesta.codec import Codec
from celesta.dsp.metrics import snr
from celesta.entropy.table_file import load_tables
from celesta.errors import AudioError, LatentError, LatentWarning, ModelError, UsageError
from celesta.latents import CelReader, Latent, SourceFile, find_cel
from celesta.latents.tags import SHARE, fit_tags, tag_budget, tag_bytes
from celesta.models import registry
from celesta.models.nested import NestedConfig
from celesta.report.demo import CLIPS

SMALL = NestedConfig(encoder_width=16, encoder_depth=1, decoder_width=16, decoder_depth=1)
RATE = 22_050


@pytest.fixture(scope="module")
def linear():
    return celesta.load("linear-16")


@pytest.fixture(scope="module")
def coder():
    """The codec's architecture, narrow and untrained, so that its detail is what counts."""
    torch.manual_seed(0)
    model = registry.build(SMALL)
    model.spread.copy_(torch.from_numpy(load_tables().spread))
    return Codec("nested", model, "0" * 64)


@pytest.fixture(scope="module")
def song():
    return read(CLIPS / "reggae.ogg", start=3, duration=4)


def same(a, b):
    return all(np.array_equal(getattr(a, part), getattr(b, part)) for part in ("base", "places", "values", "gain"))


# ---- what it takes


def test_from_pretrained_is_load():
    assert repr(Codec.from_pretrained("linear-16", device="cpu")) == "Codec(linear-16, 22050 Hz, cpu)"
    assert repr(Codec.from_pretrained("linear-16")) == repr(celesta.load("linear-16"))
    for wrong in ({"device": "abacus"}, {"precision": "float8"}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            celesta.load("linear-16", **wrong)


def test_arrays_and_tensors_of_one_and_two_dimensions(linear, music):
    x = music(30_000, channels=2, sample_rate=RATE)
    whole = linear.encode(Audio(x, RATE))
    for given in (x, x[None], torch.from_numpy(x), x.astype(np.float64), torch.from_numpy(x).requires_grad_()):
        assert same(linear.encode(given, sample_rate=RATE), whole)
        assert same(linear.encode(given, RATE), whole)
    mono = linear.encode(Audio(x[:1], RATE))
    for given in (x[0], torch.from_numpy(x[0]), list(map(float, x[0]))):
        assert same(linear.encode(given, sample_rate=RATE), mono)


@pytest.mark.parametrize(
    ("given", "rate", "said"),
    [
        (np.zeros(9, np.float32), None, "sample_rate=44100"),
        (np.zeros((2, 2, 9), np.float32), RATE, "shape"),
        (np.zeros((9_000, 2), np.float32), RATE, "transpose"),
        (np.ones(9, np.int16), RATE, "32768"),
        (np.array(["a"]), RATE, "floats"),
        ([[0.0], [0.0, 1.0]], RATE, "not an array"),
        (7, RATE, "int"),
        (None, None, "NoneType"),
        (np.zeros(9, np.float32), "fast", "sample_rate"),
        (np.zeros(9, np.float32), 44_100.5, "integer"),
        ("song.wav", 44_100, "of its own|has its own"),
    ],
)
def test_wrong_sources_are_a_clear_usage_error(linear, given, rate, said):
    with pytest.raises(UsageError, match=said):
        linear.encode(given, sample_rate=rate)


def test_wrong_content_is_an_audio_error(linear):
    for bad in (np.zeros((2, 0), np.float32), np.array([0, np.nan]), np.array([1e300])):
        with pytest.raises(AudioError, match="in memory"):
            linear.encode(bad, sample_rate=RATE)
    with pytest.raises(UsageError, match=r"Latent\.load"):
        linear.decode("song.cel")
    with pytest.raises(UsageError, match="bytes"):
        linear.decompress("song.cel")
    with pytest.raises(LatentError, match="not a"):
        linear.decompress(b"RIFF" * 20)
    with pytest.raises(UsageError, match="name"):
        celesta.load(7)


def test_conflicting_options_are_refused(coder, linear, song, tmp_path):
    """Also in the API: a coded file has no dtype and no bits, and one size."""
    out = tmp_path / "x.cel"
    for options in (
        {"kbps": 12, "bits": 3},
        {"quality": 3, "dtype": "float32"},
        {"bits": 3, "dtype": "float32"},
        {"kbps": 12, "quality": 3},
        {"kbps": "12"},
        {"quality": 10.5},
        {"channels": 1.5},
    ):
        with pytest.raises(UsageError):
            coder.encode_file(song, out, **options)
    with pytest.raises(ModelError, match="nested"):
        linear.encode_file(song, out, kbps=12)
    z = linear.encode(song)
    for options in ({"kbps": 12}, {"bits": 3, "dtype": "float16"}):
        with pytest.raises(UsageError):
            z.save(out, **options)
    assert not out.exists()


# ---- files and bytes


def test_compress_is_encode_file(coder, linear, song, tmp_path):
    made = coder.encode_file(song, tmp_path / "x.cel", kbps=24)
    data = coder.compress(song, kbps=24)
    assert data == (tmp_path / "x.cel").read_bytes()
    assert made.n_bytes == len(data)
    assert made.kbps == pytest.approx(len(data) * 8 / 4 / 1000)
    assert made.meets_target
    assert made.to_dict()["target_kbps"] == 24
    back = coder.decompress(data)
    assert back.samples.shape == song.samples.shape
    assert np.array_equal(back.samples, coder.decode(Latent.load(tmp_path / "x.cel")).samples)
    assert linear.decompress(linear.compress(song, bits=6)).samples.shape == song.samples.shape


def test_a_coded_latent_saves_coded_as_the_command_does(coder, song, tmp_path):
    """Issue 13: encode and save wrote nine times what the command writes; mid/side latents refused to save."""
    write(tmp_path / "song.wav", song)
    coder.encode_file(tmp_path / "song.wav", tmp_path / "command.cel")
    z = coder.encode(tmp_path / "song.wav")
    z.save(tmp_path / "api.cel")
    whole = (tmp_path / "command.cel").read_bytes()
    assert (tmp_path / "api.cel").read_bytes() == whole
    assert z.save(tmp_path / "small.cel", kbps=16).kbps <= 16
    loaded = Latent.load(tmp_path / "command.cel")
    assert loaded.mid_side
    loaded.save(tmp_path / "again.cel")
    assert (tmp_path / "again.cel").read_bytes() == whole
    assert 8 < loaded.save(tmp_path / "again.cel", kbps=16).kbps <= 16
    loaded.save(tmp_path / "plain.cel", dtype="float32")
    plain = Latent.load(tmp_path / "plain.cel")
    assert plain.mid_side
    assert np.array_equal(coder.decode(plain).samples, coder.decode(loaded).samples)


def test_a_changed_latent_is_saved_as_it_is(coder, song, tmp_path):
    z = coder.encode(song)
    half = z * 0.5
    half.save(tmp_path / "x.cel")
    back = Latent.load(tmp_path / "x.cel")
    assert back.coding is not None
    louder, softer = (np.abs(coder.decode(one).samples).max() for one in (Latent.load(_saved(z, tmp_path)), back))
    assert softer < 0.8 * louder
    assert pickle.loads(pickle.dumps(z)).coding.origin is None  # noqa: S301 (our own bytes)
    half.replace(base=half.base, gain=half.gain * 2)
    with pytest.raises(UsageError, match="cannot be coded"):
        half.replace(gain=half.gain * 2).save(tmp_path / "y.cel")


def test_a_latent_that_was_changed_in_any_way_is_not_coded_from_its_source(coder, song, tmp_path):
    write(tmp_path / "song.wav", song)
    z = coder.encode(tmp_path / "song.wav")
    louder = z.save(tmp_path / "x.cel").n_bytes
    dataclasses.replace(z, tags={"title": "other"}).save(tmp_path / "y.cel")
    assert Latent.load(tmp_path / "y.cel").tags == {"title": "other"}
    os.remove(tmp_path / "song.wav")
    assert abs(z.save(tmp_path / "x.cel").n_bytes - louder) < 0.7 * louder
    z.values[:] = 0
    assert z.save(tmp_path / "x.cel").n_bytes < 0.2 * louder


def _saved(z, folder):
    z.save(folder / "saved.cel")
    return folder / "saved.cel"


def test_the_most_important_coefficients_are_kept(coder, song, tmp_path):
    coder.encode_file(song, tmp_path / "x.cel", quality=5)
    z = Latent.load(tmp_path / "x.cel")
    few = z.truncate(detail=8)
    kept = np.abs(few.values).max(axis=2).sum()
    assert kept > 0.5 * np.abs(z.values).max(axis=2).sum()
    found = [snr(song.samples, coder.decode(one).samples) for one in (z.truncate(detail=8), z.truncate(detail=32), z)]
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("model", "rate"),
    [("linear-16", rate) for rate in (None, 44_100, 48_000, 8_000)] + [("cel-3", None), ("cel-3", 44_100)],
)
def test_a_stretch_is_that_of_the_whole_song(model, rate, music, need_weights):
    need_weights(*[model] * model.startswith("cel"))
    codec = celesta.load(model)
    n = (3 if model == "cel-3" else 6) * codec.model.window
    x = Audio(music(n + 777, sample_rate=RATE), RATE)
    z = codec.encode(x)
    whole = codec.decode(z, rate)
    seconds = whole.samples.shape[1] / whole.sample_rate
    border = (codec.model.window - codec.model.overlap) / RATE
    stretches = ((0, 0.5), (border - 0.1, border + 0.2), (2 * border - 0.01, None), (seconds - 0.3, seconds + 9))
    for start, stop in stretches:
        part = codec.decode(z, rate, start=start, stop=stop)
        first = round(start * whole.sample_rate)
        wanted = whole.samples[:, first : None if stop is None else round(stop * whole.sample_rate)]
        assert part.samples.shape == wanted.shape
        np.testing.assert_allclose(part.samples, wanted, atol=2e-6)


def test_a_stretch_decodes_only_the_windows_it_needs(linear, music, tmp_path, monkeypatch):
    window = linear.model.window
    linear.encode_file(Audio(music(20 * window, sample_rate=RATE), RATE), tmp_path / "x.cel")
    asked = []
    real = CelReader.window
    monkeypatch.setattr(CelReader, "window", lambda self, i: asked.append(i) or real(self, i))
    seconds = window / RATE
    linear.decode_file(tmp_path / "x.cel", tmp_path / "x.wav", start=10 * seconds, stop=11.5 * seconds)
    assert set(asked) <= {9, 10, 11, 12}
    assert read(tmp_path / "x.wav").samples.shape == (1, round(1.5 * window))


def test_stretches_out_of_range(linear, music):
    z = linear.encode(music(RATE, sample_rate=RATE), RATE)
    for wrong in ({"start": -1}, {"start": 2}, {"start": 0.5, "stop": 0.5}, {"stop": "end"}, {"start": float("nan")}):
        with pytest.raises(UsageError):
            linear.decode(z, **wrong)


# ---- one source, flat memory


def test_a_source_is_opened_once(coder, linear, song, tmp_path, monkeypatch):
    """Issue 13: one encode of 120 s opened the file six times."""
    write(tmp_path / "short.wav", song)
    long = Audio(np.tile(song.samples, 25), song.sample_rate)
    write(tmp_path / "long.wav", long)
    sources, decoders = [], []
    real_init, real_open = AudioSource.__init__, audio_source.open_decoder
    monkeypatch.setattr(AudioSource, "__init__", lambda self, *a, **k: sources.append(a) or real_init(self, *a, **k))
    monkeypatch.setattr(audio_source, "open_decoder", lambda *a: decoders.append(a) or real_open(*a))
    for codec, name, passes in ((linear, "long", 1), (coder, "short", 1), (coder, "long", 1)):
        sources.clear()
        decoders.clear()
        options = {} if codec is linear else {"quality": 2}
        codec.encode_file(tmp_path / f"{name}.wav", tmp_path / "x.cel", **options)
        assert len(sources) == 1
        assert len(decoders) == passes


def test_progress_counts_up_to_the_duration(coder, linear, song, tmp_path):
    """Issue 14, 24: seconds done and in all, from the beginning."""
    write(tmp_path / "x.wav", song)
    for codec in (coder, linear):
        seen = []
        codec.encode_file(tmp_path / "x.wav", tmp_path / "x.cel", progress=lambda *at, seen=seen: seen.append(at))
        codec.verify(tmp_path / "x.cel", progress=lambda *at, seen=seen: seen.append(at))
        assert all(0 <= done <= total == pytest.approx(4) for done, total in seen)
        assert seen[-1][0] == pytest.approx(4)
    seen = []
    coder.encode_file(tmp_path / "x.wav", tmp_path / "x.cel")
    coder.decode_file(tmp_path / "x.cel", tmp_path / "y.wav", progress=lambda *at: seen.append(at))
    assert seen[-1] == (pytest.approx(4), pytest.approx(4))
    celesta.truncate(tmp_path / "x.cel", tmp_path / "y.cel", kbps=8, progress=lambda *at: seen.append(at))
    assert seen[-1] == (pytest.approx(4), pytest.approx(4))


# ---- faults


@pytest.mark.parametrize("options", [{}, {"kbps": 12}, {"dtype": "float16"}])
def test_verify_decodes_before_the_name_appears(coder, song, tmp_path, monkeypatch, options):
    """Issue 14, 2: with the default model nothing was decoded."""
    target = tmp_path / "x.cel"
    coder.encode_file(song, target, verify=True, **options)
    target.unlink()

    def broken(*_):
        assert not target.exists()
        raise LatentError("window 0 does not decode")

    monkeypatch.setattr(coder.network, "decode", broken)
    with pytest.raises(LatentError, match="does not decode"):
        coder.encode_file(song, target, verify=True, **options)
    assert os.listdir(tmp_path) == []
    coder.encode_file(song, target, **options)
    assert target.exists()


def test_tags_take_a_bounded_share(coder, song, tmp_path):
    """Issue 14, 6: long lyrics took the bitrate, without a word."""
    tagged = tmp_path / "song.flac"
    write(tagged, song)
    import mutagen.flac

    file = mutagen.flac.FLAC(tagged)
    file["title"], file["artist"], file["lyrics"] = "春の海", "宮城道雄", "さくら " * 200
    file.save()
    with pytest.warns(LatentWarning, match=r"x\.cel.*left out: lyrics"):
        coder.encode_file(tagged, tmp_path / "x.cel", kbps=12)
    with CelReader(tmp_path / "x.cel") as reader:
        assert reader.meta.tags == {"title": "春の海", "artist": "宮城道雄"}
        assert reader.kbps <= 12
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        coder.encode_file(tagged, tmp_path / "none.cel", kbps=12, tags=False)
    with CelReader(tmp_path / "none.cel") as reader:
        assert reader.meta.tags == {}
    found = [snr(song.samples, coder.decode(Latent.load(tmp_path / f"{n}.cel")).samples) for n in ("x", "none")]
    assert found[0] > found[1] - 0.7
    raw = (tmp_path / "x.cel").read_bytes()
    assert "春の海".encode() in raw  # UTF-8, not escapes


def test_tags_that_fit():
    tags = {"comment": "x" * 50, "title": "t" * 300, "artist": "someone", "isrc": "1"}
    for budget in (30, 100, 200, 1000):
        fitting, shortened, missing = fit_tags(tags, budget)
        assert tag_bytes(fitting) <= budget
        assert set(fitting) | set(missing) == set(tags)
        assert set(shortened) <= set(fitting)
    assert fit_tags(tags, 1000)[0] == tags
    assert fit_tags(tags, 100)[0]["title"].endswith("…")
    assert tag_budget(30, 3) == int(SHARE * 3000 / 8 * 30)
    assert tag_budget(1, 0.5) == 96


@pytest.mark.parametrize("tag", ["plain", "日本 \N{MUSICAL SYMBOL G CLEF}", 'quotes " and \\', "lone \udcff surrogate"])
def test_tags_of_any_text_come_back(linear, song, tmp_path, tag):
    z = Latent(**{**vars(linear.encode(song)), "tags": {"title": tag}})
    z.save(tmp_path / "x.cel")
    assert Latent.load(tmp_path / "x.cel").tags == {"title": tag}


def test_headers_with_escapes_are_still_read(linear, song, tmp_path):
    """Earlier versions wrote 6 to 12 bytes per character that is not ASCII."""
    from celesta.latents.header import pack, unpack

    z = Latent(**{**vars(linear.encode(song)), "tags": {"title": "Étude"}})
    z.save(tmp_path / "x.cel")
    data = (tmp_path / "x.cel").read_bytes()
    meta, digest, start = unpack(data, len(data), "x")
    old = pack(meta, digest, escaped=True)
    assert old != data[:start]
    (tmp_path / "old.cel").write_bytes(old + data[start:])
    assert Latent.load(tmp_path / "old.cel").tags == {"title": "Étude"}


def test_the_source_is_recorded(coder, linear, song, tmp_path):
    """Issue 14, 8: which file a latent was made from, so that song.mp3 is not taken for song.flac."""
    for name in ("song.wav", "song.flac", os.fsdecode(b"b\xe9.wav")):
        write(tmp_path / name, song)
    for codec, name in ((coder, "song.wav"), (linear, "song.flac"), (linear, os.fsdecode(b"b\xe9.wav"))):
        codec.encode_file(tmp_path / name, tmp_path / "x.cel")
        with CelReader(tmp_path / "x.cel") as reader:
            source = reader.meta.source
        assert source == SourceFile.of(tmp_path / name)
        assert source.matches(tmp_path / name)
        assert [p.name for p in tmp_path.iterdir() if source.matches(p)] == [name]
    z = Latent.load(tmp_path / "x.cel")
    assert z.source.name == r"b\xe9.wav"
    z.save(tmp_path / "y.cel")
    assert Latent.load(tmp_path / "y.cel").source == z.source
    linear.encode_file(song, tmp_path / "y.cel")
    assert Latent.load(tmp_path / "y.cel").source is None


def test_quality_does_not_depend_on_the_level(tmp_path):
    """Issue 14, 12: 0, -20 and -40 dB gave an SNR of 18.7, 10.2 and 2.0."""
    codec = celesta.load("nested")
    x = read(CLIPS / "ambient.ogg", start=2, duration=9)
    found = []
    for level in (0, -20, -40):
        one = Audio(x.samples * np.float32(10 ** (level / 20)), x.sample_rate)
        found.append(snr(one.samples, codec.decompress(codec.compress(one)).samples))
    print(f"SNR at 0, -20 and -40 dB: {found}")
    assert max(found) - min(found) < 1.0
    assert min(found) > 15


def test_quality_stops_at_the_noise_of_16_bits(coder, tmp_path):
    """Issue 14, 12: noise of less than 16 bits is not coded for its own sake, and silence costs next to nothing."""
    rng = np.random.default_rng(0)
    noise = rng.uniform(-0.5, 0.5, 88_200).astype(np.float32) * np.float32(2**-15)
    sounds = (1000 * noise, noise, np.zeros_like(noise))
    sizes = [len(coder.compress(x, sample_rate=44_100, quality=10)) for x in sounds]
    assert sizes[1] < sizes[0] / 4
    assert sizes[2] < 4_000


def test_a_bitrate_that_cannot_be_met_is_said(coder, song, tmp_path):
    """Issue 14, 27: `truncate --kbps 0.5` wrote 1.4 kbit/s without a word."""
    with pytest.warns(LatentWarning, match=r"kbit/s is the smallest.*not the 0\.5 asked for"):
        made = coder.encode_file(song, tmp_path / "x.cel", kbps=0.5)
    assert not made.meets_target
    assert made.kbps == pytest.approx((tmp_path / "x.cel").stat().st_size * 8 / 4 / 1000)
    coder.encode_file(song, tmp_path / "x.cel", kbps=24)
    with pytest.warns(LatentWarning, match=r"not the 0\.5 asked for"):
        made = celesta.truncate(tmp_path / "x.cel", tmp_path / "y.cel", kbps=0.5)
    assert made.kbps > 0.5


def test_truncation_that_would_copy_is_refused(coder, linear, song, tmp_path):
    """Issue 14, 27: `truncate -K 40` copied the file."""
    coder.encode_file(song, tmp_path / "x.cel", kbps=24)
    for wrong in ({"channels": 40}, {"channels": 4}, {"kbps": 30}, {}, {"channels": 0}, {"kbps": -1}):
        with pytest.raises(UsageError):
            celesta.truncate(tmp_path / "x.cel", tmp_path / "y.cel", **wrong)
    linear.encode_file(song, tmp_path / "plain.cel")
    with pytest.raises(LatentError, match="not coded"):
        celesta.truncate(tmp_path / "plain.cel", tmp_path / "y.cel", kbps=3)
    assert not (tmp_path / "y.cel").exists()
    celesta.truncate(tmp_path / "x.cel", tmp_path / "x.cel", kbps=12)
    with CelReader(tmp_path / "x.cel") as reader:
        assert reader.kbps <= 12


@pytest.mark.parametrize("model", ["nested", "sparse-16"])
def test_places_out_of_range_are_a_latent_error(coder, model, song):
    """Issue 14, 27: a raw RuntimeError."""
    codec = coder if model == "nested" else celesta.load(model)
    z = codec.encode(song)
    with pytest.raises(LatentError, match="outside"):
        codec.decode(z.replace(places=np.full_like(z.places, 60_000)))


def test_representations_are_one_short_line(coder, linear, song):
    """Issue 14, 27: they were walls of numbers."""
    for one in (coder.encode(song), linear.encode(song), coder, linear, song):
        assert "\n" not in repr(one)
        assert len(repr(one)) < 100
    assert "<audio" in song._repr_html_()


def test_files_have_the_modes_of_new_files(linear, song, tmp_path):
    """Issue 14, 27: some had mode 600."""
    linear.encode_file(song, tmp_path / "x.cel")
    (tmp_path / "new").touch()
    assert (tmp_path / "x.cel").stat().st_mode == (tmp_path / "new").stat().st_mode


def test_cel_files_are_found_whatever_their_case(tmp_path):
    """Issue 14, 18: X.CEL was not found, and a folder without .cel files was no error."""
    with pytest.raises(LatentError, match=r"holds no \.cel file"):
        find_cel(tmp_path)
    with pytest.raises(LatentError, match="no such"):
        find_cel(tmp_path / "gone")
    (tmp_path / "A").mkdir()
    for name in ("X.CEL", "A/y.cel", ".hidden.cel", "z.txt"):
        (tmp_path / name).touch()
    assert [p.name for p in find_cel(tmp_path)] == ["y.cel", "X.CEL"]
    assert find_cel(tmp_path / "z.txt") == [tmp_path / "z.txt"]


def test_old_names_work():
    from celesta.codec import Coded, bitrate

    assert bitrate.truncate_file is celesta.truncate
    assert Coded._fields[:4] == ("base", "places", "values", "gain")


def test_latents_need_no_torch():
    """Importing torch takes a second: it waits until a network computes."""
    program = (
        "import sys, celesta\n"
        "celesta.Latent; celesta.codec.truncate; celesta.Codec; celesta.latents.verify; celesta.load\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_terminated_write_leaves_nothing(tmp_path):
    """Issue 14, 17: SIGTERM, which the command turns into an exception, left a temporary file of 6 to 10 MB."""
    program = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        "import numpy as np, celesta\n"
        "codec = celesta.load('linear-64')\n"
        "x = np.random.default_rng(0).uniform(-.5, .5, 3_000_000).astype(np.float32)\n"
        "codec.encode_file(x, 'x.cel', sample_rate=22_050)\n"
        "kill = lambda done, total: done > 50 and os.kill(os.getpid(), signal.SIGTERM)\n"
        "getattr(codec, sys.argv[1])(*([x] if sys.argv[1] == 'encode_file' else ['x.cel']), sys.argv[2], progress=kill,"
        " **({'sample_rate': 22_050} if sys.argv[1] == 'encode_file' else {}))\n"
    )
    for verb, target in (("decode_file", "y.wav"), ("encode_file", "y.cel")):
        done = subprocess.run([sys.executable, "-c", program, verb, target], cwd=tmp_path, check=False)
        assert done.returncode == 143
        assert os.listdir(tmp_path) == ["x.cel"]
        assert Path(tmp_path / "x.cel").stat().st_size > 500_000
