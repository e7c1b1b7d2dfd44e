"""The hand-made descriptors on sounds whose values are known from their definitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import celesta
from celesta import audio
from celesta.errors import UsageError
from celesta.features import spectral
from celesta.features.spectral import NAMES, frames, handcrafted

RATE = 22_050
INNER = slice(4, -4)  # frames that lie wholly within the sound


def sine(hz: float, seconds: float = 2.0, rate: int = RATE, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(4 * RATE)).astype(np.float32)


def test_sizes_and_names() -> None:
    made = frames(sine(440), RATE)
    assert {name: rows.shape[0] for name, rows in made.items()} == {
        "mfcc": 20,
        "mfcc_delta": 20,
        "chroma": 12,
        "contrast": 7,
        "centroid": 1,
        "bandwidth": 1,
        "rolloff": 1,
        "flatness": 1,
        "zero_crossings": 1,
        "rms": 1,
    }
    assert {rows.shape[1] for rows in made.values()} == {1 + 2 * RATE // 512}
    vector = handcrafted(sine(440), RATE)
    assert vector.shape == (len(NAMES),) == (130,)
    assert vector.dtype == np.float32
    assert vector[NAMES.index("centroid.mean")] == pytest.approx(made["centroid"].mean(), rel=1e-5)
    assert vector[NAMES.index("rms.std")] == pytest.approx(made["rms"].std(), rel=1e-5)


@pytest.mark.parametrize("hz", [300.0, 1000.0, 5000.0])
def test_a_sine_stands_where_it_is(hz: float) -> None:
    made = {name: rows[:, INNER] for name, rows in frames(sine(hz), RATE).items()}
    assert np.allclose(made["centroid"], hz, atol=12)
    assert np.all(made["bandwidth"] < 60)
    assert np.allclose(made["rolloff"], hz, atol=2 * RATE / 2048)
    assert np.allclose(made["zero_crossings"], 2 * hz / RATE, atol=2 / 2048)
    assert np.allclose(made["rms"], 0.5 / np.sqrt(2), rtol=0.01)
    assert np.all(made["flatness"] < 1e-3)


@pytest.mark.parametrize(("hz", "pitch_class"), [(261.626, 0), (329.628, 4), (440.0, 9), (987.767, 11)])
def test_a_tone_has_its_pitch_class(hz: float, pitch_class: int) -> None:
    chroma = frames(sine(hz), RATE)["chroma"][:, INNER]
    assert np.all(chroma.argmax(axis=0) == pitch_class)
    assert np.allclose(chroma.max(axis=0), 1)


def test_white_noise_is_flat(noise: np.ndarray) -> None:
    made = frames(noise, RATE)
    # Powers are exponentially distributed: the geometric mean is exp(-Euler's constant) of the arithmetic one.
    assert made["flatness"][:, INNER].mean() == pytest.approx(np.exp(-np.euler_gamma), abs=0.02)
    assert made["centroid"][:, INNER].mean() == pytest.approx(RATE / 4, rel=0.02)
    assert made["bandwidth"][:, INNER].mean() == pytest.approx(RATE / 2 / np.sqrt(12), rel=0.02)
    assert made["rolloff"][:, INNER].mean() == pytest.approx(0.85 * RATE / 2, rel=0.02)
    assert made["zero_crossings"][:, INNER].mean() == pytest.approx(0.5, rel=0.02)


def test_level_moves_only_what_measures_it(noise: np.ndarray) -> None:
    loud, quiet = frames(noise, RATE), frames(noise / 10, RATE)
    for name in ("chroma", "centroid", "bandwidth", "rolloff", "zero_crossings"):
        assert np.allclose(loud[name], quiet[name], rtol=1e-3, atol=1e-4), name
    assert np.allclose(loud["rms"], 10 * quiet["rms"], rtol=1e-4)
    # -20 dB in each of 128 bands is -20 * sqrt(128) in the first coefficient of an orthonormal DCT.
    assert np.allclose(loud["mfcc"][0] - quiet["mfcc"][0], 20 * np.sqrt(128), atol=0.01)
    assert np.allclose(loud["mfcc"][1:], quiet["mfcc"][1:], atol=0.01)


def test_contrast_tells_tones_from_noise(noise: np.ndarray) -> None:
    tones = sum(sine(hz, 4.0, level=0.1) for hz in (300, 600, 1200, 2400, 4800))
    tonal = frames(np.asarray(tones) + noise / 1000, RATE)["contrast"][1:6, INNER].mean(axis=1)
    assert np.all(tonal > 20 + frames(noise, RATE)["contrast"][1:6, INNER].mean(axis=1) / 2)


def test_delta_is_the_slope() -> None:
    decay = sine(1000, 4.0) * np.exp(-np.arange(4 * RATE) / RATE).astype(np.float32)
    made = frames(decay, RATE)
    # A level that falls by e a second falls by 8.686 dB a second, in all bands that are not floored alike.
    expected = np.gradient(made["mfcc"], axis=1)[:, 20:100].mean(axis=1)
    assert np.allclose(made["mfcc_delta"][:, 20:100].mean(axis=1), expected, atol=0.05)
    assert made["mfcc_delta"][0, 20:100].mean() < -0.1


def test_silence_and_constants_are_finite() -> None:
    silent = frames(np.zeros(RATE, np.float32), RATE)
    assert all(np.isfinite(rows).all() for rows in silent.values())
    for name in ("centroid", "bandwidth", "rolloff", "zero_crossings", "rms", "chroma", "contrast"):
        assert np.all(silent[name] == 0), name
    assert np.allclose(silent["flatness"], 1)
    constant = {name: rows[:, INNER] for name, rows in frames(np.full(RATE, 0.5, np.float32), RATE).items()}
    assert np.allclose(constant["centroid"], 0, atol=RATE / 2048)
    assert np.all(constant["zero_crossings"] == 0)
    assert np.allclose(constant["rms"], 0.5)


@pytest.mark.parametrize("n", [1, 2, 511, 2048, 5000])
def test_short_sounds(n: int) -> None:
    assert np.isfinite(handcrafted(sine(440)[:n], RATE)).all()


def test_rate_does_not_matter() -> None:
    low, high = handcrafted(sine(440), RATE), handcrafted(sine(440, rate=44_100), 44_100)
    for name in ("centroid.mean", "rms.mean", "chroma_9.mean", "rolloff.mean"):
        assert low[NAMES.index(name)] == pytest.approx(high[NAMES.index(name)], rel=0.02)


@pytest.mark.parametrize("frames", [1, 8, 9, 10, 50, 4096, 4100, 4110, 9000])
def test_slopes_in_blocks_are_those_of_the_whole(frames: int) -> None:
    rows = np.random.default_rng(frames).standard_normal((3, frames)).astype(np.float32)
    blocks = list(spectral._slopes(rows))
    assert np.array_equal(np.concatenate([block for block, _ in blocks], axis=1), rows)
    wanted = spectral._slope(rows)
    assert np.allclose(np.concatenate([slope for _, slope in blocks], axis=1), wanted, atol=1e-6)


@pytest.mark.parametrize("bad", [np.zeros((2, 100)), np.zeros(0), np.array([0.0, np.nan]), np.array([np.inf])])
def test_refusals(bad: np.ndarray) -> None:
    with pytest.raises(UsageError):
        handcrafted(bad, RATE)


# Means over frames of librosa 0.11.0 on the shipped clips, read here at 22 050 Hz and mixed to mono.
LIBROSA: dict[str, dict[str, float]] = {
    "house": {
        "mfcc_0.mean": -102.303,
        "mfcc_1.mean": 69.3578,
        "mfcc_7.mean": 3.39353,
        "mfcc_19.mean": 1.60971,
        "mfcc_3.std": 15.8049,
        "mfcc_delta_1.std": 7.80669,
        "chroma_0.mean": 0.557177,
        "chroma_9.mean": 0.663031,
        "contrast_0.mean": 21.0602,
        "contrast_3.mean": 17.7357,
        "contrast_6.mean": 44.8585,
        "centroid.mean": 2957.31,
        "bandwidth.std": 569.437,
        "rolloff.mean": 6447.99,
        "flatness.mean": 0.0470475,
        "zero_crossings.mean": 0.105688,
        "rms.mean": 0.152794,
    },
    "orchestral": {
        "mfcc_0.mean": -185.461,
        "mfcc_1.mean": 117.221,
        "mfcc_7.mean": 8.48459,
        "mfcc_19.mean": 3.29686,
        "mfcc_3.std": 11.3279,
        "mfcc_delta_1.std": 4.87279,
        "chroma_0.mean": 0.784664,
        "chroma_9.mean": 0.352448,
        "contrast_0.mean": 20.7928,
        "contrast_3.mean": 20.0014,
        "contrast_6.mean": 45.346,
        "centroid.mean": 1498.74,
        "bandwidth.std": 480.39,
        "rolloff.mean": 3461.51,
        "flatness.mean": 0.0041841,
        "zero_crossings.mean": 0.0382545,
        "rms.mean": 0.120335,
    },
}


@pytest.mark.parametrize("clip", sorted(LIBROSA))
def test_librosa_says_the_same(clip: str) -> None:
    path = Path(celesta.__file__).parent / "clips" / f"{clip}.ogg"
    sound = audio.read(path, sample_rate=RATE, mono=True)
    vector = handcrafted(sound.samples[0], RATE)
    for name, value in LIBROSA[clip].items():
        assert vector[NAMES.index(name)] == pytest.approx(value, rel=1e-3, abs=1e-3), name
