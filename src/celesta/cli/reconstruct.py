"""`celesta reconstruct`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from celesta.cli import console
from celesta.cli.batch import each_file
from celesta.cli.checks import check_model
from celesta.cli.files import output_folder
from celesta.cli.inputs import find_songs, inputs
from celesta.cli.options import DEFAULT_MODEL, Force, Json, ModelName, Songs, Strict
from celesta.cli.pages import SongPages
from celesta.cli.progress import working


def reconstruct(
    sources: Songs,
    model: ModelName = DEFAULT_MODEL,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Folder for the pages and audio files.")
    ] = Path("reconstructed"),
    force: Force = False,
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Encode and decode songs: a page with players, spectrograms and scores for each, and a FLAC file.

    Several songs also get a page that lists them.

    Below the output folder, the pages lie as the songs lie below the folder given.

    Example: `celesta reconstruct song.mp3 -m cel-3`

    Example: `celesta reconstruct albums/ -o pages/`
    """
    console.be_strict(strict)
    check_model(model)
    with working("reconstruct", "looking for files") as meter:
        found = inputs(sources, find_songs)
        output_folder(output)
        meter.doing(f"loading {model}")
        from celesta import codec as codecs
        from celesta.report.reconstruct import HEAD, reconstruct_index, reconstruct_song

        codec = codecs.load(model)
        files = (".flac", ".cel") if codec.network.codes_to_bitrate else (".flac",)
        skip = len(sources) > 1 or sources[0].is_dir()
        pages = SongPages(output, found, len(HEAD), force=force, skip=skip, suffixes=files)

        def work(file: Path) -> None:
            page = pages.target(file, f"{file.name}.{Path(codec.name).name}", codec.name)
            if page is None:
                return
            made = reconstruct_song(codec, file, page, force=True, progress=meter.seconds, doing=meter.closing)
            pages.made.append(made)
            if as_json:
                console.emit({"source": file, "page": page, "audio": made.flac, "model": codec.name})
            else:
                console.say(page)

        with pages.listed(reconstruct_index):
            each_file(meter, pages.songs, work, failed=found.failed, as_json=as_json)
