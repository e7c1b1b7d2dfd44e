"""Clustering: separate blobs are found, labels only score, bad input is one clear line, figures show it."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from celesta.errors import DataError, UsageError
from celesta.probes.cluster_methods import METHODS
from celesta.probes.clustering import choose_groups, cluster, sweep
from celesta.report import clusters as figures
from celesta.report.figures import png

GENRES = np.array(["blues", "jazz", "metal"])


def blobs(n=24, size=12, apart=8.0, seed=0):
    """Songs of three genres around three centres."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(GENRES, n)
    centres = {name: rng.standard_normal(size) * apart for name in GENRES}
    return np.stack([centres[name] + rng.standard_normal(size) for name in labels]), labels


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pca", [2, 5, None])
def test_separate_groups_are_found(method, pca):
    x, labels = blobs()
    found = cluster(x, labels, method, pca=pca)
    assert found.ari == pytest.approx(1)
    assert found.ami == pytest.approx(1)
    assert found.v_measure == pytest.approx(1)
    assert found.assignment.shape == (72,)
    assert found.coordinates.shape == (72, 2)
    assert found.space == ("no PCA" if pca is None else f"PCA({pca})")


@pytest.mark.parametrize("method", METHODS)
def test_noise_scores_near_nothing(method):
    _, labels = blobs()
    x = np.random.default_rng(1).standard_normal((72, 12))
    assert abs(cluster(x, labels, method).ari) < 0.15


@pytest.mark.parametrize("method", METHODS)
def test_labels_never_shape_the_groups(method):
    x, labels = blobs(apart=0.7)
    shuffled = np.random.default_rng(3).permutation(labels)
    a, b = cluster(x, labels, method, seed=4), cluster(x, shuffled, method, seed=4)
    assert np.array_equal(a.assignment, b.assignment)
    assert a.ari != b.ari


def test_scale_of_a_number_does_not_matter():
    x, labels = blobs(apart=1.0)
    scaled = x * np.geomspace(1e-3, 1e3, x.shape[1])
    a, b = cluster(x, labels, pca=None), cluster(scaled, labels, pca=None)
    assert adjusted_rand_score(a.assignment, b.assignment) == pytest.approx(1)


def test_explained_is_the_variance_kept():
    x, labels = blobs(apart=1.0)
    standard = (x - x.mean(0)) / x.std(0)
    values = np.linalg.eigvalsh(np.cov(standard.T))[::-1]
    assert cluster(x, labels, pca=3).explained == pytest.approx(values[:3].sum() / values.sum())
    assert cluster(x, labels, pca=None).explained == 1


def test_sweep_has_every_row_that_fits():
    x, labels = blobs()
    rows = [found.row() for found in sweep(x, labels, seeds=(0, 1))]
    # 12 numbers a song have no 20 components.
    assert [(r["space"], r["method"], r["seed"]) for r in rows] == [
        (space, method, seed) for space in ("PCA(2)", "no PCA") for method in METHODS for seed in (0, 1)
    ]
    assert {"ari", "ami", "v_measure", "explained", "groups"} <= set(rows[0])


def test_more_numbers_than_songs_and_constant_numbers():
    x, labels = blobs(n=8, size=300)
    x[:, :50] = 1.0
    for method in METHODS:
        assert cluster(x, labels, method, pca=None).ari == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda x, y: (x[:3], y[[0, 30, 60]], {}), DataError, "3 songs are too few for 3 clusters; give at least 4"),
        (lambda x, y: (x[:2], None, {}), DataError, "2 songs are too few; give at least 3"),
        (lambda x, y: (x, y, {"groups": 72}), DataError, "72 songs are too few for 72 clusters"),
        (lambda x, y: (x, np.full(len(x), "jazz"), {}), DataError, "at least two clusters"),
        (lambda x, y: (x[:-1], y, {}), DataError, "do not fit"),
        (lambda x, y: (np.where(np.arange(72)[:, None] == 7, np.nan, x), y, {}), DataError, "song 7"),
        (lambda x, y: (x, y, {"pca": 13}), UsageError, "1 to 12"),
        (lambda x, y: (x, y, {"method": "dbscan"}), UsageError, "kmeans"),
    ],
)
def test_refusals_are_one_line(change, error, words):
    x, labels, arguments = change(*blobs())
    with pytest.raises(error, match=words) as caught:
        cluster(x, labels, **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("songs", [3, 4, 5])
def test_a_few_songs_without_labels(method, songs):
    """Item 23 of the list of faults."""
    x = np.random.default_rng(0).standard_normal((songs, 40))
    x[0] += 20
    found = cluster(x, None, method, pca=None)
    assert found.groups == 2
    assert set(found.assignment) == {0, 1}
    assert (found.ari, found.ami, found.v_measure) == (None, None, None)


@pytest.mark.parametrize("groups", [2, 3, 5])
def test_the_number_of_clusters_is_found_without_labels(groups):
    rng = np.random.default_rng(groups)
    centres = 10 * rng.standard_normal((groups, 12))
    x = np.repeat(centres, 15, axis=0) + rng.standard_normal((15 * groups, 12))
    assert choose_groups(x) == groups
    assert cluster(x).groups == groups


def test_songs_that_are_all_alike_are_clustered_without_a_warning(recwarn):
    found = sweep(np.ones((5, 4)))
    assert all(one.groups == 2 and np.isfinite(one.coordinates).all() for one in found)
    assert not [str(w.message) for w in recwarn]


def test_songs_without_a_label_are_clustered_and_not_scored():
    x, labels = blobs()
    some = np.where(np.arange(72) % 3 == 0, labels, "")
    found = cluster(x, some)
    assert found.groups == 3
    assert found.ari == pytest.approx(1)
    assert len(found.assignment) == 72


def test_figures_show_points_and_counts():
    x, labels = blobs()
    found = cluster(x, labels)
    figure = figures.scatter(found.coordinates, labels, found.assignment, "K-Means")
    left, right = figure.axes
    assert sum(len(c.get_offsets()) for c in left.collections) == 72
    assert [t.get_text() for t in left.get_legend().get_texts()] == list(GENRES)

    def colours(axes):
        return {tuple(np.round(p, 6)): tuple(c.get_facecolor()[0]) for c in axes.collections for p in c.get_offsets()}

    # The clusters are the genres, so every song keeps its colour whatever the clusters' numbers.
    assert colours(left) == colours(right)
    matrix = figures.confusion(np.array([[5, 1, 0], [0, 6, 0], [2, 0, 4]]), GENRES.tolist())
    assert [t.get_text() for t in matrix.axes[0].texts] == ["5", "1", "6", "2", "4"]
    assert all(png(f).startswith(b"\x89PNG") for f in (figure, matrix))


def test_more_clusters_than_labels_are_drawn_apart():
    x, labels = blobs()
    found = cluster(x, labels, groups=12)
    right = figures.scatter(found.coordinates, labels, found.assignment).axes[1]
    assert len({tuple(c.get_facecolor()[0]) for c in right.collections}) == 12
