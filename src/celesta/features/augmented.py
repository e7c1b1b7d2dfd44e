"""Altered copies of songs (band limit, another coder, another level) and their features.

Collections of music differ by the traces of their coders. A probe that is also trained on altered copies depends less
on them.
"""

from __future__ import annotations

import hashlib
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from celesta import audio
from celesta.audio import Audio, AudioWarning
from celesta.features.analyse import analyse, key_of
from celesta.features.base import Arrays, Extractor
from celesta.features.cache import FeatureCache, content_hash
from celesta.features.extract import Features, gathered
from celesta.features.parallel import all_songs

RATES = (11_025, 16_000, 22_050)
FORMATS = ("x.mp3", "x.ogg", "x.wav")


def altered(signal: Audio, seed: int) -> Audio:
    """Return a copy with a lower band limit, through another coder, up to 18 dB softer; equal seeds, equal copies."""
    rng = np.random.default_rng(seed)
    rate = int(rng.choice(RATES))
    x = audio.resample(signal.samples, signal.sample_rate, rate) * 10 ** (rng.uniform(-18, 0) / 20)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / str(rng.choice(FORMATS))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AudioWarning)  # resampling overshoots, and clipping is an alteration too
            audio.write(file, Audio(x, rate))
        return audio.read(file)


def altered_arrays(path: Path, extractors: Sequence[Extractor], cache: FeatureCache | None) -> list[Arrays]:
    """Return the arrays of each extractor for one altered copy of a song, from the cache where it has them.

    Raises:
        AudioError: the song cannot be read.
    """
    content = cache.content(path) if cache else content_hash(path)
    copy = hashlib.sha256(f"{content} altered 1".encode()).hexdigest()
    found = {one.name: cache.get(key_of(one, copy)) if cache else None for one in extractors}
    missing = [one for one in extractors if found[one.name] is None]
    if missing:
        signal = altered(audio.read(path, mono=True), int(content[:8], 16))
        for one, arrays in zip(missing, analyse(signal, missing).arrays(), strict=True):
            found[one.name] = arrays
            if cache:
                cache.put(key_of(one, copy), arrays)
    return [arrays for arrays in (found[one.name] for one in extractors) if arrays is not None]


def altered_features(paths: Sequence[Path], names: Sequence[str], cache: FeatureCache, workers: int = 1) -> Features:
    """Return features of one altered copy of each song; the rows carry the songs' own paths.

    Raises:
        UsageError, ModelError: a feature is unknown or its weights are missing.
        AudioError: a song cannot be read.
    """
    return gathered(paths, names, all_songs(altered_arrays, paths, names, cache, workers))
