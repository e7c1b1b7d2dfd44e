"""Scores of a model on a clip: distance of the reconstruction, size of the latent, speed."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from celesta import audio
from celesta.audio import Audio
from celesta.codec import Codec
from celesta.dsp import metrics
from celesta.latents.latent import Latent

CODED_KBPS = 12.0  # bitrate at which models that code to one are scored
COMPARISON_RATE = 44_100
"""Hz at which models are compared, whatever their own sample rates: that of most music."""


@dataclass(frozen=True)
class Scores:
    """One model on one clip, mono at one sample rate.

    Attributes:
        model: its name.
        clip: the clip's name.
        latent_shape: ``(rows, frames)`` of one window; a detail counts two rows a coefficient.
        floats_per_second: numbers in the latent per second.
        ratio: numbers per sample at the model's own sample rate.
        mse: mean squared error.
        si_sdr: dB.
        mel: multi-scale mel distance.
        encode_speed, decode_speed: seconds of audio per second.
        weights_bytes: size of the weights in half precision.
        kbps: bitrate of the file, where the latent was coded.
        sample_rate: Hz at which the distances were measured.
    """

    model: str
    clip: str
    latent_shape: tuple[int, int]
    floats_per_second: float
    ratio: float
    mse: float
    si_sdr: float
    mel: float
    encode_speed: float
    decode_speed: float
    weights_bytes: int
    kbps: float | None = None
    sample_rate: int = COMPARISON_RATE


@dataclass(frozen=True)
class Reconstruction:
    """A clip, its latent and its reconstruction, both mono at the same sample rate and of the same length."""

    x: Audio
    x_hat: Audio
    latent: Latent
    scores: Scores


def reconstruct(codec: Codec, source: Audio, clip: str = "", *, sample_rate: int = COMPARISON_RATE) -> Reconstruction:
    """Encode and decode a clip, mixed to mono, and score the result.

    A model that codes to a bitrate does it through a file of 12 kbit/s, because its floats alone say nothing of size.

    Args:
        codec: the model.
        source: the clip, at any rate.
        clip: name of the clip.
        sample_rate: Hz at which the model gets the clip and is scored, whatever its own rate.

    Raises:
        AudioError: the clip is empty or not finite.
    """
    x = mono_at(source, sample_rate)
    coded = codec.model.capabilities.codes_to_bitrate
    began = time.perf_counter()
    latent, kbps = _through_file(codec, x) if coded else (codec.encode(x), None)
    encoded = time.perf_counter()
    x_hat = codec.decode(latent)
    decoded = time.perf_counter()
    found = metrics.scores(x.samples, x_hat.samples, sample_rate)
    numbers = latent.base.size + 2 * int(np.count_nonzero(latent.values)) if coded else 0
    scores = Scores(
        model=codec.name,
        clip=clip,
        latent_shape=(latent.latent_dim + 2 * latent.detail_size, latent.frames),
        floats_per_second=numbers / latent.duration if coded else latent.floats_per_second,
        ratio=numbers / latent.duration / codec.model.sample_rate if coded else latent.ratio,
        mse=found.mse,
        si_sdr=found.si_sdr,
        mel=found.mel,
        encode_speed=latent.duration / (encoded - began),
        decode_speed=latent.duration / (decoded - encoded),
        weights_bytes=2 * codec.network.runtime.stored_numbers if codec.weights else 0,
        kbps=kbps,
        sample_rate=sample_rate,
    )
    return Reconstruction(x, x_hat, latent, scores)


def _through_file(codec: Codec, x: Audio) -> tuple[Latent, float]:
    """Return the latent of a coded file, and the file's kbit/s."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.cel"
        codec.encode_file(x, file, kbps=CODED_KBPS)
        seconds = x.samples.shape[1] / x.sample_rate
        return Latent.load(file), file.stat().st_size * 8 / seconds / 1000


def mono_at(source: Audio, sample_rate: int) -> Audio:
    """Mix audio to one channel at ``sample_rate``."""
    mono = source.samples.mean(axis=0, keepdims=True)
    if source.sample_rate != sample_rate:
        mono = audio.resample(mono, source.sample_rate, sample_rate)
    return Audio(mono, sample_rate)
