"""Make a walk exact to the sample: small shifts at places where the signal repeats itself.

Jumps between beats give lengths of whole beats or bars. What is left of the wanted length is spread over shifts of
about 12 ms, each at the place of its neighbourhood where the signal fits best to itself (the principle of WSOLA:
Verhelst and Roelands 1993), so that no tempo changes by more than a few per cent.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from celesta.variations.alignment import best_lag, level_of
from celesta.variations.analysis import FLUX_RATE, SongAnalysis
from celesta.variations.material import Material
from celesta.variations.splice import Piece

_SHIFT = 0.012  # seconds, usual size of a shift
_LARGEST = 0.04  # seconds; where shifts would have to be larger, there is one, of the whole remainder
_APART = 0.35  # seconds between shifts at least
_FADE = 0.01
_TRIED = 12  # places of a neighbourhood that are tried
_STEP = 0.06  # cost of a dB between the levels of the two signals
_ATTACK = 1.5  # cost of an onset strength of 1 near a shift


@dataclass(frozen=True)
class _Zone:
    """A part of a piece in which a shift may lie: samples of the song."""

    piece: int
    start: int
    stop: int


def absorb(
    song: Material, analysis: SongAnalysis, pieces: Sequence[Piece], more: int, first: int, last: int
) -> list[Piece]:
    """Make pieces longer by ``more`` samples in all (shorter where it is negative).

    Args:
        song: its samples.
        analysis: of the song.
        pieces: to change.
        more: samples.
        first: samples at the beginning of the result that must stay.
        last: samples at its end that must stay.

    Returns:
        Pieces of the exact length; the same where ``more`` is 0.
    """
    made = list(pieces)
    if more == 0:
        return made
    rate = song.sample_rate
    zones = _zones(made, first, last, round(0.05 * rate))
    free = sum(zone.stop - zone.start for zone in zones)
    count = min(-(-abs(more) // round(_SHIFT * rate)), free // round(_APART * rate))
    if count < 1 or abs(more) / count > _LARGEST * rate:
        count = 1
    left = more
    shifts: list[tuple[int, int, int, float]] = []  # piece, leave, enter, correlation
    for i, zone in enumerate(_neighbourhoods(zones, count, abs(more))):
        wanted = left / (count - i)
        exact = i == count - 1
        leave, shift, correlation = _best_place(song, analysis, zone, left if exact else wanted, exact)
        shifts.append((zone.piece, leave, leave - shift, correlation))
        left -= shift
    return _split(made, shifts, round(_FADE * rate) // 2 * 2)


def _zones(pieces: Sequence[Piece], first: int, last: int, margin: int) -> list[_Zone]:
    """Return where shifts may lie: off the two ends of the result, and off the joins."""
    total = sum(piece.stop - piece.start for piece in pieces)
    zones, at = [], 0
    for i, piece in enumerate(pieces):
        size = piece.stop - piece.start
        begin = max(piece.start + (margin + piece.fade if i else 0), piece.start + first - at)
        end = min(piece.stop - (margin if i + 1 < len(pieces) else 0), piece.start + (total - last) - at)
        if end - begin > 4 * margin:
            zones.append(_Zone(i, begin + margin, end - margin))
        at += size
    if not zones:  # there is no room: in the middle of the longest piece
        longest = max(range(len(pieces)), key=lambda k: pieces[k].stop - pieces[k].start)
        middle = (pieces[longest].start + pieces[longest].stop) // 2
        zones.append(_Zone(longest, middle, middle + 1))
    return zones


def _neighbourhoods(zones: Sequence[_Zone], count: int, more: int) -> list[_Zone]:
    """Divide the zones into ``count`` parts of about one size, each within one zone."""
    sizes = np.array([zone.stop - zone.start for zone in zones], float)
    if count == 1:
        return [zones[int(np.argmax(sizes))]]
    shares = np.floor(count * sizes / sizes.sum()).astype(int)
    for k in np.argsort(-(count * sizes / sizes.sum() - shares))[: count - shares.sum()]:
        shares[k] += 1
    found = []
    for zone, share in zip(zones, shares, strict=True):
        edges = np.linspace(zone.start, zone.stop, share + 1).astype(int)
        found += [_Zone(zone.piece, int(a), int(b)) for a, b in itertools.pairwise(edges)]
    return found


def _best_place(
    song: Material, analysis: SongAnalysis, zone: _Zone, wanted: float, exact: bool
) -> tuple[int, int, float]:
    """Return where to leave, by how much to go back, and the correlation there."""
    rate = song.sample_rate
    reach = round(_FADE * rate)
    least, most = (round(wanted), round(wanted)) if exact else sorted((round(0.6 * wanted), round(1.5 * wanted)))
    inside = zone.stop - zone.start
    low = zone.start + (inside // 10 if inside > 4 * reach else 0)
    places = np.unique(np.linspace(low, zone.stop - inside // 10, _TRIED * (4 if exact else 1)).astype(int))
    best: tuple[float, int, int, float] | None = None
    for place in places:
        template = song.mono(place - reach, place + reach)
        x = song.mono(place - most - reach, place - least + reach)
        at, correlation = best_lag(template, x)
        # Where both are silent nothing can be wrong.
        if not template.any() and not x.any():
            correlation = 1.0
        frame = int(place / rate * FLUX_RATE)
        near = analysis.flux[max(0, frame - 3) : frame + 4]
        match = x[at : at + len(template)]
        score = correlation - _ATTACK * float(near.max(initial=0.0)) - _STEP * abs(level_of(template) - level_of(match))
        if best is None or score > best[0]:
            best = score, int(place), most - at, correlation
    assert best is not None
    return best[1], best[2], max(0.0, best[3])


def _split(pieces: list[Piece], shifts: list[tuple[int, int, int, float]], fade: int) -> list[Piece]:
    """Cut pieces where shifts lie."""
    made: list[Piece] = []
    for i, piece in enumerate(pieces):
        rest = piece
        for _, leave, enter, correlation in sorted(s for s in shifts if s[0] == i):
            made.append(Piece(rest.start, leave, rest.fade, rest.correlation))
            rest = Piece(enter, piece.stop, fade, correlation)
        made.append(rest)
    return made
