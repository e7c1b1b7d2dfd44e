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
    vary,
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
    **{f"vary {name}": verb for name, verb in vary.verbs().items()},
    "vary concat": vary.concat,
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
    "vary": "Change the latent of a song by one operation, and decode it. Original samples are cut by extend, repair,"
    " bridge and mosaic; two latents are joined by morph and style; chains and folders are the job of transform.",
    "classify": "Train, use and score classifiers of songs.",
    "library": "Keep a library of analysed songs in one file.",
}
"""The first word of verbs of two words, with its help."""
