"""Operations on time, morph, style and sliders: identities, exact pitch and duration, monotone effects, recipes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import celesta
from celesta.audio import Audio
from celesta.codec import Codec
from celesta.dsp import metrics
from celesta.errors import LatentError, UsageError
from celesta.latents import Latent
from celesta.report.demo import CLIPS
from celesta.variations import SLIDERS, apply, concat, crop, loop, morph, repeat, reverse, stretch, style, transpose
from celesta.variations.recipes import parse_recipe, read_recipe

RATE = 44_100


@pytest.fixture(scope="module")
def codec() -> Codec:
    return celesta.load("nested")


@pytest.fixture(scope="module")
def z(codec: Codec) -> Latent:
    return codec.encode(celesta.read(CLIPS / "rock.ogg", duration=3))


@pytest.fixture(scope="module")
def other(codec: Codec) -> Latent:
    return codec.encode(celesta.read(CLIPS / "house.ogg", duration=4))


def with_envelope(z: Latent) -> Latent:
    """The latent with a band envelope: that of its detail, and less of it for what is left out."""
    from celesta.variations.coefficients import band_levels
    from celesta.variations.timeline import Timeline

    t = Timeline.of(z)
    levels = band_levels(t)
    columns = z.windows * z.frames // 4
    filled = np.full((z.channels, 25, columns), -96.0, np.float32)
    filled[..., : levels.shape[-1]] = levels
    both = np.concatenate([filled, np.maximum(filled - 20, -96)], axis=1)
    arrays = both.reshape(z.channels, 50, z.windows, z.frames // 4).transpose(2, 0, 1, 3)
    return z.replace(envelope=arrays)


def same(a: Latent, b: Latent) -> bool:
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in ("base", "places", "values", "gain"))


def test_settings_that_change_nothing_change_no_bit(z: Latent, other: Latent) -> None:
    for made in (
        crop(z), concat(z), loop(z, 1), repeat(z, 1, 1.0, 2.0), stretch(z, 1), transpose(z, 0), morph(z, other, 0),
        style(z, other, 0), *(slider(z, 0) for slider in SLIDERS.values()),
    ):  # fmt: skip
        assert made is z
    assert morph(z, other, 1) is other


@pytest.mark.parametrize("envelope", [False, True], ids=["detail", "envelope"])
def test_durations_are_right(z: Latent, envelope: bool) -> None:
    if envelope:
        z = with_envelope(z)
    frame = 1024 * (4 if envelope else 1) / RATE
    assert crop(z, 1, 2).duration == pytest.approx(1, abs=2 * frame)
    assert loop(z, 3).duration == pytest.approx(9, abs=3 * frame)
    assert repeat(z, 4, 1, 1.5).duration == pytest.approx(4.5, abs=5 * frame)
    assert concat(z, z).duration == pytest.approx(6, abs=2 * frame)
    assert stretch(z, 1.5).duration == pytest.approx(4.5, abs=frame)
    for made in (crop(z, 1, 2), loop(z, 2), stretch(z, 0.7), reverse(z), transpose(z, 3)):
        assert (made.envelope is not None) == envelope
        assert np.isfinite(made.values).all()


def test_cropped_frames_are_the_songs(codec: Codec, z: Latent) -> None:
    part = crop(z, 43 * 1024 / RATE, 86 * 1024 / RATE)
    assert np.array_equal(part.values[0, ..., :43], z.values[0, ..., 43:86])
    x, plain = codec.decode(part).samples, codec.decode(z).samples
    assert metrics.si_sdr(plain[:, 46 * 1024 : 83 * 1024], x[:, 3 * 1024 : 40 * 1024]) > 25


@pytest.mark.parametrize("semitones", [2, -5])
def test_a_transposed_tone_is_in_tune(codec: Codec, semitones: int) -> None:
    t = np.arange(2 * RATE) / RATE
    z = codec.encode((0.4 * np.sin(2 * np.pi * 440 * t)).astype(np.float32), sample_rate=RATE)
    x = codec.decode(transpose(z, semitones)).samples[0]
    assert x.size == t.size
    spectrum = np.abs(np.fft.rfft(x[20_000:53_000] * np.hanning(33_000), 1 << 19))
    hz = float(np.argmax(spectrum)) * RATE / (1 << 19)
    assert abs(1200 * np.log2(hz / (440 * 2 ** (semitones / 12)))) < 5


def test_stretching_keeps_the_pitch(codec: Codec) -> None:
    t = np.arange(2 * RATE) / RATE
    z = codec.encode((0.4 * np.sin(2 * np.pi * 440 * t)).astype(np.float32), sample_rate=RATE)
    x = codec.decode(stretch(z, 1.25)).samples[0]
    spectrum = np.abs(np.fft.rfft(x[20_000:53_000] * np.hanning(33_000), 1 << 19))
    assert float(np.argmax(spectrum)) * RATE / (1 << 19) == pytest.approx(440, abs=1)


def test_reversed_audio_is_the_audio_reversed(codec: Codec, z: Latent) -> None:
    plain, x = codec.decode(z).samples, codec.decode(reverse(z)).samples
    assert x.shape == plain.shape
    assert metrics.si_sdr(plain[:, ::-1], x) > 12


@pytest.mark.parametrize("fit", ["cut", "loop", "stretch"])
def test_morphs_of_different_lengths(codec: Codec, z: Latent, other: Latent, fit: str) -> None:
    made = morph(z, other, 0.5, fit=fit)
    assert made.duration == pytest.approx(3 if fit == "cut" else 4, abs=0.03)
    level = [metrics.loudness(codec.decode(one).samples, RATE) for one in (z, made, other)]
    assert min(level[0], level[2]) - 1.5 < level[1] < max(level[0], level[2]) + 1.5


def test_there_is_no_silence_at_seams() -> None:
    codec = celesta.load("nested2")
    t = np.arange(10 * 4096 + 500) / RATE  # ends just behind a column of the envelope
    z = codec.encode(Audio(0.3 * np.sin(2 * np.pi * 440 * t)[None].astype(np.float32), RATE))
    long = loop(z, 2)
    for made in (long, concat(z, z), morph(z, long, [0, 0.1], fit="loop")):
        x = codec.decode(made).samples[0, 4_410:80_000]
        level = np.sqrt(np.square(x[: len(x) // 441 * 441]).reshape(-1, 441).mean(axis=1))
        assert level.min() > 0.4 * np.median(level)


def test_a_morph_goes_from_one_song_to_the_other(codec: Codec, z: Latent, other: Latent) -> None:
    made = codec.decode(morph(z, other, [0, 0, 1, 1], path="spherical")).samples
    a, b = codec.decode(z).samples, codec.decode(other).samples
    third = made.shape[1] // 4
    assert metrics.si_sdr(a[:, 4_096:third], made[:, 4_096:third]) > 25
    assert metrics.si_sdr(b[:, 3 * third : 4 * third - 4_096], made[:, 3 * third : 4 * third - 4_096]) > 25


def test_beats_are_moved_onto_beats(z: Latent, other: Latent) -> None:
    made = morph(z, other, 0.999, beats=(np.arange(0.0, 3, 0.5), np.arange(0.25, 4, 0.5)))
    # At 0.5 s of the result plays what is at 0.75 s of the second song.
    at, source = round(0.5 * RATE / 1024), round(0.75 * RATE / 1024)
    assert np.corrcoef(made.base[0, 0, :, at], other.base[0, 0, :, source])[0, 1] > 0.9


def test_style_gives_the_other_songs_spectrum(codec: Codec, z: Latent, other: Latent) -> None:
    a, b = (metrics.spectral_centroid(codec.decode(one).samples, RATE) for one in (z, other))
    centroids = [metrics.spectral_centroid(codec.decode(style(z, other, s)).samples, RATE) for s in (0.5, 1.0)]
    assert abs(centroids[1] - b) < abs(a - b)
    assert same(style(z, other, 0.5), style(z, other, 0.5))


def measured(x: np.ndarray, name: str) -> float:
    power = np.mean(np.abs(np.fft.rfft(x, axis=1)) ** 2, axis=0)
    hz = np.fft.rfftfreq(x.shape[1], 1 / RATE)
    if name == "loudness":
        return metrics.loudness(x, RATE)
    if name == "brightness":
        return float(np.log2(np.sum(hz * power) / np.sum(power)))
    if name == "low-end":
        return float(10 * np.log10(power[hz < 150].sum() / power.sum()))
    if name == "width":
        return float(10 * np.log10(np.mean((x[0] - x[1]) ** 2) / np.mean((x[0] + x[1]) ** 2)))
    if name == "attack":
        level = 10 * np.log10(np.mean(x[:, : x.shape[1] // 1024 * 1024].reshape(2, -1, 1024) ** 2, axis=(0, 2)) + 1e-9)
        return float(np.std(np.diff(level)))
    frames = x.mean(axis=0)[: x.shape[1] // 2048 * 2048].reshape(-1, 2048) * np.hanning(2048)
    spectrum = np.abs(np.fft.rfft(frames))[:, 8:400] ** 2 + 1e-9
    return float(np.mean(10 * np.log10(np.exp(np.log(spectrum).mean(axis=1)) / spectrum.mean(axis=1))))


@pytest.mark.parametrize("name", list(SLIDERS))
def test_sliders_are_monotone(codec: Codec, z: Latent, name: str) -> None:
    slider = SLIDERS[name]
    settings = np.linspace(slider.minimum, slider.maximum, 3)
    effects = [measured(codec.decode(slider(z, float(v))).samples, name) for v in settings]
    assert np.all(np.diff(effects) > 0), effects


@pytest.mark.parametrize("name", list(SLIDERS))
def test_sliders_act_on_envelopes(z: Latent, name: str) -> None:
    made = SLIDERS[name](with_envelope(z), SLIDERS[name].maximum / 2)
    assert made.envelope is not None
    assert np.isfinite(made.envelope).all()
    if name == "loudness":
        loud = with_envelope(z).envelope > -80
        assert np.allclose((made.envelope - with_envelope(z).envelope)[loud], 6, atol=0.01)


def test_edits_can_be_saved_coded(z: Latent, tmp_path: Path) -> None:
    for number, made in enumerate((SLIDERS["brightness"](z, 2), crop(z, 1, 2), loop(z, 2))):
        file = tmp_path / f"{number}.cel"
        made.save(file, kbps=24)
        assert Latent.load(file).duration == pytest.approx(made.duration, abs=0.001)


@pytest.mark.parametrize(
    "bad",
    [
        lambda z, o: crop(z, 5, 4), lambda z, o: crop(z, 99), lambda z, o: loop(z, 0), lambda z, o: stretch(z, 9),
        lambda z, o: transpose(z, 99), lambda z, o: concat(), lambda z, o: morph(z, o, 1.5),
        lambda z, o: morph(z, o, 0.5, fit="bend"), lambda z, o: morph(z, o, []), lambda z, o: style(z, o, 2),
        lambda z, o: SLIDERS["loudness"](z, 99), lambda z, o: morph(z, o, float("nan")),
        lambda z, o: repeat(z, 2, 3, 1),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(z: Latent, other: Latent, bad: Callable[[Latent, Latent], Latent]) -> None:
    with pytest.raises(UsageError):
        bad(z, other)


def test_latents_that_do_not_fit_are_refused(codec: Codec, z: Latent) -> None:
    mono = codec.encode(celesta.read(CLIPS / "rock.ogg", duration=1, mono=True))
    overlapping = celesta.load("cel-silu").encode(Audio(np.zeros((2, 30_000), np.float32), 22_050))
    for bad in (lambda: morph(z, mono, 0.5), lambda: concat(z, mono), lambda: style(z, overlapping, 1)):
        with pytest.raises(LatentError, match="do not combine"):
            bad()
    with pytest.raises(LatentError, match="overlap"):
        loop(overlapping, 2)
    with pytest.raises(LatentError, match="needs a detail"):
        SLIDERS["loudness"](overlapping, 3)


def test_recipes_are_chains(z: Latent) -> None:
    recipe = parse_recipe('seed = 3\n[[step]]\nname = "low-end"\nvalue = 2\n[[step]]\nname = "noise"\nsigma = 0.1\n')
    assert [str(step) for step in recipe.steps] == ["low-end 2", "noise 0.1 (seed 3)"]
    assert same(apply(z, recipe.steps), apply(z, recipe.steps))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("steps = 1", "unknown key 'steps'"), ("[[step]]\nname = 'sing'", "unknown variation 'sing'"),
        ("[[step]]\nname = 'brigtness'", "unknown variation 'brigtness'; did you mean brightness\\?"),
        ("[[step]]\nname = 'gain'\nfactr = 2", "no parameter 'factr'"), ("[[step]]\nname = 'gain'", "needs factor"),
        ("[[step]]\nfactor = 2", "has no name"), ("", r"no \[\[step\]\]"), ("= = 3", "not a TOML"),
        ("seed = -1\n[[step]]\nname = 'gain'\nfactor = 2", "seed must be"),
        ("[[step]]\nname = 'gain'\nfactor = nan", "must be a number"), ("[[step]]\nname='gain'\nfactor='a'", "number"),
    ],
)  # fmt: skip
def test_bad_recipes_get_one_clear_line(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=words) as found:
        read_recipe(file)
    assert "\n" not in str(found.value)
    assert "bad.toml" in str(found.value)


def test_cards_say_that_sliders_are_monotone() -> None:
    """A slider whose measured effect is not monotone does not ship."""
    for slider in SLIDERS.values():
        for model, card in slider.cards.items():
            assert card["range"] == [slider.minimum, slider.maximum], (slider.name, model)
            assert card["spearman_of_mean"] >= 0.95, (slider.name, model)
            assert card["songs_at_least_0.8"] >= 0.9 * card["songs"], (slider.name, model)
