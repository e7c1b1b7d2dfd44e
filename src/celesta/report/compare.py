"""The page of a comparison: tables, curves, players."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celesta import datasets
from celesta._files import printable
from celesta.evaluation import comparison
from celesta.evaluation.comparison import MEASURES
from celesta.evaluation.rate_distortion import RatePoint
from celesta.report.page import Page
from celesta.report.player import Track
from celesta.report.tables import SCORE_HEAD, mean_rows, note, size_notes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Comparison(comparison.Comparison):
    """Result of a comparison that can be written as a page."""

    def to_html(self, path: str | Path) -> Path:
        """Write the page and return its path."""
        found = self.by_model()
        page = Page(
            "Comparison of models",
            f"{', '.join(found)}: quality against the size of the latent and of the file, on {self.about['files']} "
            f"{'file' if self.about['files'] == 1 else 'files'}, {self.about['seconds of each']:g} s of each.",
        )
        page.section("Scores")
        page.table(SCORE_HEAD, mean_rows(self.rows, intervals=True))
        page.text(
            "Means over files with 95 % bootstrap intervals over files. Every model gets the same mono signal at"
            f" {self.about['sample rate']} Hz, and is scored at this rate."
        )
        page.note(" ".join(size_notes(self.rows)))
        page.section("Play")
        name = next((made.scores.clip for made in self.examples), "")
        page.text(f"{name}, mono: the original, and what each model makes of it. All versions play in step.")
        original = [Track("original", made.x) for made in self.examples[:1]]
        page.player([*original, *(Track(m.scores.model, m.x_hat, note(m.scores)) for m in self.examples)], "Player")
        page.section("Quality against floats per second")
        means = self.means()
        panels = [
            {name: [(found[name][0].floats_per_second, means[name][key][0])] for name in found} for key, _ in MEASURES
        ]
        page.chart(lambda: _curves("floats/s", panels), "quality against floats per second")
        page.text("Left is small. Good is low MSE, high SI-SDR and a low mel distance.")
        if self.curves:
            self._add_rates(page)
        for path, reason in self.failures.items():
            page.note(f"{printable(path)} was left out: {reason}")
        about = "; ".join(f"{key}: {value}" for key, value in self.about.items())
        return page.write(Path(path), about)

    def _add_rates(self, page: Page) -> None:
        page.section("Quality against bitrate")
        grouped: dict[str, list[RatePoint]] = {}
        for point in self.curves:
            grouped.setdefault(point.model, []).append(point)
        panels = [
            {name: [(p.kbps, getattr(p, field)) for p in points] for name, points in grouped.items()}
            for field, _ in MEASURES
        ]
        page.chart(lambda: _curves("kbit/s", panels), "quality against kbit/s")
        page.text(
            "Each latent is quantised at several steps (relative to each row's standard deviation for trained models,"
            " one step for all rows for the baselines) and range-coded with static tables fitted on other music; the"
            " size is that of the bytes that were decoded again. For codecs, Opus and MP3 it is the size of the files. "
            f"{self.about.get('rate-distortion', '')}"
        )
        page.begin_details("The points of the curves")
        head = ("model", "step or target kbit/s", "kbit/s", *(label for _, label in MEASURES))
        page.table(
            head,
            [
                [p.model, f"{p.setting:g}", f"{p.kbps:.1f}", f"{p.mse:.5f}", f"{p.si_sdr:.2f}", f"{p.mel:.3f}"]
                for p in self.curves
            ],
        )
        page.end_details()


def _curves(xlabel: str, panels: list[dict[str, list[tuple[float, float]]]]) -> Figure:
    from celesta.report.figures import curves

    return curves({}, xlabel, [label for _, label in MEASURES], panels)


def compare(
    models: Sequence[str], data: str | Path | Sequence[str | Path | datasets.Track], **options: Any
) -> Comparison:
    """Compare models or runs on music.

    Args:
        models: names or run folders.
        data: folders of music, or files, or the tracks of them, see :func:`celesta.datasets.load`.
        options: ``seconds``, ``limit``, ``rate_distortion``, ``sample_rate`` and ``progress``, see
            :func:`celesta.evaluation.comparison.compare`.

    Raises:
        DataError: there is no readable music.
        ModelError: a model cannot be loaded.

    Example:
        >>> import celesta
        >>> result = celesta.compare(["linear-16"], "music", seconds=2, rate_distortion=False)
        >>> [scores.model for scores in result.rows]
        ['linear-16', 'linear-16']
    """
    found = comparison.compare(models, data, **options)
    return Comparison(**vars(found))
