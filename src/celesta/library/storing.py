"""Store what the analysis made of a song, as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np

from celesta.library.analysis import Failure, SongRecord
from celesta.library.block_table import analysis_version, block_sources
from celesta.library.claims import Job
from celesta.library.fingerprint import METHOD
from celesta.library.identification import give_up_md5
from celesta.library.scan import note_error
from celesta.library.segments import store_segments
from celesta.library.store import Store, now


def store_record(store: Store, job: Job, made: SongRecord) -> None:
    """Store all of a song in one transaction."""
    with store.transaction():
        for table in ("vectors", "predictions"):
            store.execute(f"DELETE FROM {table} WHERE recording = ?", (job.recording,))
        store.execute("DELETE FROM descriptors WHERE recording = ? AND name <> 'year'", (job.recording,))
        for name, block in made.blocks.items():
            data = block.astype("<f2").tobytes()
            store.execute(
                "INSERT INTO vectors (recording, name, version, weights, size, data) VALUES (?, ?, ?, ?, ?, ?)",
                (job.recording, name, *block_sources(name), len(block), data),
            )
        store_segments(store, job.recording, made.segments, analysis_version(store.licence))
        for name, value in made.values.items():
            store.execute(
                "INSERT INTO descriptors (recording, name, value) VALUES (?, ?, ?)", (job.recording, name, float(value))
            )
        for predictor, found in made.labels.items():
            for label, p in found.items():
                store.execute(
                    "INSERT INTO predictions (recording, predictor, label, probability) VALUES (?, ?, ?, ?)",
                    (job.recording, predictor, label, p),
                )
        store.execute(
            "INSERT OR REPLACE INTO fingerprints (recording, method, data) VALUES (?, ?, ?)",
            (job.recording, METHOD, np.asarray(made.fingerprint, "<u4").tobytes()),
        )
        store.execute(
            "UPDATE recordings SET duration = ?, analysed = ?, analysis = ?, claimed_by = NULL, claimed_at = NULL"
            " WHERE id = ?",
            (made.duration, now(), analysis_version(store.licence), job.recording),
        )
        if made.warnings:
            note_error(store, job.path, "warning", "; ".join(made.warnings))
            with contextlib.suppress(OSError):  # it was there when it was analysed
                give_up_md5(store, job.recording, job.path)


def store_failure(store: Store, job: Job, made: Failure) -> None:
    """Note why a song could not be analysed; a file that has vanished is marked missing instead."""
    with store.transaction():
        if not Path(os.fsdecode(job.path)).exists():
            store.execute("UPDATE files SET missing_since = ? WHERE path = ?", (now(), job.path))
        else:
            note_error(store, job.path, "analysis", made.message)
        store.execute("UPDATE recordings SET claimed_by = NULL, claimed_at = NULL WHERE id = ?", (job.recording,))
