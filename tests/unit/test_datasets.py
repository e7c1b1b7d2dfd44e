import csv
import os

import pytest

from celesta import datasets
from celesta.audio import Audio, write
from celesta.errors import DataError, UsageError


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
    with pytest.raises(DataError, match="no audio files"):
        datasets.load([tmp_path])
    with pytest.raises(DataError, match="no such"):
        datasets.load([tmp_path / "gone"])


def test_the_real_gtzan_has_its_published_split(real_music):
    tracks = datasets.load([real_music / "gtzan", real_music / "4qaed"])
    whole = {"blues", "classical", "country", "metal"}
    counts = [sum(t.split == s and t.label in whole for t in tracks) for s in ("train", "valid", "test")]
    assert counts == [183, 86, 119]


@pytest.fixture
def songs(tmp_path, music):
    for name in ("a.wav", "b\u00e9.wav"):
        write(tmp_path / name, Audio(music(100), 44_100))
    return tmp_path


HEAD = "path,label,group\n"
ROWS = "a.wav,jazz,x\nb\u00e9.wav,caf\u00e9,y\n"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ((HEAD + ROWS).encode(), None),
        ((HEAD + ROWS).encode("utf-8-sig"), None),
        ((HEAD + ROWS).encode("utf-16"), None),
        ((HEAD + ROWS).encode("utf-32"), None),
        (b"\xfe\xff" + (HEAD + ROWS).encode("utf-16-be"), None),
        ((HEAD + ROWS).encode("utf-16-le"), "utf-16-le"),
        ((HEAD + ROWS).encode("latin-1"), "latin-1"),
        ((HEAD + ROWS).encode("cp1252"), "cp1252"),
        ((HEAD + ROWS).replace(",", ";").replace("\n", "\r\n").encode(), None),
        ((HEAD + ROWS).replace(",", "\t").replace("path", "Path ").encode(), None),
    ],
)
def test_a_csv_of_any_encoding(songs, data, encoding):
    """Item 13 of the list of faults: byte order marks are read, every other encoding has an option."""
    (songs / "labels.csv").write_bytes(data)
    found = [(t.path.name, t.label, t.group) for t in datasets.load([songs / "labels.csv"], encoding=encoding)]
    assert found == [
        ("a.wav", "jazz", "x"),
        ("b\u00e9.wav", "caf\u00e9", "y"),
    ]


@pytest.mark.parametrize(
    ("data", "encoding", "error", "words"),
    [
        ((HEAD + ROWS).encode("latin-1"), None, DataError, r"line 3: not UTF-8; name the encoding with --encoding"),
        ((HEAD + ROWS).encode("utf-16-le"), None, DataError, "--encoding"),
        (b"\xff\xfe" + b"\x00\xd8\x01", None, DataError, "not UTF-16"),
        ((HEAD + ROWS).encode(), "klingon", UsageError, "no such encoding"),
        ((HEAD + ROWS).encode(), "hex", UsageError, "no such encoding"),
        ((HEAD + "a.wav," + "x" * 140_000 + ",y\n").encode(), None, DataError, "line 2: a field of more than 128 KiB"),
        ((HEAD + 'a.wav,"' + "x\n" * 70_000).encode(), None, DataError, "128 KiB; is a quote missing"),
        (HEAD.encode(), None, DataError, "no tracks in it"),
        (b"", None, DataError, "columns path and label"),
        (b"\x00\x01\x02", None, DataError, "csv"),
        ((HEAD + "\nzz.wav,jazz,x\n").encode(), None, DataError, r"line 3: no audio file 'zz\.wav'"),
        ((HEAD + "a\x00.wav,jazz,x\n").encode(), None, DataError, "line 2"),
        ((HEAD + "x" * 5_000 + ",jazz,x\n").encode(), None, DataError, "line 2"),
        ((HEAD + "\x1b[31m.wav,jazz,x\n").encode(), None, DataError, r"line 2: no audio file '\\\\x1b"),
    ],
)
def test_a_csv_that_cannot_be_read_is_one_line(songs, data, encoding, error, words):
    """Item 13 of the list of faults: no traceback, and one line that names the file."""
    limit = csv.field_size_limit()
    (songs / "labels.csv").write_bytes(data)
    with pytest.raises(error, match=words) as caught:
        datasets.load([songs / "labels.csv"], encoding=encoding)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1_000
    assert csv.field_size_limit() == limit


def test_a_song_that_is_named_twice_is_listed_once(songs):
    (songs / "labels.csv").write_text(HEAD + ROWS, encoding="utf-8")
    tracks = datasets.load([songs / "labels.csv", songs, songs / "a.wav"])
    assert [t.label for t in tracks] == ["jazz", "caf\u00e9"]


def test_folders_named_by_genres_are_not_gtzan(tmp_path, music):
    for genre in datasets.GTZAN_GENRES[:5]:
        (tmp_path / genre).mkdir()
        write(tmp_path / genre / "my song.wav", Audio(music(100), 44_100))
    assert {(t.dataset, t.label) for t in datasets.load([tmp_path])} == {
        ("folder", genre) for genre in datasets.GTZAN_GENRES[:5]
    }


def test_other_files_in_gtzan_are_named(gtzan, music):
    write(gtzan / "blues" / "mine.wav", Audio(music(100), 44_100))
    with pytest.warns(UserWarning, match=r"1 files are left out.*mine\.wav"):
        assert len(datasets.load([gtzan])) == 16


def test_a_table_of_other_columns_does_not_make_a_folder_4qaed(songs):
    (songs / "tracks.tsv").write_text("number\ttitle\n1\tx\n")
    assert {t.dataset for t in datasets.load([songs])} == {"folder"}


def test_names_that_are_not_utf_8(tmp_path, music):
    """Item 4 of the list of faults."""
    write(tmp_path / "a.wav", Audio(music(100), 44_100))
    os.rename(os.fsencode(tmp_path / "a.wav"), os.fsencode(tmp_path) + b"/b\xe9.wav")
    track = datasets.load([tmp_path])[0]
    assert os.fsencode(track.path).endswith(b"b\xe9.wav")
