"""Copies of real clips are found as duplicates, and different music is not."""

from __future__ import annotations

import json
import os
import shutil
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import celesta
from celesta.library.duplicates import Duplicates, matching_pairs
from celesta.library.evidence import excerpts
from celesta.library.fingerprint import FRAME_RATE, METHOD, FingerprintAnalysis, fingerprint
from celesta.library.matching import Index, Match, align
from celesta.library.scan import scan
from celesta.report.duplicates import duplicates_page

CLIPS = sorted((Path(celesta.__file__).parent / "clips").glob("*.ogg"))


def printed(samples: np.ndarray, rate: int) -> np.ndarray:
    return fingerprint(samples.T, rate)


@pytest.fixture(scope="module")
def songs() -> list[tuple[np.ndarray, int]]:
    return [soundfile.read(clip, dtype="float32", always_2d=True) for clip in CLIPS]


@pytest.fixture(scope="module")
def prints(songs: list[tuple[np.ndarray, int]]) -> list[np.ndarray]:
    return [printed(*song) for song in songs]


def test_different_music_shares_nothing(prints: list[np.ndarray]) -> None:
    for a in range(len(prints)):
        for b in range(a):
            match = align(prints[a], prints[b])
            assert (match.share, match.overlap) == (0, 0)
            assert match.error > 0.38
    assert matching_pairs(prints) == []


@pytest.mark.parametrize("copy", ["mp3", "opus", "louder", "trimmed", "silence", "part", "mono"])
def test_copies_align(songs: list[tuple[np.ndarray, int]], prints: list[np.ndarray], copy: str, tmp_path: Path) -> None:
    for number, (samples, rate) in enumerate(songs):
        offset = 0.0
        if copy in ("mp3", "opus"):
            target, out_rate = tmp_path / f"a.{copy}", 48_000 if copy == "opus" else rate
            as_opus = {"format": "OGG", "subtype": "OPUS"} if copy == "opus" else {}
            soundfile.write(target, celesta.audio.resample(samples.T, rate, out_rate).T, out_rate, **as_opus)
            changed, rate = soundfile.read(target, dtype="float32", always_2d=True)
        elif copy == "louder":
            changed = np.clip(2 * samples, -1, 1)
        elif copy == "trimmed":
            changed, offset = samples[2 * rate :], 2.0
        elif copy == "silence":
            changed, offset = np.concatenate([np.zeros_like(samples[: 3 * rate]), samples]), -3.0
        elif copy == "part":
            changed, offset = samples[3 * rate : 12 * rate], 3.0
        else:
            changed = samples.mean(axis=1, keepdims=True)
        made = printed(changed, rate)
        match = align(made, prints[number])
        assert match.share > 0.9
        assert match.error < 0.25
        assert match.offset == pytest.approx(offset, abs=2 / FRAME_RATE)
        assert match.speed == pytest.approx(1, abs=0.003)
        assert [(a, b) for a, b, _ in matching_pairs([*prints, made])] == [(number, len(prints))]


def test_a_slightly_faster_copy_aligns(songs: list[tuple[np.ndarray, int]], prints: list[np.ndarray]) -> None:
    samples, rate = songs[-1]
    match = align(printed(samples, round(1.01 * rate)), prints[-1])
    assert match.share > 0.7
    assert match.speed == pytest.approx(1.01, abs=0.004)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[celesta.Library]:
    """Three songs, three copies, a medley, and files with identical audio; only fingerprints are analysed."""
    folder = tmp_path_factory.mktemp("duplicates")
    music = folder / "music"
    music.mkdir()
    for clip in CLIPS[:3]:
        samples, rate = soundfile.read(clip, dtype="float32", stop=13 * 44_100)
        soundfile.write(music / f"{clip.stem}.flac", samples, rate)
    samples, rate = soundfile.read(music / f"{CLIPS[0].stem}.flac", dtype="float32")
    soundfile.write(music / "copy.mp3", 0.5 * samples, rate)
    soundfile.write(music / "short.ogg", samples[rate:], rate)
    faster = celesta.audio.resample(np.ascontiguousarray(samples.T), 44_541, 44_100).T
    soundfile.write(music / "faster.flac", faster, rate)
    other, _ = soundfile.read(music / f"{CLIPS[1].stem}.flac", dtype="float32")
    soundfile.write(music / "medley.flac", np.concatenate([samples[: 7 * rate], other[: 8 * rate]]), rate)
    shutil.copy(music / "medley.flac", music / "<b>&'\"medley.flac")
    os.link(music / "medley.flac", music / "link.flac")
    with celesta.Library(folder / "library.db") as opened:
        store = opened._store
        scan(store, [music])
        for recording, path in store.rows("SELECT recording, min(path) FROM files GROUP BY recording"):
            samples, rate = soundfile.read(os.fsdecode(path), dtype="float32", always_2d=True)
            data = fingerprint(samples.T, rate).astype("<u4").tobytes()
            store.execute("INSERT INTO fingerprints VALUES (?, ?, ?)", (recording, METHOD, data))
            store.execute("UPDATE recordings SET duration = ? WHERE id = ?", (len(samples) / rate, recording))
        yield opened


def test_a_library_groups_copies_and_names_the_evidence(library: celesta.Library) -> None:
    found = library.duplicates()
    assert library.status().songs == 7  # nothing is merged
    (group,) = found.groups
    names = {f"{CLIPS[0].stem}.flac", "copy.mp3", "short.ogg", "faster.flac"}
    assert {song.path.name for song in group} == names
    assert len(found.pairs) == 6
    assert all(pair.match.share > 0.7 for pair in found.pairs)
    by_name = {song.path.name: song for song in group}
    match = found.match(by_name["copy.mp3"], by_name["short.ogg"])
    assert match is not None
    assert match.offset == pytest.approx(-1, abs=0.1)
    assert (match.start, match.stop) == (pytest.approx(1, abs=0.4), pytest.approx(13, abs=0.5))
    back = found.match(by_name["short.ogg"], by_name["copy.mp3"])
    assert back is not None
    assert (back.offset, back.start) == (pytest.approx(1, abs=0.1), pytest.approx(0, abs=0.4))
    medleys = [{a.path.name, b.path.name} for a, b, _ in found.partial]
    assert {tuple(sorted(name.endswith("medley.flac") for name in pair)) for pair in medleys} == {(False, True)}
    ((_, files),) = found.files
    assert {path.name for path in files} == {"<b>&'\"medley.flac", "link.flac"}  # a second link is no second file
    assert json.dumps(found.to_dict())


def test_samples_tell_copies_from_other_music(library: celesta.Library) -> None:
    found = library.duplicates()
    (group,) = found.groups
    by_name = {song.path.name: song for song in group}
    original = by_name[f"{CLIPS[0].stem}.flac"]
    for name in ("copy.mp3", "short.ogg", "faster.flac"):
        match = found.match(original, by_name[name])
        assert match is not None
        cut = excerpts(original.path, by_name[name].path, match, 6.0)
        assert cut.correlation is not None
        assert cut.correlation > 0.9
        assert cut.speed == pytest.approx(1 / 1.01 if name == "faster.flac" else 1, abs=0.001)
        assert cut.first.samples.shape[1] == 6 * 44_100
    match = Match(12.0, 1.0, 0.1, 0.0, 1.0, 0.0, 12.0)
    other = excerpts(CLIPS[1], CLIPS[2], match, 6.0)
    assert other.correlation is not None
    assert other.correlation < 0.5


def test_a_page_shows_the_evidence_and_escapes_everything(library: celesta.Library, tmp_path: Path) -> None:
    found = library.duplicates()
    music = found.groups[0][0].path.parent
    (music / "short.ogg").rename(music / "gone")
    try:
        page = duplicates_page(found, tmp_path / "page.html", players=1).read_text(encoding="utf-8")
    finally:
        (music / "gone").rename(music / "short.ogg")
    assert "&lt;b&gt;&amp;" in page
    assert "<b>&" not in page
    assert page.count('class="player"') == 1
    assert page.count('class="lane') - page.count('class="lanes') == 3  # the original, copy.mp3 and faster.flac
    assert "short.ogg: no such file" in page
    assert "Players: the first 1 of " in page
    assert "https://" not in page


def test_an_alignment_can_be_read_from_either_side() -> None:
    match = Match(20.0, 0.9, 0.1, 3.0, 0.99, 5.0, 25.0)
    back = match.reversed()
    for seconds in (0.0, 5.0, 25.0):
        assert back.place(match.place(seconds)) == pytest.approx(seconds)
    assert (back.start, back.stop) == (pytest.approx(match.place(5.0)), pytest.approx(match.place(25.0)))


@pytest.mark.parametrize(
    ("share", "error", "speed", "same"),
    [(0.7, 0.2, 1.0, True), (0.69, 0.0, 1.0, False), (1.0, 0.22, 1.0, False), (1.0, 0.22, 1.01, True),
     (1.0, 0.26, 1.01, False)],
)  # fmt: skip
def test_what_is_the_same(share: float, error: float, speed: float, same: bool) -> None:
    assert Match(20.0, share, error, 0.0, speed).same() is same


def test_the_index_finds_what_differs_in_one_bit_and_leaves_out_what_everybody_has() -> None:
    rng = np.random.default_rng(0)
    songs = [rng.integers(1, 2**32, 600, dtype=np.uint32) for _ in range(70)]
    songs = [np.concatenate([one, np.arange(1 << 20, (1 << 20) + 5, dtype=np.uint32)]) for one in songs]
    index = Index(songs)
    near = songs[7][100:300] ^ (np.uint32(1) << rng.integers(0, 32, 200).astype(np.uint32))
    assert index.candidates(near) == [7]
    assert index.candidates(songs[7][-5:]) == []  # shared by all
    assert index.candidates(songs[7], without=7) == []
    assert index.candidates(rng.integers(1, 2**32, 600, dtype=np.uint32)) == []
    assert Index([]).candidates(near) == []
    assert index.candidates(np.zeros(50, np.uint32)) == []


def test_a_page_of_no_duplicates(tmp_path: Path) -> None:
    page = duplicates_page(Duplicates([], [], []), tmp_path / "page.html").read_text(encoding="utf-8")
    assert "None was found." in page


def test_a_fingerprint_of_half_an_hour_needs_no_copy_of_it() -> None:
    """The bits are made one block of frames at a time, and do not depend on how the audio came."""
    noise = np.random.default_rng(0).standard_normal(11_025 * 60).astype(np.float32)
    noise[:50_000] = 0
    one, other = FingerprintAnalysis(), FingerprintAnalysis()
    for minute in range(30):
        one.push(noise * np.float32(1 + minute % 3))
    for part in np.array_split(noise, 7):
        other.push(part)
    for analysis in (one, other):
        analysis.finish()
    tracemalloc.start()
    bits = one.bits()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * bits.nbytes + 4e6
    short = other.bits()
    assert len(short) > 1000
    assert (bits[200 : len(short) - 8] == short[200:-8]).mean() > 0.99  # silence is relative to the loudest frame
