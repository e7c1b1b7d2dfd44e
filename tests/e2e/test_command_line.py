"""The verbs as a user types them, on synthetic and, where it is there, real music."""

import base64
import dataclasses
import io
import json
import re

import numpy as np
import pytest
import soundfile

import celesta
from celesta.audio import Audio, probe, read, write
from celesta.dsp.metrics import si_sdr


@pytest.fixture
def song(tmp_path, music):
    write(tmp_path / "song.flac", Audio(music(150_001, channels=2), 44_100))
    return tmp_path / "song.flac"


def test_encode_verify_info_decode(song, tmp_path, call):
    call("encode", song, "-m", "linear-64", "-o", tmp_path / "song.cel", "--verify")
    assert "OK" in call("verify", tmp_path / "song.cel").stdout
    assert "linear-64" in call("info", tmp_path / "song.cel").stdout
    assert "44100 Hz" in call("info", song).stdout
    call("decode", tmp_path / "song.cel", "-o", tmp_path / "back.wav")
    back, x = read(tmp_path / "back.wav"), read(song)
    assert back.samples.shape == x.samples.shape
    assert back.sample_rate == 44_100
    assert si_sdr(x.samples, back.samples) > 5


def test_the_codec_is_the_default_and_its_files_shrink(song, tmp_path, need_weights, call):
    need_weights("nested2")
    call("encode", song, "-o", tmp_path / "song.cel")
    assert "coded-2" in call("info", tmp_path / "song.cel").stdout
    call("truncate", tmp_path / "song.cel", "--kbps", 12, "-o", tmp_path / "small.cel")
    assert "coded-2" in call("info", tmp_path / "small.cel").stdout
    small, large = ((tmp_path / f"{name}.cel").stat().st_size for name in ("small", "song"))
    assert small <= 12_000 / 8 * 150_001 / 44_100 < large
    call("decode", tmp_path / "small.cel", "-o", tmp_path / "back.wav")
    back, x = read(tmp_path / "back.wav"), read(song)
    assert back.samples.shape == x.samples.shape
    assert si_sdr(x.samples, back.samples) > 3


def page(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
    for kind, data in re.findall(r'src="data:(image/png|audio/ogg);base64,([^"]+)"', text):
        raw = base64.b64decode(data)
        if kind == "image/png":
            assert raw[:4] == b"\x89PNG"
        else:
            assert len(soundfile.read(io.BytesIO(raw))[0]) > 0
    return text


def test_demo(tmp_path, need_weights, call):
    need_weights("cel-3")
    out = call("demo", "-o", tmp_path, "-m", "linear-64", "-m", "cel-3", "--seconds", 2).stdout
    assert "cel-3" in out
    text = page(tmp_path / "index.html")
    assert text.count("data-audio=") == 5 * (3 + 6)
    assert "Not a compression: cel-3" in text


def test_reconstruct_transform_and_hostile_names(tmp_path, music, call):
    song = tmp_path / "<script>alert(1)<.wav"
    write(song, Audio(music(60_000, channels=2), 44_100))
    call("reconstruct", song, "-m", "linear-64", "-o", tmp_path / "r")
    call("transform", song, "-m", "linear-64", "-o", tmp_path / "t", "--gain", 1.5, "--noise", 0.1, "--seed", 7)
    for folder in ("r", "t"):
        (html,) = (tmp_path / folder).glob("*.html")
        assert "<script>alert" not in page(html)
        (flac,) = (tmp_path / folder).glob("*.flac")
        assert probe(flac).n_samples == 60_000
        assert probe(flac).channels == 2
    first = flac.read_bytes()
    call("transform", song, "-m", "linear-64", "-o", tmp_path / "u", "--gain", 1.5, "--noise", 0.1, "--seed", 7)
    assert next((tmp_path / "u").glob("*.flac")).read_bytes() == first
    assert "at least one" in call("transform", song, code=2).stderr
    assert "--seed belongs to --noise" in call("transform", song, "--seed", 3, code=2).stderr


def test_reconstruct_of_a_folder_keeps_its_structure(tmp_path, music, call):
    """Issue 14, item 9: B/01.wav was written over what A/01.wav had given; item 26: an index for folders."""
    for album in ("A", "B"):
        (tmp_path / "in" / album).mkdir(parents=True)
        write(tmp_path / "in" / album / "01.wav", Audio(music(20_000, seed=ord(album)), 22_050))
    out = tmp_path / "out"
    assert str(out / "index.html") in call("reconstruct", tmp_path / "in", "-m", "linear-64", "-o", out).stderr
    assert len({(out / album / "01.wav.linear-64.flac").read_bytes() for album in ("A", "B")}) == 2
    assert "A/01.wav.linear-64.html" in page(out / "index.html")


@pytest.mark.parametrize("text", ["[/b] [red]loud[/red] :warning:", "\x1b[2J\x1b[31m\x07 loud"])
def test_info_shows_hostile_tags_as_plain_text(text, tmp_path, music, call):
    """Neither our own markup nor a terminal's escape sequences work from within a file's tags and name."""
    z = celesta.load("linear-8").encode(Audio(music(5_000), 44_100))
    path = tmp_path / "[red]song[:cat:.cel"
    dataclasses.replace(z, tags={"title": text, text: "x"}).save(path)
    out = call("info", path).stdout
    assert "[red]song[:cat:.cel" in out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert out.count("loud") == 2
    assert out.count("[/b]") == text.count("[/b]") * 2
    assert json.loads(call("info", path, "--json").stdout)["tags"]["title"] == text


def test_compare_with_rates(tmp_path, music, call):
    for i in range(2):
        write(tmp_path / f"{i}.wav", Audio(music(44_100, sample_rate=22_050, seed=i), 22_050))
    call("compare", "linear-32", "sparse-32", "--data", tmp_path, "-o", tmp_path / "c", "--seconds", 2)
    page(tmp_path / "c" / "compare.html")
    found = json.loads((tmp_path / "c" / "compare.json").read_text())
    assert len(found["scores"]) == 4
    for model in ("linear-32", "sparse-32"):
        points = sorted((p["kbps"], p["si_sdr"]) for p in found["rate_distortion"] if p["model"] == model)
        assert len(points) == 5
        assert points[0][1] < points[-1][1]


def test_models_and_version(need_weights, call):
    assert re.match(r"celesta \d", call("--version").stdout)
    lines = call("models").stdout.splitlines()
    shipped = ("nested2", "cel-lr", "cel-silu", "cel-2", "cel-3")
    found = {name: [line for line in lines if name in line] for name in (*shipped, "linear-", "pca-", "sparse-")}
    assert all(found.values()), found
    assert max(map(len, lines)) <= 100
    need_weights(*shipped)
    rows = {row["model"]: row for row in json.loads(call("models", "--json").stdout)}
    assert {rows[name]["weights"] for name in shipped} == {"installed"}
    assert rows["linear-64"]["latent_dim"] == 64


def test_doctor_checks_the_default_model(need_weights, call):
    need_weights("nested2", "cel-lr", "cel-silu", "cel-2", "cel-3")
    document = json.loads(call("doctor", "--json").stdout)
    assert document["ok"]
    states = {part["part"]: part["state"] for part in document["parts"]}
    assert states["nested2 (default)"] == "ok"
    assert states["mp3"] == "ok"


@pytest.mark.parametrize(("model", "least"), [("cel-lr", 12), ("cel-silu", 12), ("sparse-64", 8)])
def test_real_music_end_to_end(model, least, real_music, tmp_path, need_weights, call):
    """GTZAN audio through the report's models and the strong baseline; floors far below what the model cards say."""
    need_weights(*[model] * model.startswith("cel"))
    song = real_music / "gtzan" / "classical" / "classical.00012.ogg"
    x = read(song)
    call("encode", song, "-m", model, "-o", tmp_path / "song.cel")
    call("decode", tmp_path / "song.cel", "-o", tmp_path / "back.wav")
    back = read(tmp_path / "back.wav")
    assert back.samples.shape == x.samples.shape
    assert np.isfinite(back.samples).all()
    assert si_sdr(x.samples, back.samples) > least
