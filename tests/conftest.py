"""Fixtures for all tests: synthetic sounds, and the folder of real music where there is one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import celesta

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_music() -> Path:
    """The folder of real music (env CELESTA_DATA, or shared/data beside the repository)."""
    named = os.environ.get("CELESTA_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real music: {folder} is missing (name its folder in CELESTA_DATA)")
    return folder


@pytest.fixture(scope="session")
def need_weights() -> Callable[..., None]:
    """The function `need_weights(*names)`: skips where a model's file of weights is not there, and only then."""

    def need(*names: str) -> None:
        folder = Path(celesta.__file__).parent / "weights"
        absent = [name for name in names if not (folder / f"{name}.safetensors").is_file()]
        if absent:
            pytest.skip(f"no weights of {', '.join(absent)} in {folder.parent.name}/{folder.name}")

    return need


def make_music(n: int, channels: int = 1, sample_rate: int = 44_100, seed: int = 0) -> np.ndarray:
    """A made-up piece, (channels, n) float32, peaks below 0.8: decaying harmonic notes and a little noise."""
    rng = np.random.default_rng(seed)
    seconds = np.arange(n) / sample_rate
    samples = np.empty((channels, n), dtype=np.float32)
    for channel in range(channels):
        sound = 0.01 * rng.standard_normal(n).clip(-4, 4)
        for beat in range(4):
            pitch = 110.0 * 2 ** (rng.integers(0, 24) / 12)
            since = np.mod(seconds - 0.13 * beat, 0.5)
            envelope = np.exp(-6 * since) * np.minimum(since / 0.005, 1.0)
            for harmonic in (1, 2, 3):
                sound += 0.09 / harmonic * envelope * np.sin(2 * np.pi * pitch * harmonic * seconds)
        samples[channel] = sound
    return samples


@pytest.fixture(scope="session")
def music() -> Callable[..., np.ndarray]:
    """The function `make_music(n, channels=1, sample_rate=44_100, seed=0)`."""
    return make_music


@pytest.fixture(scope="session")
def silence() -> Callable[..., np.ndarray]:
    """The function (n, channels=1) -> zeros of shape (channels, n), float32."""
    return lambda n, channels=1: np.zeros((channels, n), dtype=np.float32)


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder, and no rights beyond those of an ordinary user: root could read every folder."""
    folder = Path(tempfile.mkdtemp())
    if os.geteuid() == 0:
        os.chown(folder, 65_534, 65_534)
        os.seteuid(65_534)
        try:
            yield folder
        finally:
            os.seteuid(0)
            shutil.rmtree(folder)
    else:
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
