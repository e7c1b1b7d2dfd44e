"""Extensions and loops: exact length, original samples, joins like ordinary beats, tags."""

from __future__ import annotations

import itertools
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import mutagen
import numpy as np
import pytest

import celesta
from celesta.audio import Audio
from celesta.errors import UsageError
from celesta.features.cache import FeatureCache
from celesta.report.demo import CLIPS
from celesta.variations.analysis import SongAnalysis, analyse
from celesta.variations.extend import PREFIX, SUFFIX, _too_often, extend, plan_extension
from celesta.variations.joins import Join, JoinFinder
from celesta.variations.loop import find_loops, loop_audio, write_loop
from celesta.variations.material import Material
from celesta.variations.splice import gains
from celesta.variations.structure import find_sections, self_similarity
from celesta.variations.walk import Walker


@pytest.fixture(scope="module")
def rock() -> tuple[Material, SongAnalysis]:
    song = Material(CLIPS / "rock.ogg")
    return song, analyse(song)


def rendered(song: Material, analysis: SongAnalysis, n: int, seed: int = 0) -> np.ndarray:
    return np.concatenate(list(plan_extension(song, analysis, n, seed=seed).blocks(song)), axis=1)


@pytest.mark.parametrize("n", [441_001, 500_017, 700_003, 3_000_000])
def test_length_beginning_and_end_are_exact(rock: tuple[Material, SongAnalysis], n: int) -> None:
    song, analysis = rock
    x = rendered(song, analysis, n)
    assert x.shape == (2, n)
    prefix, suffix = round(min(PREFIX, 0.5 * min(n / 44_100, 15)) * 44_100), round(SUFFIX * 44_100)
    assert np.array_equal(x[:, :prefix], song.read(0, prefix))
    assert np.array_equal(x[:, -suffix:], song.read(song.n_samples - suffix, song.n_samples))


def test_what_jumps_do_not_leave_out_is_not_taken_from_the_end(
    rock: tuple[Material, SongAnalysis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A jump that is 2 s too long for the target: there is one cut instead, and the last 3 s stay."""
    song, analysis = rock
    late = Join(round(9.5 * 44_100), song.n_samples - round(3.1 * 44_100), 20, 25, 882, 1.0, 0.0, 0.0, 0.0)
    monkeypatch.setattr(sys.modules["celesta.variations.extend"], "_jumps", lambda *_: ([late], []))
    plan = plan_extension(song, analysis, 470_000)
    x = np.concatenate(list(plan.blocks(song)), axis=1)
    assert x.shape == (2, 470_000)
    assert np.array_equal(x[:, : 5 * 44_100], song.read(0, 5 * 44_100))
    assert np.array_equal(x[:, -3 * 44_100 :], song.read(song.n_samples - 3 * 44_100, song.n_samples))


def jump(leave: int, enter: int, cost: float) -> Join:
    """A jump between beats that are 1000 samples apart."""
    return Join(1000 * leave, 1000 * enter, leave, enter, 10, 1.0, 0.0, 0.0, 0.0, cost=cost)


def test_a_stretch_is_played_at_most_twice_in_a_row_where_there_are_other_jumps() -> None:
    """The cheapest jump is a loop of 16 beats, from which the way back to the rest of the song takes a dearer one."""
    beats = 1000 * np.arange(200)
    joins = [jump(176, 160, 0.0), jump(168, 80, 1.5), jump(96, 16, 1.0), jump(120, 56, 1.2), jump(64, 24, 0.8)]
    made = Walker(beats, joins, 2000, 0).walk(5, 195, 800_000)
    assert made is not None
    assert 190_000 + sum(one.shift for one in made) == pytest.approx(800_000, abs=8_000)
    assert max(len(list(run)) for one, run in itertools.groupby(made) if one is joins[0]) <= 3
    visits = np.zeros(200)
    at = 5
    for one in made:
        visits[at : one.from_beat] += 1
        at = one.to_beat
    assert visits.max() <= 2 * 4


def test_parts_without_a_way_back_are_repeated_by_their_size() -> None:
    """A loop near the end, which nothing leads back from: it is not what makes the song longer."""
    beats = 1000 * np.arange(200)
    joins = [jump(190, 174, 0.0), jump(120, 20, 1.0), jump(100, 40, 1.0), jump(140, 60, 1.0)]
    made = Walker(beats, joins, 2000, 0).walk(5, 197, 800_000)
    assert made is not None
    assert 192_000 + sum(one.shift for one in made) == pytest.approx(800_000, abs=8_000)
    assert made.count(joins[0]) <= 5


def test_a_song_without_jumps_begins_again_as_often_as_needed(
    rock: tuple[Material, SongAnalysis], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing outside the song is played: a single cut would go back to before its beginning."""
    song, analysis = rock
    monkeypatch.setattr(JoinFinder, "find", lambda *_, **__: [])
    plan = plan_extension(song, analysis, 4 * song.n_samples)
    assert len(plan.pieces) == 5
    assert all(0 <= piece.start < piece.stop <= song.n_samples for piece in plan.pieces)
    assert sum(piece.stop - piece.start for piece in plan.pieces) == 4 * song.n_samples


def test_a_jump_is_not_made_again_and_again_where_others_are_nearly_as_good() -> None:
    often = [Join(9_000, 1_000, 9, 1, 10, 1.0, 0.0, 0.0, 0.0)] * 10
    other = [Join(8_000 + k, 1_000, 8, 1, 10, 1.0, 0.0, 0.0, 0.0) for k in range(10)]
    assert _too_often(often, 2.0) == 6
    assert _too_often(often, 5.0) == 0
    assert _too_often(other, 2.0) == 0


def test_all_but_the_cross_fades_are_original_samples(rock: tuple[Material, SongAnalysis]) -> None:
    song, analysis = rock
    plan = plan_extension(song, analysis, 1_500_000)
    x = np.concatenate(list(plan.blocks(song)), axis=1)
    at = 0
    for i, piece in enumerate(plan.pieces):
        head = piece.fade // 2
        tail = plan.pieces[i + 1].fade // 2 if i + 1 < len(plan.pieces) else 0
        size = piece.stop - piece.start
        assert np.array_equal(x[:, at + head : at + size - tail], song.read(piece.start + head, piece.stop - tail))
        at += size
    assert at == plan.n_samples


def test_the_seed_decides(rock: tuple[Material, SongAnalysis]) -> None:
    song, analysis = rock
    one, same, other = (plan_extension(song, analysis, 6_000_000, seed=s).pieces for s in (1, 1, 2))
    assert one == same
    assert one != other


def test_its_own_length_is_the_song_itself(rock: tuple[Material, SongAnalysis]) -> None:
    song, analysis = rock
    assert np.array_equal(rendered(song, analysis, song.n_samples), song.read(0, song.n_samples))


def test_jumps_keep_the_beat_and_the_bar(rock: tuple[Material, SongAnalysis]) -> None:
    song, analysis = rock
    plan = plan_extension(song, analysis, 60 * 44_100)
    jumps = [one.join for one in plan.joins if one.join is not None]
    assert jumps
    assert repr(plan) == f"Extension(60.000 s of {len(plan.pieces)} pieces, 44100 Hz)"
    assert len(repr(analysis)) < 100
    period = float(np.median(np.diff(analysis.beats)))
    for join in jumps:
        beats = join.shift / period
        assert beats == pytest.approx(round(beats), abs=0.08)
        assert join.click <= 1
        assert abs(join.bump) <= 1.5


@pytest.mark.parametrize(
    ("n", "target"), [(1.5, 4.0), (3.0, 10.0), (9.0, 5.0), (9.0, 30.0)], ids=["short", "3s", "shorter", "longer"]
)
def test_noise_without_a_beat_is_extended_exactly(n: float, target: float) -> None:
    noise = 0.1 * np.random.default_rng(3).standard_normal((1, int(n * 22_050))).astype(np.float32)
    made = extend(Audio(noise, 22_050), target)
    assert made.samples.shape == (1, round(target * 22_050))
    assert np.array_equal(made.samples[:, :2000], noise[:, :2000])
    assert np.array_equal(made.samples[:, -2000:], noise[:, -2000:])


@pytest.mark.parametrize(
    ("x", "seconds", "words"),
    [
        (np.zeros((1, 50_000), np.float32), 10.0, "silent"),
        (np.ones((1, 5_000), np.float32), 10.0, "too short"),
        (np.ones((1, 50_000), np.float32), float("nan"), "number of seconds"),
        (np.ones((1, 50_000), np.float32), -5.0, "number of seconds"),
        (np.ones((1, 50_000), np.float32), 1e9, "100 hours"),
    ],
)
def test_what_cannot_be_extended_is_refused(x: np.ndarray, seconds: float, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        extend(Audio(x, 22_050), seconds)


def test_gains_keep_the_power() -> None:
    for correlation in (0.0, 0.5, 1.0):
        out, into = gains(64, correlation)
        power = out**2 + into**2 + 2 * correlation * out * into
        assert np.allclose(power, 1, atol=1e-5)


def test_loops_are_seamless_and_whole_bars(rock: tuple[Material, SongAnalysis]) -> None:
    song, analysis = rock
    loops = find_loops(song, analysis=analysis, shortest=3)
    assert loops == sorted(loops, key=lambda loop: -loop.score)
    best = loops[0]
    assert best.beats % analysis.metre == 0
    twice = loop_audio(song, best, 2).samples
    size = best.stop - best.start
    assert twice.shape == (2, 2 * size)
    assert np.array_equal(twice[:, :size], twice[:, size:])
    # What the loop ends with is what was before its beginning.
    assert np.abs(twice[:, size - 1] - song.read(best.start - 1, best.start)[:, 0]).max() < 0.002
    assert np.array_equal(twice[:, :1], song.read(best.start, best.start + 1))


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_loop_files_have_tags(rock: tuple[Material, SongAnalysis], tmp_path: Path, suffix: str) -> None:
    song, analysis = rock
    loop = find_loops(song, analysis=analysis, shortest=3)[0]
    file = tmp_path / f"loop{suffix}"
    write_loop(song, loop, file, intro=True)
    length = loop.stop - loop.start
    assert celesta.info(file).n_samples == loop.stop
    if suffix == ".wav":
        data = file.read_bytes()
        assert struct.unpack("<I", data[4:8])[0] == len(data) - 8
        at = data.index(b"smpl")
        fields = struct.unpack("<9I6I", data[at + 8 : at + 68])
        assert fields[7] == 1
        assert fields[11:13] == (loop.start, loop.start + length - 1)
        assert celesta.read(file).samples.shape == (2, loop.stop)
    else:
        tags = mutagen.File(file).tags
        assert (tags["LOOPSTART"], tags["LOOPLENGTH"]) == ([str(loop.start)], [str(length)])


def test_mp3_has_no_loops(rock: tuple[Material, SongAnalysis], tmp_path: Path) -> None:
    song, analysis = rock
    loop = find_loops(song, analysis=analysis, shortest=3)[0]
    with pytest.raises(UsageError, match="loops are written as"):
        write_loop(song, loop, tmp_path / "loop.mp3")
    assert not list(tmp_path.iterdir())


def test_saved_analyses_are_the_same(tmp_path: Path, music: Callable[..., np.ndarray]) -> None:
    cache = FeatureCache(tmp_path)
    song = Audio(music(300_000), 44_100)
    fresh, saved = analyse(song, cache=cache), analyse(song, cache=cache)
    assert np.array_equal(fresh.beats, saved.beats)
    assert np.array_equal(fresh.onsets, saved.onsets)
    assert np.allclose(fresh.mel, saved.mel, atol=1e-4)


def test_sections_are_found() -> None:
    rng = np.random.default_rng(0)
    t = np.arange(22_050 * 12) / 22_050
    low = np.sin(2 * np.pi * 110 * t) * (0.6 + 0.4 * np.sign(np.sin(2 * np.pi * 2 * t)))
    high = np.sin(2 * np.pi * 1567 * t) * (0.6 + 0.4 * np.sign(np.sin(2 * np.pi * 2 * t)))
    x = 0.3 * np.concatenate([low, high, low]) + 0.001 * rng.standard_normal(3 * t.size)
    analysis = analyse(Audio(x[None].astype(np.float32), 22_050))
    sections = find_sections(analysis)
    assert [s.letter for s in sections] == ["A", "B", "A"]
    assert [s.start for s in sections] == pytest.approx([0, 12, 24], abs=1.1)
    matrix = self_similarity(analysis, 50)
    assert len(matrix) <= 50
    assert np.allclose(np.diag(matrix), 1, atol=1e-4)
