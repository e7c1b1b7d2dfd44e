"""Pages: what comes from outside is escaped, nothing is fetched, pictures show something; variations do as told."""

import base64
import io
import json
import math
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import PIL.Image
import pytest
import soundfile

import celesta
from celesta.audio import Audio, info, read, write
from celesta.dsp import metrics
from celesta.errors import DataError, LatentError, ModelError, UsageError
from celesta.evaluation.reconstruction import reconstruct
from celesta.models import registry
from celesta.report import compare as comparing
from celesta.report.demo import CLIPS, PLAYED, VARIED_SECONDS, build_demo
from celesta.report.figures import curves, png, svg
from celesta.report.media import height_of, line_path, opus_uri, spectrogram_uri, waveform_path
from celesta.report.page import Link, Page, clean, relative_url
from celesta.report.player import Track, player
from celesta.report.reconstruct import reconstruct_index, reconstruct_page, reconstruct_song
from celesta.report.terms import meaning
from celesta.report.variation import (
    REPORTED,
    measure,
    output_name,
    remark,
    variation_index,
    variation_page,
    vary_song,
)
from celesta.variations import Step, apply

RATE = 22_050
HOSTILE = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>&amp;"
# As a name of a file, where a slash cannot be: the tag that needs none, and quotes to leave an attribute.
HOSTILE_NAME = "\"><img src=x onerror='alert(2)'>&<script>"


class Reader(HTMLParser):
    """What a browser would see: tags with attributes, and the text outside scripts and styles."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.texts, self._inside = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside.append(tag)

    def handle_endtag(self, tag):
        if self._inside and tag == self._inside[-1]:
            self._inside.pop()

    def handle_data(self, data):
        if not self._inside:
            self.texts.append(data)


def inspect(path):
    """Check that a page fetches nothing, runs only its own script, links to files that exist; return tags and text."""
    text = path.read_text(encoding="utf-8")
    seen = Reader(text)
    assert [tag for tag, _ in seen.tags].count("script") == 1
    assert not {tag for tag, _ in seen.tags} & {"link", "iframe", "object", "embed", "base", "form"}
    policy = next(
        a["content"] for t, a in seen.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'")
    for tag, attributes in seen.tags:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        for name in ("src", "href", "srcset", "data", "poster"):
            address = attributes.get(name, "#")
            if address.startswith(("data:image/svg+xml;base64,", "data:image/webp;base64,", "#")):
                continue
            assert tag in ("a", "audio"), (tag, address[:80])
            assert not re.match(r"[a-z]+:|//", address), address[:80]
            assert (path.parent / os.fsdecode(unquote_to_bytes(address))).exists(), address
        if tag == "img":
            show(attributes["src"])
        if "data-audio" in attributes:
            assert len(decoded(attributes["data-audio"])) > 0
    assert "url(" not in text
    assert "@import" not in text
    assert not re.search(r"\b(fetch|XMLHttpRequest|import)\s*\(", text)
    return seen, " ".join(seen.texts)


def show(uri):
    """An image of a page must be whole and hold more than its background."""
    data = base64.b64decode(uri.partition(",")[2], validate=True)
    if uri.startswith("data:image/svg"):
        paths = [e for e in ElementTree.fromstring(data).iter() if e.tag.endswith("}path")]
        assert len(paths) > 3
        return
    with PIL.Image.open(io.BytesIO(data)) as image:
        image.load()
        assert image.format == "WEBP"
        assert min(image.size) > 30


def decoded(uri):
    """The samples of an Ogg Opus data URI, 48 kHz."""
    assert uri.startswith("data:audio/ogg;base64,")
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(uri.partition(",")[2], validate=True)))
    assert rate == 48_000
    return samples


def players(seen):
    """The versions of each player of a page, by name."""
    lanes = [a for _, a in seen.tags if "data-audio" in a]
    starts = [i for i, a in enumerate(seen.tags) if a[1].get("class") == "player"]
    return len(starts), len(lanes)


def look(picture):
    """The pixels of a PNG; it must hold more than its background."""
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    pixels = matplotlib.image.imread(io.BytesIO(picture))[..., :3]
    assert min(pixels.shape[:2]) > 100
    assert (pixels < 0.99).any(axis=2).mean() > 0.01
    return pixels


@pytest.fixture(scope="module")
def song(tmp_path_factory, music):
    path = tmp_path_factory.mktemp("song") / "song.wav"
    write(path, Audio(music(66_150, channels=2), 44_100))
    return path


def test_every_text_of_a_page_is_escaped(tmp_path):
    page = Page(HOSTILE, HOSTILE)
    page.section(HOSTILE)
    page.heading(HOSTILE)
    page.text(HOSTILE)
    page.note(HOSTILE)
    page.table([HOSTILE], [[HOSTILE]])
    page.figure(curves({"a": [(1, 2), (2, 3)]}, "x", ["y"]), HOSTILE)
    page.player([Track(HOSTILE, Audio(np.full((1, 4_000), 0.1, np.float32), RATE))])
    seen, text = inspect(page.write(tmp_path / "page.html", HOSTILE))
    assert text.count(HOSTILE) == 10 + 1  # title, h1, lead, h2, h3, text, note, th, td, name of the version, footer
    images = [attributes for tag, attributes in seen.tags if tag == "img"]
    assert [image["alt"] for image in images] == [HOSTILE, f"Spectrogram of {HOSTILE}"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"b\xe9.wav", r"b\xe9.wav"),
        (b"a\x1b[31m\x07.wav", r"a\x1b[31m\x07.wav"),
        ("\u202egnp.wav".encode(), r"\u202egnp.wav"),
        ("夜\u3000曲.wav".encode(), "夜\u3000曲.wav"),
    ],
)
def test_pages_survive_names_of_any_bytes(tmp_path, music, name, shown):
    """Issue 14, item 4: such a name ended in a traceback after all the work."""
    source = tmp_path / os.fsdecode(name)
    write(tmp_path / "x.wav", Audio(music(20_000), RATE))
    (tmp_path / "x.wav").rename(source)
    page = reconstruct_page(celesta.load("linear-64"), source, tmp_path / "r" / f"{source.stem}.html")
    _, text = inspect(page)
    assert shown in text
    assert source.stem in page.name


def test_clean_and_relative_url():
    assert clean("plain é 夜\u3000曲\u00a0x") == "plain é 夜\u3000曲\u00a0x"
    assert clean("a\nb\x00\x85") == r"a b\x00\x85"
    assert relative_url("r/A/b%e?.flac", "r/index.html") == "A/b%25e%3F.flac"
    assert relative_url(os.fsdecode(b"b\xe9.wav"), "x.html") == "b%E9.wav"
    assert relative_url("javascript:alert(1)", "x.html") == "javascript%3Aalert%281%29"


def test_tables_link_and_tell_numbers_from_text(tmp_path):
    page = Page("a", "b")
    (tmp_path / "x.flac").write_bytes(b"x")
    page.table(["song", "level", "of"], [[Link("<x>", "x.flac"), "-14.2", "1 of 2"], ["y", "-", "2"]])
    page.files([Link("x", "x.flac", "24 bit")])
    seen, text = inspect(page.write(tmp_path / "page.html"))
    heads = [a for t, a in seen.tags if t == "th" and a.get("scope") == "col"]
    assert [a.get("class") for a in heads] == [None, "number", None]
    assert "<x>" in text


def test_a_long_table_of_contents_stays_one_line_high(tmp_path):
    """Issue 14, item 26: 290 songs gave a navigation bar of a thousand pixels. The bar scrolls sideways instead."""
    page = Page("a", "b")
    for i in range(300):
        page.section(f"song {i}")
    text = page.write(tmp_path / "page.html").read_text(encoding="utf-8")
    assert re.search(r"nav ul \{[^}]*overflow-x: auto[^}]*white-space: nowrap", text)


def test_a_player_refuses_what_cannot_be_played():
    for tracks in ([], [Track("a", Audio(np.zeros((1, 0), np.float32), RATE))]):
        with pytest.raises(UsageError, match="at least one"):
            player(tracks)


def test_versions_of_a_player_share_time_amplitude_and_frequency(music):
    x = music(44_100, channels=2)
    quiet = Audio(0.5 * x[:1, ::2], 22_050)
    made = player([Track("a", Audio(x, 44_100)), Track("b", quiet, "half")])
    assert made["duration"] == "1.000"
    assert "half" in made["lanes"][1]["about"]
    heights = [
        max(abs(100 - int(point.split(",")[1])) for point in lane["wave"].strip("MZ").split()) for lane in made["lanes"]
    ]
    assert heights[1] < 0.7 * heights[0]
    assert decoded(made["lanes"][0]["audio"]).shape == (48_000, 2)
    assert len(decoded(made["lanes"][1]["audio"])) == 48_000
    assert float(made["lanes"][1]["loudness"]) < float(made["lanes"][0]["loudness"])
    assert player([Track("s", Audio(np.zeros((1, 9), np.float32), RATE))])["lanes"][0]["loudness"] == ""


def test_a_spectrogram_shows_a_tone_at_its_height():
    rate, tone = 44_100, 3_000
    x = np.sin(2 * np.pi * tone * np.arange(rate) / rate).astype(np.float32)
    with PIL.Image.open(io.BytesIO(base64.b64decode(spectrogram_uri(x, rate, rate / 2).partition(",")[2]))) as image:
        rows = np.asarray(image.convert("L")).astype(float)[:, 20:-20].mean(axis=1)
    assert rows.argmax() == pytest.approx((1 - height_of(tone, rate / 2)) * (len(rows) - 1), abs=1.5)
    assert rows.max() > 3 * np.median(rows) + 1


def test_hostile_names_and_tags_of_files(tmp_path, music):
    source = tmp_path / f"{HOSTILE_NAME}.wav"
    write(source, Audio(music(30_000), RATE))
    with soundfile.SoundFile(source, "r+") as file:
        file.title = HOSTILE
    codec = celesta.load("linear-64")
    for page in (
        reconstruct_page(codec, source, tmp_path / "r.html"),
        variation_page(codec, source, tmp_path / "v.html", [Step("gain", 0.5)]),
        build_demo(tmp_path / "d", ["linear-64"], clips=[source]).page,
    ):
        seen, text = inspect(page)
        assert HOSTILE_NAME in text
        assert all(attributes.get("src") != "x" for _, attributes in seen.tags)
    compared = comparing.compare(["linear-64"], [source], rate_distortion=False)
    inspect(compared.to_html(tmp_path / "c.html"))
    assert compared.rows[0].clip == source.name


def test_a_page_leaves_no_half_written_file(tmp_path):
    page = Page("a", "b")
    path = page.write(tmp_path / "new" / "page.html")
    first = path.read_bytes()
    page.write(path)
    assert path.read_bytes() == first
    assert [p.name for p in path.parent.iterdir()] == ["page.html"]


def test_sound_in_a_page_is_lowered_where_it_would_clip():
    t = np.arange(RATE) / RATE
    loud = Audio((3 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)[None], RATE)
    samples = decoded(opus_uri(loud))
    assert len(samples) == 48_000
    assert 0.6 < np.sqrt(np.mean(samples**2)) < 0.75  # a sine of full scale: 0.707; a clipped one would have 0.9


def pixels(uri):
    """The image of a WebP data URI, (rows, columns) from 0 to 255."""
    with PIL.Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        return np.asarray(image.convert("L")).astype(float)


def levels(path):
    """The heights of an SVG path."""
    return [int(point.split(",")[1]) for point in path.strip("MZ").split()]


@pytest.mark.parametrize("n", [1, 2, 30, 1_023, 40_000])
def test_pictures_of_audio_of_any_length(n, music):
    x = music(max(n, 4_000), sample_rate=RATE)[0, :n]
    assert pixels(spectrogram_uri(x, RATE, RATE / 2)).shape[1] <= 640
    peak = float(np.abs(x).max()) or 1.0
    for path in (waveform_path(x, peak, 300), line_path(x, peak, 300)):
        assert path.startswith("M")
        assert all(0 <= level <= 200 for level in levels(path))


def test_pictures_of_silence_are_dark_and_flat():
    x = np.zeros(5_000, np.float32)
    assert pixels(spectrogram_uri(x, RATE, RATE / 2)).max() < 10
    assert set(levels(waveform_path(x, 1.0, 300))) == {99, 101}


def test_pictures_show_a_difference(music):
    x = music(20_000, sample_rate=RATE)[0]
    other = 0.3 * x[::-1]
    assert (
        np.abs(pixels(spectrogram_uri(x, RATE, RATE / 2)) - pixels(spectrogram_uri(other, RATE, RATE / 2))).max() > 25
    )
    assert max(levels(waveform_path(x, 1.0, 300))) > max(levels(waveform_path(other, 1.0, 300)))


def test_a_figure_is_the_same_svg_each_time():
    first, second = (svg(curves({"a": [(1, 2), (2, 3)]}, "x", ["y"])) for _ in range(2))
    assert first == second
    assert b"prefers-color-scheme: dark" in first
    look(png(curves({"a": [(1, 2), (2, 3)]}, "x", ["y"])))


def test_demo_of_one_clip(tmp_path):
    told = []
    models = ["linear-64", "sparse-64"]
    result = build_demo(
        tmp_path, models, clips=[CLIPS / "rock.ogg"], seconds=3, progress=lambda *step: told.append(step)
    )
    seen, text = inspect(result.page)
    assert [s.model for s in result.rows] == models
    assert {s.clip for s in result.rows} == {"rock"}
    for s in result.rows:
        assert (s.floats_per_second, s.ratio) == (64 * RATE / 512, 0.125)
        assert np.isfinite([s.mse, s.si_sdr, s.mel]).all()
        assert f"{s.si_sdr:.2f}" in text
        assert f"{s.mse:.5f}" in text
    assert result.rows[1].si_sdr > result.rows[0].si_sdr > 3
    tags = [tag for tag, _ in seen.tags]
    # Players: original, two models; original, reconstruction, four variations. A spectrogram for each.
    assert (tags.count("img"), players(seen)) == (3 + 6, (2, 3 + 6))
    for step in REPORTED:
        assert str(step) in text
    done = [done for _, done, _ in told]
    assert done == sorted(done)
    assert told[-1][1] == told[-1][2] == 1


def test_the_demo_page_stays_below_6_megabytes(tmp_path):
    """Issue 14, section 1: the page was 21 MB. All models and variations, by the size of one clip of five."""
    clip = read(CLIPS / "rock.ogg")
    mono = Audio(clip.samples.mean(axis=0, keepdims=True), clip.sample_rate)
    sizes = []
    for lanes, seconds in ((1 + len(registry.shipped()), PLAYED), (2 + len(REPORTED), VARIED_SECONDS)):
        page = Page("One clip", "")
        x = Audio(mono.samples[:, : round(seconds * mono.sample_rate)], mono.sample_rate)
        page.player([Track(str(i), x) for i in range(lanes)], compact=True)
        sizes.append(page.write(tmp_path / "p.html").stat().st_size)
    assert 5 * sum(sizes) < 6e6, sizes


def test_demo_names_models_that_are_not_there(tmp_path):
    result = build_demo(tmp_path, ["pca-100", "linear-64"], clips=[CLIPS / "house.ogg"], seconds=1)
    assert "pca-100: the shipped fit goes up to pca-64" in inspect(result.page)[1]
    with pytest.raises(ModelError, match="pca-100"):
        build_demo(tmp_path, ["pca-100"], seconds=1)


def finite(value):
    """Whether every number in a JSON value is finite; json.loads takes NaN and Infinity, which JSON does not know."""
    if isinstance(value, dict):
        return all(finite(v) for v in value.values())
    if isinstance(value, list):
        return all(finite(v) for v in value)
    return not isinstance(value, float) or math.isfinite(value)


def test_comparison_is_finite_also_on_silence(tmp_path, music):
    sounds = {"a": music(30_000, sample_rate=RATE), "silent": np.zeros((1, 30_000)), "short": music(1_000)}
    for name, samples in sounds.items():
        write(tmp_path / f"{name}.wav", Audio(samples.astype(np.float32), RATE))
    models = ["linear-64", "sparse-64"]
    result = comparing.compare(models, tmp_path, seconds=1)
    found = json.loads(result.to_json(tmp_path / "c.json").read_text(encoding="utf-8"))
    assert finite(found)
    assert len(found["scores"]) == 6
    assert set(found["means_with_95_percent_intervals"]) == set(models)
    for means in found["means_with_95_percent_intervals"].values():
        for mean, low, high in means.values():
            assert low <= mean <= high
    assert {p["model"] for p in found["rate_distortion"]} >= set(models)
    seen, text = inspect(result.to_html(tmp_path / "c.html"))
    assert "nan" not in text.lower().split()
    assert players(seen) == (1, 1 + len(models))  # all versions of a clip in one player, in step
    assert [tag for tag, _ in seen.tags].count("img") == 2 + 1 + len(models)


def test_comparison_skips_what_cannot_be_read_and_stops_where_nothing_can(tmp_path, music):
    write(tmp_path / "good.wav", Audio(music(20_000), RATE))
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    result = comparing.compare(["linear-64"], tmp_path, rate_distortion=False)
    assert [s.clip for s in result.rows] == ["good.wav"]
    assert list(result.failures) == [str(tmp_path / "bad.wav")]
    assert "bad.wav was left out" in inspect(result.to_html(tmp_path / "c.html"))[1]
    (tmp_path / "good.wav").unlink()
    with pytest.raises(DataError, match=r"bad\.wav"):
        comparing.compare(["linear-64"], tmp_path, rate_distortion=False)


IDENTITY = (Step("gain", 1.0), Step("noise", 0.0, 3), Step("smooth", 1))


@pytest.mark.parametrize("name", ["linear-64", "sparse-64", "pca-64", "cel-3"])
def test_identity_is_the_plain_reconstruction_to_the_bit(name, song, tmp_path, need_weights):
    need_weights(*[name] * name.startswith("cel"))
    codec = celesta.load(name)
    z = codec.encode(song)
    same = apply(z, IDENTITY)
    for part in ("base", "places", "values", "gain"):
        assert np.array_equal(getattr(z, part), getattr(same, part))
    assert np.array_equal(codec.decode(same).samples, codec.decode(z).samples)
    page = variation_page(codec, song, tmp_path / "v.html", IDENTITY)
    plain = reconstruct_page(codec, song, tmp_path / "r.html")
    assert page.with_suffix(".flac").read_bytes() == plain.with_suffix(".flac").read_bytes()


def test_same_seed_same_bytes(song, tmp_path):
    codec = celesta.load("linear-64")
    made = {}
    for out, seed in (("a", 7), ("b", 7), ("c", 8)):
        page = variation_page(codec, song, tmp_path / out / "v.html", [Step("noise", 0.3, seed)])
        made[out] = (page.with_suffix(".flac").read_bytes(), page.read_bytes())
        assert read(page.with_suffix(".flac")).samples.shape == read(song).samples.shape
    assert made["a"][0] == made["b"][0]
    assert made["a"][0] != made["c"][0]


@pytest.mark.parametrize("make", [lambda *a, **k: variation_page(*a, [Step("smooth", 3)], **k), reconstruct_page])
def test_outputs_are_overwritten_only_with_force(make, song, tmp_path):
    """Issue 14, item 9: no verb overwrites without --force; the audio counts as much as the page."""
    codec = celesta.load("linear-64")
    target = tmp_path / "x.html"
    page = make(codec, song, target)
    before = page.with_suffix(".flac").read_bytes()
    for gone in (None, page):
        if gone is not None:
            gone.unlink()
        with pytest.raises(UsageError, match="--force"):
            make(codec, song, target)
    assert make(codec, song, target, force=True) == page
    assert page.with_suffix(".flac").read_bytes() == before
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".flac", ".html"]


def test_pages_of_one_song_name_the_model_and_link_the_audio(song, tmp_path):
    """Issue 14, item 26: no model in the output's name, no link to the file, mono audio, text about 30 s of 1.5 s."""
    codec = celesta.load("linear-64")
    steps = [Step("gain", 0.5), Step("noise", 0.1, 7)]
    name = output_name(song, codec, steps)
    assert name == "song.wav.linear-64.gain-0.5-noise-0.1-seed-7"
    varied = variation_page(codec, song, tmp_path / f"{name}.html", steps)
    plain = reconstruct_page(codec, song, tmp_path / "song.linear-64.html")
    for page, count in ((varied, 3), (plain, 2)):
        seen, text = inspect(page)
        assert players(seen) == (1, count)
        assert all(decoded(a["data-audio"]).shape[1] == 2 for _, a in seen.tags if "data-audio" in a)
        assert "linear-64" in text
        assert "the whole song" in text
        assert "30 s" not in text
        assert "baseline" not in text
        assert relative_url(page.with_suffix(".flac"), page) in [a.get("href") for _, a in seen.tags]


def test_a_stretch_of_a_latent_file_is_varied(song, tmp_path):
    """Issue 14, item 26: transform took no .cel and no stretch of time."""
    codec = celesta.load("linear-64")
    codec.encode_file(song, tmp_path / "song.cel", dtype="float32")
    from_cel = variation_page(codec, tmp_path / "song.cel", tmp_path / "a.html", [Step("gain", 0.5)], start=0.4, stop=1)
    from_song = variation_page(codec, song, tmp_path / "b.html", [Step("gain", 0.5)], start=0.4, stop=1)
    assert read(from_cel.with_suffix(".flac")).samples.shape == (2, round(0.6 * 44_100))
    assert from_cel.with_suffix(".flac").read_bytes() == from_song.with_suffix(".flac").read_bytes()
    assert players(inspect(from_cel)[0]) == (1, 2)  # a latent has no original to compare with
    other = celesta.load("pca-64")
    with pytest.raises(LatentError, match="linear-64"):
        variation_page(other, tmp_path / "song.cel", tmp_path / "c.html", [Step("gain", 0.5)])
    assert not list(tmp_path.glob("c.*"))


def test_an_index_lists_songs_that_were_varied(song, tmp_path):
    """Issue 14, item 26: transform of a folder gave pages that nothing listed."""
    codec, steps = celesta.load("linear-64"), [Step("gain", 0.5)]
    made = [vary_song(codec, song, tmp_path / album / "song.html", steps) for album in ("A", "B")]
    seen, text = inspect(variation_index(made, steps, tmp_path / "index.html"))
    assert [a["href"] for t, a in seen.tags if t == "a" and a["href"] != "#main"] == [
        "A/song.html", "A/song.flac", "B/song.html", "B/song.flac",
    ]  # fmt: skip
    assert all(cell in text for cell in made[0].row)
    assert made[0].row[1] == f"{metrics.loudness(*read(made[0].flac)):.1f}"
    assert "gain 0.5" in text


def test_the_size_of_a_reconstruction_is_always_related_to_its_source(song, tmp_path, need_weights):
    """Issue 14, item 26: the column of numbers per sample was empty for a codec."""
    need_weights("nested")
    for name in ("linear-64", "nested"):
        made = reconstruct_song(celesta.load(name), song, tmp_path / f"{name}.html")
        assert all(made.row)
        _, text = inspect(made.page)
        assert made.row[2] in text
        if name == "nested":
            kbps = (tmp_path / "nested.cel").stat().st_size * 8 / 1000 / info(song).duration
            x, rate = read(song)
            assert made.row[2] == f"1/{16 * rate * len(x) / 1000 / kbps:.0f} of 16-bit PCM"
        else:
            assert made.row[2] == "0.125 numbers a sample"


def test_columns_are_explained_once_a_page(tmp_path):
    """Tables named measures that nothing on the page explained."""
    page = Page("Scores", "")
    for _ in range(2):
        page.table(["model", "MSE", "P4 (accuracy)"], [["a", "0.1", "0.5"]])
    _, text = inspect(page.write(tmp_path / "p.html"))
    assert text.count(meaning("MSE")) == 1
    assert text.count(meaning("accuracy")) == 1


def test_an_index_lists_songs_that_went_through_a_model(song, tmp_path):
    codec = celesta.load("linear-64")
    made = [reconstruct_song(codec, song, tmp_path / album / "song.html") for album in ("A", "B")]
    seen, text = inspect(reconstruct_index(made, tmp_path / "index.html"))
    links = [a["href"] for t, a in seen.tags if t == "a" and a["href"] != "#main"]
    assert links == ["A/song.html", "A/song.flac", "B/song.html", "B/song.flac"]
    assert all(cell in text for cell in made[0].row)
    assert str(Path("A", "song.wav")) in text


def test_scores_are_of_the_audio_that_is_played(song, tmp_path, need_weights):
    """A page of the codec showed the scores of 12 kbit/s beside audio of another bitrate."""
    need_weights("nested")
    made = reconstruct_song(celesta.load("nested"), song, tmp_path / "x.html")
    original, decoded = read(song), read(made.flac)
    kbps = (tmp_path / "x.cel").stat().st_size * 8 / 1000 / (original.samples.shape[1] / original.sample_rate)
    found = metrics.scores(original.samples, decoded.samples, original.sample_rate)
    assert made.row[1] == f"{kbps:.1f} kbit/s"
    assert made.row[4] == f"{found.si_sdr:.2f}"


def test_what_a_variation_did_is_measured(song):
    """On a linear code a gain is volume, and the page's numbers must show it."""
    codec = celesta.load("linear-64")
    made = reconstruct(codec, read(song))
    half = codec.decode(apply(made.latent, [Step("gain", 0.5)]))
    plain, effect = measure(made.x_hat, made.x_hat), measure(half, made.x_hat)
    assert effect.loudness - plain.loudness == pytest.approx(20 * math.log10(0.5), abs=0.05)
    assert effect.brightness == pytest.approx(plain.brightness, rel=1e-3)
    assert effect.si_sdr > 60
    assert effect.mel > 0.1
    assert "-6.0 dB" in remark(Step("gain", 0.5), plain, effect)
    assert remark(Step("noise", 0.1), plain, effect) == ""
    noisy = measure(codec.decode(apply(made.latent, [Step("noise", 0.5, 1)])), made.x_hat)
    assert noisy.si_sdr < effect.si_sdr
