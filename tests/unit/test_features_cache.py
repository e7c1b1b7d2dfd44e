"""Features on disk: right ones back, damaged ones never."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from celesta.errors import AudioError, UsageError
from celesta.features import cache as module
from celesta.features.cache import FeatureCache, Key, cache_folder

KEY = Key("ab" * 32, "latent:cel-2", "cd" * 32, "1")
VECTOR = np.arange(5, dtype=np.float32)


def test_vectors_and_named_arrays_come_back(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "new" / "folder")
    assert cache.get(KEY) is None
    cache.put(KEY, VECTOR)
    assert np.array_equal(cache.get(KEY)["vector"], VECTOR)
    named = {"z": np.ones((2, 3)), "a": np.zeros(1), "m": VECTOR}
    other = replace(KEY, feature="rhythm")
    cache.put(other, named)
    found = FeatureCache(cache.folder).get(other)
    assert found is not None
    assert list(found) == ["z", "a", "m"]
    assert all(np.array_equal(found[name], named[name]) for name in named)


@pytest.mark.parametrize("change", ["content", "feature", "weights", "version", "precision"])
def test_each_of_the_key_matters(tmp_path: Path, change: str) -> None:
    cache = FeatureCache(tmp_path)
    cache.put(KEY, VECTOR)
    assert cache.get(replace(KEY, **{change: "ef" * 32})) is None


def test_damage_counts_as_absent(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    cache.put(KEY, VECTOR)
    path = cache.path(KEY)
    whole = path.read_bytes()
    for damaged in (b"", whole[:9], whole[:-1], whole[:-1] + b"\x42", b"\xff" * 100, whole[:40] + b"x" + whole[41:]):
        path.write_bytes(damaged)
        assert cache.get(KEY) is None
    cache.put(KEY, VECTOR)
    assert np.array_equal(cache.get(KEY)["vector"], VECTOR)


def test_an_entry_under_another_name_is_refused(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    cache.put(KEY, VECTOR)
    other = replace(KEY, version="2")
    os.rename(cache.path(KEY), cache.path(other))
    assert cache.get(other) is None


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = FeatureCache(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="No space left"):
        cache.put(KEY, VECTOR)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_content_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    song = tmp_path / "söng\n1.wav"
    song.write_bytes(b"first")
    cache = FeatureCache(tmp_path / "cache")
    assert cache.content(song) == hashlib.sha256(b"first").hexdigest()
    with monkeypatch.context() as patched:
        patched.setattr(module, "content_hash", lambda _: pytest.fail("hashed again"))
        assert FeatureCache(tmp_path / "cache").content(song) == hashlib.sha256(b"first").hexdigest()
    song.write_bytes(b"second")
    assert cache.content(song) == hashlib.sha256(b"second").hexdigest()


def test_damaged_memory_of_hashes_is_made_anew(tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    song.write_bytes(b"sound")
    FeatureCache(tmp_path).content(song)
    memory = tmp_path / "hashes.jsonl"
    memory.write_bytes(b'\xff\n[1]\n{"a": 1}\nnull\n["x", null, 2, "00"]\n' + memory.read_bytes()[:-9])
    assert FeatureCache(tmp_path).content(song) == hashlib.sha256(b"sound").hexdigest()


def test_refusals(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="no folder"):
        FeatureCache(tmp_path / "file")
    with pytest.raises(AudioError, match="missing"):
        FeatureCache(tmp_path).content(tmp_path / "missing.wav")


def test_the_default_folder_is_the_user_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Item 23: the cache was written into the working folder."""
    monkeypatch.delenv("CELESTA_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    assert cache_folder().is_relative_to(tmp_path / "user")
    assert cache_folder().name == "features"
    monkeypatch.setenv("CELESTA_CACHE", str(tmp_path / "other"))
    assert FeatureCache().folder == tmp_path / "other" / "features"
    assert FeatureCache().folder.is_dir()
