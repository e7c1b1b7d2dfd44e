"""What operations on songs do with silence, songs below a bar, no beat, latents of other models and NaN: a line, or a
stated fallback, and never a click, a NaN or a result of another length."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import celesta
from celesta.audio import Audio
from celesta.cli.main import app
from celesta.errors import CelestaError, LatentError, UsageError
from celesta.variations import VARIATIONS, Step, apply, bridge, extend, find_loops, morph, mosaic, repair, style
from celesta.variations.analysis import analyse
from celesta.variations.extend import plan_extension
from celesta.variations.material import Material

RATE = 22_050


def tones(seconds: float, seed: int = 0) -> Audio:
    """A texture without a beat: slow sines and a little noise."""
    t = np.arange(round(seconds * RATE)) / RATE
    rng = np.random.default_rng(seed)
    x = sum(0.1 * np.sin(2 * np.pi * hz * t + rng.uniform(0, 6)) for hz in (110.0, 164.8, 220.0))
    return Audio((x + 0.005 * rng.standard_normal(t.size))[None].astype(np.float32), RATE)


def silence(seconds: float) -> Audio:
    return Audio(np.zeros((1, round(seconds * RATE)), np.float32), RATE)


OPERATIONS: dict[str, Callable[[Audio], np.ndarray]] = {
    "extend": lambda x: extend(x, 12.0).samples,
    "shorten": lambda x: extend(x, 1.5).samples,
    "loop": lambda x: np.array([loop.start for loop in find_loops(x, shortest=0.5)]),
    "repair": lambda x: repair(x, 0.5, 0.7).samples,
    "bridge": lambda x: bridge(x, x, 0.5).samples,
    "mosaic": lambda x: mosaic(x, [tones(3, 1)]).samples,
    "mosaic of it": lambda x: mosaic(tones(3, 1), [x]).samples,
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "song", [silence(4), silence(0.3), tones(4), tones(1.2), tones(0.4), Audio(np.zeros((1, 1), np.float32), RATE)],
    ids=["silence", "short silence", "no beat", "below a bar", "below a second", "a sample"],
)  # fmt: skip
def test_odd_songs_give_a_result_or_one_line(song: Audio, operation: str) -> None:
    said, made = "", np.zeros(1)
    try:
        made = OPERATIONS[operation](song)
    except CelestaError as error:
        said = str(error)
    assert "\n" not in said
    assert np.isfinite(made).all()
    if operation != "loop":
        assert np.abs(made).max() <= 1


def test_a_song_without_a_beat_says_so() -> None:
    with Material(tones(8)) as song:
        plan = plan_extension(song, analyse(song), 12 * RATE)
    assert any("no clear beat" in note for note in plan.notes)
    assert any("no clear beat" in note for note in mosaic(tones(4), [tones(4, 1)]).notes)


def test_nothing_is_made_of_silence() -> None:
    for make in (lambda: extend(silence(4), 8.0), lambda: mosaic(tones(2), [silence(4)])):
        with pytest.raises(UsageError, match="silent"):
            make()
    assert not bridge(silence(4), silence(4), 1.0).samples.any()
    assert not repair(silence(4), 1.0, 2.0).samples.any()


def test_channels_that_cancel_out_are_no_silence() -> None:
    x = tones(2).samples
    song = Audio(np.concatenate([x, -x]), RATE)
    made = mosaic(song, [tones(3, 1)]).samples
    assert 0.5 < np.std(made) / np.std(song.samples) < 2
    assert np.abs(extend(song, 3.0).samples[0]).max() > 0.1


def test_samples_that_are_no_numbers_are_refused() -> None:
    x = tones(3).samples.copy()
    x[0, 5_000] = np.nan
    for make in (lambda a: extend(a, 5.0), lambda a: repair(a, 1, 1.2), lambda a: mosaic(tones(2), [a])):
        with pytest.raises(CelestaError, match="finite"):
            make(Audio(x, RATE))


def test_latents_that_are_no_numbers_are_refused() -> None:
    z = celesta.load("nested").encode(tones(1))
    values = z.values.copy()
    values[0, 0, 0, 3] = np.nan
    bad = z.replace(values=values)
    skipped = ("gain", "noise", "smooth", "detail", "width")  # the last leaves a mono song as it is
    for make in (
        lambda: morph(bad, z, 0.5), lambda: morph(z, bad, 0.5), lambda: style(bad, z, 0.5),
        *(lambda v=v: apply(bad, [_step(v)]) for v in VARIATIONS if v not in skipped),
    ):  # fmt: skip
        with pytest.raises(LatentError, match="not finite"):
            make()


def _step(name: str) -> Step:
    """Return a variation at a setting that changes something."""
    example = VARIATIONS[name].example
    return Step(name, {"crop": 0.1, "reverse": 1}.get(name, example))


def test_a_cel_file_chooses_its_model_and_latents_of_others_are_refused(tmp_path: Path) -> None:
    celesta.load("linear-8").encode(tones(1)).save(tmp_path / "linear.cel")
    celesta.load("pca-8").encode(tones(1)).save(tmp_path / "other.cel")
    celesta.write(tmp_path / "song.wav", tones(1).samples, RATE)
    concat = ("vary", "concat", "song.wav", "linear.cel")
    reverse = ("vary", "reverse", "linear.cel")
    for words, line in (
        (reverse, None), (concat, None), (("morph", "song.wav", "linear.cel"), None),
        ((*reverse, "-m", "nested2"), "linear-8"), ((*concat, "-m", "nested2"), "linear-8"),
        (("morph", "linear.cel", "other.cel"), "pca-8"), ((*concat, "other.cel"), "pca-8"),
    ):  # fmt: skip
        given = [str(tmp_path / word) if word.endswith((".cel", ".wav")) else word for word in words]
        result = CliRunner().invoke(app, [*given, "--force"])
        assert (result.exit_code == 0) == (line is None), result.stderr
        if line is not None:
            (said,) = [text for text in result.stderr.splitlines() if text.startswith("celesta: ")]
            assert line in said
