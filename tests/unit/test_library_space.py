"""Similarity, reasons and playlists on made-up songs whose answers are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from celesta.errors import UsageError
from celesta.library.block import Reference
from celesta.library.playlist import Wish, why_no_more
from celesta.library.playlists import Limits, around, path, worst_step
from celesta.library.reasons import Facts, reasons
from celesta.library.space import Space, Weights, occurrence_skew, top

ALL = Weights({"timbre": 1.0, "rhythm": 0.5})


def library(songs: int = 300, clusters: int = 6, seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = {"timbre": 3 * rng.standard_normal((clusters, 40)), "rhythm": 3 * rng.standard_normal((clusters, 8))}
    label = rng.integers(clusters, size=songs)
    return {k: c[label] + rng.standard_normal((songs, c.shape[1])) for k, c in centres.items()}, label


def test_neighbours_are_of_the_same_cluster_whatever_the_units() -> None:
    blocks, label = library()
    blocks["timbre"] = blocks["timbre"] * 1e6 + 5e6
    space = Space(blocks)
    found = [space.nearest(song, ALL, 10) for song in range(50)]
    assert np.mean([label[rows] == label[song] for song, rows in enumerate(found)]) > 0.98
    assert all(song not in rows for song, rows in enumerate(found))
    itself = space.similarities({k: v[3] for k, v in blocks.items()}, ALL)
    assert int(itself.argmax()) == 3
    assert itself.min() >= 0
    assert itself.max() <= 1


def test_statistics_of_distances_are_exact() -> None:
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((40, 6)) * 5 + 3
    block = Space({"timbre": rows})._blocks["timbre"]
    points = block.points.astype(np.float64)
    apart = ((points[:, None] - points[None]) ** 2).sum(-1)
    others = apart[~np.eye(40, dtype=bool)].reshape(40, 39)
    pooled_mean, pooled_variance = others.mean(1).mean(), others.var(1).mean() + others.mean(1).var()
    share = 10 / 50
    np.testing.assert_allclose(block.mean, (1 - share) * others.mean(1) + share * pooled_mean, rtol=1e-4)
    np.testing.assert_allclose(block.variance, (1 - share) * others.var(1) + share * pooled_variance, rtol=1e-3)
    outside = block.place(rng.standard_normal((1, 6)))
    mean, variance = block.statistics(outside)
    to_all = ((points - outside) ** 2).sum(-1)
    assert mean == pytest.approx((1 - share) * to_all.mean() + share * pooled_mean, rel=1e-4)
    assert variance == pytest.approx((1 - share) * to_all.var() + share * pooled_variance, rel=1e-3)


def test_by_asks_one_block_only() -> None:
    blocks, _ = library()
    blocks["rhythm"][7] = blocks["rhythm"][3]
    space = Space(blocks)
    assert space.nearest(3, Weights({"rhythm": 1.0}), 1).tolist() == [7]
    with pytest.raises(UsageError, match="no such block; choose one of timbre, rhythm"):
        space.nearest(3, Weights({"colour": 1.0}), 1)
    with pytest.raises(UsageError, match="at least one block"):
        space.nearest(3, Weights({"rhythm": 0.0}), 1)


def test_shrinkage_keeps_scales_sane_in_a_library_of_two_songs() -> None:
    reference = {"timbre": Reference(np.zeros(4), np.ones(4))}
    near = np.array([[0.0, 0, 0, 0], [0.01, 0, 0, 0]])
    one, two = Space({"timbre": near}, reference)._blocks["timbre"].points
    assert np.abs(one - two).max() < 0.05  # without the reference they would be two deviations apart
    plain = Space({"timbre": near})._blocks["timbre"].points
    assert np.abs(plain[0] - plain[1]).max() > 0.5


def test_hubs_occur_less_often() -> None:
    rng = np.random.default_rng(1)
    points = rng.standard_normal((600, 200))
    space = Space({"timbre": points})
    weights = Weights({"timbre": 1.0})
    mutual = np.stack([space.nearest(i, weights, 10) for i in range(600)])
    standard = (points - points.mean(0)) / points.std(0)
    squares = (standard**2).sum(1)
    apart = squares[:, None] + squares[None] - 2 * standard @ standard.T
    np.fill_diagonal(apart, np.inf)
    plain = np.argsort(apart, axis=1)[:, :10]
    assert occurrence_skew(mutual, 600) < 0.5 * occurrence_skew(plain, 600)


def test_top_is_ordered_and_bounded() -> None:
    values = np.array([0.5, 0.9, 0.9, 0.1])
    assert top(values, 3).tolist() == [1, 2, 0]
    assert top(values, 9).tolist() == [1, 2, 0, 3]
    assert top(values, 0).tolist() == []


@pytest.mark.parametrize(
    ("one", "two", "words"),
    [
        ({"tempo": 60.0}, {"tempo": 120.5}, "tempo 60/120 (double)"),
        ({"tempo": 120.0}, {"tempo": 150.0}, None),
        ({"mode": 0.0, "key": 9.0}, {"mode": 0.0, "key": 9.0}, "both in A minor"),
        ({"mode": 0.0}, {"mode": 1.0}, None),
        ({"brightness": 900.0}, {"brightness": 1000.0}, "little brightness in both"),
        ({"loudness": -30.0}, {"loudness": -25.0}, "both quiet"),
        ({}, {}, None),
    ],
)
def test_reasons_name_what_agrees(one: dict[str, float], two: dict[str, float], words: str | None) -> None:
    assert reasons(Facts(one, {}), Facts(two, {})) == ([words] if words else [])


def test_unsure_labels_are_no_reason() -> None:
    sure, unsure = {"genre": {"jazz": 0.9, "rock": 0.1}}, {"genre": {"jazz": 0.4, "rock": 0.35}}
    assert reasons(Facts({}, sure), Facts({}, sure)) == ["both jazz"]
    assert reasons(Facts({}, sure), Facts({}, unsure)) == []


def test_a_genre_that_is_a_word_too_is_named_once() -> None:
    song = Facts({}, {"genre": {"jazz": 0.9}, "words": {"jazz": 0.8, "piano": 0.3}})
    assert reasons(song, song) == ["both jazz", "both have piano"]


def rows(points: np.ndarray):
    return lambda song: np.exp(-((points - points[song]) ** 2))


def test_a_path_goes_through_what_lies_between() -> None:
    points = np.linspace(0, 4, 41)
    rng = np.random.default_rng(0)
    shuffled = rng.permutation(41)
    start, end = int(np.flatnonzero(shuffled == 0)[0]), int(np.flatnonzero(shuffled == 40)[0])
    similar = rows(points[shuffled])
    found = path(start, end, 9, similar, Limits([""] * 41))
    assert (found[0], found[-1], len(found)) == (start, end, 9)
    assert len(set(found)) == 9
    assert worst_step(found, similar) > np.exp(-0.4)  # the even way has exp(-0.25)
    straight = [start, *rng.permutation([s for s in range(41) if s not in (start, end)])[:7].tolist(), end]
    assert worst_step(found, similar) > worst_step(straight, similar)


def test_no_artist_twice_in_a_row_and_none_at_all_if_asked() -> None:
    similar = rows(np.linspace(0, 3, 31))
    artists = [f"a{i // 3}" for i in range(31)]
    found = path(0, 30, 7, similar, Limits(artists))
    assert all(artists[a] != artists[b] for a, b in itertools.pairwise(found))
    once = path(0, 30, 7, similar, Limits(artists, once=True))
    assert len({artists[song] for song in once}) == len(once)
    listed = around([0, 1], similar, [200.0] * 31, Limits(artists), songs=10)
    assert listed[:2] == [0, 1]
    assert len(set(listed)) == 10
    assert all(artists[a] != artists[b] for a, b in itertools.pairwise(listed[1:]))


def test_length_in_minutes() -> None:
    similar = rows(np.linspace(0, 3, 31))
    found = around([4], similar, [250.0] * 31, Limits([""] * 31), seconds=3600.0)
    assert 3600 - 250 / 2 - 250 < 250 * len(found) <= 3600  # 15 songs would last 3750 s
    small = around([4], similar, [240.0] * 31, Limits([""] * 31), songs=99)
    assert sorted(small) == list(range(31))


def test_unknown_artists_are_not_one_artist_and_banned_songs_do_not_come() -> None:
    similar = rows(np.linspace(0, 3, 31))
    artists = ["a"] * 5 + [""] * 26
    once = around([0], similar, [200.0] * 31, Limits(artists, once=True), songs=20)
    assert len(once) == 20
    assert [song for song in once if artists[song] == "a"] == [0]
    banned = frozenset({7, 8, 9})
    for found in (
        around([6], similar, [200.0] * 31, Limits([""] * 31, banned=banned), songs=25),
        path(0, 30, 12, similar, Limits([""] * 31, banned=banned)),
    ):
        assert banned.isdisjoint(found)


@pytest.mark.parametrize(
    ("artists", "wish", "why"),
    [
        (["", "", ""], Wish(once=True), "the library has no more songs that fit"),
        (["a", "b", "c"], Wish(once=True), "the library has no more songs that fit"),
        (["a", "b", "a"], Wish(once=True), "every artist comes once"),
        (["a", "b", "b"], Wish(), "no artist comes twice in a row"),
        (["a", "b", "b"], Wish(seconds=250.0), "the library has no more songs that fit"),
    ],
)
def test_a_short_playlist_gives_the_reason(artists: list[str], wish: Wish, why: str) -> None:
    """Artists were the reason also where no song names one."""
    assert why_no_more([0, 1], set(), artists, [100.0] * 3, wish) == why


def test_minutes_are_not_exceeded() -> None:
    similar = rows(np.linspace(0, 3, 31))
    lengths = np.random.default_rng(1).uniform(60, 400, 31).tolist()
    for seconds in (600.0, 1200.0, 2400.0):
        found = around([4], similar, lengths, Limits([""] * 31), seconds=seconds)
        assert seconds / 2 < sum(lengths[song] for song in found) <= seconds


def test_reasons_come_only_from_the_blocks_that_were_asked_for() -> None:
    values = {"tempo": 100.0, "mode": 0.0, "key": 2.0, "brightness": 2000.0, "loudness": -14.0}
    labels = {"mood": {"calm": 0.9}, "genre": {"jazz": 0.9}, "words": {"guitar": 0.5, "slow": 0.4, "female": 0.3}}
    song = Facts(values, labels)
    expected = {
        "timbre": ["brightness 2000/2000 Hz"],
        "tempo": ["tempo 100/100"],
        "rhythm": ["tempo 100/100"],
        "harmony": ["both in D minor"],
        "mood": ["both calm"],
        "loudness": ["loudness -14/-14 LUFS"],
        "style": ["both jazz", "both have guitar", "both slow"],
    }
    for block, said in expected.items():
        assert reasons(song, song, by=[block]) == said
    assert len(reasons(song, song)) == 4


@pytest.mark.parametrize(
    "call", [lambda s: path(0, 0, 5, s, Limits([""] * 9)), lambda s: path(0, 1, 1, s, Limits([""] * 9))]
)
def test_paths_that_cannot_be(call) -> None:
    with pytest.raises(UsageError):
        call(rows(np.linspace(0, 1, 9)))
