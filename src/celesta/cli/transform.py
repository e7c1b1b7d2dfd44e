"""`celesta transform`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from celesta.cli import console
from celesta.cli.batch import each_file
from celesta.cli.checks import check_model
from celesta.cli.files import free, inputs, ready_folder
from celesta.cli.options import DEFAULT_MODEL, Force, Json, ModelName, Strict
from celesta.cli.progress import working
from celesta.cli.variation_options import chosen_steps, with_variations
from celesta.errors import UsageError

if TYPE_CHECKING:
    from celesta.variations import Step


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
    recipe: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A recipe: a chain of variations as TOML.", show_default=False),
    ] = None,
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

    A recipe does the same from a file, for one song or a folder. What was done lies next to each result, as JSON; the
    same recipe gives the same bytes.

    Example: `celesta transform song.mp3 --brightness 2 --width 4`

    Example: `celesta transform albums/ --recipe warm.toml -o warm`

    Example: `celesta transform song.mp3 --noise 0.1 --seed 7 --smooth 5 --start 30 --stop 60`
    """
    console.be_strict(strict)
    steps, model = _chain(recipe, settings, model)
    check_model(model)
    with working("transform", "looking for files") as meter:
        found = inputs(sources)
        ready_folder(output)
        meter.doing(f"loading {model}")
        from celesta import codec as codecs
        from celesta.report.index import SongPage
        from celesta.report.variation import INDEX_HEAD, output_name, variation_index, vary_song
        from celesta.variations.recipes import describe
        from celesta.variations.sidecar import write_sidecar

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
            chain = {"model": codec.name, "start": start, "stop": stop, "step": describe(steps)}
            sidecar = write_sidecar(audio, "transform", file, chain, {"weights": codec.weights})
            if as_json:
                done = [{"variation": step.name, **step.settings} for step in steps]
                paths = {"source": file, "page": page, "audio": audio, "recipe": sidecar}
                console.emit({**paths, "model": codec.name, "steps": done})
            else:
                console.say(page)

        try:
            each_file(meter, [file for file, _ in found], work, as_json=as_json)
        finally:
            if len(made) > 1:
                console.note(f"index: {variation_index(made, steps, output / 'index.html')}")


def _chain(recipe: Path | None, settings: Mapping[str, float | None], model: str) -> tuple[list[Step], str]:
    """Return the variations and the model: of the recipe, or of the options."""
    if recipe is None:
        return chosen_steps(settings), model
    from celesta.variations.recipes import read_recipe

    if any(value is not None for value in settings.values()):
        raise UsageError("give either --recipe or variations, not both")
    found = read_recipe(recipe)
    return list(found.steps), found.model or model
