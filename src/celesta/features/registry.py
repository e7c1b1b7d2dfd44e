"""The one table of feature extractors.

To add an extractor, write a file in this folder with a function ``create(name, model, precision, device) -> Extractor``
and add an entry to :data:`TABLE`. Lists, help, documentation and tests read the table.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from celesta._names import suggestion
from celesta.errors import UsageError
from celesta.features.base import Arrays, Extractor, check_precision

__all__ = ["TABLE", "Arrays", "Entry", "Extractor", "entries", "entry", "extractor", "names", "needed"]
MODEL = ":MODEL"
"""End of the names that stand for one extractor for each model, or folder of a training run."""


@dataclass(frozen=True)
class Entry:
    """One line of the table.

    Attributes:
        name: of the features; one that ends in ``:MODEL`` stands for any model's name, or the folder of a run.
        about: what it is, in one line.
        create: file in this folder and function in it, ``file.function``; "" for a fused one.
        parts: of a fused one: the features, or one part of them after a slash, and their weight in a probe's distance.
        rows: whether it has several rows for each song, as many as it is long: not for :func:`extract`.
        network: whether a network computes it, on a device.
        needs_torch: whether it cannot be computed without torch.
    """

    name: str
    about: str
    create: str = ""
    parts: dict[str, float] = field(default_factory=dict)
    rows: bool = False
    network: bool = False
    needs_torch: bool = False


TABLE = (
    Entry(
        "celesta-features",
        "both taggers, handcrafted and rhythm, weighted",
        parts={
            "musicnn-msd/penultimate.mean": 1.0,
            "musicnn-msd/mean_pool.mean": 0.5,
            "musicnn-msd/max_pool.mean": 0.5,
            "musicnn-mtt/penultimate.mean": 0.5,
            "musicnn-mtt/mean_pool.mean": 0.25,
            "musicnn-mtt/max_pool.mean": 0.25,
            "handcrafted": 0.35,
            "rhythm": 0.35,
        },
    ),
    # The standard deviation over the windows of a song says more of its form than of its class and is left out: chosen
    # by clusters of GTZAN's train list alone.
    Entry(
        "celesta-unlabelled",
        "celesta-ssl and handcrafted: no labels, no outside weights",
        parts={"celesta-ssl/mean": 1.0, "handcrafted": 1.0},
    ),
    Entry("musicnn", "means of musicnn-msd", parts={"musicnn-msd/mean": 1.0}),
    Entry("handcrafted", "MFCC, chroma, spectral contrast, centroid, roll-off, ... as in librosa", "spectral.create"),
    Entry("rhythm", "tempo, onsets, loudness and key", "rhythm.create"),
    Entry("musicnn-msd", "layers of MusiCNN, trained on the Million Song Dataset", "musicnn.create"),
    Entry("musicnn-mtt", "layers of MusiCNN, trained on MagnaTagATune", "musicnn.create"),
    Entry("celesta-ssl", "trained by contrast between songs, without labels", "contrastive.create", network=True),
    Entry("latent:MODEL", "statistics over time of a model's latent", "latents.create", network=True),
    Entry(
        "latent-random:MODEL",
        "control: the same model before training",
        "latents.create_random",
        network=True,
        needs_torch=True,
    ),
    Entry(
        "layers:MODEL",
        "statistics over time of each layer of a model's encoder",
        "encoder_layers.create",
        network=True,
        needs_torch=True,
    ),
    Entry(
        "layers-random:MODEL",
        "control: the same layers before training",
        "encoder_layers.create_random",
        network=True,
        needs_torch=True,
    ),
    Entry("patches:TAGGER", "pooled layers of a tagger, a row for each patch", "musicnn.create_patches", rows=True),
    Entry(
        "windows:MODEL", "means of a latent, a row for each window", "latents.create_windows", rows=True, network=True
    ),
)


def entries() -> tuple[Entry, ...]:
    """Return the entries of features that are one vector for each song, fused ones first."""
    return tuple(one for one in TABLE if not one.rows)


def names() -> tuple[str, ...]:
    """Return the names of all features, fused ones too; MODEL stands for any model's name, or the folder of a run.

    Example:
        >>> names()[:2]
        ('celesta-features', 'celesta-unlabelled')
    """
    return tuple(one.name for one in entries())


def entry(name: str) -> Entry:
    """Return the entry of a name, such as ``rhythm`` or ``latent:nested``.

    Raises:
        UsageError: there is none.
    """
    prefix, colon, model = name.partition(":")
    for one in TABLE:
        own, own_colon, _ = one.name.partition(":")
        if own == prefix and bool(colon) == bool(own_colon) == bool(model):
            return one
    raise UsageError(f"unknown feature {name!r}; {suggestion(name, names())}")


def needed(features: Iterable[str]) -> list[str]:
    """Return the features to extract for these: fused ones are replaced by what they are made of.

    Raises:
        UsageError: there is no such feature.

    Example:
        >>> needed(["celesta-unlabelled", "rhythm"])
        ['celesta-ssl', 'handcrafted', 'rhythm']
    """
    found: dict[str, None] = {}
    for name in features:
        for part in entry(name).parts or {name: 1.0}:
            found[part.partition("/")[0]] = None
    return list(found)


def extractor(name: str, precision: str = "float32", device: str = "auto") -> Extractor:
    """Make an extractor that is not fused; its model is loaded.

    Args:
        name: see :func:`names`.
        precision: of the network; networks without a choice compute in float32.
        device: that networks of torch compute on: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        UsageError: there is no such feature, it is fused, or it does not have this precision.
        ModelError: its model is unknown, or its weights are missing.
    """
    one = entry(name)
    if not one.create:
        raise UsageError(f"{name}: is fused of {', '.join(needed([name]))}; extract(paths, [{name!r}]) computes it")
    file, _, function = one.create.partition(".")
    create = getattr(importlib.import_module(f"celesta.features.{file}"), function)
    made: Extractor = create(name, name.partition(":")[2], check_precision(precision), device)
    return made
