"""`celesta classify predict`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from celesta._files import printable
from celesta.cli import console
from celesta.cli.batch import each_file
from celesta.cli.checks import check_compute, check_predictor
from celesta.cli.classify.results import Results
from celesta.cli.files import output_folder
from celesta.cli.inputs import find_songs, inputs
from celesta.cli.options import Device, Json, Songs, Strict
from celesta.cli.progress import working
from celesta.errors import UsageError

RESULTS, PAGE = "predictions.jsonl", "predictions.html"


def predict(
    sources: Songs,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="genre, mood, tags, or a classifier's file; repeat it for several. By default the first three.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help=f"Folder for {RESULTS} and {PAGE}.")
    ] = Path("predictions"),
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of text.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Predict songs again that are in the results already.")
    ] = False,
    device: Device = "auto",
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Predict genre, mood and tags of songs, for each song and over its time.

    Each result is printed and saved when the song is done. Run it again with the same output folder to continue after
    an interruption.

    Example: `celesta classify predict song.mp3 albums/`

    Example: `celesta classify predict albums/ --csv > albums.csv`
    """
    if as_csv and as_json:
        raise UsageError("--csv and --json contradict each other; give one of them")
    check_compute(device)
    for model in models or ():
        check_predictor(model)
    console.be_strict(strict)
    with working("predict", "looking for files") as meter:
        found = inputs(sources, find_songs)
        files = found.files
        output_folder(output)
        meter.doing("loading")
        from celesta.predict import SongPrediction, SongPredictor
        from celesta.predict.predictor import SHIPPED
        from celesta.report.predictions import write_page

        predictor = SongPredictor(models or SHIPPED, device=device)
        names = list(predictor.predictors)
        results = Results(output / RESULTS, names, force=force)
        show = _printer(names, as_csv=as_csv, as_json=as_json)

        def work(file: Path) -> None:
            record = results.find(file)
            if record is None:
                record = results.add(file, predictor.predict(file).to_dict())
            show(record)

        each_file(meter, files, work, failed=found.failed, as_json=as_json)
        meter.doing(f"writing {PAGE}")
        songs = [SongPrediction.from_dict(record) for record in map(results.find, files) if record is not None]
        page = write_page(songs, output / PAGE) if songs else None
    if page is not None and not as_json and not as_csv:
        console.say(f"data: {output / RESULTS}")
        console.say(f"report: {page}")


def _printer(names: Sequence[str], *, as_csv: bool, as_json: bool) -> Any:
    """Return the function that prints a record as soon as it is known."""
    if as_json:
        return console.emit
    if not as_csv:
        return lambda record: console.say(f"{record['path']}: {_line(record, names)}")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    plane = ["valence", "arousal"]
    writer.writerow(["path", *(column for name in names for column in (name, f"{name}_probability")), *plane])

    def row(record: Mapping[str, Any]) -> None:
        cells = [cell for name in names for cell in _best(record, name, 1)]
        writer.writerow([printable(record["path"]), *cells, *(record.get(key, "") for key in plane)])
        sys.stdout.flush()

    return row


def _line(record: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return the most probable classes of a song in a few words."""
    if record["reason"]:
        return f"{record['status']}: {record['reason']}"
    best = [_best(record, name, 2) for name in names]
    parts = [", ".join(f"{label} {p:.0%}" for label, p in zip(cells[::2], cells[1::2], strict=True)) for cells in best]
    if "valence" in record:
        parts.append(f"valence {record['valence']:+.2f}, arousal {record['arousal']:+.2f}")
    return "; ".join(parts)


def _best(record: Mapping[str, Any], name: str, count: int) -> list[Any]:
    """Return the most probable classes, each followed by its probability; empty cells where there are none."""
    found = record["probabilities"].get(name, {})
    ordered = sorted(found.items(), key=lambda pair: -pair[1])[:count]
    return [cell for label, p in ordered for cell in (label, p)] or [""] * (2 * count)
