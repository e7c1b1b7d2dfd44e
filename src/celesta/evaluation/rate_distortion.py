"""Rate-distortion curves: bitrate of quantised and coded latents against the error, and those of Opus and MP3."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from celesta import audio
from celesta.audio import Audio
from celesta.codec import Codec
from celesta.dsp import metrics
from celesta.errors import CelestaError
from celesta.evaluation import latent_coder
from celesta.latents.latent import Latent

RELATIVE_STEPS = (4.0, 2.0, 1.0, 0.5)
ABSOLUTE_STEPS = (0.2, 0.1, 0.05, 0.02, 0.005)
CODED_KBPS = (3, 6, 12, 24, 48)
OPUS_KBPS = (6, 8, 12, 16, 24, 32, 48)
MP3_KBPS = (16, 24, 32, 48, 64)
GAIN_BITS = 8


@dataclass(frozen=True)
class RatePoint:
    """One model or other codec at one setting, means over clips.

    Attributes:
        model: name.
        setting: the quantiser's step size, or the target bitrate.
        kbps: bitrate of the result.
        mse, si_sdr, mel: distances from the original.
        clips: number of clips.
    """

    model: str
    setting: float
    kbps: float
    mse: float
    si_sdr: float
    mel: float
    clips: int


def model_curve(codec: Codec, fitted_on: Sequence[Audio], clips: Sequence[Audio]) -> list[RatePoint]:
    """Compute a model's points: coding tables fitted on one set of clips, sizes and distances measured on another.

    Args:
        codec: the model.
        fitted_on: mono clips, at any rate, for the tables.
        clips: mono clips to score, at their own rate.
    """
    able = codec.model.capabilities
    if able.codes_to_bitrate:
        return _coded_curve(codec, clips)
    bands = codec.model.hop_length if able.has_detail else 0
    latents = [codec.encode(clip) for clip in clips]
    training = [codec.encode(clip) for clip in fitted_on]
    points = []
    for step in ABSOLUTE_STEPS if able.orthonormal else RELATIVE_STEPS:
        tables = latent_coder.fit_tables(training, step, relative=not able.orthonormal, bands=bands)
        sizes, decoded = [], []
        for z in latents:
            data, back = latent_coder.code(z, tables)
            sizes.append(8 * len(data) + (GAIN_BITS * z.gain.size if codec.model.normalise else 0))
            decoded.append(codec.decode(back))
        points.append(_point(codec.name, step, sizes, clips, decoded))
    return points


def _coded_curve(codec: Codec, clips: Sequence[Audio]) -> list[RatePoint]:
    """Compute the points of a model that codes to a bitrate: sizes of its files, headers included."""
    points = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.cel"
        for kbps in CODED_KBPS:
            sizes, decoded = [], []
            for clip in clips:
                codec.encode_file(clip, file, kbps=kbps)
                sizes.append(8 * file.stat().st_size)
                decoded.append(codec.decode(Latent.load(file)))
            points.append(_point(codec.name, kbps, sizes, clips, decoded))
    return points


def peer_curves(clips: Sequence[Audio]) -> list[RatePoint]:
    """Compute the points of Opus (VBR, music) and MP3 with ffmpeg, if it is installed; sizes are those of files."""
    program = shutil.which("ffmpeg")
    if program is None:
        return []
    points = []
    for name, suffix, rates, options in (
        ("opus", ".opus", OPUS_KBPS, ["-c:a", "libopus", "-vbr", "on", "-application", "audio"]),
        ("mp3", ".mp3", MP3_KBPS, ["-c:a", "libmp3lame"]),
    ):
        for kbps in rates:
            try:
                coded = [through(program, clip, suffix, [*options, "-b:a", f"{kbps}k"]) for clip in clips]
            except (subprocess.CalledProcessError, CelestaError):
                continue  # this ffmpeg lacks the encoder or refuses the rate
            points.append(_point(name, kbps, [c[0] for c in coded], clips, [c[1] for c in coded]))
    return points


def through(program: str, clip: Audio, suffix: str, options: list[str]) -> tuple[int, Audio]:
    """Encode and decode a clip with one of ffmpeg's encoders: bits of the file, and the decoded audio."""
    with tempfile.TemporaryDirectory() as folder:
        wav, coded, back = Path(folder) / "x.wav", Path(folder) / f"x{suffix}", Path(folder) / "y.wav"
        # Full scale is where 16-bit files end; limiting it here keeps the warning for users' own files.
        audio.write(wav, Audio(clip.samples.clip(-1, 1 - 2**-15), clip.sample_rate), subtype="PCM_16")
        quiet = [program, "-v", "error", "-y", "-i"]
        subprocess.run([*quiet, str(wav), *options, str(coded)], check=True, capture_output=True)
        rate = str(clip.sample_rate)
        subprocess.run(
            [*quiet, str(coded), "-ar", rate, "-c:a", "pcm_s16le", str(back)], check=True, capture_output=True
        )
        return 8 * coded.stat().st_size, audio.read(back)


def _point(
    name: str, setting: float, bits: Sequence[int], clips: Sequence[Audio], decoded: Iterable[Audio]
) -> RatePoint:
    seconds = sum(clip.samples.shape[1] / clip.sample_rate for clip in clips)
    found = []
    for clip, other in zip(clips, decoded, strict=True):
        n = min(clip.samples.shape[1], other.samples.shape[1])
        found.append(metrics.scores(clip.samples[:, :n], other.samples[:, :n], clip.sample_rate))
    count = len(found)
    return RatePoint(
        name,
        setting,
        sum(bits) / seconds / 1000,
        sum(s.mse for s in found) / count,
        sum(s.si_sdr for s in found) / count,
        sum(s.mel for s in found) / count,
        count,
    )
