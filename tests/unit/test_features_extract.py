"""Features of many songs: right rows, failures listed, the cache used, the workers without effect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from celesta import audio, codec
from celesta.errors import DataError, ModelError, UsageError
from celesta.features import analyse, parallel
from celesta.features.base import Rows
from celesta.features.cache import FeatureCache
from celesta.features.extract import extract, song_arrays
from celesta.features.pooling import pool
from celesta.features.registry import entries, extractor, names, needed
from celesta.features.rhythm import descriptors
from celesta.features.spectral import handcrafted
from celesta.predict import Predictor

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
    with pytest.raises(DataError, match="none of the 1 songs"):
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
    monkeypatch.setattr(analyse, "AudioSource", lambda *_, **__: pytest.fail("read again"))
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
    found = extract(songs[:1], kinds, cache, also=["windows:linear-16", "windows:linear-8"])
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
    real = analyse.AudioSource
    monkeypatch.setattr(analyse, "AudioSource", lambda path: read.append(path) or real(path))
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
    monkeypatch.setattr(analyse, "AudioSource", lambda *_, **__: pytest.fail("read again"))
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
    with pytest.raises(UsageError, match="unknown feature"):
        extractor(kind)


def test_kinds_of_unknown_models() -> None:
    with pytest.raises(ModelError):
        extractor("latent:no-such-model")
    with pytest.raises(ModelError, match="no weights to draw"):
        extractor("latent-random:linear-64")
    assert "latent:MODEL" in names()


def test_fused_features_are_extracted_by_their_name(songs: list[Path]) -> None:
    """Item 22: extract refused the best features of the documentation's own table."""
    found = extract(songs[:2], ["celesta-features"])
    assert (
        list(found.matrices) == needed(["celesta-features"]) == ["musicnn-msd", "musicnn-mtt", "handcrafted", "rhythm"]
    )
    X = found["celesta-features"]
    assert np.array_equal(X[:, :200], found.part("musicnn-msd", "penultimate.mean"))
    assert np.array_equal(X[:, -42:], found["rhythm"])
    assert [weight for _, weight in found.blocks("celesta-features")] == [1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.35, 0.35]
    assert sum(size for size, _ in found.blocks("celesta-features")) == X.shape[1]
    with pytest.raises(UsageError, match="musicnn-msd was not extracted"):
        extract(songs[:1], ["rhythm"])["celesta-features"]
    for name in ("genre", "mood", "tags"):
        predictor = Predictor.load(name)
        assert predictor.predict_proba(found).shape == (2, len(predictor.classes_))
    assert repr(found).startswith("Features(2 songs, 0 failures; ")


def test_rows_never_shift_silently(songs: list[Path], tmp_path: Path) -> None:
    """Item 22: rows shifted against the caller's list where a song could not be read."""
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    asked = [songs[0], tmp_path / "bad.wav", songs[1]]
    found = extract(asked, ["handcrafted"])
    assert found.paths == [songs[0], songs[1]]
    assert list(found.failures) == [asked[1]]
    assert np.array_equal(found["handcrafted"][1], extract([songs[1]], ["handcrafted"])["handcrafted"][0])
    with pytest.raises(DataError, match=r"bad\.wav"):
        extract(asked, ["handcrafted"], strict=True)


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)
def test_every_entry_of_the_table_can_be_extracted(entry, songs: list[Path]) -> None:
    if entry.name.endswith(":MODEL"):
        name = entry.name.replace("MODEL", "cel-3")
    else:
        name = entry.name
    found = extract(songs[:1], [name])
    assert np.isfinite(found[name]).all()
    assert found[name].shape[0] == 1
    assert entry.about


@pytest.mark.parametrize("name", ["handcrafted", "rhythm", "musicnn-msd", "celesta-ssl"])
def test_streams_are_cut_anywhere(name: str, music: Callable[..., np.ndarray]) -> None:
    one = extractor(name)
    x = music(7 * one.sample_rate + 13, 1, one.sample_rate, 3)[0]
    wanted = one.measure(x)
    for size in (997, 30_000):
        analysis = one.start()
        for at in range(0, len(x), size):
            analysis.push(x[at : at + size])
        analysis.finish()
        found = one.summarise(analysis, 0.0, None)
        for part, array in wanted.items():
            assert np.allclose(found[part], array, rtol=1e-5, atol=1e-6), part


@pytest.mark.parametrize("name", ["handcrafted", "rhythm", "latent:linear-8"])
def test_a_stretch_is_near_the_features_of_its_audio_alone(name: str, music: Callable[..., np.ndarray]) -> None:
    """The stretch's first and last frames also contain audio of its neighbours; nothing else differs."""
    one = extractor(name)
    rate = one.sample_rate
    x = np.concatenate([music(10 * rate, 1, rate, seed)[0] * level for seed, level in ((1, 1), (2, 0.3), (3, 1))])
    analysis = one.start()
    analysis.push(x)
    analysis.finish()
    inside = np.concatenate(list(one.summarise(analysis, 10.0, 20.0).values()))
    alone = np.concatenate(list(one.measure(x[10 * rate : 20 * rate]).values()))
    whole = np.concatenate(list(one.summarise(analysis, 0.0, None).values()))
    assert np.linalg.norm(inside - alone) < 0.1 * np.linalg.norm(whole - alone)


def test_threads_change_nothing(songs: list[Path]) -> None:
    extractors = [extractor(name) for name in needed(["celesta-features"])]
    one, two = (analyse.analyse(songs[1], extractors, threads).arrays() for threads in (1, 3))
    for a, b in zip(one, two, strict=True):
        assert all(np.array_equal(a[part], b[part]) for part in a)


def test_channels_that_cancel_are_noticed(songs: list[Path], tmp_path: Path, music: Callable[..., np.ndarray]) -> None:
    """Item 20: mono mixing that cancels."""
    x = music(3 * 22_050, 1, 22_050)
    audio.write(tmp_path / "side.wav", np.concatenate([x, -x]), 22_050)
    with pytest.warns(audio.AudioWarning, match=r"side\.wav: the channels cancel"):
        extract([tmp_path / "side.wav"], ["rhythm"])


def test_rows_spill_to_a_file_and_come_back() -> None:
    rows = Rows(100)
    data = np.random.default_rng(0).random((30_000, 100), np.float32)  # 12 MB, more than stays in memory
    for at in range(0, len(data), 7000):
        rows.append(data[at : at + 7000])
    assert np.array_equal(rows.between(), data)
    assert np.array_equal(rows.between(29_990, 40_000), data[-10:])
    assert [len(block) for block in rows.blocks(10, 5010)] == [2048, 2048, 904]
    assert rows.between(5, 5).shape == (0, 100)


def test_the_device_is_chosen_and_checked(songs: list[Path]) -> None:
    """Networks of features compute on the device that is asked for; an unknown one is refused before any song."""
    names = ["handcrafted", "latent-random:cel-3", "layers-random:cel-3"]
    plain, chosen = extract(songs[:1], names), extract(songs[:1], names, device="cpu")
    for name in names:
        assert np.array_equal(plain[name], chosen[name])
    with pytest.raises(UsageError, match="device must be one of"):
        extract(songs[:1], names, device="gpu")
