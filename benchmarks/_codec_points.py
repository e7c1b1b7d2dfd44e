"""Points on a curve (a coder at a setting, every clip scored) and bars: met, or missed by how much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from _codec_ears import Ears
from _codec_stereo import stereo_scores

from celesta.audio import Audio
from celesta.dsp import metrics
from celesta.errors import DataError
from celesta.probes.statistics import mean_interval

SEED, DRAWS = 0, 1_000
HIGHER = {
    "SI-SDR": True,
    "mel": False,
    "ViSQOL": True,
    "Zimtohrli": False,
    "mel L/R/S": False,
    "level": False,
    "coherence": False,
}
Score = dict[str, Any]
"""Measures of one clip by name; a :class:`Future` until :meth:`Point.settle`."""


def score(x: Audio, y: Audio, size: int | None, ears: Ears | None = None, wanted: Iterable[str] = ()) -> Score:
    """Scores of ``y`` against ``x``.

    Args:
        x: original.
        y: copy; the longer of the two is cut.
        size: bytes of the file, None where nothing was coded.
        ears: who to ask for what takes long.
        wanted: measures to ask for.
    """
    n = min(x.samples.shape[1], y.samples.shape[1])
    a, b = Audio(x.samples[:, :n], x.sample_rate), Audio(y.samples[:, :n], x.sample_rate)
    made: Score = {} if size is None else {"kbps": size * 8 / (n / x.sample_rate) / 1000}
    made |= {
        "SI-SDR": metrics.si_sdr(a.samples, b.samples),
        "mel": metrics.mel_distance(a.samples, b.samples, x.sample_rate),
    }
    if len(x.samples) == 2 and size is not None:
        made |= stereo_scores(a, b)
    return made | {measure: ears.ask(measure, a, b) for measure in wanted if ears and measure in ears.measures}


@dataclass
class Point:
    """A coder at one setting.

    Attributes:
        coder: name.
        setting: kbit/s asked for, step or numbers a frame.
        clips: scores of each clip, in the order of the clips.
        note: what else is to be said.
    """

    coder: str
    setting: float
    clips: list[Score] = field(default_factory=list)
    note: str = ""

    def settle(self) -> Point:
        """Wait for the scores still being measured.

        Raises:
            DataError: one could not be measured.
        """
        for i, clip in enumerate(self.clips):
            for key, value in clip.items():
                if not isinstance(value, Future):
                    continue
                try:
                    clip[key] = value.result()
                except Exception as error:  # whatever another package raises
                    raise DataError(f"{key} of {self.coder} {self.setting:g}, clip {i}: {error}") from None
        return self

    def has(self, key: str) -> list[int]:
        """The clips on which a measure was taken."""
        return [i for i, clip in enumerate(self.clips) if key in clip]

    def values(self, key: str, which: Sequence[int] | None = None) -> np.ndarray:
        """A measure of the clips, or of some."""
        return np.array([self.clips[i][key] for i in (self.has(key) if which is None else which)])

    def mean(self, key: str) -> float:
        """Mean of a measure over the clips on which it was taken."""
        return float(self.values(key).mean())

    def means(self) -> dict[str, tuple[float, float, float]]:
        """Mean and 95 % bootstrap interval over clips of every measure."""
        keys = ["kbps", *HIGHER]
        return {k: mean_interval(self.values(k), SEED, DRAWS) for k in keys if self.has(k)}

    def show(self) -> Point:
        """Print it as a line."""
        cells = [
            f"{key} {m:6.2f} ({a:.2f} to {b:.2f})" for key, (m, a, b) in self.means().items() if key != "Zimtohrli"
        ]
        if self.has("Zimtohrli"):  # a few thousandths
            m, a, b = self.means()["Zimtohrli"]
            cells.append(f"Zimtohrli {m:.4f} ({a:.4f} to {b:.4f})")
        print(f"{self.coder[-12:]:>12s} {self.setting:<5g} " + "  ".join(cells) + f"  {self.note}", flush=True)
        return self

    def data(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self) | {"means": self.means()}


def difference(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """95 % bootstrap interval over clips of the mean of ``a - b``."""
    return mean_interval(a - b, SEED, DRAWS)[1:]


@dataclass
class Bar:
    """One demand of the benchmark; ``met`` is None where it could not be judged."""

    number: int
    what: str
    measured: float
    wanted: float
    higher: bool
    met: bool | None
    interval: tuple[float, float] | None = None
    note: str = ""

    def line(self) -> str:
        """As it is printed."""
        short = abs(self.measured - self.wanted)
        digits = 4 if max(abs(self.measured), abs(self.wanted)) < 0.1 else 2
        verdict = {True: "met", False: f"MISSED by {short:.{digits}f}", None: "not judged"}[self.met]
        text = f"bar {self.number}  {verdict:18s} {self.what}"
        if np.isfinite(self.measured):
            sign = "at least" if self.higher else "at most"
            text += f": {self.measured:.{digits}f}, wanted {sign} {self.wanted:.{digits}f}"
        if self.interval:
            text += f"; difference {self.interval[0]:+.{digits}f} to {self.interval[1]:+.{digits}f}"
        return text + (f" ({self.note})" if self.note else "")


class Bars(list[Bar]):
    """All verdicts, printed as they come."""

    def judge(
        self,
        number: int,
        what: str,
        measured: float,
        wanted: float,
        *,
        higher: bool = True,
        strict: bool = False,
        interval: tuple[float, float] | None = None,
        excused: bool = False,
        note: str = "",
    ) -> None:
        """Add a verdict.

        Args:
            number: of the bar in the list of bars.
            what: is judged.
            measured: figure; not finite: it could not be measured.
            wanted: figure that it must reach.
            higher: whether more is better.
            strict: whether it must be better, not merely as good.
            interval: of measured less wanted, over clips.
            excused: where it is not met, that is not judged either.
            note: in brackets behind.
        """
        margin = (measured - wanted) if higher else (wanted - measured)
        met: bool | None = bool(margin > 0 if strict else margin >= 0)
        if not (np.isfinite(measured) and np.isfinite(wanted)) or (excused and not met):
            met = None
        self.append(Bar(number, what, float(measured), float(wanted), higher, met, interval, note))
        print("  " + self[-1].line(), flush=True)

    def lack(self, number: int, what: str, why: str) -> None:
        """Add a bar that could not be judged."""
        self.judge(number, what, float("nan"), float("nan"), note=why)

    def summary(self) -> None:
        """Print how many were met of each, and again what was missed."""
        print("\nBars")
        for number in sorted({bar.number for bar in self}):
            mine = [bar for bar in self if bar.number == number]
            judged = [bar for bar in mine if bar.met is not None]
            print(f"bar {number}: {sum(bool(bar.met) for bar in judged)} of {len(judged)} judged met, ", end="")
            print(f"{len(mine) - len(judged)} not judged")
            for bar in mine:
                if not bar.met:
                    print("  " + bar.line())
