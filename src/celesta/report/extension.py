"""The page of an extension or a loop: self-similarity, sections, the jumps that were made, and how they sound."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from celesta._files import printable
from celesta.audio import Audio
from celesta.report.page import Page
from celesta.report.player import Track, clock
from celesta.report.variation import audio_link
from celesta.variations.analysis import SongAnalysis
from celesta.variations.extension import Extension, PlayedJoin
from celesta.variations.loop import Loop
from celesta.variations.material import Material
from celesta.variations.splice import Piece, crossfaded
from celesta.variations.structure import Section, find_sections, self_similarity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PLAYED = 6
"""Joins that a page plays."""
_AROUND = 3.0  # seconds on either side of a join
_ROWS = 60  # joins in the table


def extension_page(song: Material, analysis: SongAnalysis, made: Extension, target: Path, audio_file: Path) -> Path:
    """Write the page of an extension; return its path.

    Args:
        song: the song's samples.
        analysis: of the song.
        made: what was done.
        target: the page.
        audio_file: the result, next to the page.
    """
    name = printable(song.name)
    jumps = [join for join in made.joins if join.kind == "jump"]
    shifts = len(made.joins) - len(jumps)
    page = Page(
        f"{name}: {clock(made.n_samples / made.sample_rate)} instead of {clock(song.duration)}",
        f"{len(jumps)} jumps between beats; {made.n_samples} samples at {made.sample_rate} Hz.",
    )
    for text in made.notes:
        page.note(text)
    page.files([audio_link(audio_file, target)])
    if jumps:
        page.section("Jumps")
        page.text(
            f"Each player has {2 * _AROUND:g} s with a jump in their middle, and the same place of the song without it."
        )
        for join in _spread(jumps, _PLAYED):
            _add_join(page, song, join)
        page.table(*_jump_table(jumps, made.sample_rate), label="Jumps")
    if shifts:
        page.text(
            f"{shifts} shifts of some milliseconds, where the signal repeats itself, make up for"
            f" {1000 * made.remainder / made.sample_rate:+.0f} ms that whole beats leave of the length."
        )
    _add_structure(page, analysis, [(j.leave / made.sample_rate, j.enter / made.sample_rate) for j in jumps])
    return page.write(target)


def loop_page(song: Material, analysis: SongAnalysis, loops: Sequence[Loop], target: Path, audio_file: Path) -> Path:
    """Write the page of the loops of a song, of which the first is in a file; return the page's path."""
    rate = song.sample_rate
    page = Page(f"{printable(song.name)}: loops", f"The best of {len(loops)} loops is in the file.")
    if not analysis.clear:
        page.note("The song has no clear beat: loops begin and end at half seconds that are alike.")
    page.files([audio_link(audio_file, target)])
    page.section("Loops")
    for number, loop in enumerate(loops[:_PLAYED], start=1):
        x = np.concatenate(list(loop.blocks(song)), axis=1)
        times = max(2, min(4, round(8 * rate / x.shape[1])))
        name = f"loop {number}, {times} times"
        page.player([Track(name, Audio(np.tile(x, (1, times)), rate))], f"Player: {name}", compact=True)
    rows = [
        [str(i), f"{a.start / rate:.3f}", f"{(a.stop - a.start) / rate:.3f}", str(a.start), str(a.stop - a.start),
         str(a.beats), f"{a.score:.2f}", f"{a.join.flux:.0f}", f"{a.join.mel:.0f}"]
        for i, a in enumerate(loops, start=1)
    ]  # fmt: skip
    head = ["loop", "start s", "length s", "LOOPSTART", "LOOPLENGTH", "beats", "score", "flux %", "mel %"]
    page.table(head, rows, label="Loops")
    page.text(
        "Score: 1 is a join that nothing shows. Flux and mel: percentile of the join among the song's ordinary beats."
    )
    _add_structure(page, analysis, [(a.stop / rate, a.start / rate) for a in loops])
    return page.write(target)


def _add_join(page: Page, song: Material, join: PlayedJoin) -> None:
    rate, side = song.sample_rate, round(_AROUND * song.sample_rate)
    fade = join.join.fade if join.join else round(0.01 * rate) // 2 * 2
    half = fade // 2
    piece = Piece(join.enter, song.n_samples, fade, join.join.correlation if join.join else 1.0)
    parts = [song.read(join.leave - side, join.leave - half), crossfaded(song, join.leave, piece)]
    parts.append(song.read(join.enter + half, join.enter + side))
    at = clock(join.at / rate)
    page.player(
        [
            Track(f"jump at {at}", Audio(np.concatenate(parts, axis=1), rate), f"{_place(join, rate)}"),
            Track("the song at this place", Audio(song.read(join.leave - side, join.leave + side), rate)),
        ],
        f"Player: jump at {at}",
        compact=True,
    )


def _place(join: PlayedJoin, rate: int) -> str:
    return f"{clock(join.leave / rate)} to {clock(join.enter / rate)}"


def _jump_table(jumps: Sequence[PlayedJoin], rate: int) -> tuple[list[str], list[list[str]]]:
    head = ["at", "from s", "to s", "timbre dB", "harmony", "level dB", "flux %", "mel %", "bump dB"]
    rows = []
    for one in jumps[:_ROWS]:
        j = one.join
        values = (
            [f"{j.timbre:.1f}", f"{j.harmony:.3f}", f"{j.level:.1f}", f"{j.flux:.0f}", f"{j.mel:.0f}", f"{j.bump:+.1f}"]
            if j
            else ["–"] * 6
        )
        rows.append([clock(one.at / rate), f"{one.leave / rate:.3f}", f"{one.enter / rate:.3f}", *values])
    return head, rows


def _spread(jumps: Sequence[PlayedJoin], most: int) -> list[PlayedJoin]:
    """Return different jumps from the whole result."""
    first = {(join.leave, join.enter): join for join in reversed(jumps)}
    different = sorted(first.values(), key=lambda join: join.at)
    return [different[i] for i in np.unique(np.linspace(0, len(different) - 1, min(most, len(different))).astype(int))]


def _add_structure(page: Page, analysis: SongAnalysis, jumps: Sequence[tuple[float, float]]) -> None:
    """Add the self-similarity matrix with the jumps, and the sections."""
    sections = find_sections(analysis)
    page.section("Structure")
    beat = f"{analysis.tempo:.1f} beats a minute, {analysis.metre} to the bar" if analysis.clear else "no clear beat"
    page.text(f"{beat[:1].upper()}{beat[1:]}; clarity of the pulse {analysis.clarity:.2f}.")
    alt = "Self-similarity of the song with its sections and the jumps"
    page.chart(lambda: _matrix(analysis, sections, jumps), alt)
    page.table(
        ["section", "from", "to", "seconds"],
        [[s.letter, clock(s.start), clock(s.stop), f"{s.stop - s.start:.1f}"] for s in sections],
        label="Sections",
    )


def _matrix(analysis: SongAnalysis, sections: Sequence[Section], jumps: Sequence[tuple[float, float]]) -> Figure:
    from matplotlib.figure import Figure

    from celesta.report.figures import CHANGED, ORIGINAL

    figure = Figure(figsize=(7.2, 6.6), layout="constrained")
    axes = figure.subplots()
    end = analysis.duration
    axes.imshow(
        self_similarity(analysis),
        origin="lower",
        extent=(0, end, 0, end),
        vmin=-0.3,
        vmax=1,
        cmap="Greys",
        aspect="equal",
    )
    for section in sections[1:]:
        axes.axvline(section.start, color=ORIGINAL, lw=0.6)
        axes.axhline(section.start, color=ORIGINAL, lw=0.6)
    for section in sections:
        if section.stop - section.start > 0.03 * end:
            axes.text((section.start + section.stop) / 2, end * 1.01, section.letter, ha="center", fontsize=8)
    if jumps:
        leave, enter = zip(*jumps, strict=True)
        axes.plot(leave, enter, "o", ms=5, mfc="none", mec=CHANGED, mew=1.4, label="jump from x to y")
        axes.legend(loc="lower right", fontsize=7)
    axes.set(xlabel="seconds of the song", ylabel="seconds of the song")
    axes.tick_params(labelsize=7)
    return figure
