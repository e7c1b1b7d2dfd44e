"""Tables that pages share: scores of models, their means, and notes on sizes."""

from __future__ import annotations

from collections.abc import Sequence

from celesta.evaluation.reconstruction import Scores
from celesta.probes.statistics import mean_interval

SCORE_HEAD = (
    "model",
    "latent",
    "floats/s",
    "per sample",
    "kbit/s",
    "MSE",
    "SI-SDR dB",
    "mel distance",
    "encode s/s",
    "decode s/s",
    "weights MB",
)
CD_KBPS = 706  # 16 bits at 44.1 kHz, one channel


def size_notes(scores: Sequence[Scores]) -> list[str]:
    """Say which of the models scored compress, and how to read their sizes."""
    first = {s.model: s for s in scores}
    coded = [s for s in first.values() if s.kbps is not None]
    larger = [s for s in first.values() if s.kbps is None and s.ratio > 1]
    smaller = [s for s in first.values() if s.kbps is None and s.ratio <= 1]
    notes = []
    if coded:
        notes.append(
            f"Coded to a file, whose bitrate is given: {_names(coded)}. One channel of a CD has {CD_KBPS} kbit/s."
        )
    if larger:
        factors = sorted(s.ratio for s in larger)
        span = f"{factors[0]:.3g}" if factors[0] == factors[-1] else f"{factors[0]:.3g} to {factors[-1]:.3g}"
        notes.append(
            f"Not a compression: {_names(larger)}; the latent has {span} times as many numbers as the audio samples."
        )
    if smaller:
        notes.append(f"Fewer numbers than the audio has samples, but stored as floats: {_names(smaller)}.")
    return notes


def _names(scores: Sequence[Scores]) -> str:
    return ", ".join(s.model for s in scores)


def note(scores: Scores) -> str:
    """Size and SI-SDR in a few words, for a version in a player."""
    size = f"{scores.floats_per_second / 1000:,.0f}k floats/s" if scores.kbps is None else f"{scores.kbps:.0f} kbit/s"
    return f"{size} · SI-SDR {scores.si_sdr:.1f} dB"


def score_row(s: Scores) -> list[str]:
    """One clip's scores as texts."""
    return [s.model, *_size(s), f"{s.mse:.5f}", f"{s.si_sdr:.2f}", f"{s.mel:.3f}", *_cost(s)]


def mean_rows(scores: Sequence[Scores], *, intervals: bool = False) -> list[list[str]]:
    """Each model's means over its clips, in order of appearance; with 95 % bootstrap intervals over clips on demand."""
    rows = []
    for found in by_model(scores).values():
        texts = []
        for values, digits in (
            ([s.mse for s in found], 5),
            ([s.si_sdr for s in found], 2),
            ([s.mel for s in found], 3),
        ):
            mean, low, high = mean_interval(values)
            texts.append(f"{mean:.{digits}f}" + (f" [{low:.{digits}f}, {high:.{digits}f}]" if intervals else ""))
        rows.append([found[0].model, *_size(found[0]), *texts, *_cost(*found)])
    return rows


def by_model(scores: Sequence[Scores]) -> dict[str, list[Scores]]:
    """Scores grouped by model, in order of appearance."""
    groups: dict[str, list[Scores]] = {}
    for s in scores:
        groups.setdefault(s.model, []).append(s)
    return groups


def _size(s: Scores) -> list[str]:
    shape = f"{s.latent_shape[0]} x {s.latent_shape[1]}"
    coded = "-" if s.kbps is None else f"{s.kbps:.1f}"
    return [shape, f"{s.floats_per_second:,.0f}", f"{s.ratio:.3g}", coded]


def _cost(*found: Scores) -> list[str]:
    encode = sum(s.encode_speed for s in found) / len(found)
    decode = sum(s.decode_speed for s in found) / len(found)
    return [f"{encode:,.0f}", f"{decode:,.0f}", f"{found[0].weights_bytes / 1e6:.1f}"]
