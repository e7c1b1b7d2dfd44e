"""`celesta transform`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta.cli import console
from celesta.cli.files import each_file, free, inputs, ready_folder
from celesta.cli.options import DEFAULT_MODEL, Force, Json, ModelName, Strict
from celesta.cli.progress import working
from celesta.cli.variation_options import chosen_steps, with_variations


@with_variations
def transform(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE|FOLDER", help="Audio files, .cel files of the model, or folders of audio.", show_default=False
        ),
    ],
    model: ModelName = DEFAULT_MODEL,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Folder for the pages and audio files.")
    ] = Path("variation"),
    start: Annotated[float | None, typer.Option(metavar="SECONDS", help="Where to begin.", show_default=False)] = None,
    stop: Annotated[float | None, typer.Option(metavar="SECONDS", help="Where to end.", show_default=False)] = None,
    force: Force = False,
    strict: Strict = False,
    as_json: Json = False,
    **settings: float | None,
) -> None:
    """Change the latents of songs and decode them: a page that compares, and a FLAC file for each.

    Several songs also get a page that lists them.

    Several variations are applied in the order of this help, to the whole song; --start and --stop choose what is
    decoded.

    Example: `celesta transform song.mp3 --gain 1.5`

    Example: `celesta transform song.mp3 --noise 0.1 --seed 7 --smooth 5 --start 30 --stop 60`
    """
    steps = chosen_steps(settings)
    with working("transform", "looking for files") as meter:
        found = inputs(sources)
        ready_folder(output)
        meter.doing(f"loading {model}")
        from celesta import codec as codecs
        from celesta.report.index import SongPage
        from celesta.report.variation import INDEX_HEAD, output_name, variation_index, vary_song

        codec = codecs.load(model)
        folders = dict(found)
        made: list[SongPage] = []
        skip = len(sources) > 1 or sources[0].is_dir()

        def work(file: Path) -> None:
            page = output / folders[file].parent / f"{output_name(file, codec, steps)}.html"
            audio = page.with_suffix(".flac")
            if skip and not force and page.exists() and audio.exists():
                console.note(f"{page}: exists already, skipped")
                made.append(SongPage(file, page, audio, [codec.name, *[""] * (len(INDEX_HEAD) - 1)]))
                return
            free(page, force)
            made.append(
                vary_song(codec, file, page, steps, force=force, start=start, stop=stop, progress=meter.seconds)
            )
            if as_json:
                chain = [{"variation": step.name, **step.settings} for step in steps]
                console.emit({"source": file, "page": page, "audio": audio, "model": codec.name, "steps": chain})
            else:
                console.say(page)

        try:
            each_file(meter, [file for file, _ in found], work, strict=strict, as_json=as_json)
        finally:
            if len(made) > 1:
                console.note(f"index: {variation_index(made, steps, output / 'index.html')}")
