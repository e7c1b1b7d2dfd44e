r"""Print the table of docs/results/models.md from the JSON that `celesta compare` writes, or put it into the document.

Run:
    celesta compare nested2 cel-lr cel-silu cel-2 cel-3 linear-64 pca-64 sparse-64 --data GTZAN --limit 40 \
        --sample-rate 22050 --no-rate-distortion -o comparison
    python scripts/models_table.py comparison/compare.json --write docs/results/models.md
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from celesta.models import registry

BEGIN, END = "<!-- table: scripts/models_table.py -->", "<!-- end of table -->"
HEAD = (
    "| model | latent of a window | floats/s | of the input | kbit/s | MSE | SI-SDR dB | mel distance | encode / "
    "decode, s of audio a second |"
)


def table(found: dict) -> str:  # type: ignore[type-arg]
    """Return the table in Markdown, a row a model, with 95 % intervals over files."""
    descriptions = {entry.name: entry.description for entry in registry.shipped(registry.Role.BASELINE)}
    lines = [HEAD, "|" + "---|" * HEAD.count(" | ") + "---|"]
    for model, means in found["means_with_95_percent_intervals"].items():
        rows = [row for row in found["scores"] if row["model"] == model]
        first = rows[0]
        speeds = [sum(row[key] for row in rows) / len(rows) for key in ("encode_speed", "decode_speed")]
        coded = [row["kbps"] for row in rows if row["kbps"] is not None]
        scores = [
            f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
            for digits, (mean, low, high) in zip((5, 1, 2), means.values(), strict=True)
        ]
        name = f"`{model}`" + (
            f": {descriptions[model][0].lower()}{descriptions[model][1:]}" if model in descriptions else ""
        )
        cells = [
            name,
            " x ".join(map(str, first["latent_shape"])),
            f"{first['floats_per_second']:,.0f}",
            f"{first['ratio']:.3g} x",
            f"{sum(coded) / len(coded):.1f}" if coded else "",
            *scores,
            " / ".join(f"{speed:,.0f}" for speed in speeds),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    about = found["about"]
    facts = f"{about['files']} files of {about['data']} ({about['split']}), {about['seconds of each']:g} s of each"
    return "\n".join([*lines, "", f"{facts}, mono at {about['sample rate']} Hz; 95 % bootstrap intervals over files."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("comparison", type=Path, help="compare.json of celesta compare")
    parser.add_argument("--write", type=Path, metavar="FILE", help="document whose table is replaced")
    args = parser.parse_args()
    made = table(json.loads(args.comparison.read_text(encoding="utf-8")))
    if args.write is None:
        print(made)
        return
    before, _, rest = args.write.read_text(encoding="utf-8").partition(BEGIN)
    args.write.write_text(f"{before}{BEGIN}\n{made}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
