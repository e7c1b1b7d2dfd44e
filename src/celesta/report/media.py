"""Audio, waveforms and spectrograms in the forms that a page holds: Ogg Opus, SVG paths and WebP images."""

from __future__ import annotations

import base64
import io

import numpy as np
import PIL.Image
import soundfile

from celesta import audio
from celesta.audio import Audio
from celesta.dsp.spectra import magnitudes

_OPUS_RATE = 48_000
_OPUS_COMPRESSION = {False: 0.83, True: 0.88}
"""libsndfile's scale from 0 (256 kbit/s a channel) to 1 (6): about 50 and 38 kbit/s on the clips that ship."""
_WRITE_BLOCK = 65_536
_N_FFT = 2_048
_RANGE = 80.0  # dB from the loudest bin to black
_COLOURS = bytes.fromhex(
    "0000040a08221d114636106a50127c691c818226819c2e7fb63779cf4170e65163f5695cfb8761fea571fec387fde0a2fcfdbf"
)
"""The colour map magma by Smith and van der Walt (CC0) at 17 places from dark to bright, red, green and blue."""
_BREAK = 700.0  # Hz: the frequency axis is linear below and logarithmic above (the mel scale of O'Shaughnessy 1987)


def opus_uri(x: Audio, compact: bool = False) -> str:
    """Encode audio as an Ogg Opus data URI of about 50 kbit/s per channel.

    Args:
        x: ``(channels, n)``; of more than two channels the first two are taken. What exceeds full scale is scaled
            down as a whole.
        compact: use about 38 kbit/s per channel, for pages with many clips.
    """
    samples = x.samples[:2]
    if x.sample_rate != _OPUS_RATE:
        samples = audio.resample(samples, x.sample_rate, _OPUS_RATE)
    samples = samples / max(1.0, float(np.abs(samples).max(initial=0)))
    if samples.shape[1] == 0:
        samples = np.zeros((len(samples), 1), np.float32)
    out = io.BytesIO()
    with soundfile.SoundFile(
        out,
        "w",
        samplerate=_OPUS_RATE,
        channels=len(samples),
        format="OGG",
        subtype="OPUS",
        compression_level=_OPUS_COMPRESSION[compact],
    ) as file:
        for i in range(0, samples.shape[1], _WRITE_BLOCK):
            file.write(samples[:, i : i + _WRITE_BLOCK].T)
    return "data:audio/ogg;base64," + base64.b64encode(out.getvalue()).decode()


def spectrogram_uri(x: np.ndarray, sample_rate: int, top_frequency: float, width: int = 640, height: int = 80) -> str:
    """Draw the spectrogram of ``(n,)`` samples as a WebP data URI, without axes.

    Args:
        x: samples.
        sample_rate: Hz.
        top_frequency: Hz at the upper edge; above half the sample rate the image is black.
        width: columns; time runs from the first sample to the last one.
        height: rows; see :func:`height_of` for their frequencies.
    """
    hop = max(1, -(-len(x) // width))
    columns = np.concatenate(list(magnitudes(x, _N_FFT, hop)))[: max(1, -(-len(x) // hop))]
    level = 20 * np.log10(columns + 1e-9)
    rows = _frequency_of(np.linspace(0, 1, height), top_frequency)
    bins = rows / sample_rate * _N_FFT
    below = np.minimum(bins.astype(int), level.shape[1] - 2)
    share = np.clip(bins - below, 0, 1)
    image = level[:, below] * (1 - share) + level[:, below + 1] * share
    image[:, rows > sample_rate / 2] = -np.inf
    shade = np.clip((image - level.max()) / _RANGE + 1, 0, 1) if level.max() > -150 else np.zeros_like(image)
    pixels = _coloured(shade.T[::-1])
    out = io.BytesIO()
    PIL.Image.fromarray(pixels).save(out, "WEBP", quality=60, method=4)
    return "data:image/webp;base64," + base64.b64encode(out.getvalue()).decode()


def _coloured(shade: np.ndarray) -> np.ndarray:
    """Turn an image ``(rows, columns)`` of numbers from 0 to 1 into colours ``(rows, columns, 3)``."""
    places = np.frombuffer(_COLOURS, np.uint8).reshape(-1, 3)
    at = np.linspace(0, 1, len(places))
    table = np.stack([np.interp(np.linspace(0, 1, 256), at, places[:, i]) for i in range(3)], axis=1)
    return np.round(table).astype(np.uint8)[(shade * 255).astype(np.uint8)]


def height_of(frequency: float, top_frequency: float) -> float:
    """Return where a frequency lies in a spectrogram, 0 at the lower edge to 1 at the upper one."""
    return float(np.log1p(frequency / _BREAK) / np.log1p(top_frequency / _BREAK))


def waveform_path(x: np.ndarray, peak: float, points: int) -> str:
    """Draw the envelope of ``(n,)`` samples as an SVG path in a box of ``points`` by 200, ``peak`` at its edges."""
    size = max(1, len(x) // points)
    pieces = x[: len(x) // size * size].reshape(-1, size)
    low, high = pieces.min(axis=1), pieces.max(axis=1)
    scale = points / max(len(low), 1)
    upper = [f"{i * scale:.0f},{_level(v, peak) - 1}" for i, v in enumerate(high)]
    lower = [f"{i * scale:.0f},{_level(v, peak) + 1}" for i, v in enumerate(low)]
    return f"M{' '.join(upper + lower[::-1])}Z" if upper else ""


def line_path(x: np.ndarray, peak: float, points: int) -> str:
    """Draw ``(n,)`` samples as an SVG line in a box of ``points`` by 200, ``peak`` at its edges."""
    at = np.linspace(0, points, len(x))
    return "M" + " ".join(f"{t:.1f},{_level(v, peak)}" for t, v in zip(at, x, strict=True)) if len(x) else ""


def _frequency_of(height: np.ndarray, top_frequency: float) -> np.ndarray:
    made: np.ndarray = _BREAK * np.expm1(height * np.log1p(top_frequency / _BREAK))
    return made


def _level(value: float, peak: float) -> int:
    return round(100 - 96 * float(value) / peak)
