"""`celesta mosaic`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta._files import atomic
from celesta.cli import console
from celesta.cli.checks import check_songs
from celesta.cli.inputs import inputs
from celesta.cli.options import Cache, Force, Json, cache_of
from celesta.cli.progress import working
from celesta.cli.versions import AudioFile, From, To, check_ends, check_stretch, result_file, stretch_name
from celesta.errors import DataError

_TABLES = {"csv": "csv", "edl": "edl.txt"}


def mosaic(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="The song to rebuild.", show_default=False)],
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="FILE|FOLDER", help="Songs to take grains from, or folders.", show_default=False),
    ],
    variety: Annotated[
        int, typer.Option(min=0, max=1000, metavar="N", help="No grain from the place of one of the last N.")
    ] = 8,
    jump: Annotated[
        float,
        typer.Option(
            min=0, max=1000, metavar="X", help="Cost of a jump in a source between two onsets; 0: jump freely."
        ),
    ] = 3.0,
    transpose: Annotated[
        int, typer.Option(min=0, max=2, metavar="N", help="Semitones by which grains may be transposed.")
    ] = 0,
    follow: Annotated[
        bool, typer.Option("--follow/--as-they-are", help="Make grains as loud as the target, or leave their level.")
    ] = True,
    start: From = None,
    stop: To = None,
    output: AudioFile = None,
    cache: Cache = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Rebuild a song from grains of other songs, and list where each grain is from.

    Next to the result lie three lists of its grains: JSON, CSV for spreadsheets, and an edit decision list (.edl.txt)
    that Vegas and REAPER open, the grains on two tracks in turn. Samples are in temporary files; memory grows by about
    4 MB with each minute of target and sources.

    Example: `celesta mosaic song.mp3 field-recordings/ -o mosaic.flac`

    Example: `celesta mosaic song.mp3 drums.wav rain.wav --variety 32 --transpose 2`
    """
    check_stretch(start, stop)
    check_songs(target)
    check_ends(target, start, stop)
    default = target.with_name(f"{target.stem}.mosaic{stretch_name(start, stop)}.flac")
    audio_file = result_file(output or default, force)
    with working("mosaic", "looking for files") as meter:
        found = [file for file, _ in inputs(sources) if file != audio_file]
        if not found:
            raise DataError("there is no source to take grains from")
        from celesta.features.cache import FeatureCache
        from celesta.variations.mosaic import mosaic_file
        from celesta.variations.sidecar import write_sidecar

        settings = {"variety": variety, "jump": jump, "transpose": transpose, "follow": follow}
        made = mosaic_file(
            target, found, audio_file, start=start, stop=stop, **settings, cache=FeatureCache(cache_of(cache)),
            progress=lambda done, of: meter.steps("analysing sources", int(done), int(of)),
        )  # fmt: skip
        used = sorted({grain.source for grain in made.grains})
        about = {**settings, "from": start, "to": stop}
        sidecar = write_sidecar(
            audio_file, "mosaic", [target, *(found[i] for i in used)], about, {"grains": made.rows()}
        )
        tables = {"csv": made.csv(), "edl": made.edl()}
        files = {name: audio_file.with_name(f"{audio_file.name}.{suffix}") for name, suffix in _TABLES.items()}
        for name, file in files.items():
            with atomic(file, DataError) as temporary:
                temporary.write_text(tables[name], encoding="utf-8")
    for text in made.notes:
        console.note(text)
    if as_json:
        grains = {"grains": len(made.grains), "sources": [found[i] for i in used]}
        console.emit({"target": target, "output": audio_file, "recipe": sidecar, **files, **grains})
        return
    console.say(f"{target} -> {audio_file}  {len(made.grains)} grains from {len(used)} of {len(found)} sources")
    for file in files.values():
        console.say(file)
