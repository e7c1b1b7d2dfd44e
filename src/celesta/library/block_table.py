"""The blocks of numbers by which songs are compared: names, places among the features, versions, statistics."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np

from celesta.features import musicnn, rhythm, spectral
from celesta.library import fingerprint
from celesta.library.block import Reference
from celesta.models.licences import ALL_WEIGHTS, allowed
from celesta.models.weights import FOLDER
from celesta.predict.predictor import SHIPPED, Predictor

CODE_VERSION = 3
"""Of the analysis: change it whenever its results change, so that libraries analyse their songs again."""
FEATURES = "celesta-features"
EXTRACTORS = ("musicnn-msd", "musicnn-mtt", "handcrafted", "rhythm")
OFFSETS = {"musicnn-msd": 0, "musicnn-mtt": 1_706, "handcrafted": 3_412, "rhythm": 3_542}  # in celesta-features
_PENULTIMATE = 200
USUAL_TEMPO = 120.0


def _columns(extractor_name: str, names: tuple[str, ...], prefixes: tuple[str, ...]) -> np.ndarray:
    """Columns of celesta-features whose names begin with one of some words."""
    return np.array([OFFSETS[extractor_name] + i for i, name in enumerate(names) if name.startswith(prefixes)])


_TAGGERS = np.concatenate([OFFSETS[name] + np.arange(_PENULTIMATE) for name in EXTRACTORS[:2]])
# The mean of mfcc_0 is the level, not the timbre.
_TIMBRE = ("mfcc_", "contrast", "centroid", "bandwidth", "rolloff", "flatness", "zero_crossings")
_TIMBRE_NAMES = tuple("" if n.startswith(("mfcc_delta", "mfcc_0.mean")) else n for n in spectral.NAMES)
_RHYTHM_NAMES = tuple("" if n == "tempo_log2" else n for n in rhythm.NAMES)
COLUMNS = {
    "style": _TAGGERS,
    "timbre": _columns("handcrafted", _TIMBRE_NAMES, _TIMBRE),
    "rhythm": _columns("rhythm", _RHYTHM_NAMES, ("tempo_", "pulse", "onset", "flux")),
    "harmony": _columns("rhythm", rhythm.NAMES, ("key_", "chroma_", "degree_")),
    "loudness": _columns("rhythm", rhythm.NAMES, ("loudness", "crest", "dynamic")),
}
BLOCKS = (*COLUMNS, "mood", "tempo")
"""Names of the blocks of numbers by which songs are compared."""
SIZES = {name: len(columns) for name, columns in COLUMNS.items()} | {"mood": 4, "tempo": 1}
TAGGED = frozenset({"style", "mood"})
"""Blocks that the taggers are needed for, as they are for all labels."""
_SOURCES = {"style": EXTRACTORS[:2], "timbre": EXTRACTORS[2:3], "mood": EXTRACTORS}
_VERSIONS = dict(zip(EXTRACTORS, (musicnn.VERSION, musicnn.VERSION, spectral.VERSION, rhythm.VERSION), strict=True))


@lru_cache(maxsize=8)
def _weights_hash(name: str) -> str:
    return hashlib.sha256((FOLDER / f"{name}.safetensors").read_bytes()).hexdigest()


def block_sources(block: str) -> tuple[str, str]:
    """Return the versions and the weights' hashes of the extractors that a block is made of."""
    names = _SOURCES.get(block, ("rhythm",))
    versions = "+".join(f"{name}/{_VERSIONS[name]}" for name in names)
    return versions, "+".join(_weights_hash(name) for name in names if name.startswith("musicnn"))


def predictors(licence: str) -> tuple[str, ...]:
    """Return the names of the predictors that an analysis may use."""
    weights = allowed(licence)
    return tuple(name for name in SHIPPED if f"predict-{name}" in weights)


@lru_cache(maxsize=2)
def analysis_version(licence: str) -> str:
    """Return what a library's analysis depends on, in short: versions of the code and hashes of the weights."""
    digest = hashlib.sha256(repr((_VERSIONS, fingerprint.METHOD)).encode())
    for name in (*EXTRACTORS[:2], *(f"predict-{name}" for name in predictors(licence))):
        digest.update(_weights_hash(name).encode())
    return f"{CODE_VERSION}-{digest.hexdigest()[:12]}"


def references(licence: str = ALL_WEIGHTS) -> dict[str, Reference]:
    """Return the statistics of blocks in a reference collection: the training songs of the predictor of genre.

    Where that predictor may not be used, blocks other than the tempo have none: the library's own are taken alone.
    """
    found = {"tempo": Reference(np.array([np.log2(USUAL_TEMPO)]), np.array([0.4]))}
    if "genre" not in predictors(licence):
        return found
    genre = Predictor.load("genre")
    deviation = 1 / np.maximum(genre.scale, 1e-12)
    found |= {name: Reference(genre.mean[columns], deviation[columns]) for name, columns in COLUMNS.items()}
    return found | {"mood": Reference(np.full(4, 0.25), np.full(4, 0.25))}
