"""Reconstructions of a selection by several models and bitrates, with their figures."""

from __future__ import annotations

import math
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from celesta.audio import Audio
from celesta.codec import truncate
from celesta.dsp import metrics
from celesta.errors import CelestaError, UsageError
from celesta.evaluation.listening import band_errors, matching_gain
from celesta.latents import CelReader, Latent, Progress
from celesta.studio import warned
from celesta.studio.codecs import Codecs

PEERS = {
    "opus": (".opus", ["-c:a", "libopus", "-vbr", "on", "-application", "audio"]),
    "mp3": (".mp3", ["-c:a", "libmp3lame"]),
}
"""Other codecs, coded by ffmpeg where it is installed: suffix and options."""
LADDER = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0, 96.0, 128.0)
"""Bitrates of the steps of a scalable file, kbit/s."""


@dataclass(frozen=True)
class Choice:
    """A way to code the selection.

    Attributes:
        model: name of a model, or of one of :data:`PEERS`.
        kbps: bitrate, for those that code to one.
        bits: of each number of a latent; None: as the model has it.
        channels: base channels of a truncated file; None: as the bitrate has them.
    """

    model: str
    kbps: float | None = None
    bits: int | None = None
    channels: int | None = None

    @property
    def name(self) -> str:
        """What to call it."""
        if self.kbps is not None:
            return f"{self.model} {self.kbps:g} kbit/s"
        return f"{self.model} {self.bits} bits" if self.bits is not None else self.model


@dataclass(frozen=True, eq=False)
class Version:
    """A reconstruction.

    Attributes:
        choice: how it was made.
        x: the audio, of the same shape as the original.
        kbps: bitrate of the file of the selection.
        si_sdr, snr: dB.
        mel: multi-scale mel distance.
        bands: centre in Hz and relative error in dB of each octave band.
        loudness: LUFS.
        gain: dB that give it the original's loudness.
    """

    choice: Choice
    x: Audio
    kbps: float | None
    si_sdr: float
    snr: float
    mel: float
    bands: list[tuple[float, float]]
    loudness: float
    gain: float


def measured(choice: Choice, original: Audio, x: Audio, kbps: float | None) -> Version:
    """Compute the figures of a reconstruction, which is cut or filled up to the original's length."""
    n = original.samples.shape[1]
    samples = np.pad(x.samples[:, :n], ((0, 0), (0, max(0, n - x.samples.shape[1]))))
    rate = original.sample_rate
    found = metrics.scores(original.samples, samples, rate)
    level, gain = matching_gain(original.samples, samples, rate)
    bands = band_errors(original.samples, samples, rate)
    return Version(
        choice, Audio(samples.astype(np.float32), rate), kbps, found.si_sdr, found.snr, found.mel, bands, level, gain
    )


def version(codecs: Codecs, original: Audio, choice: Choice, progress: Progress | None = None) -> Version:
    """Code a selection and decode it again; ``progress`` is called now and then, and may raise.

    Raises:
        CelestaError: the model is unknown, or cannot do it.
    """
    if choice.model in PEERS:
        return _peer(original, choice)
    codec = codecs.get(choice.model)
    with codecs.computing, warned.collected(), tempfile.TemporaryDirectory() as folder:
        if choice.kbps is None and choice.bits is None and not codec.network.codes_to_bitrate:
            z = codec.encode(original)
            return measured(choice, original, codec.decode(z), z.floats_per_second * z.channels * 32 / 1000)
        file = Path(folder) / "x.cel"
        codec.encode_file(original, file, kbps=choice.kbps, bits=choice.bits, tags=False, progress=progress)
        return _decoded(codecs, choice, original, file)


def ladder(
    codecs: Codecs, original: Audio, model: str, progress: Progress | None = None, rungs: Sequence[float] = LADDER
) -> Iterator[Version]:
    """Code a selection once at the highest bitrate, and yield what truncations of that file decode to, top first.

    The last one is the smallest that there is: one base channel and no detail.

    Raises:
        CelestaError: the model cannot be coded to a bitrate.
    """
    codec = codecs.get(model)
    codec.network.coding_model()
    order = sorted(rungs, reverse=True)
    least = math.inf
    with tempfile.TemporaryDirectory() as folder:
        whole, part = Path(folder) / "whole.cel", Path(folder) / "part.cel"
        with codecs.computing, warned.collected():
            codec.encode_file(original, whole, kbps=order[0], tags=False, progress=progress)
        for kbps in order:
            with codecs.computing, warned.collected():
                file, channels = _truncated(whole, part, kbps, progress)
                if file.stat().st_size >= least:  # there is no smaller one, or the whole is as small
                    continue
                least = file.stat().st_size
                made = _decoded(codecs, Choice(model, kbps, channels=channels), original, file)
            yield made


def _truncated(whole: Path, part: Path, kbps: float, progress: Progress | None) -> tuple[Path, int | None]:
    """Truncate to a bitrate, with half of the base channels, and again half, where the base alone costs more.

    Returns:
        The file, and its base channels where they are not those that the bitrate has by itself.
    """
    channels: int | None = None
    while True:
        try:
            made = truncate(whole, part, kbps=kbps, channels=channels, progress=progress)
        except UsageError:  # the whole file is as small as that already
            return whole, None
        with CelReader(part) as reader:
            there = reader.meta.latent_dim
        if made.meets_target or there == 1:
            return part, channels
        channels = there // 2


def _decoded(codecs: Codecs, choice: Choice, original: Audio, file: Path) -> Version:
    seconds = original.samples.shape[1] / original.sample_rate
    kbps = file.stat().st_size * 8 / seconds / 1000
    return measured(choice, original, codecs.get(choice.model).decode(Latent.load(file)), kbps)


def peers() -> list[str]:
    """Return the names of the other codecs that can be used here."""
    return list(PEERS) if shutil.which("ffmpeg") else []


def _peer(original: Audio, choice: Choice) -> Version:
    """Code a selection with ffmpeg.

    Raises:
        CelestaError: ffmpeg is missing, or lacks the encoder.
    """
    from celesta.evaluation.rate_distortion import through

    program = shutil.which("ffmpeg")
    if program is None:
        raise CelestaError(f"{choice.model}: needs ffmpeg, which is not installed; install it, or choose another model")
    if choice.kbps is None:
        raise UsageError(f"{choice.model}: needs a bitrate in kbit/s")
    suffix, options = PEERS[choice.model]
    try:
        bits, x = through(program, original, suffix, [*options, "-b:a", f"{choice.kbps:g}k"])
    except subprocess.CalledProcessError:
        raise CelestaError(f"{choice.name}: ffmpeg cannot code it; choose another bitrate") from None
    seconds = original.samples.shape[1] / original.sample_rate
    return measured(choice, original, x, bits / seconds / 1000)
