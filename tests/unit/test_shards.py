"""Shards of free music: members out of archives, md5 sums, cuts, and going on where a run stopped."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from celesta.audio import write
from celesta.errors import DataError

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


packages = load("_packages")
shards = load("make_shards")


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def listed(package: str, member: str, path: Path) -> object:
    return packages.Listed(package, member, md5(path), "Rock", "CC0-1.0")


@pytest.fixture
def tracks(tmp_path: Path, music: Callable[..., np.ndarray]) -> dict[str, Path]:
    """A long stereo track at 44 100 Hz and a short mono one at 22 050 Hz."""
    paths = {"long": tmp_path / "long.wav", "short": tmp_path / "short.wav"}
    write(paths["long"], music(5 * 44_100, 2), 44_100)
    write(paths["short"], music(22_050, 1, 22_050), 22_050)
    return paths


def test_member_of_an_archive_and_plain_member(tmp_path: Path, tracks: dict[str, Path]) -> None:
    archive = tmp_path / "music.pk3"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(tracks["long"], "music/a track.wav")
    unpacked = {"base/music.pk3": archive, "base/short.wav": tracks["short"]}
    folder = tmp_path / "out"
    folder.mkdir()
    inside = packages.open_member("base/music.pk3!music/a track.wav", unpacked, folder)
    assert inside.read_bytes() == tracks["long"].read_bytes()
    assert packages.open_member("base/short.wav", unpacked, folder) == tracks["short"]
    with pytest.raises(DataError, match=r"absent\.wav"):
        packages.open_member("base/music.pk3!absent.wav", unpacked, folder)
    with pytest.raises(DataError, match="not in the package"):
        packages.open_member("base/other.wav", unpacked, folder)


def test_damaged_archive_is_a_reason_and_no_crash(tmp_path: Path) -> None:
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(DataError, match=r"bad\.zip!a\.ogg"):
        packages.open_member("bad.zip!a.ogg", {"bad.zip": bad}, tmp_path)


def test_md5(tracks: dict[str, Path]) -> None:
    packages.check_md5(tracks["long"], md5(tracks["long"]))
    with pytest.raises(DataError, match="the list says 00"):
        packages.check_md5(tracks["long"], "0" * 32)


@pytest.mark.parametrize(("duration", "seconds", "n"), [(50, 52, 1), (300, 20, 1), (300, 52, 2), (121, 120, 4)])
def test_cuts_lie_apart_within_the_track(duration: float, seconds: float, n: int) -> None:
    cuts = shards.cuts(duration, seconds)
    assert len(cuts) == n
    if duration <= seconds:
        assert cuts == [(0.0, None)]
        return
    assert sum(length for _, length in cuts) == pytest.approx(seconds)
    ends = [start + length for start, length in cuts]
    assert cuts[0][0] >= 0
    assert ends[-1] <= duration
    assert all(end <= start for end, (start, _) in zip(ends, cuts[1:], strict=False))


def test_list_of_the_repository() -> None:
    found = packages.read_list(SCRIPTS / "free-music.tsv")
    order = list(found)
    assert sum(map(len, found.values())) == 669
    assert set(packages.VALID) <= set(order)
    assert order[: len(packages.DENSE)] == list(packages.DENSE)
    assert order[-1] == "0ad-data"
    assert all(len(track.md5) == 32 and track.licence for rows in found.values() for track in rows)


def test_pieces_hold_the_sound(tmp_path: Path, tracks: dict[str, Path], music: Callable[..., np.ndarray]) -> None:
    (piece,) = shards.read_pieces(tracks["long"], 2.0)
    expected = music(5 * 44_100, 2)[:, 66_150 : 66_150 + 88_200].T
    assert piece.samples.shape == (88_200, 2)
    assert np.abs(piece.samples / 32_768 - expected).max() < 2 / 32_768
    assert (piece.about["source_start"], piece.about["channels"], piece.about["gain"]) == (1.5, 2, 1.0)
    (piece,) = shards.read_pieces(tracks["short"], 2.0)
    assert piece.samples.shape == (44_100, 2)
    np.testing.assert_array_equal(piece.samples[:, 0], piece.samples[:, 1])
    assert (piece.about["source_rate"], piece.about["channels"], piece.about["pieces"]) == (22_050, 1, 1)
    loud = tmp_path / "loud.wav"
    write(loud, music(44_100, 2) * 8, 44_100, subtype="FLOAT")
    (piece,) = shards.read_pieces(loud, 2.0)
    assert 0 < piece.about["gain"] < 1
    assert np.abs(piece.samples.astype(int)).max() == 32_767


def test_a_run_goes_on_where_the_last_one_stopped(tmp_path: Path, tracks: dict[str, Path]) -> None:
    out = tmp_path / "shards"
    out.mkdir()

    def add(shard: object, package: str, name: str) -> None:
        track = listed(package, name, tracks[name])
        shard.add(package, "1.0", ((track, piece) for piece in shards.read_pieces(tracks[name], 2.0)), [])

    first = shards.Shard(out, "train", "abc", 2.0)
    add(first, "one", "long")
    saved = first.json.read_bytes()
    with pytest.raises(OSError, match="disk"):  # stopped amid a package: sound without an index
        first.add("two", "1.0", stopping(tracks["short"]), [])
    assert first.json.read_bytes() == saved
    assert first.pcm.stat().st_size > first.index["frames"] * 4

    again = shards.Shard(out, "train", "abc", 2.0)
    assert list(again.index["packages"]) == ["one"]
    add(again, "two", "short")
    index = json.loads(again.json.read_text())
    pcm = np.memmap(again.pcm, "<i2", "r").reshape(-1, 2)
    assert len(pcm) == index["frames"] == 88_200 + 44_100
    assert [(p["package"], p["start"], p["frames"]) for p in index["pieces"]] == [
        ("one", 0, 88_200),
        ("two", 88_200, 44_100),
    ]
    (whole,) = shards.read_pieces(tracks["short"], 2.0)
    np.testing.assert_array_equal(pcm[88_200:], whole.samples)
    rows = shards.licences([again]).splitlines()
    assert rows[1:] == ["one\t1.0\ttrain\tCC0-1.0\t1\t2.0", "two\t1.0\ttrain\tCC0-1.0\t1\t1.0"]


def stopping(path: Path):
    for piece in shards.read_pieces(path, 2.0):
        yield listed("two", "short", path), piece
        raise OSError("disk full")


def test_other_settings_or_a_cut_file_are_refused(tmp_path: Path, tracks: dict[str, Path]) -> None:
    shard = shards.Shard(tmp_path, "valid", "abc", 2.0)
    track = listed("one", "long", tracks["long"])
    shard.add("one", "1.0", ((track, piece) for piece in shards.read_pieces(tracks["long"], 2.0)), [])
    with pytest.raises(DataError, match="seconds_per_track"):
        shards.Shard(tmp_path, "valid", "abc", 3.0)
    with pytest.raises(DataError, match="list_sha256"):
        shards.Shard(tmp_path, "valid", "abd", 2.0)
    with shard.pcm.open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(DataError, match="shorter than its index"):
        shards.Shard(tmp_path, "valid", "abc", 2.0)


def test_only_one_run_at_a_time(tmp_path: Path) -> None:
    with shards.locked(tmp_path), pytest.raises(DataError, match="another run"), shards.locked(tmp_path):
        pass
