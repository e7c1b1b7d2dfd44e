"""Features of many songs: right rows, failures listed, the cache used, the workers without effect."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from celesta import audio, codec
from celesta.errors import DataError, ModelError, UsageError
from celesta.features import parallel
from celesta.features.cache import FeatureCache
from celesta.features.extract import extract, song_arrays
from celesta.features.pooling import pool
from celesta.features.registry import extractor, names
from celesta.features.rhythm import descriptors
from celesta.features.spectral import handcrafted

module = importlib.import_module("celesta.features.extract")  # the package has a function of this name
KINDS = ("handcrafted", "rhythm", "latent:linear-8", "latent:sparse-8")


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory, music: Callable[..., np.ndarray]) -> list[Path]:
    folder = tmp_path_factory.mktemp("songs")
    for seed, (channels, rate) in enumerate([(1, 22_050), (2, 44_100), (1, 16_000)]):
        audio.write(folder / f"{seed}.wav", music(2 * rate, channels, rate, seed), rate)
    return sorted(folder.glob("*.wav"))


def test_rows_are_those_of_the_parts(songs: list[Path]) -> None:
    found = extract(songs, KINDS)
    assert found.paths == songs
    assert found.failures == {}
    for row, path in enumerate(songs):
        sound = audio.read(path, sample_rate=22_050, mono=True)
        x = sound.samples[0]
        assert np.allclose(found["handcrafted"][row], handcrafted(x, 22_050), rtol=1e-4, atol=1e-4)
        assert np.allclose(found["rhythm"][row], descriptors(x, 22_050), rtol=1e-4, atol=1e-4)
        for model in ("linear-8", "sparse-8"):
            z = codec.load(model).encode(path, mono=True)
            assert np.allclose(found[f"latent:{model}"][row], pool(z), rtol=1e-3, atol=1e-3)


def test_parts_name_the_columns(songs: list[Path]) -> None:
    found = extract(songs[:1], KINDS)
    assert found.part("latent:linear-8", "base.std").shape == (1, 8)
    assert np.array_equal(found.part("handcrafted", "mean"), found["handcrafted"][:, :65])
    with pytest.raises(UsageError, match="no part"):
        found.part("rhythm", "mean")


def test_bad_tracks_are_listed(songs: list[Path], tmp_path: Path) -> None:
    empty, garbage, missing = tmp_path / "empty.wav", tmp_path / "garbage.mp3", tmp_path / "missing.wav"
    empty.write_bytes(b"")
    garbage.write_bytes(b"no sound at all" * 100)
    for cache in (None, FeatureCache(tmp_path / "cache")):
        found = extract([empty, songs[0], missing, garbage, songs[1]], ["rhythm"], cache)
        assert found.paths == songs[:2]
        assert found["rhythm"].shape[0] == 2
        assert list(found.failures) == [empty, missing, garbage]
        for path, reason in found.failures.items():
            assert str(path) in reason
            assert "\n" not in reason
    with pytest.raises(DataError, match="none of the 1 tracks"):
        extract([empty], ["rhythm"])


def test_workers_and_cache_change_nothing(songs: list[Path], tmp_path: Path) -> None:
    plain = extract(songs, KINDS)
    cache = FeatureCache(tmp_path)
    told: list[tuple[int, int]] = []
    for _ in range(2):
        other = extract(songs, KINDS, cache, progress=lambda done, total: told.append((done, total)), workers=3)
        assert other.paths == plain.paths
        assert other.parts == plain.parts
        assert all(np.array_equal(other[kind], plain[kind]) for kind in KINDS)
    assert told == [(1, 3), (2, 3), (3, 3)] * 2


def test_many_songs_are_measured_in_processes(
    songs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "_PROCESSES_FROM", 1)
    kinds, missing = ["rhythm", "latent-random:cel-3"], tmp_path / "gone.wav"
    apart = extract([*songs, missing], kinds, FeatureCache(tmp_path), workers=2)
    assert list(apart.failures) == [missing]
    assert str(missing) in apart.failures[missing]
    monkeypatch.setattr(module.audio, "read", lambda *_, **__: pytest.fail("read again"))
    again = extract(songs, kinds, FeatureCache(tmp_path))  # what the processes left in the cache
    monkeypatch.undo()
    beside = extract(songs, kinds, workers=3)
    for kind in kinds:
        assert np.array_equal(again[kind], apart[kind])
        assert np.allclose(beside[kind], apart[kind], rtol=1e-4, atol=1e-5)  # sums in another order of threads


def test_what_kinds_share_is_computed_once_and_rows_are_left_in_the_cache(
    songs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[str] = []
    real = codec.Codec.encode
    monkeypatch.setattr(codec.Codec, "encode", lambda self, sound: encoded.append(self.name) or real(self, sound))
    kinds, cache = ["latent:linear-8", "rhythm", "latent:linear-16"], FeatureCache(tmp_path)
    found = extract(songs[:1], kinds, cache, beside=["windows:linear-16", "windows:linear-8"])
    assert sorted(encoded) == ["linear-16", "linear-8"]
    assert list(found.matrices) == kinds
    rows = song_arrays(songs[0], [extractor("windows:linear-8")], cache)[0]["mean"]
    assert len(encoded) == 2
    assert rows.shape == (1, 8)
    assert np.allclose(rows[0], found.part("latent:linear-8", "base.mean")[0])
    alone = song_arrays(songs[0], [extractor("windows:linear-8")])[0]["mean"]
    assert np.array_equal(rows, alone)


def test_goes_on_where_it_was_stopped(songs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(songs, ["rhythm"], FeatureCache(tmp_path), progress=stop)
    read: list[Path] = []
    real = audio.read
    monkeypatch.setattr(module.audio, "read", lambda path, **kw: read.append(path) or real(path, **kw))
    extract(songs, ["rhythm"], FeatureCache(tmp_path))
    assert len(read) <= 1
    extract(songs, ["rhythm"], FeatureCache(tmp_path))
    assert len(read) <= 1
    extract(songs, ["rhythm", "handcrafted"], FeatureCache(tmp_path))
    assert 3 <= len(read) <= 4


def test_copies_share_their_entry(songs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = FeatureCache(tmp_path / "cache")
    first = extract(songs[:1], ["rhythm"], cache)
    copy = tmp_path / "renamed.wav"
    copy.write_bytes(songs[0].read_bytes())
    monkeypatch.setattr(module.audio, "read", lambda *_, **__: pytest.fail("read again"))
    assert np.array_equal(extract([copy], ["rhythm"], cache)["rhythm"], first["rhythm"])


def test_random_weights_are_seeded_and_random(need_weights: Callable[..., None]) -> None:
    first, second = extractor("latent-random:cel-3"), extractor("latent-random:cel-3")
    x = np.sin(np.arange(30_000) / 20).astype(np.float32)
    vectors = [np.concatenate(list(one.measure(x).values())) for one in (first, second)]
    assert np.array_equal(*vectors)
    assert first.weights == second.weights != ""
    need_weights("cel-3")
    trained = extractor("latent:cel-3")
    assert trained.weights not in ("", first.weights)
    assert not np.allclose(np.concatenate(list(trained.measure(x).values())), vectors[0], atol=1e-2)


@pytest.mark.parametrize("kind", ["", "mfcc", "latent", "latent:", "latents:cel-2", "handcrafted:cel-2"])
def test_unknown_kinds(kind: str) -> None:
    with pytest.raises(UsageError, match="unknown kind"):
        extractor(kind)


def test_kinds_of_unknown_models() -> None:
    with pytest.raises(ModelError):
        extractor("latent:no-such-model")
    with pytest.raises(ModelError, match="no weights to draw"):
        extractor("latent-random:linear-64")
    assert "latent:MODEL" in names()
