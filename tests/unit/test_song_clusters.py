"""Clusters of any folder of music (item 23 of the list of faults): names, files, few songs, no labels."""

import csv
import json
import os
import re
from html import unescape

import numpy as np
import pytest

from celesta import audio
from celesta.errors import DataError
from celesta.probes.collection import NO_LABEL, Collection, collect
from celesta.probes.song_clusters import cluster_songs, group
from celesta.report.clusters import write_page

RATE = 22_050


def tone(path, pitch, seed=0, tags=None):
    rng = np.random.default_rng(seed)
    x = 0.3 * np.sin(2 * np.pi * pitch * np.arange(RATE // 2) / RATE) + 0.02 * rng.standard_normal(RATE // 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    audio.write(path, x[None].astype(np.float32), RATE)
    if tags:
        import mutagen

        file = mutagen.File(path, easy=True)
        if file.tags is None:
            file.add_tags()
        for name, value in tags.items():
            file[name] = value
        file.save()


@pytest.fixture
def mixed(tmp_path):
    """Songs in the root and in a sub-folder, tags that are HTML, a name that is not UTF-8, a damaged file."""
    root = tmp_path / "music"
    tone(root / "low.flac", 200, 0, {"title": "<b>Low</b>", "artist": 'A & "B"'})
    tone(root / "low2.wav", 210, 1)
    tone(root / "sub" / "high.flac", 4_000, 2)
    tone(root / "sub" / "x.wav", 4_100, 3)
    os.rename(os.fsencode(root / "sub" / "x.wav"), os.fsencode(root / "sub") + b"/b\xe9.wav")
    (root / "broken.wav").write_bytes(b"no audio at all" * 40)
    return root


def found_in(root, tmp_path, **options):
    return cluster_songs([root], features="handcrafted", cache=tmp_path / "cache", **options)


def test_any_folder_of_music_is_clustered_and_every_song_is_named(mixed, tmp_path):
    found = found_in(mixed, tmp_path)
    assert len(found.songs) == 4
    assert [path.name for path in found.left_out] == ["broken.wav"]
    assert (found.groups, found.chosen_by) == (2, "silhouette")
    document = json.loads(json.dumps(found.to_dict()))
    songs = {os.path.basename(song["path"]): song for song in document["songs"]}
    assert (songs["low.flac"]["artist"], songs["low.flac"]["title"]) == ('A & "B"', "<b>Low</b>")
    assert songs["low.flac"]["cluster"] == songs["low2.wav"]["cluster"]
    assert songs["low.flac"]["cluster"] != songs["high.flac"]["cluster"]
    assert songs["high.flac"]["cluster"] == songs["b\\xe9.wav"]["cluster"]
    assert set(songs["low.flac"]["clusters"]) == {f"{c['method']}, {_space(c)}" for c in document["clusters"]}
    assert "broken.wav" in next(iter(document["left_out"]))


def _space(row):
    return row["space"]


def test_the_csv_has_a_line_for_each_song(mixed, tmp_path):
    found = found_in(mixed, tmp_path)
    with found.to_csv(tmp_path / "songs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["cluster"] for row in rows] == [str(c) for c in found.main.assignment]
    assert rows[[r["title"] for r in rows].index("<b>Low</b>")]["artist"] == 'A & "B"'
    assert {row["kmeans, PCA(2)"] for row in rows} == {"0", "1"}


def test_the_page_leads_from_every_point_to_its_file(mixed, tmp_path):
    found = found_in(mixed, tmp_path)
    (tmp_path / "out").mkdir()
    page = write_page(found, tmp_path / "out" / "clusters.html").read_text(encoding="utf-8")
    dots = re.findall(r'<a class="dot" href="([^"]*)">.*?<title>(.*?)</title>', page)
    assert len(dots) == 4
    titles = [unescape(title) for _, title in dots]
    assert any(title.startswith('A & "B" – <b>Low</b> | cluster ') for title in titles)
    assert "<b>Low</b>" not in page
    assert "../music/low.flac" in [href for href, _ in dots]
    assert "../music/sub/b%E9.wav" in [href for href, _ in dots]
    assert all("broken.wav" not in title for title in titles)
    assert "broken.wav" in page
    assert "ARI" not in page


def test_labels_add_scores_and_the_number_of_clusters(tmp_path):
    for i in range(4):
        tone(tmp_path / "m" / "low" / f"{i}.wav", 200 + i, i)
        tone(tmp_path / "m" / "high" / f"{i}.wav", 4_000 + i, i)
    found = found_in(tmp_path / "m", tmp_path)
    assert (found.groups, found.chosen_by) == (2, "labels")
    assert found.main.ari == pytest.approx(1)
    assert "ARI" in write_page(found, tmp_path / "a.html").read_text()
    assert found_in(tmp_path / "m", tmp_path, groups=3).chosen_by == "given"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_three_songs_are_enough_and_fewer_are_refused(tmp_path, count):
    for i in range(count):
        tone(tmp_path / "m" / f"{i}.wav", 200 * 4**i, i)
    if count == 3:
        assert len(found_in(tmp_path / "m", tmp_path).songs) == 3
        return
    with pytest.raises(DataError, match=f"cluster: songs that can be read: {count}; at least 3 are needed"):
        found_in(tmp_path / "m", tmp_path)


def test_folders_of_many_artists_are_not_classes(tmp_path):
    rng = np.random.default_rng(0)
    tracks = collect_like(tmp_path, [f"artist {i // 2}" for i in range(60)])
    songs = Collection(tracks, "x", rng.standard_normal((60, 5)).astype(np.float32), [(5, 1.0)], {})
    found = group(songs)
    assert found.chosen_by == "silhouette"
    assert 2 <= found.groups <= 10
    assert found.labelled
    assert "PCA(20)" in found.skipped


def collect_like(root, labels):
    from celesta.datasets import Track

    return [Track(root / f"{i}.wav", str(i), "folder", str(i), label) for i, label in enumerate(labels)]


def test_songs_without_a_label_are_named_where_labels_are_needed(mixed, tmp_path):
    songs = collect([mixed], "handcrafted", cache=tmp_path / "cache")
    assert sorted(os.fsencode(t.path.name) for t in songs.tracks) == [b"b\xe9.wav", b"high.flac"]
    assert {path.name for path, reason in songs.left_out.items() if reason == NO_LABEL} == {
        "low.flac", "low2.wav", "broken.wav"
    }  # fmt: skip
    with pytest.raises(DataError, match="no song has a label"):
        collect([mixed / "sub"], "handcrafted", cache=tmp_path / "cache")
