"""Metrics against independent definitions, published constants and sounds whose figures are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from celesta.dsp import metrics
from celesta.errors import UsageError

RATE = 22_050
RNG = np.random.default_rng(5)
SILENCE = np.zeros((2, 3000))
ONE = np.array([[0.5]])


def sine(hertz: float, seconds: float = 2.0, rate: int = RATE, level: float = 0.5) -> np.ndarray:
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)[None]


def noise(n: int = 20_000, channels: int = 1, level: float = 0.1) -> np.ndarray:
    return level * RNG.standard_normal((channels, n))


def test_mse_is_the_mean_over_all_samples() -> None:
    assert metrics.mse([[0.0, 1.0], [0.5, 0.5]], [[0.0, 0.0], [0.5, 0.0]]) == pytest.approx(1.25 / 4)


def test_snr_of_a_tenth_of_the_amplitude_is_twenty_decibels() -> None:
    x = noise()
    assert metrics.snr(x, 1.1 * x) == pytest.approx(20)
    assert metrics.snr(x, -x) == pytest.approx(10 * math.log10(1 / 4))


def test_si_sdr_of_orthogonal_noise_is_the_ratio_of_powers() -> None:
    x, e = sine(440), sine(880, level=0.05)
    assert metrics.si_sdr(x, x + e) == pytest.approx(20, abs=1e-6)
    assert metrics.si_sdr(x, 3 * (x + e)) == pytest.approx(20, abs=1e-6)


def test_si_sdr_ignores_scale_sign_and_mean_but_not_delay() -> None:
    x = noise()
    assert metrics.si_sdr(x, -0.3 * x + 0.2) == metrics.LIMIT_DB
    assert metrics.si_sdr(x, np.roll(x, 1)) < -15


def test_si_sdr_is_the_angle_between_the_sounds() -> None:
    """Independent form: cot^2 of the angle between the two zero-mean vectors."""
    x = noise()
    y = x + noise(level=0.07)
    r = np.corrcoef(x[0], y[0])[0, 1]
    assert metrics.si_sdr(x, y) == pytest.approx(10 * math.log10(r**2 / (1 - r**2)), abs=1e-9)


def test_a_silent_channel_does_not_spoil_the_other() -> None:
    x, y = sine(440), sine(440) + sine(880, level=0.05)
    silent = np.zeros_like(x)
    assert metrics.si_sdr(np.vstack([x, silent]), np.vstack([y, silent])) == pytest.approx(20, abs=1e-6)


@pytest.mark.parametrize("distance", [metrics.snr, metrics.si_sdr])
def test_ratios_of_silence_and_copies(distance) -> None:  # type: ignore[no-untyped-def]
    x = noise(3000, channels=2)
    assert distance(x, x) == 100
    assert distance(SILENCE, SILENCE) == 100
    assert distance(SILENCE, x) == -100
    assert distance(ONE, ONE) == 100


def test_ratios_of_a_silent_reconstruction() -> None:
    x = noise(3000, channels=2)
    assert metrics.snr(x, SILENCE) == 0
    assert metrics.si_sdr(x, SILENCE) == -100
    assert metrics.si_sdr(ONE, -ONE) == -100
    assert metrics.si_sdr(np.full((1, 1000), 0.1), np.full((1, 1000), 0.2)) == -100


def slaney_edges(top: float, bands: int) -> list[float]:
    def to_mel(f: float) -> float:
        return 3 * f / 200 if f < 1000 else 15 + math.log(f / 1000) / (math.log(6.4) / 27)

    def to_hertz(m: float) -> float:
        return 200 * m / 3 if m < 15 else 1000 * math.exp((m - 15) * math.log(6.4) / 27)

    return [to_hertz(i * to_mel(top) / (bands + 1)) for i in range(bands + 2)]


@pytest.mark.parametrize(("rate", "window", "bands"), [(22_050, 2048, 320), (44_100, 512, 80), (8000, 32, 5)])
def test_mel_filters_are_slaneys_triangles(rate: int, window: int, bands: int) -> None:
    filters = metrics.mel_filters(rate, window, bands)
    edges = slaney_edges(rate / 2, bands)
    assert filters.shape == (window // 2 + 1, bands)
    for band in (0, bands // 2, bands - 1):
        low, centre, high = edges[band : band + 3]
        expected = np.interp(np.arange(window // 2 + 1) * rate / window, [low, centre, high], [0, 1, 0], 0, 0)
        assert np.allclose(filters[:, band], expected, atol=1e-6)


def test_mel_scale_has_its_published_points() -> None:
    """1 kHz is mel 15 and 6.4 kHz mel 42 on Slaney's scale."""
    edges = slaney_edges(6400, 41)
    filters = metrics.mel_filters(12_800, 12_800, 41)
    assert edges[15] == pytest.approx(1000)
    assert filters[1000, 14] == pytest.approx(1, abs=1e-6)


def test_mel_filters_without_a_bin_are_left_out() -> None:
    filters = metrics.mel_filters(96_000, 2048, 320)
    assert 200 < filters.shape[1] < 320
    assert filters.any(axis=0).all()


def direct_mel_distance(x: np.ndarray, y: np.ndarray, rate: int) -> float:
    """The definition written down frame by frame, by a plain discrete Fourier sum."""
    total = 0.0
    for window, bands in zip((32, 64, 128, 256, 512, 1024, 2048), (5, 10, 20, 40, 80, 160, 320), strict=True):
        edges = slaney_edges(rate / 2, bands)
        k = np.arange(window // 2 + 1)
        hertz = k * rate / window
        filters = np.stack([np.interp(hertz, edges[b : b + 3], [0, 1, 0], 0, 0) for b in range(bands)])
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
        fourier = np.exp(-2j * np.pi * np.outer(k, np.arange(window)) / window)
        differences = []
        for a, b in zip(x, y, strict=True):
            logs = []
            for sound in (a, b):
                padded = np.concatenate([np.zeros(window // 2), sound, np.zeros(window // 2)])
                frames = [
                    filters @ np.abs(fourier @ (hann * padded[i : i + window]))
                    for i in range(0, len(sound) + 1, window // 4)
                ]
                logs.append(np.log10(np.maximum(frames, 1e-5)))
            differences.append(np.abs(logs[0] - logs[1]))
        total += float(np.mean(differences))
    return total


def test_mel_distance_follows_its_definition() -> None:
    x = noise(3000, channels=2)
    y = 0.5 * x + noise(3000, channels=2, level=0.01)
    assert metrics.mel_distance(x, y, RATE) == pytest.approx(direct_mel_distance(x, y, RATE), rel=1e-4)


def test_mel_distance_of_a_gain_is_seven_times_its_decades() -> None:
    x = noise()
    assert metrics.mel_distance(x, 10 * x, RATE) == pytest.approx(7, rel=1e-3)
    assert metrics.mel_distance(x, x, RATE) == 0


def test_mel_distance_does_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = noise(), noise()
    whole = metrics.mel_distance(x, y, RATE)
    monkeypatch.setattr(metrics, "_BLOCK_SAMPLES", 4096)
    assert metrics.mel_distance(x, y, RATE) == pytest.approx(whole, rel=1e-6)


def test_k_weighting_has_the_standards_coefficients_at_48_khz() -> None:
    """ITU-R BS.1770-4, tables 1 and 2."""
    (shelf, shelf_back), (high_pass, high_pass_back) = metrics.k_weighting(48_000)
    assert shelf == pytest.approx([1.53512485958697, -2.69169618940638, 1.19839281085285], abs=1e-9)
    assert shelf_back == pytest.approx([1.0, -1.69065929318241, 0.73248077421585], abs=1e-9)
    assert high_pass == [1.0, -2.0, 1.0]
    assert high_pass_back == pytest.approx([1.0, -1.99004745483398, 0.99007225036621], abs=1e-9)


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
def test_loudness_of_the_standards_sine(rate: int) -> None:
    """BS.1770: a 997 Hz sine of full scale in one channel reads -3.01 LKFS; in both, 3.01 more."""
    x = sine(997, 5, rate, level=1.0)
    assert metrics.loudness(x, rate) == pytest.approx(-3.01, abs=0.05)
    assert metrics.loudness(np.vstack([x, x]), rate) == pytest.approx(0, abs=0.05)
    assert metrics.loudness(0.1 * x, rate) == pytest.approx(-23.01, abs=0.05)


def test_loudness_gates_the_pauses() -> None:
    """EBU Tech 3341, case 3: 10 s at -36, 60 s at -23 and 10 s at -36 dBFS, stereo, read -23 (at a lower rate here)."""
    rate = 8000
    quiet, loud = sine(997, 10, rate, level=10 ** (-36 / 20)), sine(997, 60, rate, level=10 ** (-23 / 20))
    stereo = np.repeat(np.hstack([quiet, loud, quiet]), 2, axis=0)
    assert metrics.loudness(stereo, rate) == pytest.approx(-23, abs=0.1)


def test_brightness_is_the_frequency_of_a_sine_and_the_middle_of_noise() -> None:
    assert metrics.spectral_centroid(sine(3000), RATE) == pytest.approx(3000, rel=0.02)
    assert metrics.spectral_centroid(noise(60_000), RATE) == pytest.approx(RATE / 4, rel=0.03)


def test_onset_rate_counts_notes_at_any_level() -> None:
    t = np.arange(10 * RATE) / RATE
    starts = np.arange(0.25, 10, 0.5)
    notes = sum(
        np.where(t >= s, np.exp(-6 * np.abs(t - s)) * np.sin(2 * np.pi * (220 + 40 * i) * t), 0)
        for i, s in enumerate(starts)
    )
    assert metrics.onset_rate(0.3 * notes[None], RATE) == pytest.approx(2, abs=0.1)
    assert metrics.onset_rate(0.003 * notes[None], RATE) == metrics.onset_rate(0.3 * notes[None], RATE)


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100])
def test_onset_rate_counts_clicks(rate: int) -> None:
    clicks = np.zeros((2, 5 * rate))
    clicks[:, rate // 8 :: rate // 4] = 1
    assert metrics.onset_rate(clicks, rate) == pytest.approx(4)


def test_a_steady_tone_has_no_onsets() -> None:
    assert metrics.onset_rate(sine(440, 5), RATE) == 0


@pytest.mark.parametrize("x", [SILENCE, ONE, np.zeros((1, 1)), np.ones((1, 1)), np.full((8, 7), -0.2)])
@pytest.mark.parametrize("rate", [8000, RATE, 192_000])
def test_everything_is_finite_on_the_smallest_sounds(x: np.ndarray, rate: int) -> None:
    figures = [
        *metrics.scores(x, x, rate),
        *metrics.scores(x, 0.5 * x, rate),
        metrics.loudness(x, rate),
        metrics.spectral_centroid(x, rate),
        metrics.onset_rate(x, rate),
    ]
    assert all(type(f) is float and math.isfinite(f) for f in figures)


def test_silence_has_its_defined_figures() -> None:
    assert metrics.scores(SILENCE, SILENCE, RATE) == metrics.Scores(0.0, 100.0, 100.0, 0.0)
    assert metrics.loudness(SILENCE, RATE) == metrics.SILENCE_DB
    assert metrics.spectral_centroid(SILENCE, RATE) == metrics.onset_rate(SILENCE, RATE) == 0


@pytest.mark.parametrize("x", [np.zeros(5), np.zeros((1, 0)), np.zeros((0, 5)), np.zeros((1, 2, 3)), [[float("nan")]]])
def test_what_is_no_sound_is_refused(x) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError):
        metrics.mse(x, x)
    with pytest.raises(UsageError):
        metrics.loudness(x, RATE)


def test_sounds_of_two_lengths_are_refused() -> None:
    with pytest.raises(UsageError, match="shape"):
        metrics.mel_distance(np.zeros((1, 10)), np.zeros((1, 11)), RATE)
