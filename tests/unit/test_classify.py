"""Predictors: trained, calibrated, stored as data, refused when damaged."""

import dataclasses
import warnings

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from celesta.errors import CelestaError, DataError, ModelError
from celesta.features.cache import content_hash
from celesta.predict import predictor as predictors
from celesta.predict.predictor import Predictor, song_hash


def songs(n=240, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    artist = np.arange(n) % 60
    names = np.array(["blues", "jazz", "rock"])[:classes][artist % classes]
    X = rng.standard_normal((n, 12)) + 0.5 * rng.standard_normal((60, 12))[artist]
    X[:, :classes] += 2.0 * (names[:, None] == np.unique(names))
    return X, names, np.array([f"artist {a}" for a in artist])


@pytest.mark.parametrize("classes", [2, 3])
def test_learns_and_is_calibrated(classes):
    X, names, groups = songs(classes=classes)
    predictor = predictors.train(X, names, groups, features="handcrafted", blocks=[(4, 1.0), (8, 0.5)])
    fresh, truth, others = songs(classes=classes, seed=1)
    result = predictors.evaluate(predictor, fresh, truth, others).row()
    assert result["accuracy"] > 0.8
    assert result["calibration error"] < 0.12
    assert np.allclose(predictor.predict_proba(fresh).sum(1), 1)


def test_several_labels(tmp_path):
    X, names, groups = songs()
    truth = np.stack([names == "rock", X[:, 5] > 0], axis=1)
    predictor = predictors.train(X, truth, groups, features="x", about={"classes": ["rock", "bright"]})
    found = predictor.predict_proba(X)
    assert np.mean((found > 0.5) == truth) > 0.85
    predictor.save(tmp_path / "a.safetensors")
    again = Predictor.load(tmp_path / "a.safetensors")
    assert again.classes == ("rock", "bright")
    assert not again.exclusive
    assert np.allclose(again.predict_proba(X), found, atol=1e-4)


def test_altered_copies_train_but_never_choose():
    X, names, groups = songs()
    rows = np.arange(len(X))
    plain = predictors.train(X, names, groups, features="x")
    shifted = X + np.array([0] * 6 + [3.0] * 6)
    robust = predictors.train(X, names, groups, features="x", extra=(shifted, rows))

    def moved(p):
        return np.abs(p.predict_proba(shifted) - p.predict_proba(X)).mean()

    assert moved(robust) < 0.7 * moved(plain)


def test_damaged_and_foreign_files_are_refused(tmp_path):
    X, names, groups = songs()
    file = tmp_path / "a.safetensors"
    predictors.train(X, names, groups, features="x").save(file)
    whole = file.read_bytes()
    for bad in (b"", whole[:50], whole[:-10], whole.replace(b"classes", b"clauses")):
        file.write_bytes(bad)
        with pytest.raises(ModelError, match=r"a\.safetensors"):
            Predictor.load(file)
    with pytest.raises(ModelError, match="missing"):
        Predictor.load(tmp_path / "missing.safetensors")


def test_wrong_sizes_and_labels():
    X, names, groups = songs()
    predictor = predictors.train(X, names, groups, features="x")
    with pytest.raises(DataError, match=r"vectors \(n, 12\)"):
        predictor.predict_proba(X[:, :5])
    with pytest.raises(DataError, match="does not know: polka"):
        predictors.evaluate(predictor, X[:1], np.array(["polka"]), groups[:1])
    with pytest.raises(CelestaError, match="do not match"):
        predictors.cross_validate(X, names, groups=groups[:-1])


def test_cross_validation_keeps_groups_whole():
    X, names, groups = songs()
    codes = np.random.default_rng(3).standard_normal((60, 30))[np.arange(len(X)) % 60]
    noise = np.random.default_rng(4).standard_normal((len(X), 3))
    leak = np.concatenate([noise, codes], axis=1)
    honest = predictors.cross_validate(leak, names, groups=groups, seeds=(0,)).row()
    torn = predictors.cross_validate(leak, names, seeds=(0,)).row()
    assert honest["accuracy"] < 0.5 < torn["accuracy"]


def test_mood_plane():
    for classes in (("Q1", "Q2", "Q3", "Q4"), ("happy", "angry", "sad", "calm")):
        corners = predictors.mood_plane(classes, np.eye(4))
        assert corners.tolist() == [[1, 1], [-1, 1], [-1, -1], [1, -1]]
    assert predictors.mood_plane(("Q1", "Q2", "Q3", "Q4"), np.full((1, 4), 0.25)).tolist() == [[0, 0]]


def test_songs_with_the_same_features_are_no_fault():
    """A few copies of one song as training data ended in an error of scikit-learn."""
    X, names = np.ones((4, 5)), np.array(["x", "x", "y", "y"])
    predictor = predictors.train(X, names, np.array(list("abcd")), features="x")
    assert predictor.predict_proba(X) == pytest.approx(np.full((4, 2), 0.5), abs=0.01)


def test_moods_have_words(tmp_path):
    """Item 26: classes were Q1 to Q4. Files with those names and labels of 4QAED are read as before."""
    shipped = Predictor.load("mood")
    assert shipped.classes_.tolist() == ["happy", "angry", "sad", "calm"]
    X, names, groups = songs()
    quarters = np.array(["Q1", "Q2", "Q3", "Q4"])[np.arange(len(X)) % 4]
    X = X + 6 * np.eye(X.shape[1])[np.arange(len(X)) % 4]
    trained = predictors.train(X, quarters, groups, features="x")
    trained.save(tmp_path / "a.safetensors")
    again = Predictor.load(tmp_path / "a.safetensors")
    assert again.classes == ("angry", "calm", "happy", "sad")
    old = dataclasses.replace(again, classes=("Q2", "Q4", "Q1", "Q3"))
    old.save(tmp_path / "old.safetensors")
    words = np.array(["happy", "angry", "sad", "calm"])[np.arange(len(X)) % 4]
    for one in (trained, again, Predictor.load(tmp_path / "old.safetensors")):
        assert (one.predict(X) == words).mean() > 0.9
        for labels in (quarters, words):
            assert predictors.evaluate(one, X, labels, groups).row()["accuracy"] > 0.9
    assert predictors.evaluate(again, X[::4], quarters[::4], groups[::4]).row()["accuracy"] > 0.9  # one quadrant only
    halves = predictors.train(X, np.where(names == "rock", "Q1", "Q2"), groups, features="x")
    assert halves.classes == ("Q1", "Q2")  # no moods


def test_a_predictor_is_used_like_a_classifier_of_scikit_learn():
    X, names, groups = songs()
    predictor = predictors.train(X, names, groups, features="x")
    assert predictor.classes_.tolist() == ["blues", "jazz", "rock"]
    assert np.array_equal(predictor.predict(X), predictor.classes_[predictor.predict_proba(X).argmax(1)])
    assert balanced_accuracy_score(names, predictor.predict(X)) > 0.8
    tags = predictors.train(
        X, np.stack([names == "rock", X[:, 5] > 0], 1), groups, features="x", about={"classes": "ab"}
    )
    assert np.array_equal(tags.predict(X), tags.predict_proba(X) > 0.5)
    assert repr(predictor) == "Predictor(3 classes from x: blues, jazz, rock)"


def test_scores_on_training_songs_are_warned_of(tmp_path):
    """Item 25: evaluate said 1.000 on the training songs without a warning."""
    X, names, groups = songs()
    contents = [f"{i:064x}" for i in range(len(X))]
    predictors.train(X, names, groups, features="x", contents=contents).save(tmp_path / "a.safetensors")
    predictor = Predictor.load(tmp_path / "a.safetensors")
    with pytest.warns(UserWarning, match="2 of 40 songs were used in training"):
        predictors.evaluate(predictor, X[:40], names[:40], groups[:40], [*contents[:2], *(38 * ["f" * 64])])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predictors.evaluate(predictor, X[:40], names[:40], groups[:40], 40 * ["f" * 64])


def test_precision_is_stored(tmp_path):
    X, names, groups = songs()
    predictors.train(X, names, groups, features="x", precision="bfloat16").save(tmp_path / "a.safetensors")
    assert Predictor.load(tmp_path / "a.safetensors").precision == "bfloat16"
    assert Predictor.load("genre").precision == "float32"


@pytest.mark.parametrize(("name", "songs"), [("genre", 462), ("mood", 720), ("tags", 720)])
def test_shipped_predictors_know_their_training_songs(name, songs):
    """Item 25: the songs of the collections that they were trained on are found by their content."""
    predictor = Predictor.load(name)
    assert len(predictor.trained_on) == songs == predictor.about["songs"]


def test_a_training_clip_is_recognised(real_music):
    predictor = Predictor.load("mood")
    clip = min((real_music / "4qaed").glob("*.ogg"))
    assert song_hash(content_hash(clip)) in predictor.trained_on
