"""Stereo by bands: rotations lose nothing, and find where a source is panned."""

from __future__ import annotations

import numpy as np
import pytest

from celesta.dsp import band_envelope as bands
from celesta.dsp import stereo_bands


def noise(seed: int) -> np.ndarray:
    made: np.ndarray = np.random.default_rng(seed).normal(size=(1024, 40)).astype(np.float32)
    return made


def test_there_and_back() -> None:
    pair = np.stack([noise(0), noise(1)])
    by = np.random.default_rng(2).integers(0, stereo_bands.ANGLES, bands.BANDS)
    turned = stereo_bands.turned(pair, by)
    np.testing.assert_allclose((turned**2).sum(0), (pair**2).sum(0), rtol=1e-4)
    np.testing.assert_allclose(stereo_bands.turned_back(turned, by), pair, atol=1e-5)


@pytest.mark.parametrize("angle", range(stereo_bands.ANGLES))
def test_a_panned_source_is_in_one_channel(angle: int) -> None:
    radians = angle * np.pi / stereo_bands.ANGLES
    pair = np.stack([np.cos(radians) * noise(3), np.sin(radians) * noise(3)])
    by = stereo_bands.angles(pair)
    assert (by == angle).all()
    main, other = stereo_bands.turned(pair, by)
    assert (other**2).sum() < 1e-9 * (main**2).sum()


def test_each_band_has_its_own_angle() -> None:
    pair = np.stack([noise(4), noise(4)])
    pair[1, bands.EDGES[10] :] *= -1
    pair[1, : bands.EDGES[3]] = 0
    by = stereo_bands.angles(pair)
    assert by.tolist() == 3 * [0] + 7 * [4] + 15 * [12]


def test_silence_stays_left_and_right() -> None:
    assert not stereo_bands.angles(np.zeros((2, 1024, 8), np.float32)).any()
