"""Compare models on a folder of music and write the page.

Run: python examples/compare_models.py [FOLDER]
"""

from __future__ import annotations

import sys

import celesta
from celesta.report.demo import CLIPS


def main() -> None:
    """Three baselines and one autoencoder on five seconds of each file."""
    folder = sys.argv[1] if len(sys.argv) > 1 else CLIPS
    result = celesta.compare(["cel-3", "linear-64", "pca-64", "sparse-64"], folder, seconds=5, rate_distortion=False)
    for row in result.rows:
        print(f"{row.clip:32} {row.model:10} SI-SDR {row.si_sdr:6.2f} dB   mel distance {row.mel:.2f}")
    print(result.to_html("compare.html"))


if __name__ == "__main__":
    main()
