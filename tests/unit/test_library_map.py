"""The map of a library: like songs near each other, places that stay, and a page that hostile names cannot break."""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from celesta.library import Song, SongMap, layout
from celesta.library.space import Space, Weights
from celesta.report.library_map import page_data, write_map

WEIGHTS = Weights({"timbre": 1.0})


def clusters(songs: int, seed: int = 0) -> tuple[Space, np.ndarray]:
    """Songs of four clusters; the first songs are the same whatever their number."""
    rng = np.random.default_rng(seed)
    centres = 4 * rng.standard_normal((4, 12))
    label = rng.integers(4, size=1000)
    rows = centres[label] + rng.standard_normal((1000, 12))
    return Space({"timbre": rows[:songs].astype(np.float32)}), label[:songs]


def apart(xy: np.ndarray, label: np.ndarray) -> float:
    """Share of songs whose nearest song on the map is of their cluster."""
    distances = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    return float(np.mean(label[distances.argmin(axis=1)] == label))


def test_songs_stay_where_they_are_and_new_ones_come_to_their_like() -> None:
    space, label = clusters(80)
    first = layout.place(space, WEIGHTS, layout.fit(space, WEIGHTS, landmarks=60))
    assert first.placed.all()
    assert int(first.landmark.sum()) == 60
    assert apart(first.xy, label) > 0.95
    trust, continuity = layout.trustworthiness_and_continuity(space, WEIGHTS, first)
    assert trust > 0.85
    assert continuity > 0.85
    grown, labels = clusters(140)
    known = layout.empty(140)
    known.xy[:80], known.cluster[:80], known.landmark[:80] = first.xy, first.cluster, first.landmark
    second = layout.place(grown, WEIGHTS, known)
    np.testing.assert_array_equal(second.xy[:80], first.xy)
    assert second.placed.all()
    assert apart(second.xy, labels) > 0.95
    again = layout.place(grown, WEIGHTS, known)
    np.testing.assert_array_equal(again.xy, second.xy)


@pytest.mark.parametrize("songs", [1, 2, 4, 6])
def test_few_songs_have_places(songs: int) -> None:
    space, _ = clusters(songs)
    made = layout.place(space, WEIGHTS, layout.fit(space, WEIGHTS))
    assert made.placed.all()
    assert len(np.unique(made.xy, axis=0)) == songs
    assert np.isnan(layout.trustworthiness_and_continuity(space, WEIGHTS, made)).all()


def test_clusters_are_named_by_what_is_typical_of_them() -> None:
    words = [{"rock": 0.9, "piano": 0.8}, {"rock": 0.8, "piano": 0.8}, {"jazz": 0.9, "piano": 0.8}, {}]
    names = layout.cluster_names(np.array([0, 0, 1, 2]), words)
    assert names[0].startswith("rock")
    assert names[1].startswith("jazz")
    assert names[2] == "group 3"


HOSTILE = "</script><script>alert(1)</script>\u202e"


def songs_of(folder: Path) -> list[Song]:
    names = [f"{HOSTILE}.mp3".replace("/", "_").encode(), b"plain.flac", b"\xff\xfe#%.ogg"]
    values = {"tempo": 120.0}
    labels = {"genre": {"jazz": 0.9}, "mood": {"calm": 0.7}}
    return [
        Song(i, Path(os.fsdecode(os.fsencode(folder) + b"/" + name)), False, 61.2, {"title": HOSTILE}, values, labels)
        for i, name in enumerate(names)
    ]


def test_the_page_holds_what_it_says_and_hostile_names_stay_text(tmp_path: Path) -> None:
    xy = np.array([[-1.0, 1.0], [0.0, 0.0], [1.0, -1.0]], np.float32)
    made = SongMap(songs_of(tmp_path), xy, np.array([0, 1, 1]), [HOSTILE, "jazz, piano"], 3, 0.9, 0.8)
    text = write_map(made, tmp_path / "map.html").read_text(encoding="utf-8")
    assert re.findall(r"<script[^>]*>", text) == ['<script type="application/json" id="data">', "<script>"]
    assert "Trustworthiness 0.90, continuity 0.80" in text
    assert "https:" not in text
    stored = json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])  # type: ignore[index]
    assert stored == page_data(made)
    places = np.frombuffer(base64.b64decode(stored["xy"]), "<u2").reshape(3, 2)
    np.testing.assert_array_equal(places, [[0, 0], [32768, 32768], [65535, 65535]])
    assert stored["folders"] == [f"file://{tmp_path}/"]
    assert stored["files"][2] == "%FF%FE%23%25.ogg"
    assert list(base64.b64decode(stored["tempo"])) == [120, 120, 120]
    assert stored["classes"]["genre"]["names"] == ["jazz"]


def test_rare_classes_are_other(tmp_path: Path) -> None:
    songs = [Song(i, tmp_path / f"folder {min(i, 30)}" / f"{i}.ogg", False, 1.0) for i in range(40)]
    made = SongMap(songs, np.zeros((40, 2), np.float32), np.zeros(40, int), ["all"], 0, float("nan"), float("nan"))
    folders = page_data(made)["classes"]["folder"]
    assert folders["names"][0] == "folder 30"
    assert folders["names"][-1] == "other"
    assert len(folders["names"]) == 11
    assert set(base64.b64decode(folders["codes"])) == set(range(11))
