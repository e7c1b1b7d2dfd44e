import pytest

from celesta import datasets
from celesta.audio import Audio, write
from celesta.errors import DataError


@pytest.fixture
def gtzan(tmp_path, music):
    root = tmp_path / "gtzan"
    for genre in datasets.GTZAN_GENRES[:4]:
        (root / genre).mkdir(parents=True)
        for i in range(4):
            write(root / genre / f"{genre}.{i:05d}.wav", Audio(music(2_000, sample_rate=22_050), 22_050))
    lists = tmp_path / "gtzan-lists"
    lists.mkdir()
    for i, split in enumerate(("train", "valid", "test")):
        (lists / f"{split}_filtered.txt").write_text(
            "".join(f"{g}/{g}.{i:05d}.wav\n" for g in datasets.GTZAN_GENRES[:4])
        )
    rows = "".join(f"{g}.{i:05d}\tArtist {g} {i}\tTitle\n" for g in datasets.GTZAN_GENRES[:4] for i in range(4))
    (lists / "artists.tsv").write_text("track\tartist\ttitle\n" + rows)
    return root


def test_gtzan_takes_its_lists_from_beside_it(gtzan):
    tracks = datasets.load([gtzan])
    assert {t.split for t in tracks} == {"train", "valid", "test", "faulty"}
    assert all(t.split == ("train", "valid", "test", "faulty")[int(t.id[-1])] for t in tracks)
    assert {t.label for t in tracks} == set(datasets.GTZAN_GENRES[:4])
    assert tracks[0].group == "Artist blues 0"


def test_artists_held_out_in_gtzan_do_not_train_from_elsewhere(gtzan, tmp_path, music):
    root = tmp_path / "4qaed"
    root.mkdir()
    head = "song\tquadrant\tartist\tartist_group\n"
    (root / "tracks.tsv").write_text(head + "A\tQ1\tThe ARTIST blues-2\tg1\nB\tQ2\tSomebody\tg2\nC\tQ3\tGone\tg3\n")
    for song in "AB":
        write(root / f"{song}.ogg", Audio(music(4_000, sample_rate=22_050), 22_050))
    tracks = {t.id: t for t in datasets.load([gtzan, root]) if t.dataset == "4qaed"}
    assert set(tracks) == {"A", "B"}
    assert tracks["A"].split == "faulty"
    assert tracks["B"].split == "train"


def test_any_folder_has_a_validation_track_and_labels(tmp_path, music):
    for name in ("one/a.wav", "one/b.wav", "two/c.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / name, Audio(music(100), 44_100))
    tracks = datasets.load([tmp_path])
    assert [t.label for t in tracks] == ["one", "one", "two"]
    assert 1 <= len(datasets.by_split(tracks, "valid")) < 3
    assert datasets.load([tmp_path]) == tracks


def test_no_music_is_named(tmp_path):
    with pytest.raises(DataError, match="no sound files"):
        datasets.load([tmp_path])
    with pytest.raises(DataError, match="no such"):
        datasets.load([tmp_path / "gone"])


def test_the_real_gtzan_has_its_published_split(real_music):
    tracks = datasets.load([real_music / "gtzan", real_music / "4qaed"])
    whole = {"blues", "classical", "country", "metal"}
    counts = [sum(t.split == s and t.label in whole for t in tracks) for s in ("train", "valid", "test")]
    assert counts == [183, 86, 119]
