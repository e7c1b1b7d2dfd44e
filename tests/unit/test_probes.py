"""Splits, scores and probes: nothing leaks, and the numbers are those of scikit-learn."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, balanced_accuracy_score, f1_score, roc_auc_score
from threadpoolctl import threadpool_limits

from celesta.datasets import Track
from celesta.errors import DataError, UsageError
from celesta.probes import cross_validation, estimators, protocols, scaling, splits, statistics


@pytest.fixture(autouse=True)
def one_thread():
    """Small matrices are slower on several BLAS threads, and much slower where processors are shared."""
    with threadpool_limits(1):
        yield


def fake(n=200, artists=40, classes=4, seed=0):
    """Tracks of ``artists`` artists, each of one class; vectors of noise."""
    rng = np.random.default_rng(seed)
    artist = np.arange(n) % artists
    names = np.array(["blues", "classical", "country", "metal"])[artist % classes]
    tracks = [
        Track(Path(f"{i}.wav"), str(i), "folder", f"artist {a}", g)
        for i, (a, g) in enumerate(zip(artist, names, strict=True))
    ]
    return tracks, artist, names, rng.standard_normal((n, 10))


def leaky(seeds=(0, 1)):
    """The protocol that tears artists, on any tracks."""

    def made(tracks):
        mine = [Track(t.path, t.id, "gtzan", t.group, t.label) for t in tracks]
        return protocols.naive(mine, seeds)

    return made


def test_a_planted_artist_feature_helps_only_the_naive_protocol():
    tracks, artist, _, noise = fake()
    codes = np.random.default_rng(1).standard_normal((40, 30))[artist]  # says which artist, and nothing of the class
    X = np.concatenate([noise[:, :3], codes], axis=1)
    honest = cross_validation.run(protocols.folder(tracks, (0, 1)), X, "svm").row()
    naive = cross_validation.run(leaky()(tracks), X, "svm").row()
    assert naive["accuracy"] > 0.95
    assert honest["accuracy"] < 0.40  # chance is .25


@pytest.mark.parametrize("width", [10, 150])
@pytest.mark.parametrize("probe", estimators.names())
def test_nothing_learns_from_test_rows(probe, width):
    """Whatever stands in the test rows, probabilities of another test row stay the same to the bit."""
    pytest.importorskip("xgboost") if probe == "xgboost" else None
    _, artist, names, _ = fake(120, 24)
    X = np.random.default_rng(0).standard_normal((120, width))  # the wider ones are rotated
    train, test = np.arange(0, 90), np.arange(90, 120)
    model = estimators.probe(probe, 0, [(4, 1.0), (width - 4, 0.5)])
    before = clone(model).fit(X[train], names[train], artist[train]).predict_proba(X[test[:1]])
    X[test[1:]] = 1e6
    names[test] = "metal"
    after = clone(model).fit(X[train], names[train], artist[train]).predict_proba(X[test[:1]])
    assert np.array_equal(before, after)
    assert np.isclose(before.sum(), 1)


def test_a_fold_gives_the_probe_its_training_rows_only(monkeypatch):
    tracks, _, _, X = fake()
    protocol = protocols.folder(tracks, (0,))
    seen = []

    fit = estimators.Chosen.fit

    def spied(self, X, y, groups=None):
        seen.append((np.array(X), np.array(y), np.array(groups)))
        return fit(self, X, y, groups)

    monkeypatch.setattr(estimators.Chosen, "fit", spied)
    cross_validation.run(protocol, X, "lr")
    assert len(seen) == len(protocol.splits) == 5
    for split, (x, y, groups) in zip(protocol.splits, seen, strict=True):
        assert np.array_equal(x, X[split.train])
        assert np.array_equal(y, protocol.labels[split.train])
        assert not set(groups) & set(protocol.groups[split.test])


def test_scaler_and_rotation_are_fitted_to_training_rows_only(monkeypatch):
    tracks, _, _, _ = fake()
    X = np.random.default_rng(0).standard_normal((200, 250))
    protocol = protocols.folder(tracks, (0,))
    scaled, rotated = [], []
    scale, rotate = scaling.BlockScaler.fit, scaling.Rotate.fit_transform

    def spied_scale(self, x, y=None):
        scaled.append(np.array(x))
        return scale(self, x, y)

    def spied_rotate(self, x, y=None):
        rotated.append(len(x))
        return rotate(self, x, y)

    monkeypatch.setattr(scaling.BlockScaler, "fit", spied_scale)
    monkeypatch.setattr(scaling.Rotate, "fit_transform", spied_rotate)
    cross_validation.run(protocol, X, "lr")
    row_of = {x.tobytes(): i for i, x in enumerate(X)}
    # Three candidates in each inner fold, the calibration's inner folds, then all training rows.
    each = (3 + 1) * estimators.INNER_FOLDS + 1
    assert len(scaled) == len(rotated) == each * len(protocol.splits)
    for i, x in enumerate(scaled):
        split = protocol.splits[i // each]
        rows = {row_of[one.tobytes()] for one in x}
        assert len(x) == rotated[i] == len(rows)
        assert rows <= set(split.train)
        assert not rows & set(split.test)


def test_tags_learn_from_training_rows_only(monkeypatch):
    tracks, artist, names, _ = fake()
    one = protocols.folder(tracks, (0,))
    tags = np.stack([names == "blues", names == "metal"], axis=1)
    protocol = cross_validation.Task("tags", tags, ("a", "b"), one.groups, one.splits, "ROC-AUC")
    seen = []

    class Spy(estimators.Tagger):
        def fit(self, X, y):
            seen.append((np.array(X), np.array(y)))
            return super().fit(X, y)

    monkeypatch.setattr(cross_validation, "Tagger", Spy)
    planted = np.random.default_rng(1).standard_normal((40, 30))[artist]  # says which artist, nothing of the tag
    score = cross_validation.run(protocol, planted).row()["score"]
    assert abs(score - 0.5) < 0.12
    for split, (x, y) in zip(protocol.splits, seen, strict=True):
        assert np.array_equal(x, planted[split.train])
        assert np.array_equal(y, tags[split.train])


def test_inner_folds_keep_groups_whole():
    _, artist, names, X = fake()
    seen = []

    class Spy(LogisticRegression):
        def fit(self, x, y):
            seen.append(artist[[int(np.flatnonzero((one == X).all(1))[0]) for one in x]])
            return super().fit(x, y)

    estimators.Chosen({"weak": Spy(C=0.01), "strong": Spy(C=1.0)}).fit(X, names, artist)
    assert len(seen) == (2 + 1) * estimators.INNER_FOLDS + 1
    for artists in seen:
        assert set(np.unique(artists, return_counts=True)[1]) == {5}  # all five songs of an artist, or none


@pytest.mark.parametrize("probe", ["svm", "lr"])
def test_probabilities_are_calibrated_by_training_folds(probe):
    _, artist, names, noise = fake(n=600, artists=200, seed=1)
    noise[:, :4] += 0.8 * (np.arange(4) == np.searchsorted(np.unique(names), names)[:, None])
    train, test = artist < 100, artist >= 100
    model = estimators.probe(probe).fit(noise[train], names[train], artist[train])
    truth = np.searchsorted(model.classes_, names[test])
    found = model.predict_proba(noise[test])
    assert statistics.calibration_error(truth, found) < 0.08
    assert model.temperature_ != 1
    bare = softmax(model.temperature_ * np.log(found), axis=1)
    assert np.array_equal(bare.argmax(1), found.argmax(1))
    assert statistics.calibration_error(truth, bare) > (1.2 if probe == "lr" else 2) * statistics.calibration_error(
        truth, found
    )


def test_grouped_folds_are_whole_disjoint_and_cover_everything():
    _, artist, names, _ = fake()
    made = splits.grouped(names, artist.astype(str), 5, (0, 1, 2))
    for seed in (0, 1, 2):
        folds = [split for split in made if split.seed == seed]
        assert np.array_equal(np.sort(np.concatenate([split.test for split in folds])), np.arange(len(names)))
        for split in folds:
            assert not set(artist[split.train]) & set(artist[split.test])
            assert len(set(names[split.test])) == 4


def test_too_few_groups_is_one_clear_line():
    tracks, *_ = fake(20, 8)
    with pytest.raises(DataError, match=r"'blues' has 2 groups.*5 folds; take fewer folds \(--folds 2\)") as caught:
        protocols.folder(tracks, folds=5)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="at least two"):
        protocols.folder([t for t in tracks if t.label == "blues"])
    alone = [*fake()[0], Track(Path("z.wav"), "z", "folder", "somebody", "zydeco")]
    with pytest.raises(DataError, match=r"'zydeco' has 1 group .*leave the class out"):
        protocols.folder(alone)
    with pytest.raises(DataError, match="no track has a label"):
        protocols.folder([Track(Path("a.wav"), "a", "folder", "a")])
    with pytest.raises(DataError, match="the lists are needed"):
        splits.published(["train", "train"])
    with pytest.raises(UsageError, match="probe must be one of"):
        estimators.probe("perceptron")


def test_folds_adapt_to_the_class_with_the_fewest_groups():
    """Item 25 of the list of faults: a class of three songs can be probed, and the protocol states the folds."""
    names = ["blues"] * 3 + ["jazz"] * 9
    tracks = [Track(Path(f"{i}.wav"), str(i), "folder", str(i), name) for i, name in enumerate(names)]
    protocol = protocols.folder(tracks, (0, 1))
    assert len(protocol.splits) == 3 * 2
    assert "3 instead of 5" in protocol.about
    assert all({"blues", "jazz"} == set(protocol.labels[split.test]) for split in protocol.splits)
    assert len(protocols.folder(tracks, (0,), folds=2).splits) == 2
    with pytest.raises(DataError, match="at least 2"):
        protocols.folder(tracks, folds=1)


@pytest.mark.parametrize("counts", [(1, 1), (1, 2), (2, 2), (1, 9), (3, 4)])
@pytest.mark.parametrize("probe", ["lr", "svm", "chosen"])
def test_a_few_songs_can_be_learnt(probe, counts):
    names = np.repeat(["blues", "jazz"], counts)
    X = np.random.default_rng(0).standard_normal((len(names), 5)) + 4 * (names == "jazz")[:, None]
    model = estimators.probe(probe).fit(X, names)
    assert np.allclose(model.predict_proba(X).sum(1), 1)
    assert np.array_equal(model.predict(X), names)


def test_a_new_probe_is_one_entry(monkeypatch):
    monkeypatch.setitem(
        estimators.PROBES, "forest", estimators.Entry(lambda seed: {"forest": RandomForestClassifier(20)}, scaled=False)
    )
    _, artist, names, X = fake()
    X[:, :4] += 3 * (names[:, None] == np.unique(names))
    assert "forest" in estimators.names()
    assert cross_validation.cross_validate(X, names, artist, probe="forest", folds=3, seeds=[0]).score > 0.8


def test_given_splits_are_the_ones_that_are_scored():
    _, artist, names, X = fake()
    split = splits.Split(np.arange(120), np.arange(120, 200))
    result = cross_validation.cross_validate(X, names, artist, [split], probe="lr", metric="accuracy")
    assert np.array_equal(result.rows, split.test)
    assert result.row()["metric"] == "accuracy"
    assert repr(result) == "<Result songs: lr on features, 80 songs>"


def test_vectors_must_fit_and_be_finite():
    tracks, _, _, X = fake()
    protocol = protocols.folder(tracks, (0,))
    with pytest.raises(DataError, match="do not fit"):
        cross_validation.run(protocol, X[:-1])
    X[3, 3] = np.nan
    with pytest.raises(DataError, match="NaN"):
        cross_validation.run(protocol, X)


def test_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    truth, guess = rng.integers(0, 4, 300), rng.integers(0, 4, 300)
    counts = statistics.confusion_by_group(truth, guess[None], rng.integers(0, 30, 300), 4).sum(0)
    assert np.isclose(statistics.accuracy(counts), np.mean(truth == guess))
    assert np.isclose(statistics.balanced_accuracy(counts), balanced_accuracy_score(truth, guess))
    assert np.isclose(statistics.macro_f1(counts), f1_score(truth, guess, average="macro"))
    assert np.isclose(statistics.per_class(counts)["f1"].mean(), statistics.macro_f1(counts))
    values, hit = np.round(rng.standard_normal(300), 1), rng.integers(0, 2, 300).astype(bool)
    weights = rng.integers(0, 4, (3, 300))
    for ours, theirs in ((statistics.roc_auc, roc_auc_score), (statistics.pr_auc, average_precision_score)):
        assert np.isclose(ours(hit, values)[0], theirs(hit, values))
        for row, area in zip(weights, ours(hit, values, weights), strict=True):
            assert np.isclose(area, theirs(hit, values, sample_weight=row))


def test_intervals_are_wider_when_songs_of_a_group_agree():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 10)
    truth = np.zeros(200, int)
    together = np.repeat(rng.integers(0, 2, 20), 10)
    apart = rng.integers(0, 2, 200)
    wide, narrow = (
        np.diff(statistics.interval(statistics.confusion_by_group(truth, guess[None], groups, 2), "accuracy"))[0]
        for guess in (together, apart)
    )
    assert wide > 2 * narrow


def test_permutation_test_tells_same_from_different():
    rng = np.random.default_rng(0)
    groups, truth = np.arange(200) % 50, rng.integers(0, 3, 200)
    good = np.where(rng.random(200) < 0.9, truth, (truth + 1) % 3)
    same = np.where(rng.random(200) < 0.9, truth, (truth + 1) % 3)
    bad = np.where(rng.random(200) < 0.5, truth, (truth + 1) % 3)
    a, b, c = (statistics.confusion_by_group(truth, x[None], groups, 3) for x in (good, same, bad))
    assert statistics.permutation_p(a, b, "macro-F1") > 0.05
    assert statistics.permutation_p(a, c, "macro-F1") < 0.01
    assert statistics.permutation_p(a, a, "accuracy") == 1


def test_block_scaler_weighs_blocks_whatever_their_size():
    X = np.random.default_rng(0).standard_normal((500, 12)) * np.arange(1, 13) + 3
    Z = scaling.BlockScaler([(2, 1.0), (10, 0.5)]).fit_transform(X)
    energy = (Z**2).sum(0)
    assert np.isclose(energy[:2].sum(), 4 * energy[2:].sum(), rtol=0.02)
    assert np.isclose(energy.sum(), 500 * 12, rtol=0.02)
    constant = scaling.BlockScaler().fit(np.ones((5, 3)))
    assert np.array_equal(constant.transform(np.full((1, 3), 7.0)), np.zeros((1, 3)))


def test_tagger_ranks_and_survives_empty_tags():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 6))
    y = np.stack([X[:, 0] > 1, np.zeros(200, bool), X[:, 1] + X[:, 2] > 0], axis=1)
    found = estimators.Tagger().fit(X[:120], y[:120]).predict_proba(X[120:])
    assert roc_auc_score(y[120:, 0], found[:, 0]) > 0.9
    assert roc_auc_score(y[120:, 2], found[:, 2]) > 0.9
    assert np.array_equal(found[:, 1], np.zeros(80))


def test_cross_drops_artists_of_both_and_recordings_stay_together():
    gtzan = [
        Track(
            Path(f"g{i}"),
            f"g{i}",
            "gtzan",
            f"The Artist {i % 3}",
            "blues" if i % 2 else "jazz",
            "train",
            {"title": "x"},
        )
        for i in range(12)
    ]
    other = [
        Track(Path(f"q{i}"), f"q{i}", "4qaed", f"g{i}", "Q1", "train", {"artist": f"artist {i}", "genres": genre})
        for i, genre in enumerate(["Blues", "Jazz", "Blues", "Jazz", "Blues", "Jazz; Blues", "Jazz"])
    ]
    protocol = protocols.cross([*gtzan, *other])
    kept = [t.id for t in protocol.tracks if t.dataset == "4qaed"]
    assert kept == ["q3", "q4", "q6"]
    assert "3 clips of artists in both" in protocol.about
    assert protocols.recording(gtzan[0]) == protocols.recording(gtzan[3]) != protocols.recording(gtzan[1])


def test_real_protocols_have_the_published_sizes(real_music):
    from celesta import datasets

    tracks = datasets.load([real_music / "gtzan", real_music / "4qaed"])
    p4 = protocols.p4(tracks)
    assert len(p4.splits[0].test) == 119
    assert len(p4.splits[0].train) == 269
    assert len(protocols.tags(tracks, (0,)).classes) == 14
    mood = protocols.mood(tracks, (0, 1))
    assert len(mood.tracks) == 720
    for split in mood.splits:
        assert not set(mood.groups[split.train]) & set(mood.groups[split.test])
