"""`celesta mosaic`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta._files import atomic
from celesta.cli import console
from celesta.cli.files import free, inputs, ready_folder
from celesta.cli.options import Cache, Force, Json, cache_of
from celesta.cli.progress import working
from celesta.errors import DataError


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
        float, typer.Option(min=0, max=1000, metavar="DB", help="Cost of leaving a source's own order; 0: jump freely.")
    ] = 3.0,
    transpose: Annotated[
        int, typer.Option(min=0, max=2, metavar="N", help="Semitones by which grains may be transposed.")
    ] = 0,
    follow: Annotated[
        bool, typer.Option("--follow/--as-they-are", help="Make grains as loud as the target, or leave their level.")
    ] = True,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="The audio file.", show_default=False)
    ] = None,
    cache: Cache = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Rebuild a song from grains of other songs, and list where each grain is from.

    Next to the result lie two lists of its grains: JSON, and CSV for spreadsheets and DAW scripts. The result has the
    target's length and is held in memory.

    Example: `celesta mosaic song.mp3 field-recordings/ -o mosaic.flac`

    Example: `celesta mosaic song.mp3 drums.wav rain.wav --variety 32 --transpose 2`
    """
    audio_file = free(output or target.with_name(f"{target.stem}.mosaic.flac"), force)
    ready_folder(audio_file.parent)
    with working("mosaic", "looking for files") as meter:
        found = [file for file, _ in inputs(sources) if file != audio_file]
        if not found:
            raise DataError("there is no source to take grains from")
        from celesta import audio
        from celesta.features.cache import FeatureCache
        from celesta.variations.mosaic import mosaic as make
        from celesta.variations.sidecar import write_sidecar

        made = make(
            target, found, variety=variety, jump=jump, transpose=transpose, follow=follow,
            cache=FeatureCache(cache_of(cache)),
            progress=lambda done, of: meter.steps("analysing sources", int(done), int(of)),
        )  # fmt: skip
        audio.write(audio_file, made.samples, made.sample_rate)
        settings = {"variety": variety, "jump": jump, "transpose": transpose, "follow": follow}
        used = sorted({grain.source for grain in made.grains})
        sidecar = write_sidecar(
            audio_file, "mosaic", [target, *(found[i] for i in used)], settings, {"grains": made.rows()}
        )
        table = audio_file.with_name(f"{audio_file.name}.csv")
        with atomic(table, DataError) as temporary:
            temporary.write_text(made.csv(), encoding="utf-8")
    for text in made.notes:
        console.note(text)
    if as_json:
        grains = {"grains": len(made.grains), "sources": [found[i] for i in used]}
        console.emit({"target": target, "output": audio_file, "recipe": sidecar, "csv": table, **grains})
        return
    console.say(f"{target} -> {audio_file}  {len(made.grains)} grains from {len(used)} of {len(found)} sources")
