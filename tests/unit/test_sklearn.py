"""SongFeatures is a scikit-learn transformer."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks as checks

import celesta
from celesta.audio import Audio, write
from celesta.errors import DataError, UsageError
from celesta.features import extract
from celesta.sklearn import SongFeatures


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    folder, made = tmp_path_factory.mktemp("songs"), []
    for i in range(6):
        tone = np.sin(np.arange(33_075) / (10 + i / 10))
        noise = np.random.default_rng(i).standard_normal(33_075)
        x = (0.3 * tone if i % 2 else 0.1 * noise).astype(np.float32)
        made.append(folder / f"{i}.wav")
        write(made[-1], Audio(x[None], 22_050))
    return made


def test_vectors_are_those_of_extract(songs, tmp_path):
    one = SongFeatures("handcrafted", cache=tmp_path)
    X = one.fit_transform(songs)
    assert np.array_equal(X, extract(songs, ["handcrafted"])["handcrafted"])
    assert one.get_feature_names_out().shape == (X.shape[1],) == (one.n_features_out_,)
    assert len(set(one.get_feature_names_out())) == X.shape[1]
    assert list(tmp_path.iterdir())


def test_every_kind_of_song_gives_the_same_vector(songs):
    x = celesta.read(songs[0])
    data = songs[0].read_bytes()
    kinds = [
        songs[0],
        str(songs[0]),
        data,
        {"bytes": data, "path": None},
        {"path": str(songs[0])},
        x,
        x.samples,
        x.samples[0],
    ]
    X = SongFeatures("handcrafted", sample_rate=22_050).fit(kinds).transform(kinds)
    assert np.abs(X - X[0]).max() < 1e-5
    column = np.array([[str(path)] for path in songs])
    np.testing.assert_allclose(SongFeatures("handcrafted").fit_transform(column)[0], X[1], rtol=1e-5, atol=1e-5)


def test_fused_features_name_their_parts(songs):
    one = SongFeatures("celesta-features").fit(songs[:1])
    assert len(one.get_feature_names_out()) == one.transform(songs[:1]).shape[1]


def test_a_pipeline_with_groups(songs):
    model = make_pipeline(SongFeatures("handcrafted"), StandardScaler(), LogisticRegression())
    y, groups = [i % 2 for i in range(6)], [0, 0, 1, 1, 2, 2]
    scores = cross_val_score(model, np.array([str(s) for s in songs]), y, groups=groups, cv=GroupKFold(3))
    assert scores.tolist() == [1, 1, 1]
    fitted = clone(model).fit(songs, y)
    assert fitted.classes_.tolist() == [0, 1]
    assert fitted.predict_proba(songs).shape == (6, 2)
    assert clone(SongFeatures("rhythm", workers=2)).get_params() == SongFeatures("rhythm", workers=2).get_params()


@pytest.mark.parametrize(
    "check",
    [
        checks.check_no_attributes_set_in_init,
        checks.check_parameters_default_constructible,
        checks.check_get_params_invariance,
        checks.check_set_params,
        checks.check_estimator_cloneable,
        checks.check_estimator_repr,
        checks.check_estimator_tags_renamed,
        checks.check_valid_tag_types,
    ],
    ids=lambda check: check.__name__,
)
def test_scikit_learns_checks_that_need_no_table_of_numbers(check):
    check("SongFeatures", SongFeatures())


def test_check_estimator_has_nothing_to_say():
    """Of an estimator whose input are no numbers it makes those checks that apply."""
    found = checks.check_estimator(SongFeatures("rhythm"), on_skip=None)
    assert {one["status"] for one in found} == {"passed"}


def test_what_cannot_be_used_is_one_line(songs, tmp_path):
    with pytest.raises(NotFittedError):
        SongFeatures("handcrafted").transform(songs)
    with pytest.raises(UsageError, match="list of songs"):
        SongFeatures("handcrafted").fit(str(songs[0]))
    with pytest.raises(UsageError, match="at least one"):
        SongFeatures("handcrafted").fit([])
    with pytest.raises(UsageError, match="sample rate"):
        SongFeatures("handcrafted").fit([np.zeros(1_000)])
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"not audio")
    fitted = SongFeatures("handcrafted").fit(songs)
    with pytest.raises(DataError, match=r"bad\.wav"):
        fitted.transform([*songs, bad])
    with pytest.raises(DataError, match="song 1"):
        fitted.transform([songs[0], b"not audio"])
