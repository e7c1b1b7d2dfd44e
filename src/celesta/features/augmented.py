"""Altered copies of songs (band limit, another coder, another level) and their features.

Collections of music can be told apart by the traces of their coders. What is trained on such copies too leans on them
less.
"""

from __future__ import annotations

import hashlib
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from celesta import audio
from celesta.audio import Audio, AudioWarning
from celesta.features.cache import FeatureCache, Key, content_hash
from celesta.features.extract import Features, gathered
from celesta.features.parallel import all_songs
from celesta.features.registry import Arrays, Extractor

RATES = (11_025, 16_000, 22_050)
FORMATS = ("x.mp3", "x.ogg", "x.wav")


def altered(sound: Audio, seed: int) -> Audio:
    """A copy with a lower band limit, through another coder, up to 18 dB softer; equal seeds, equal copies."""
    rng = np.random.default_rng(seed)
    rate = int(rng.choice(RATES))
    x = audio.resample(sound.samples, sound.sample_rate, rate) * 10 ** (rng.uniform(-18, 0) / 20)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / str(rng.choice(FORMATS))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AudioWarning)  # resampling overshoots, and clipping is an alteration too
            audio.write(file, Audio(x, rate))
        return audio.read(file)


def altered_arrays(path: Path, extractors: Sequence[Extractor], cache: FeatureCache | None) -> list[Arrays]:
    """The arrays of each extractor for one altered copy of a song, from the cache where it has them.

    Raises:
        AudioError: the track cannot be read.
    """
    content = cache.content(path) if cache else content_hash(path)
    found: list[Arrays] = []
    sound: Audio | None = None
    held: dict[str, Any] = {}
    for one in extractors:
        key = Key(hashlib.sha256(f"{content} altered 1".encode()).hexdigest(), one.kind, one.weights, one.version)
        arrays = cache.get(key) if cache else None
        if arrays is None:
            sound = sound or altered(audio.read(path, mono=True), int(content[:8], 16))
            arrays = one.arrays(audio.resample(sound.samples, sound.sample_rate, one.sample_rate)[0], held)
            if cache:
                cache.put(key, arrays)
        found.append(arrays)
    return found


def altered_features(paths: Sequence[Path], kinds: Sequence[str], cache: FeatureCache, workers: int = 1) -> Features:
    """Features of one altered copy of each song; the rows carry the songs' own paths.

    Raises:
        UsageError, ModelError: a kind is unknown or its weights are missing.
        AudioError: a track cannot be read.
    """
    return gathered(paths, kinds, all_songs(altered_arrays, paths, kinds, cache, workers))
