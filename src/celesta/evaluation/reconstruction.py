"""Scores of a model on sound: how near the reconstruction is, how many numbers it took, how fast it went."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from celesta import audio
from celesta.audio import Audio
from celesta.codec import Codec, bitrate
from celesta.dsp import metrics
from celesta.latents.latent import Latent
from celesta.probes.statistics import mean_interval

CODED_KBPS = 12.0


@dataclass(frozen=True)
class Scores:
    """One model on one clip, mono at the model's rate.

    Attributes:
        model: its name.
        clip: the clip's name.
        latent_shape: ``(rows, frames)`` of one window; a detail counts two rows a coefficient.
        floats_per_second: numbers the latent holds for a second.
        ratio: numbers per input sample.
        mse: mean squared error.
        si_sdr: dB.
        mel: multi-scale mel distance.
        encode_speed, decode_speed: seconds of sound a second.
        weights_bytes: size of the weights in half precision.
        kbps: size of the file, where the latent was coded.
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


@dataclass(frozen=True)
class Reconstruction:
    """A clip, its latent and what came back, both sounds mono at the model's rate."""

    x: Audio
    x_hat: Audio
    latent: Latent
    scores: Scores


def reconstruct(codec: Codec, sound: Audio, clip: str = "") -> Reconstruction:
    """Encode and decode a sound as the report did: mixed to mono, at the model's rate.

    The codec ``nested`` does it through a coded file of 12 kbit/s: its floats alone would say nothing of size.

    Raises:
        AudioError: the sound is empty or not finite.
    """
    rate = codec.model.sample_rate
    x = mono_at(sound, rate)
    coded = codec.model.capabilities.codes_to_bitrate
    began = time.perf_counter()
    latent, kbps = _through_file(codec, x) if coded else (codec.encode(x), None)
    encoded = time.perf_counter()
    x_hat = codec.decode(latent)
    decoded = time.perf_counter()
    found = metrics.scores(x.samples, x_hat.samples, rate)
    state = codec.model.state_dict().values()
    numbers = latent.base.size + 2 * int(np.count_nonzero(latent.values)) if coded else 0
    scores = Scores(
        model=codec.name,
        clip=clip,
        latent_shape=(latent.latent_dim + 2 * latent.detail_size, latent.frames),
        floats_per_second=numbers / latent.duration if coded else latent.floats_per_second,
        ratio=numbers / latent.duration / rate if coded else latent.ratio,
        mse=found.mse,
        si_sdr=found.si_sdr,
        mel=found.mel,
        encode_speed=latent.duration / (encoded - began),
        decode_speed=latent.duration / (decoded - encoded),
        weights_bytes=sum(2 * t.numel() for t in state) if codec.weights else 0,
        kbps=kbps,
    )
    return Reconstruction(x, x_hat, latent, scores)


def _through_file(codec: Codec, x: Audio) -> tuple[Latent, float]:
    """The latent that a coded file holds, and the file's kbit/s."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.cel"
        bitrate.encode_file(codec, x, file, bitrate.Target(kbps=CODED_KBPS))
        seconds = x.samples.shape[1] / x.sample_rate
        return Latent.load(file), file.stat().st_size * 8 / seconds / 1000


def mono_at(sound: Audio, rate: int) -> Audio:
    """The sound mixed to one channel at ``rate`` Hz."""
    mono = sound.samples.mean(axis=0, keepdims=True)
    return Audio(mono if sound.sample_rate == rate else audio.resample(mono, sound.sample_rate, rate), rate)


def interval(values: Iterable[float], seed: int = 0, draws: int = 1_000) -> tuple[float, float, float]:
    """Compute a mean over clips and its 95 % bootstrap interval: ``(mean, low, high)``."""
    return mean_interval(list(values), seed, draws)
