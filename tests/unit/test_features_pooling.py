"""Latents of any length as one vector."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from celesta.errors import UsageError
from celesta.features.pooling import audio_frames, band_edges, pool, pool_parts, window_means
from celesta.latents.latent import Latent


def latent(base: np.ndarray, places: np.ndarray, values: np.ndarray, n_samples: int, overlap: int = 0) -> Latent:
    """A latent of hop 512 and windows of as many frames as the arrays have."""
    return Latent(
        base=base,
        places=places,
        values=values,
        gain=np.ones(base.shape[:2], np.float32),
        model="made-up",
        weights="",
        sample_rate=22_050,
        hop_length=512,
        window=512 * base.shape[-1],
        overlap=overlap,
        source_rate=22_050,
        n_samples=n_samples,
    )


def dense(base: np.ndarray, n_samples: int | None = None, overlap: int = 0) -> Latent:
    none = np.zeros((*base.shape[:2], 0, base.shape[-1]))
    return latent(base, none, none, n_samples or base.shape[0] * base.shape[-1] * 512, overlap)


def test_statistics_over_the_joined_windows() -> None:
    base = np.random.default_rng(0).standard_normal((3, 2, 5, 10))
    joined = np.stack([np.concatenate(base[:, c], axis=1) for c in range(2)])
    parts = pool_parts(dense(base), ("mean", "std", "delta", "p0", "p50", "p100"))
    expected = {
        "base.mean": joined.mean(axis=2),
        "base.std": joined.std(axis=2),
        "base.delta": np.abs(np.diff(joined, axis=2)).mean(axis=2),
        "base.p0": joined.min(axis=2),
        "base.p50": np.median(joined, axis=2),
        "base.p100": joined.max(axis=2),
    }
    assert list(parts) == list(expected)
    for name, channels in expected.items():
        assert np.allclose(parts[name], channels.mean(axis=0), atol=1e-6), name


def test_means_of_windows_over_the_frames_that_sound() -> None:
    base = np.random.default_rng(0).standard_normal((3, 2, 5, 10))
    base[2, :, :, 4:] = 100  # silence behind the end
    means = window_means(dense(base, n_samples=512 * 24))["mean"]
    assert means.shape == (3, 10)
    assert np.allclose(means[1], base[1].mean(-1).ravel(), atol=1e-6)
    assert np.allclose(means[2], base[2, :, :, :4].mean(-1).ravel(), atol=1e-6)


def test_vector_is_the_parts_in_order() -> None:
    z = dense(np.random.default_rng(0).standard_normal((2, 1, 4, 8)))
    assert np.array_equal(pool(z), np.concatenate(list(pool_parts(z).values())))
    assert pool(z).dtype == np.float32
    assert list(pool_parts(z)) == ["base.mean", "base.std", "base.delta"]
    assert pool(z).size == 12


def test_silence_behind_the_end_does_not_count() -> None:
    base = np.ones((2, 1, 3, 10))
    base[1, :, :, 4:] = 100
    z = dense(base, n_samples=512 * 13 + 1)
    assert audio_frames(z) == 14
    assert np.array_equal(pool(z), [1, 1, 1, 0, 0, 0, 0, 0, 0])
    overlapping = dense(base, n_samples=512 * 11, overlap=512 * 2)
    assert audio_frames(overlapping) == 13
    assert audio_frames(dense(base[:1], n_samples=1)) == 1


def test_detail_is_a_spectrum_by_place() -> None:
    frames = 6
    places = np.zeros((1, 1, 2, frames), np.uint16)
    places[:, :, 1] = 511
    values = np.full((1, 1, 2, frames), 0.1)
    values[0, 0, 1, ::2] = 10.0
    values[0, 0, 1, 1::2] = 1.0
    parts = pool_parts(latent(np.zeros((1, 1, 0, frames)), places, values, frames * 512))
    assert list(parts) == ["detail.mean", "detail.std"]
    mean, std = parts["detail.mean"], parts["detail.std"]
    assert mean.shape == std.shape == (64,)
    assert mean[0] == pytest.approx(-2, abs=1e-3)
    assert (mean[-1], std[-1]) == (pytest.approx(1), pytest.approx(1))
    assert np.allclose(mean[1:-1], -10)
    assert np.allclose(std[:-1], 0)


def test_energies_of_one_band_add_up() -> None:
    values = np.array([3.0, 4.0]).reshape(1, 1, 2, 1)
    places = np.array([510, 511]).reshape(1, 1, 2, 1)
    parts = pool_parts(latent(np.zeros((1, 1, 0, 1)), places, values, 512))
    assert parts["detail.mean"][-1] == pytest.approx(np.log10(25))


def test_the_envelope_is_pooled_up_to_the_end_of_the_audio() -> None:
    """Band powers in dB, not those of what is left out, and not the cells of 4 frames behind the end."""
    frames = 8
    envelope = np.full((2, 1, 50, 2), -100.0, np.float32)
    envelope[:, :, 3] = [[[-40.0, -20.0]], [[-30.0, 77.0]]]
    z = dense(np.zeros((2, 1, 4, frames)), n_samples=512 * 12)
    parts = pool_parts(dataclasses.replace(z, envelope=envelope))
    assert list(parts)[-2:] == ["envelope.mean", "envelope.std"]
    mean, std = parts["envelope.mean"], parts["envelope.std"]
    assert mean.shape == std.shape == (25,)
    assert mean[3] == pytest.approx(-30)
    assert std[3] == pytest.approx(np.std([-40, -20, -30]))
    assert np.allclose(np.delete(mean, 3), -100)


@pytest.mark.parametrize("coefficients", [1, 10, 64, 65, 200, 512, 2048])
def test_bands_cover_all_places(coefficients: int) -> None:
    edges = band_edges(coefficients)
    assert edges[0] == 0
    assert edges[-1] == coefficients
    assert np.diff(edges).min() >= 1
    assert len(edges) - 1 == min(64, coefficients)


@pytest.mark.parametrize("statistics", [(), ("median",), ("p101",), ("p-1",), ("mean", "p5.5")])
def test_unknown_statistics(statistics: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        pool(dense(np.zeros((1, 1, 2, 3))), statistics)
