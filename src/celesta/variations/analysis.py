"""Analysis of a song for editing: beats, bars, onsets, and what each moment is like in timbre, harmony and level.

It is computed on the mean of the channels at 22 050 Hz, in flat memory, and saved by the hash of the content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from celesta import audio
from celesta.dsp.onsets import MEL_BANDS, find_onsets, onset_strength
from celesta.dsp.spectra import SAMPLE_RATE, Framer, chroma_filters, mel_filters, spectrum
from celesta.dsp.tempo import track_beats
from celesta.features.base import Rows
from celesta.features.cache import FeatureCache, Key
from celesta.variations.bars import find_bars
from celesta.variations.material import Material, opened

VERSION = "1"
N_FFT, HOP_LENGTH = 1024, 256
FLUX_RATE = SAMPLE_RATE / HOP_LENGTH
FRAME_RATE = FLUX_RATE / 2
"""Frames a second of mel spectra and levels; two frames of the onset strength are averaged."""
CHROMA_FFT, CHROMA_HOP = 4096, 2048
CHROMA_RATE = SAMPLE_RATE / CHROMA_HOP
FLOOR_DB = -90.0
"""Level of silence in mel spectra, dB."""
CLEAR, CLEAR_SHORT = 0.15, 0.18
"""Pulse clarity from which on beats are used (in songs below 10 s); else a grid of half seconds stands in for them."""
_FIXED = 0.5  # seconds
_PITCHED = slice(round(100 * CHROMA_FFT / SAMPLE_RATE), round(2000 * CHROMA_FFT / SAMPLE_RATE))

Progress = Callable[[float, float], None]
"""Called with the seconds done and in all."""


@dataclass(frozen=True, eq=False, repr=False)
class SongAnalysis:
    """What an editor knows of a song.

    Attributes:
        sample_rate: Hz of the song.
        n_samples: of the song.
        tempo: beats a minute; 0 where nothing repeats.
        clarity: 0..1, how clear the pulse is.
        beats: ``(n,)`` int64, samples; from the first to the last second of the song.
        clear: whether these are beats; otherwise a grid of half seconds.
        metre: beats of a bar, 3 or 4.
        downbeat: index of the first beat that begins a bar, 0 to metre - 1.
        onsets: ``(n,)`` int64, samples.
        flux: ``(F,)`` onset strength, 86 frames a second.
        mel: ``(G, 40)`` dB below full scale, 43 frames a second.
        level: ``(G,)`` dB below full scale.
        chroma: ``(H, 12)`` power of pitch classes, 10.8 frames a second.

    Example:
        analysis = celesta.variations.analyse("song.mp3")
        print(analysis.tempo, analysis.metre, len(analysis.beats))
    """

    sample_rate: int
    n_samples: int
    tempo: float
    clarity: float
    beats: np.ndarray
    clear: bool
    metre: int
    downbeat: int
    onsets: np.ndarray
    flux: np.ndarray
    mel: np.ndarray
    level: np.ndarray
    chroma: np.ndarray

    def __repr__(self) -> str:
        pulse = f"{self.tempo:.1f} beats a minute in {self.metre}" if self.clear else "no clear beat"
        return f"SongAnalysis({self.duration:.3f} s, {pulse}, {len(self.onsets)} onsets)"

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.n_samples / self.sample_rate

    def bar_position(self) -> np.ndarray:
        """Return the position of each beat in its bar, ``(n,)``, 0 for the first."""
        return (np.arange(len(self.beats)) - self.downbeat) % self.metre

    def same_place(self, a: int, b: int) -> bool:
        """Whether two beats have the same position in the bar."""
        return (a - b) % self.metre == 0

    def summary(self) -> dict[str, float | int | bool]:
        """Return the facts that fit on a line."""
        return {
            "seconds": round(self.duration, 3),
            "tempo": round(self.tempo, 2),
            "clarity": round(self.clarity, 3),
            "beats": len(self.beats),
            "clear_beat": self.clear,
            "metre": self.metre,
            "onsets": len(self.onsets),
        }


def analyse(source: object, *, cache: FeatureCache | None = None, progress: Progress | None = None) -> SongAnalysis:
    """Analyse a song for editing.

    Args:
        source: path of an audio or .cel file, :class:`~celesta.audio.Audio`, or an opened :class:`Material`.
        cache: where analyses are saved by the hash of the content; None: not saved.
        progress: called with the seconds done and in all.

    Raises:
        AudioError, LatentError: the file cannot be read.

    Example:
        >>> import celesta
        >>> x = np.random.default_rng(0).standard_normal(44_100).astype(np.float32) / 10
        >>> analyse(celesta.Audio(x[None], 22_050)).clear
        False
    """
    song = opened(source)
    try:
        key = None
        if cache is not None:
            content = song.content() if song.path is None else cache.content(song.path)
            key = Key(content, "editing", version=VERSION)
            saved = cache.get(key)
            if saved is not None:
                return _assembled(song, saved)
        arrays = _measured(song, progress)
        if cache is not None and key is not None:
            cache.put(key, arrays)
        return _assembled(song, arrays)
    finally:
        if song is not source:
            song.close()


def _measured(song: Material, progress: Progress | None) -> dict[str, np.ndarray]:
    """Compute what is saved of a song."""
    stream = _Stream()
    resampler = audio.Resampler(song.sample_rate, SAMPLE_RATE, 1)
    done = 0
    for block in song.blocks():
        stream.push(resampler.push(song.mix(block)[None])[0])
        done += block.shape[1]
        if progress is not None:
            progress(done / song.sample_rate, song.duration)
    stream.push(resampler.finish()[0])
    return stream.finish()


class _Stream:
    """Spectra of a stream, mono at 22 050 Hz."""

    def __init__(self) -> None:
        self._filters = mel_filters(SAMPLE_RATE, N_FFT, MEL_BANDS)
        self._pitches = chroma_filters(CHROMA_FFT, 0.0, False)[_PITCHED]
        self._mels, self._power = Rows(self._filters.shape[1]), Rows(1)
        self._chroma: list[np.ndarray] = []
        self._frames, self._long = Framer(N_FFT, HOP_LENGTH), Framer(CHROMA_FFT, CHROMA_HOP)

    def push(self, x: np.ndarray) -> None:
        self._add(self._frames.push(x), self._long.push(x))

    def _add(self, frames: Iterable[np.ndarray], long: Iterable[np.ndarray]) -> None:
        for block in frames:
            self._mels.append(spectrum(block, double=False) @ self._filters)
            self._power.append(np.mean(np.square(block), axis=1, keepdims=True))
        for block in long:
            self._chroma.append(np.square(spectrum(block, double=False)[:, _PITCHED]) @ self._pitches)

    def finish(self) -> dict[str, np.ndarray]:
        self._add(self._frames.finish(), self._long.finish())
        loudest = max((float(block.max()) for block in self._mels.blocks()), default=0.0)
        flux = onset_strength(self._mels.blocks(), loudest)
        beats = track_beats(flux, FLUX_RATE)
        whole = np.floor(beats.frames)
        mel = [_pairs(block) for block in self._mels.blocks(size=2048)]
        level = [_pairs(block) for block in self._power.blocks(size=2048)]
        return {
            "flux": flux,
            "beats": whole,
            "beat_parts": beats.frames - whole,  # float32 holds the two to a sample, for hours
            "facts": np.array([beats.tempo, beats.clarity]),
            "mel": np.maximum(20 * np.log10(np.maximum(np.concatenate(mel) / (N_FFT / 4), 1e-9)), FLOOR_DB),
            "level": np.maximum(10 * np.log10(np.maximum(np.concatenate(level)[:, 0], 1e-12)), FLOOR_DB),
            "chroma": np.concatenate(self._chroma),
        }


def _pairs(rows: np.ndarray) -> np.ndarray:
    """Average neighbours; an odd last row stays."""
    even = len(rows) // 2 * 2
    paired = rows[:even].reshape(-1, 2, rows.shape[1]).mean(axis=1)
    return np.concatenate([paired, rows[even:]])


def _assembled(song: Material, saved: dict[str, np.ndarray]) -> SongAnalysis:
    """Turn saved arrays into an analysis of the song."""
    flux = saved["flux"].astype(np.float64)
    scale = song.sample_rate / FLUX_RATE
    tempo, clarity = (float(value) for value in saved["facts"])
    found = (saved["beats"].astype(np.float64) + saved["beat_parts"]) * scale
    clear = clarity >= (CLEAR if song.duration >= 10 else CLEAR_SHORT) and len(found) >= 4
    beats = _covering(found, song.n_samples) if clear else _grid(song)
    mel, chroma = saved["mel"], saved["chroma"]
    # An attack begins before its steepest rise is in the middle of a frame.
    onsets = np.maximum(find_onsets(flux, FLUX_RATE) * scale - N_FFT / 4 * song.sample_rate / SAMPLE_RATE, 0)
    metre, downbeat = find_bars(beats / song.sample_rate, mel, chroma, FRAME_RATE, CHROMA_RATE) if clear else (4, 0)
    return SongAnalysis(
        song.sample_rate,
        song.n_samples,
        tempo,
        clarity,
        beats,
        clear,
        metre,
        downbeat,
        np.round(onsets).astype(np.int64),
        flux,
        mel,
        saved["level"],
        chroma,
    )


def _covering(found: np.ndarray, n_samples: int) -> np.ndarray:
    """Continue beats to both ends of the song at the period that they have there."""
    first, last = np.median(np.diff(found[:9])), np.median(np.diff(found[-9:]))
    before = np.arange(found[0] - first, 0, -first)[::-1]
    behind = np.arange(found[-1] + last, n_samples - 1, last)
    beats = np.unique(np.round(np.concatenate([before, found, behind])).astype(np.int64))
    return beats[(beats >= 0) & (beats < n_samples)]


def _grid(song: Material) -> np.ndarray:
    return np.arange(0, song.n_samples, max(1, round(_FIXED * song.sample_rate)), dtype=np.int64)
