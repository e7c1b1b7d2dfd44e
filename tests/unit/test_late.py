"""Late layers and altered copies: they learn, repeat themselves, and see training songs only."""

from pathlib import Path

import numpy as np
import pytest
import torch

from celesta import audio
from celesta.datasets import Track
from celesta.errors import AudioError, DataError
from celesta.features import augmented
from celesta.features.cache import FeatureCache
from celesta.features.extract import Features
from celesta.features.musicnn import load_musicnn
from celesta.features.registry import extractor
from celesta.probes.cross_validation import run
from celesta.probes.late_layers import Late, LateConfig, patches, train_late
from celesta.probes.protocols import Protocol
from celesta.probes.splits import Split
from celesta.study import Method, late_layers
from celesta.study import cross_collection as cross


@pytest.fixture(scope="module")
def tagger():
    return load_musicnn("MSD")


def pooled(songs=24, seed=0):
    """Songs of two classes that some of the pooled numbers tell apart."""
    rng = np.random.default_rng(seed)
    labels = np.array(["a", "b"])[np.arange(songs) % 2]
    made = []
    for label in labels:
        shift = np.zeros(753)
        shift[:200] = 0.8 if label == "a" else -0.8
        rows = {name: 0.3 * rng.standard_normal((3, 753)) + shift for name in ("mean_pool", "max_pool")}
        made.append({name: value.astype(np.float32) for name, value in rows.items()})
    return made, labels


def test_late_layers_learn_repeat_and_leave_the_tagger_alone(tagger):
    songs, labels = pooled()
    fresh, truth = pooled(seed=1)
    before, state = tagger.weights["dense.weight"].copy(), torch.random.get_rng_state()
    one, other = (train_late(tagger, songs, labels) for _ in range(2))
    found = one.predict_proba(fresh)
    assert np.array_equal(found, other.predict_proba(fresh))
    assert np.allclose(found.sum(1), 1)
    assert np.mean(np.array(one.classes)[found.argmax(1)] == truth) > 0.9
    assert np.array_equal(tagger.weights["dense.weight"], before)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not np.array_equal(one.dense.weight.detach().numpy(), before)
    # A song is answered alike whatever else is asked.
    assert np.array_equal(one.predict_proba(fresh[:1])[0], found[0])


def test_untrained_late_layers_are_the_tagger_s_own(tagger):
    layers = [tagger(patch) for patch in 3 * np.random.default_rng(0).random((2, 187, 96), np.float32)]
    song = {name: np.stack([one[name] for one in layers]) for name in ("mean_pool", "max_pool")}
    late = Late(tagger, ("a", "b"), LateConfig()).eval()
    wanted = np.stack([one["penultimate"] for one in layers])
    assert np.allclose(late.hidden(patches(song)).detach().numpy(), wanted, atol=1e-5)


def test_what_cannot_be_trained_is_one_line(tagger):
    songs, labels = pooled(4)
    with pytest.raises(DataError, match="4 songs, 3 labels"):
        train_late(tagger, songs, labels[:3])
    with pytest.raises(DataError, match="1 classes"):
        train_late(tagger, songs, np.array(["a"] * 4))


def test_altered_copies_repeat_differ_and_are_kept(music, tmp_path):
    file = tmp_path / "a.wav"
    audio.write(file, music(2 * 22_050, 1, 22_050, 0), 22_050)
    sound = audio.read(file)
    one, same, other = (augmented.altered(sound, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.samples, same.samples)
    assert one.samples.shape != other.samples.shape or not np.array_equal(one.samples, other.samples)
    cache = FeatureCache(tmp_path / "cache")
    made = augmented.altered_features([file, file], ["rhythm", "handcrafted"], cache, workers=2)
    assert made.paths == [file, file]
    assert made["handcrafted"].shape == (2, 130)
    own = extractor("handcrafted").measure(sound.samples[0])
    assert not np.allclose(made.part("handcrafted", "mean")[0], own["mean"], rtol=1e-2)
    again = augmented.altered_features([file], ["handcrafted"], cache)
    assert np.array_equal(again["handcrafted"][0], made["handcrafted"][0])
    with pytest.raises(AudioError):
        augmented.altered_features([tmp_path / "gone.wav"], ["rhythm"], cache)


def test_collections_by_their_own_scale():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    X[40:] = 5 + 3 * X[40:]
    X[:, 3] = 7.0
    names = np.array(["a"] * 40 + ["b"] * 20)
    made = cross.standardised_by(X, names)
    for name in "ab":
        assert np.allclose(made[names == name].mean(0), 0)
        assert np.allclose(made[names == name].std(0)[:3], 1)
    assert np.array_equal(made[:, 3], np.zeros(60))


def test_only_the_transductive_row_sees_the_other_collection(monkeypatch, tmp_path):
    rng = np.random.default_rng(0)
    n, m = 60, 20
    names = np.array(["blues", "jazz"])[np.arange(n + m) % 2]
    tracks = [
        Track(Path(f"{i}.wav"), str(i), "4qaed" if i < n else "gtzan", f"artist {i // 2}", name)
        for i, name in enumerate(names)
    ]
    groups = np.array([t.group for t in tracks])
    split = Split(np.arange(n), np.arange(n, n + m))
    protocol = Protocol("cross", names, ("blues", "jazz"), groups, [split], "balanced accuracy", tracks=tracks)
    X = rng.standard_normal((n + m, 65)).astype(np.float32) + 2 * (names == "jazz")[:, None] * (np.arange(65) < 5)
    paths = [t.path for t in tracks]
    seen = []

    def copied(mine, kinds, cache, workers):
        assert list(mine) == paths[:n]
        return Features(list(mine), {"handcrafted": X[:n] + 0.1}, {"handcrafted": {"mean": slice(0, 65)}}, {})

    def late(train, labels, test, cache, workers):
        assert list(train) == paths[:n]
        assert np.array_equal(labels, names[:n])
        seen.append(list(test))
        return np.full((len(test), 2), 0.5), ("blues", "jazz")

    monkeypatch.setattr(cross, "altered_features", copied)
    monkeypatch.setattr(cross, "_late", late)
    cache, answers = FeatureCache(tmp_path), []
    for other in (0.0, 50.0):
        Z = X.copy()
        Z[n + 1 :] += other  # whatever the rest of the other collection is
        features = Features(paths, {"handcrafted": Z}, {"handcrafted": {"mean": slice(0, 65)}}, {})
        answers.append({r.probe: r for r in cross.results(protocol, features, "handcrafted", cache)})
    assert seen == [paths[n:]] * 2
    assert set(answers[0]) == {
        Method.COPIES,
        Method.LATE_COPIES,
        Method.LATE_AND_COPIES,
        Method.TRANSDUCTIVE,
    }
    assert answers[0][Method.COPIES].row()["accuracy"] > 0.8
    for probe in (Method.COPIES, Method.LATE_AND_COPIES):
        one, two = (a[probe].probabilities[0, 0] for a in answers)
        assert np.array_equal(one, two)
        assert np.isclose(one.sum(), 1)
    one, two = (a[Method.TRANSDUCTIVE].probabilities[0, 0] for a in answers)
    assert not np.array_equal(one, two)


def test_late_layers_of_a_fold_see_its_training_songs_only(monkeypatch, tmp_path):
    songs, labels = pooled(12)
    folder = tmp_path / "songs"
    folder.mkdir()
    paths = [folder / f"{i}.wav" for i in range(12)]
    for i, path in enumerate(paths):
        path.write_bytes(bytes([i]))
    tracks = [Track(path, path.stem, "gtzan", f"artist {i // 2}", labels[i]) for i, path in enumerate(paths)]
    groups = np.array([t.group for t in tracks])
    folds = [Split(np.arange(4, 12), np.arange(4)), Split(np.arange(6), np.arange(6, 12))]
    rest = Split(np.arange(6), np.arange(4, 6))
    protocol = Protocol("mood", labels, ("a", "b"), groups, [folds[0], folds[1], rest], "macro-F1", tracks=tracks)
    trained: list[list[int]] = []

    def train(tagger, heard, names, config):
        found = [next(i for i, song in enumerate(songs) if song is one) for one in heard]
        assert np.array_equal(names, labels[found])
        trained.append(found)
        return train_late(tagger, heard, names, config)

    monkeypatch.setattr(late_layers, "all_songs", lambda *_: [])
    monkeypatch.setattr(late_layers, "song_arrays", lambda path, reader, cache: [songs[int(path.stem)]])
    monkeypatch.setattr(late_layers, "train_late", train)
    chosen = run(protocol, np.random.default_rng(0).standard_normal((12, 3)), "lr", features="noise")
    cache, threads = FeatureCache(tmp_path / "cache"), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        alone, both = late_layers.results(protocol, chosen, cache)
        assert torch.get_num_threads() == 2  # item 3 of the list of faults
    finally:
        torch.set_num_threads(threads)
    assert trained == [split.train.tolist() for split in protocol.splits]
    assert alone.row()["accuracy"] > 0.8
    assert np.allclose(both.probabilities, (alone.probabilities + chosen.probabilities) / 2)
    again, _ = late_layers.results(protocol, chosen, cache)
    assert len(trained) == len(protocol.splits)  # the second time from the cache
    assert np.array_equal(again.probabilities, alone.probabilities)
