"""A variation of a song: the report's figure, the sounds, and what the change of the latent did to the sound."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path

from celesta import audio
from celesta.audio import Audio
from celesta.codec import Codec
from celesta.dsp import metrics
from celesta.errors import UsageError
from celesta.evaluation.reconstruction import Reconstruction, reconstruct
from celesta.report.page import Page
from celesta.report.player import Track
from celesta.variations.basic import Step, apply

HEAD = ("sound", "loudness LUFS", "brightness Hz", "onsets/s", "SI-SDR dB to plain", "mel distance to plain")
REPORTED = (Step("gain", 1.5), Step("gain", 0.5), Step("noise", 0.1, 7), Step("smooth", 5))
"""The four variations of the seed report, section 7."""


@dataclass(frozen=True)
class Effect:
    """What a sound is like, and how far it is from the plain reconstruction."""

    loudness: float
    brightness: float
    onset_rate: float
    si_sdr: float
    mel: float

    def row(self, name: str) -> list[str]:
        """As texts for a table."""
        return [
            name,
            f"{self.loudness:.1f}",
            f"{self.brightness:,.0f}",
            f"{self.onset_rate:.2f}",
            f"{self.si_sdr:.1f}",
            f"{self.mel:.2f}",
        ]


def measure(sound: Audio, plain: Audio) -> Effect:
    """Measure a sound, and its distance from the plain reconstruction."""
    x, rate = sound.samples, sound.sample_rate
    return Effect(
        metrics.loudness(x, rate),
        metrics.spectral_centroid(x, rate),
        metrics.onset_rate(x, rate),
        metrics.si_sdr(plain.samples, x),
        metrics.mel_distance(plain.samples, x, rate),
    )


def add_variations(
    page: Page,
    codec: Codec,
    made: Reconstruction,
    chains: Sequence[Sequence[Step]],
    *,
    label: str = "Player: variations",
    compact: bool = False,
) -> list[Audio]:
    """Add a player and a table of effects for each chain of steps to a page; return the varied audio."""
    plain = measure(made.x_hat, made.x_hat)
    rows = [measure(made.x, made.x_hat).row("original"), plain.row("reconstruction")]
    tracks = [Track("original", made.x), Track("reconstruction", made.x_hat)]
    remarks: list[str] = []
    varied: list[Audio] = []
    for chain in chains:
        name = ", ".join(map(str, chain))
        changed = codec.decode(apply(made.latent, chain))
        effect = measure(changed, made.x_hat)
        varied.append(changed)
        tracks.append(Track(name, changed))
        rows.append(effect.row(name))
        remarks += [remark(step, plain, effect) for step in chain if len(chain) == 1]
    page.player(tracks, label, compact=compact)
    page.table(HEAD, rows, label="What each variation changed")
    for text in filter(None, remarks):
        page.note(text)
    return varied


def remark(step: Step, plain: Effect, effect: Effect) -> str:
    """Say where the decoder did something else than the step's name."""
    if step.kind != "gain" or step.value <= 0 or step.value == 1:
        return ""
    wanted, got = 20 * log10(step.value), effect.loudness - plain.loudness
    brighter = effect.brightness - plain.brightness
    return (
        f"Gain {step.value:g} on the latent is not volume: as volume it would be {wanted:+.1f} dB and leave SI-SDR at"
        f" its limit; here loudness changed by {got:+.1f} dB, brightness by {brighter:+,.0f} Hz, and SI-SDR to the"
        f" plain reconstruction is {effect.si_sdr:.1f} dB."
    )


def variation_page(codec: Codec, file: Path, out: Path, steps: Sequence[Step], *, force: bool = False) -> Path:
    """Write ``NAME-STEPS.html`` and the sound as FLAC into ``out``; the page's path comes back.

    The sound has the source's rate, channels and length; figures and measures are mono at the model's rate.

    Raises:
        UsageError: the files exist and ``force`` is not set.
        AudioError: the source cannot be read.
    """
    sound = audio.read(file)
    name = re.sub(r"[^\w.+-]+", "-", f"{file.stem}-{'-'.join(map(str, steps))}").strip("-")
    target, flac = out / f"{name}.html", out / f"{name}.flac"
    if not force and (target.exists() or flac.exists()):
        raise UsageError(f"{target}: exists already; overwrite it with --force")
    out.mkdir(parents=True, exist_ok=True)
    made = reconstruct(codec, sound, file.stem)
    page = Page(f"{file.name}: {', '.join(map(str, steps))}", f"The latent of {codec.name}, changed and decoded.")
    add_variations(page, codec, made, [steps])
    audio.write(flac, codec.decode(apply(codec.encode(sound), steps)))
    page.text(f"The sound at the source's rate, channels and length: {flac.name}")
    return page.write(target, "Figures and measures: mono at the model's rate.")
