"""Copies of real clips are found as duplicates, and different music is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

import celesta
from celesta.library.duplicates import matching_pairs
from celesta.library.fingerprint import FRAME_RATE, fingerprint
from celesta.library.matching import align

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


def test_a_library_groups_copies_and_names_the_evidence(tmp_path: Path) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    for clip in CLIPS[:3]:
        samples, rate = soundfile.read(clip, dtype="float32", stop=13 * 44_100)
        soundfile.write(folder / f"{clip.stem}.flac", samples, rate)
    samples, rate = soundfile.read(folder / f"{CLIPS[0].stem}.flac", dtype="float32")
    soundfile.write(folder / "copy.mp3", 0.5 * samples, rate)
    soundfile.write(folder / "short.ogg", samples[rate:], rate)
    with celesta.Library(tmp_path / "library.db") as library:
        library.add(folder, workers=1)
        found = library.duplicates()
        assert library.status().songs == 5  # nothing is merged
    (group,) = found.groups
    assert {song.path.name for song in group} == {f"{CLIPS[0].stem}.flac", "copy.mp3", "short.ogg"}
    assert len(found.pairs) == 3
    assert all(pair.match.share > 0.9 for pair in found.pairs)
    assert found.partial == []
