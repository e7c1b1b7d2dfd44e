"""The table of verbs: a new verb is a file in this folder and an entry here."""

from __future__ import annotations

from collections.abc import Callable

from celesta.cli import (
    bridge,
    cluster,
    compare,
    decode,
    demo,
    doctor,
    duplicates,
    encode,
    export,
    extend,
    info,
    library,
    map,
    models,
    morph,
    mosaic,
    playlist,
    reconstruct,
    repair,
    search,
    similar,
    studio,
    study,
    train,
    transform,
    truncate,
    verify,
)
from celesta.cli.classify import evaluate, predict
from celesta.cli.classify import train as train_classifier

VERBS: dict[str, Callable[..., None]] = {
    "encode": encode.encode,
    "decode": decode.decode,
    "truncate": truncate.truncate,
    "info": info.info,
    "verify": verify.verify,
    "reconstruct": reconstruct.reconstruct,
    "transform": transform.transform,
    "extend": extend.extend,
    "repair": repair.repair,
    "bridge": bridge.bridge,
    "mosaic": mosaic.mosaic,
    "morph": morph.morph,
    "style": morph.style,
    "compare": compare.compare,
    "demo": demo.demo,
    "classify train": train_classifier.train,
    "classify predict": predict.predict,
    "classify evaluate": evaluate.evaluate,
    "cluster": cluster.cluster,
    "library add": library.add,
    "library status": library.status,
    "library update": library.update,
    "library errors": library.errors,
    "library backup": library.backup,
    "similar": similar.similar,
    "search": search.search,
    "playlist": playlist.playlist,
    "map": map.song_map,
    "duplicates": duplicates.duplicates,
    "studio": studio.studio,
    "study": study.study,
    "train": train.train,
    "export": export.export,
    "models": models.models,
    "doctor": doctor.doctor,
}
"""The words after ``celesta`` to the function that does it, in the order of the help."""

GROUPS = {
    "classify": "Train, use and score classifiers of songs.",
    "library": "Keep a library of analysed songs in one file.",
}
"""The first word of verbs of two words, with its help."""
