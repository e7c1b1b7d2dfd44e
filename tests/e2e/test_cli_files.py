"""Which files the verbs work on, where the results go, and what is refused."""

import json
import os

import pytest

from celesta.audio import Audio, probe, write

MODEL = ("-m", "linear-8")


@pytest.fixture
def album(tmp_path, music):
    """A folder with two songs, one in a sub-folder."""
    for seed, name in enumerate(("a.wav", "sub/b.wav")):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path / "in" / name, Audio(music(5_000, seed=seed), 44_100))
    return tmp_path / "in"


@pytest.fixture
def song(album):
    return album / "a.wav"


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_folders_skip_what_is_done_and_name_what_fails(album, tmp_path, call):
    (album / "bad.mp3").write_bytes(b"nothing")
    out = call("encode", album, *MODEL, "-o", tmp_path / "cels", code=1)
    assert "bad.mp3" in out.stderr
    assert "1 of 3 files failed" in out.stderr
    assert names(tmp_path / "cels") == ["a.cel", "sub/b.cel"]
    (album / "bad.mp3").unlink()
    assert call("encode", album, *MODEL, "-o", tmp_path / "cels").stderr.count("skipped") == 2
    call("decode", tmp_path / "cels", "-o", tmp_path / "back", "--format", "wav")
    assert probe(tmp_path / "back" / "sub" / "b.wav").n_samples == 5_000


def test_nothing_is_overwritten(song, tmp_path, call):
    call("encode", song, *MODEL, "-o", tmp_path / "s.cel")
    before = (tmp_path / "s.cel").read_bytes()
    assert "--force" in call("encode", song, *MODEL, "-o", tmp_path / "s.cel", code=2).stderr
    call("encode", song, *MODEL, "-o", tmp_path / "s.cel", "--force")
    assert (tmp_path / "s.cel").read_bytes() == before


def deep_tree(folder):
    """Folders inside each other until the system refuses to list the last: a real error, for root too."""
    here = os.getcwd()
    os.chdir(folder)
    try:
        for _ in range(20):
            os.mkdir("d" * 250)
            os.chdir("d" * 250)
    finally:
        os.chdir(here)


@pytest.mark.parametrize("verb", ["encode", "decode", "verify", "reconstruct", "compare", "cluster"])
def test_an_unreadable_sub_folder_is_reported_and_the_rest_is_done(verb, album, tmp_path, call):
    """Item 7: in every verb that takes folders, with exit code 1."""
    out = tmp_path / "out"
    call("encode", album, *MODEL, "-o", tmp_path / "cels")
    source = tmp_path / "cels" if verb in ("decode", "verify") else album
    deep_tree(source)
    args = {
        "encode": (source, *MODEL, "-o", out),
        "decode": (source, "-o", out),
        "verify": (source,),
        "reconstruct": (source, *MODEL, "-o", out),
        "compare": ("linear-8", "--data", source, "-o", out, "--no-rate-distortion"),
        "cluster": ("--data", source, "-o", out, "-f", "handcrafted", "--cache", tmp_path / "cache"),
    }[verb]
    result = call(verb, *args, code=1)
    assert "File name too long" in result.stderr
    assert "skipped" in result.stderr
    done = {"encode": "a.cel", "decode": "a.flac", "reconstruct": "a.wav.linear-8.html", "compare": "compare.html"}
    if verb in done:
        assert done[verb] in names(out)
    if verb == "verify":
        assert result.stdout.count(": OK") == 2


def test_songs_that_differ_in_their_suffix_have_files_of_their_own(tmp_path, music, call):
    """Item 8: song.flac encoded, song.mp3 added, folder encoded again."""
    write(tmp_path / "song.flac", Audio(music(5_000), 44_100))
    call("encode", tmp_path, *MODEL)
    write(tmp_path / "song.mp3", Audio(music(9_000), 44_100))
    call("encode", tmp_path, *MODEL)
    assert {"song.cel", "song.mp3.cel"} <= set(names(tmp_path))
    sizes = {
        n: json.loads(call("info", tmp_path / n, "--json").stdout)["n_samples"] for n in ("song.cel", "song.mp3.cel")
    }
    assert sizes["song.cel"] == 5_000
    assert sizes["song.mp3.cel"] >= 9_000
    assert call("encode", tmp_path, *MODEL).stderr.count("skipped") == 2


def test_songs_of_one_name_encoded_at_once(tmp_path, music, call):
    """Item 8: together in one call, into another folder, twice."""
    (tmp_path / "in").mkdir()
    for suffix in ("flac", "mp3", "wav"):
        write(tmp_path / "in" / f"song.{suffix}", Audio(music(5_000), 44_100))
    for _ in range(2):
        call("encode", tmp_path / "in", *MODEL, "-o", tmp_path / "out")
        assert names(tmp_path / "out") == ["song.cel", "song.mp3.cel", "song.wav.cel"]


def test_songs_of_one_name_from_several_folders(tmp_path, music, call):
    """Items 8 and 9: the third song took the name of the first; twice, so that the second time all are skipped."""
    songs = [tmp_path / album / "01.wav" for album in "ABC"]
    for seed, song in enumerate(songs):
        song.parent.mkdir()
        write(song, Audio(music(5_000 + 100 * seed, seed=seed), 44_100))
    for _ in range(2):
        call("encode", *songs, *MODEL, "-o", tmp_path / "out")
        assert names(tmp_path / "out") == ["01.cel", "01.wav.2.cel", "01.wav.cel"]
    infos = [json.loads(line) for line in call("info", tmp_path / "out", "--json").stdout.splitlines()]
    assert sorted(one["n_samples"] for one in infos) == [5_000, 5_100, 5_200]
    for count in (0, 3):
        done = call("reconstruct", *songs, *MODEL, "-o", tmp_path / "pages")
        assert done.stderr.count("skipped") == count
        flacs = [name for name in names(tmp_path / "pages") if name.endswith(".flac")]
        assert flacs == [f"01.wav.linear-8{number}.flac" for number in (".2", ".3", "")]
    assert sorted(probe(tmp_path / "pages" / name).n_samples for name in flacs) == [5_000, 5_100, 5_200]


@pytest.mark.parametrize("name", ["out.wav", "out.FLAC", "out.cel", "out.html"])
@pytest.mark.parametrize("verb", ["reconstruct", "transform", "compare", "cluster", "train"])
def test_a_folder_does_not_get_the_name_of_a_file(verb, name, song, tmp_path, call):
    """Item 15."""
    words = {
        "reconstruct": (song, *MODEL),
        "transform": (song, *MODEL, "--gain", 2),
        "compare": ("linear-8", "--data", song),
        "cluster": ("--data", song),
        "train": ("-m", "pca-8", "--data", song),
    }[verb]
    assert "a folder" in call(verb, *words, "-o", tmp_path / name, code=2).stderr
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize(
    "words",
    [
        ("encode", "", "-o", "a.cel"),
        ("encode", "a.wav", "-o", ""),
        ("classify", "train", "--data", "", "-o", "x"),
        ("library", "add", ""),
    ],
)
def test_an_empty_argument_is_not_the_current_folder(words, album, call, monkeypatch):
    """As a path, the value of a shell variable that is not set would be everything below the current folder."""
    monkeypatch.chdir(album)
    assert "an argument is empty" in call(*words, code=2).stderr
    assert names(album) == ["a.wav", "sub/b.wav"]


def test_a_classifier_does_not_get_the_name_of_another_file(album, tmp_path, call):
    """Item 15."""
    words = ("classify", "train", "--data", album, "-o", tmp_path / "x.wav")
    assert "ends in .safetensors" in call(*words, code=2).stderr


def test_reconstruct_mirrors_the_folders(tmp_path, music, call):
    """Item 9: A/01.wav and B/01.wav; and nothing is overwritten without --force."""
    for seed, album in enumerate("AB"):
        (tmp_path / album).mkdir()
        write(tmp_path / album / "01.wav", Audio(music(9_000, seed=seed), 44_100))
    call("reconstruct", tmp_path, *MODEL, "-o", tmp_path / "out")
    found = names(tmp_path / "out")
    assert [n for n in found if n.endswith(".flac")] == ["A/01.wav.linear-8.flac", "B/01.wav.linear-8.flac"]
    flacs = [(tmp_path / "out" / n).read_bytes() for n in found if n.endswith(".flac")]
    assert flacs[0] != flacs[1]
    call("reconstruct", tmp_path / "A", tmp_path / "B", *MODEL, "-o", tmp_path / "two")
    assert len([n for n in names(tmp_path / "two") if n.endswith(".flac")]) == 2
    assert call("reconstruct", tmp_path, *MODEL, "-o", tmp_path / "out").stderr.count("skipped") >= 2
    one = ("reconstruct", tmp_path / "A" / "01.wav", *MODEL, "-o", tmp_path / "out" / "A")
    assert "--force" in call(*one, code=2).stderr
    call(*one, "--force")


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("decode", "a.cel", "-o", "out.m4a"), ".m4a"),
        (("decode", "a.cel", "-o", "out.cel"), ".cel"),
        (("encode", "a.wav", *MODEL, "-o", "zz.wav"), ".cel"),
        (("encode", "a.wav", *MODEL, "-o", "a.wav", "--force"), ".cel"),
        (("encode", "a.wav", *MODEL, "-o", "zz.txt"), ".cel"),
        (("encode", "a.wav", "sub", *MODEL, "-o", "zz.cel"), "several"),
        (("truncate", "a.cel", "-o", "a.cel", "--kbps", "3", "--force"), "input itself"),
        (("decode", "a.cel", "--format", "m4a"), "--format"),
    ],
)
def test_outputs_that_make_no_sense_are_refused_with_a_hint(args, text, album, call, monkeypatch):
    """Item 15: the suffix decides."""
    monkeypatch.chdir(album)
    call("encode", "a.wav", *MODEL, "-o", "a.cel")
    before = {n: (album / n).read_bytes() for n in names(album)}
    result = call(*args, code=2)
    assert text in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert {n: (album / n).read_bytes() for n in names(album)} == before
    assert sorted(p.name for p in album.iterdir() if p.is_dir()) == ["sub"]


def test_suffixes_count_whatever_their_case(song, tmp_path, call):
    """Items 15 and 18: OUT.WAV is a file, X.CEL is found."""
    call("encode", song, *MODEL, "-o", tmp_path / "X.CEL")
    call("decode", tmp_path / "X.CEL", "-o", tmp_path / "OUT.WAV")
    assert probe(tmp_path / "OUT.WAV").n_samples == 5_000
    assert "X.CEL: OK" in call("verify", tmp_path).stdout
    call("decode", tmp_path, "-o", tmp_path / "back")
    assert names(tmp_path / "back") == ["X.flac"]
    assert "linear-8" in call("info", tmp_path / "X.CEL").stdout


@pytest.mark.parametrize("verb", ["verify", "decode", "encode", "reconstruct", "compare linear-8 -o out --data"])
def test_a_folder_without_files_is_an_error(verb, tmp_path, call, monkeypatch):
    """Item 18; nothing is left of it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert "no " in call(*verb.split(), tmp_path / "empty", code=1).stderr
    assert "no such file" in call(*verb.split(), tmp_path / "gone", code=1).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_one_missing_source_does_not_end_the_others(song, tmp_path, call):
    call("encode", song, *MODEL, "-o", tmp_path / "x" / "a.cel")
    result = call("verify", tmp_path / "gone", tmp_path / "x", code=1)
    assert ": OK" in result.stdout
    assert "gone" in result.stderr


def test_an_error_of_the_system_ends_one_file_and_not_the_batch(album, tmp_path, call):
    """Item 16: a name that is too long for the target's folder; a folder in the place of a target."""
    long = album / f"{'n' * 250}.wav"
    long.write_bytes((album / "a.wav").read_bytes())
    result = call("encode", album, *MODEL, "-o", tmp_path / "out")
    assert len(names(tmp_path / "out")) == 3
    (album / "c.wav").write_bytes((album / "a.wav").read_bytes())
    (tmp_path / "out" / "c.cel").mkdir()
    result = call("encode", album, *MODEL, "-o", tmp_path / "out", "--force", code=1)
    assert "c.cel" in result.stderr
    assert "1 of 4 files failed" in result.stderr


def test_outputs_are_checked_first(album, tmp_path, call):
    """Item 16: a file lies where the output folder should be; said before any work, with a reason."""
    (tmp_path / "file").write_text("x")
    for verb in (
        ("encode", album, *MODEL, "-o", tmp_path / "file" / "out"),
        ("reconstruct", album, *MODEL, "-o", tmp_path / "file"),
        ("transform", album / "a.wav", *MODEL, "--gain", 2, "-o", tmp_path / "file"),
        ("classify", "predict", album, "-o", tmp_path / "file"),
        ("classify", "train", "--data", album, "-o", tmp_path / "file" / "x.safetensors"),
        ("compare", "linear-8", "--data", album, "-o", tmp_path / "file"),
        ("cluster", "--data", album, "-o", tmp_path / "file"),
        ("study", "--data", album, "-o", tmp_path / "file"),
        ("demo", "-o", tmp_path / "file"),
    ):
        result = call(*verb, code=1)
        assert "cannot be written to (" in result.stderr, verb
        assert "()" not in result.stderr


@pytest.mark.parametrize(
    "args",
    [
        ("--kbps", "12", "--bits", "3", "--dtype", "float32"),
        ("--kbps", "12", "--quality", "3"),
        ("--bits", "3", "--dtype", "float16"),
        ("--channels", "3", "--bits", "4"),
    ],
)
def test_options_that_contradict_each_other_are_refused(args, song, tmp_path, call):
    result = call("encode", song, *args, "-o", tmp_path / "x.cel", code=2)
    assert "contradict" in result.stderr
    assert not (tmp_path / "x.cel").exists()


def test_standard_input_and_output(song, tmp_path, call):
    """A pipe in and out gives the same bytes as files."""
    call("encode", song, *MODEL, "-o", tmp_path / "a.cel")
    piped = call("encode", "-", *MODEL, input=song.read_bytes()).stdout_bytes
    assert len(piped) > 0
    (tmp_path / "b.cel").write_bytes(piped)
    call("verify", tmp_path / "b.cel")
    wav = call("decode", "-", "-o", "-", input=piped).stdout_bytes
    (tmp_path / "b.wav").write_bytes(wav)
    call("decode", tmp_path / "a.cel", "-o", tmp_path / "a.wav")
    assert (tmp_path / "b.wav").read_bytes() == (tmp_path / "a.wav").read_bytes()


def test_a_bad_file_among_named_ones_does_not_stop_the_others(song, tmp_path, call):
    """Item 16: several files are named, the first cannot be read; the others are done and the exit code is 1."""
    (tmp_path / "text.mp3").write_text("no audio")
    cels, back = tmp_path / "cels", tmp_path / "back"
    call("encode", tmp_path / "text.mp3", song, *MODEL, "-o", cels, code=1)
    assert names(cels) == ["a.cel"]
    (tmp_path / "bad.cel").write_bytes(b"damaged")
    assert "a.cel: OK" in call("verify", tmp_path / "bad.cel", cels / "a.cel", code=1).output
    call("decode", tmp_path / "bad.cel", cels / "a.cel", "-o", back, "--format", "wav", code=1)
    assert names(back) == ["a.wav"]
